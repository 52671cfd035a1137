"""Kafka is there and does not let us: a wrong password, a certificate that is not right, a missing right.

Trying again does not help, so whoever meets one ends with `REFUSED_STATUS` and one line (`careline connect` answers 503
instead). `refusal_in` recognises it in what clients raise, also where they have wrapped it.
"""

import ssl
from collections.abc import Iterable, Iterator

from streams.kafka_connection import KafkaConnection

REFUSED_STATUS = 77
"""EX_NOPERM of sysexits: Kafka answers and refuses. Where it does not answer the status is 1, or a worker waits."""

RIGHTS_PAGE = "docs/kafka-security.md lists what each process needs"

_NO_TOPIC, _NO_GROUP, _NO_CLUSTER, _NO_TRANSACTION = 29, 30, 31, 53
_WRONG_MECHANISM, _NO_SASL_HERE, _NOT_AUTHENTICATED = 33, 34, 58
"""Error codes of Kafka's protocol: https://kafka.apache.org/protocol#protocol_error_codes."""


class KafkaRefused(Exception):  # noqa: N818 - what has happened, in the words of the message
    """Kafka answers and refuses us. Its text is one line without secrets, with the setting and the way out.

    Attributes:
        reason: What is refused.
        way_out: What the reader can do about it.
    """

    def __init__(self, servers: str, reason: str, way_out: str) -> None:
        self.servers = servers
        self.reason = reason
        self.way_out = way_out
        super().__init__(f"Kafka at {servers} refuses: {reason}. {way_out}.")


def refusal_in(error: BaseException, kafka: KafkaConnection) -> KafkaRefused | None:
    """The refusal that an error is, or stems from; null where it is something else."""
    for each in _chain(error):
        if isinstance(each, KafkaRefused):
            return each
        if isinstance(each, ssl.SSLError):
            return tls_refusal(each, kafka)
        told = _told_by_code(each, kafka)
        if told is not None:
            return KafkaRefused(str(kafka), *told)
    return None


def is_refusal(error: BaseException) -> bool:
    """Whether an error is, or stems from, a refusal; for those who pass it on to somebody who can tell it."""
    return refusal_in(error, KafkaConnection("")) is not None


def topics_refused(kafka: KafkaConnection, topics: Iterable[str]) -> KafkaRefused:
    """That we may not use topics, which an answer said without an error being raised."""
    return KafkaRefused(str(kafka), *missing_right(kafka, f"use the topic {', '.join(sorted(topics))}"))


def missing_right(kafka: KafkaConnection, what: str) -> tuple[str, str]:
    """Reason and way out of a right that is missing: who we are may not do `what`."""
    return f"{kafka.security.identity} may not {what}", f"Grant it that (an ACL of the brokers); {RIGHTS_PAGE}"


