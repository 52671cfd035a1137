"""Settings of a secured Kafka: what clients are made with, what is wrong told at once, and no secret in any text."""

import logging
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, SaslAuthenticationFailed
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from streams.faust_app.broker_credentials import faust_options
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import KafkaRefused, refusal_in
from streams.kafka_security import MECHANISMS, KafkaSecurity
from streams.settings import Settings, SettingsMistake, without_security
from tests.certificate_authority import CertificateAuthority, Identity

SECRET, KEY_SECRET = "a secret of the test", "another secret"
USER = {
    "CARELINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "CARELINE_KAFKA_USER": "careline",
    "CARELINE_KAFKA_PASSWORD": SECRET,
}


class Files(NamedTuple):
    """What a test finds on the disk."""

    authority: Path
    expired_authority: Path
    client: Identity
    locked: Identity
    expired: Identity
    nonsense: Path
    folder: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Real certificates and keys, some of them no longer good."""
    folder = tmp_path_factory.mktemp("tls")
    authority = CertificateAuthority(folder, "authority")
    nonsense = folder / "nonsense.pem"
    nonsense.write_text("not a certificate")
    return Files(
        authority=authority.certificate,
        expired_authority=CertificateAuthority(folder, "old-authority", days=-1).certificate,
        client=authority.issue("client"),
        locked=authority.issue("locked", password=KEY_SECRET),
        expired=authority.issue("expired", days=-1),
        nonsense=nonsense,
        folder=folder,
    )


def read(protocol: str, **variables: object) -> Settings:
    """Settings from an environment with a protocol."""
    told = {name: str(value) for name, value in variables.items()}
    return Settings.from_environment({"CARELINE_KAFKA_SECURITY_PROTOCOL": protocol, **told})


def test_without_settings_it_is_plaintext_and_nothing_else() -> None:
    options = Settings(kafka_servers="a:1, b:2").kafka.for_kafka_python()

    assert options == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_both_libraries_and_faust_get_the_same(files: Files, mechanism: str) -> None:
    variables = USER | {"CARELINE_KAFKA_SASL_MECHANISM": mechanism.lower(), "CARELINE_KAFKA_CA_FILE": files.authority}
    kafka = read("sasl_ssl", **variables).kafka
    for options in (kafka.for_kafka_python(), kafka.for_aiokafka()):
        context = options.pop("ssl_context")
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert [each["subject"][0][0][1] for each in context.get_ca_certs()] == ["authority"]
        assert options == {
            "bootstrap_servers": ["127.0.0.1:9092"],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_plain_username": "careline",
            "sasl_plain_password": SECRET,
        }
    app = faust_options(kafka)
    auth = dict(credentials_to_aiokafka_auth(app["broker_credentials"]))
    assert auth.pop("ssl_context").check_hostname
    assert auth == {key: value for key, value in options.items() if key != "bootstrap_servers"}
    assert app["broker"] == ["kafka://127.0.0.1:9092"]


@pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT", "PLAINTEXT"])
def test_faust_speaks_the_protocol_that_was_said(protocol: str) -> None:
    settings = read(protocol, **(USER if protocol.startswith("SASL") else {}))
    auth = credentials_to_aiokafka_auth(faust_options(settings.kafka)["broker_credentials"])

    assert auth["security_protocol"] == protocol
    assert settings.kafka.for_aiokafka()["security_protocol"] == protocol


def test_a_certificate_of_our_own_is_shown_also_behind_a_locked_key(files: Files) -> None:
    own = {
        "CARELINE_KAFKA_CERTIFICATE_FILE": files.locked.certificate,
        "CARELINE_KAFKA_KEY_FILE": files.locked.private_key,
    }
    (files.folder / "key-password").write_text(f"{KEY_SECRET}\n")
    for password in (
        {"CARELINE_KAFKA_KEY_PASSWORD": KEY_SECRET},
        {"CARELINE_KAFKA_KEY_PASSWORD_FILE": files.folder / "key-password"},
    ):
        settings = read("SSL", **own, **password)
        assert settings.kafka_key_password == KEY_SECRET
        assert settings.kafka.for_aiokafka()["ssl_context"] is not None


def test_a_password_from_a_file_loses_its_line_end_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f" {SECRET} \r\n")
    variables = USER | {"CARELINE_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    del variables["CARELINE_KAFKA_PASSWORD"]

    assert read("SASL_SSL", **variables).kafka.for_kafka_python()["sasl_plain_password"] == f" {SECRET} "


MISTAKES = {
    "no such protocol": ("TLS", {}, ["CARELINE_KAFKA_SECURITY_PROTOCOL: 'TLS' is none of PLAINTEXT, SSL"]),
    "a user over plaintext": ("PLAINTEXT", USER, ["CARELINE_KAFKA_USER", "of no use", "SASL_SSL"]),
    "an authority over plaintext": (
        "SASL_PLAINTEXT",
        USER | {"CARELINE_KAFKA_CA_FILE": "{authority}"},
        ["CA_FILE", "SASL_SSL"],
    ),
    "no user": (
        "SASL_SSL",
        {},
        ["CARELINE_KAFKA_SASL_MECHANISM", "CARELINE_KAFKA_USER", "CARELINE_KAFKA_PASSWORD_FILE"],
    ),
    "no such mechanism": ("SASL_SSL", USER | {"CARELINE_KAFKA_SASL_MECHANISM": "GSSAPI"}, ["SCRAM-SHA-512"]),
    "a certificate without key": ("SSL", {"CARELINE_KAFKA_CERTIFICATE_FILE": "{client}"}, ["CARELINE_KAFKA_KEY_FILE"]),
    "a key without certificate": ("SSL", {"CARELINE_KAFKA_KEY_FILE": "{key}"}, ["CARELINE_KAFKA_CERTIFICATE_FILE"]),
    "no such file": ("SSL", {"CARELINE_KAFKA_CA_FILE": "{folder}/none"}, ["CARELINE_KAFKA_CA_FILE", "No such file"]),
    "no certificate": (
        "SSL",
        {"CARELINE_KAFKA_CA_FILE": "{nonsense}"},
        ["CARELINE_KAFKA_CA_FILE", "BEGIN CERTIFICATE"],
    ),
    "an authority of the past": (
        "SSL",
        {"CARELINE_KAFKA_CA_FILE": "{old}"},
        ["CARELINE_KAFKA_CA_FILE", "has expired on"],
    ),
    "a certificate of the past": (
        "SSL",
        {"CARELINE_KAFKA_CERTIFICATE_FILE": "{expired}", "CARELINE_KAFKA_KEY_FILE": "{key}"},
        ["CARELINE_KAFKA_CERTIFICATE_FILE", "has expired on"],
    ),
    "another key": (
        "SSL",
        {"CARELINE_KAFKA_CERTIFICATE_FILE": "{client}", "CARELINE_KAFKA_KEY_FILE": "{other}"},
        ["CARELINE_KAFKA_KEY_FILE", "not the key"],
    ),
    "a locked key": (
        "SSL",
        {"CARELINE_KAFKA_CERTIFICATE_FILE": "{locked}", "CARELINE_KAFKA_KEY_FILE": "{locked_key}"},
        ["CARELINE_KAFKA_KEY_PASSWORD"],
    ),
    "two passwords": ("SASL_SSL", USER | {"CARELINE_KAFKA_PASSWORD_FILE": "{nonsense}"}, ["only one of them"]),
    "no password file": (
        "SASL_SSL",
        USER | {"CARELINE_KAFKA_PASSWORD": "", "CARELINE_KAFKA_PASSWORD_FILE": "{folder}/none"},
        ["CARELINE_KAFKA_PASSWORD_FILE", "cannot be read"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_work_is_told_at_once_with_the_setting(files: Files, mistake: str) -> None:
    protocol, variables, words = MISTAKES[mistake]
    places = {
        "authority": files.authority,
        "old": files.expired_authority,
        "client": files.client.certificate,
        "key": files.client.private_key,
        "expired": files.expired.certificate,
        "other": files.expired.private_key,
        "locked": files.locked.certificate,
        "locked_key": files.locked.private_key,
        "nonsense": files.nonsense,
        "folder": files.folder,
    }
    with pytest.raises(SettingsMistake) as mistakes:
        read(protocol, **{name: value.format(**places) for name, value in variables.items()})

    told = str(mistakes.value)
    assert all(word in told for word in words), told
    assert SECRET not in told


def test_no_secret_is_in_a_text(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    settings = read("SASL_SSL", **USER, CARELINE_KAFKA_CA_FILE=files.authority, CARELINE_KAFKA_KEY_PASSWORD=KEY_SECRET)
    for logger in ("kafka.net.connection", "kafka.admin.client", "kafka.protocol.parser", "aiokafka.conn"):
        logging.getLogger(logger).setLevel(logging.DEBUG)
        settings.kafka.for_kafka_python()
        assert not logging.getLogger(logger).isEnabledFor(logging.DEBUG), f"{logger} writes down what logs in"
    refused = refusal_in(SaslAuthenticationFailed("no"), settings.kafka)
    texts = [repr(settings), str(settings.kafka), repr(settings.kafka), repr(settings.kafka.security), str(refused)]
    texts.append(repr(faust_options(settings.kafka)))
    assert not any(secret in text for secret in (SECRET, KEY_SECRET) for text in texts)


def test_a_broker_of_our_own_has_no_security() -> None:
    kept = without_security(read("SASL_SSL", **USER, CARELINE_TOPIC_PREFIX="mine."))

    assert kept.kafka.security == KafkaSecurity()
    assert kept.topic_prefix == "mine."


KAFKA = KafkaConnection("a:1", KafkaSecurity(protocol="SASL_SSL", mechanism="PLAIN", user="me", password=SECRET))


def _wrapped(cause: BaseException) -> BaseException:
    error: BaseException = KafkaError("Unexpected error during coordination")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TopicAuthorizationFailedError({"b", "a"}), "the user me may not use the topic a, b"),
        (GroupAuthorizationFailedError("g"), "the user me may not use the group g"),
        (_wrapped(GroupAuthorizationFailedError("g")), "may not use the group g"),
        (SaslAuthenticationFailed("Authentication failed"), "CARELINE_KAFKA_PASSWORD"),
    ],
)
def test_refusals_are_known_by_their_code_also_when_wrapped(error: BaseException, words: str) -> None:
    refused = str(refusal_in(error, KAFKA))

    assert words in refused
    assert "\n" not in refused


@pytest.mark.parametrize(
    "error",
    [KafkaConnectionError("gone"), ConnectionRefusedError(111, "no"), OSError(29, "x"), ssl.SSLEOFError(8, "EOF")],
)
def test_what_may_pass_is_no_refusal(error: BaseException) -> None:
    assert refusal_in(error, KAFKA) is None


def test_a_refusal_is_passed_on_as_it_is() -> None:
    refused = KafkaRefused("a:1", "because", "Do something")

    assert refusal_in(_wrapped(refused), KAFKA) is refused