def tls_refusal(error: ssl.SSLError, kafka: KafkaConnection) -> KafkaRefused | None:
    """What TLS has against a connection: their certificate, ours, or that they do not speak it; null if it just broke.

    Reasons are OpenSSL's: https://docs.python.org/3/library/ssl.html#ssl.SSLError.reason.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return KafkaRefused(str(kafka), *_untrusted(error))
    reason = getattr(error, "reason", None) or ""
    if reason == "WRONG_VERSION_NUMBER":
        return no_tls_there(kafka)
    if "ALERT" not in reason:
        return None
    told = reason.partition("ALERT_")[2].replace("_", " ").lower()
    if kafka.security.certificate_file is None:
        way_out = (
            "Set CARELINE_KAFKA_CERTIFICATE_FILE and CARELINE_KAFKA_KEY_FILE, if the brokers ask for a certificate"
        )
    else:
        way_out = "Have CARELINE_KAFKA_CERTIFICATE_FILE renewed, or signed by an authority that the brokers trust"
    return KafkaRefused(str(kafka), f"the brokers do not accept our side of TLS ({told})", way_out)


def no_tls_there(kafka: KafkaConnection) -> KafkaRefused:
    """That a listener does not speak TLS, and we insist on it."""
    return KafkaRefused(
        str(kafka),
        f"there is no TLS on this port, and CARELINE_KAFKA_SECURITY_PROTOCOL={kafka.security.protocol} wants it",
        "Name the port of the listener with TLS in CARELINE_KAFKA, or say the protocol of this one",
    )


def only_tls_there(kafka: KafkaConnection) -> KafkaRefused:
    """That a listener speaks TLS, and we do not."""
    return KafkaRefused(
        str(kafka),
        f"this port speaks TLS, and CARELINE_KAFKA_SECURITY_PROTOCOL={kafka.security.protocol} does not",
        "Set it to SSL, or to SASL_SSL where the brokers want a user",
    )


def mechanism_refusal(kafka: KafkaConnection, code: int, offered: Iterable[str]) -> KafkaRefused | None:
    """What the answer to a handshake (`SaslHandshake`) says against the settings; null if they fit the listener."""
    security = kafka.security
    if security.uses_sasl and code == _WRONG_MECHANISM:
        return KafkaRefused(
            str(kafka),
            f"the brokers do not know the mechanism {security.mechanism}",
            f"Set CARELINE_KAFKA_SASL_MECHANISM to one that they offer: {', '.join(sorted(offered))}",
        )
    if security.uses_sasl and code == _NO_SASL_HERE:
        return KafkaRefused(
            str(kafka),
            f"nobody asks for a user on this port, and CARELINE_KAFKA_SECURITY_PROTOCOL={security.protocol} shows one",
            f"Name the port that does in CARELINE_KAFKA, or set it to {'SSL' if security.uses_tls else 'PLAINTEXT'}",
        )
    if not security.uses_sasl and code in {0, _WRONG_MECHANISM}:
        return KafkaRefused(
            str(kafka),
            f"the brokers want a user, and CARELINE_KAFKA_SECURITY_PROTOCOL={security.protocol} shows none",
            f"Set it to {'SASL_SSL' if security.uses_tls else 'SASL_PLAINTEXT'}, with CARELINE_KAFKA_SASL_MECHANISM, "
            "CARELINE_KAFKA_USER and CARELINE_KAFKA_PASSWORD",
        )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _told_by_code(error: BaseException, kafka: KafkaConnection) -> tuple[str, str] | None:
    """Both client libraries give their errors the code of the protocol, so their classes need not be known here."""
    code = getattr(error, "errno", None)
    if isinstance(error, OSError) or not isinstance(code, int):
        return None
    names = _names_in(error)
    if code == _NOT_AUTHENTICATED:
        return (
            f"{kafka.security.identity} is not let in: its name or its password is wrong",
            "Set CARELINE_KAFKA_USER and CARELINE_KAFKA_PASSWORD (or _FILE) to what the brokers know for the mechanism",
        )
    if code in {_NO_TOPIC, _NO_GROUP, _NO_TRANSACTION}:
        kind = {_NO_TOPIC: "topic", _NO_GROUP: "group", _NO_TRANSACTION: "transactional id"}[code]
        return missing_right(kafka, f"use the {kind} {names}" if names else f"use a {kind} that is needed")
    if code == _NO_CLUSTER:
        return missing_right(kafka, "use the cluster in this way")
    return None


def _names_in(error: BaseException) -> str:
    """The names that a client put into its error: one, or a set of them; empty where it put none."""
    found = error.args[0] if error.args else ""
    if isinstance(found, set | frozenset | list | tuple):
        return ", ".join(sorted(str(name) for name in found))
    text = str(found)
    # kafka-python repeats the meaning of the code where there is no name.
    return text if " " not in text else ""


def _untrusted(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    told = error.verify_message
    if "expired" in told or "not yet valid" in told:
        return (
            f"the certificate of the broker is out of its time ({told})",
            "Have the certificate of the broker renewed",
        )
    if "mismatch" in told:
        way_out = "Name the brokers in CARELINE_KAFKA as their certificates do"
        return f"the certificate of the broker is for another host ({told})", way_out
    return (
        f"the certificate of the broker is signed by nobody whom we trust ({told})",
        "Set CARELINE_KAFKA_CA_FILE to the certificate of the authority that signed it",
    )
