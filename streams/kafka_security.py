"""What a Kafka connection is protected with: TLS, a user with a password, both, or nothing; and whether it can work.

`settings` reads it from the environment and asks for `mistakes` at once; `kafka_connection` makes of it what the client
libraries want. Nothing here falls back: a protocol that cannot be used is a mistake, and host names are always checked.
"""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_PROTOCOL = "CARELINE_KAFKA_SECURITY_PROTOCOL"
_CA, _CERTIFICATE, _KEY = "CARELINE_KAFKA_CA_FILE", "CARELINE_KAFKA_CERTIFICATE_FILE", "CARELINE_KAFKA_KEY_FILE"
_KEY_PASSWORD, _MECHANISM = "CARELINE_KAFKA_KEY_PASSWORD", "CARELINE_KAFKA_SASL_MECHANISM"
_USER, _PASSWORD = "CARELINE_KAFKA_USER", "CARELINE_KAFKA_PASSWORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """How a connection is protected. Passwords are in no `repr`.

    Attributes:
        protocol: One of `PROTOCOLS`, as Kafka names them.
        ca_file: PEM with the certificates that are trusted; null for those that the system trusts.
        certificate_file: PEM with the certificate that we show, and those between it and its authority.
        key_file: PEM with the key of that certificate.
        key_password: Opens the key, where it is encrypted.
        mechanism: One of `MECHANISMS`.
        user: Who we are.
        password: What proves it.
    """

    protocol: str = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    mechanism: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """Whether we say who we are with a user and a password."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    @property
    def identity(self) -> str:
        """Who we are to the broker, for people."""
        if self.uses_sasl:
            return f"the user {self.user}"
        return f"the client with the certificate {self.certificate_file}" if self.certificate_file else "this client"

    def tls_context(self) -> ssl.SSLContext | None:
        """A new context that checks certificates and host names, with the files as they are now; null without TLS.

        Raises:
            OSError: a file cannot be read, or is none of what it should be (`ssl.SSLError`).
        """
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslobject_class = _LeavesAtOnce
        if self.certificate_file is not None:
            # Never null: OpenSSL would ask on the terminal for the password of an encrypted key.
            context.load_cert_chain(self.certificate_file, self.key_file, lambda: self.key_password or "")
        return context

    def mistakes(self, now: datetime | None = None) -> list[str]:
        """What contradicts itself, is missing or cannot be used; each names its variable and the way out."""
        found = [*self._contradictions(), *self._missing()]
        return found if found or not self.uses_tls else list(self._unusable_files(now or datetime.now(UTC)))

    def _contradictions(self) -> Iterator[str]:
        """Settings that would be ignored: whoever made them believes in a protection that is not there."""
        tls = {_CA: self.ca_file, _CERTIFICATE: self.certificate_file, _KEY: self.key_file}
        tls[_KEY_PASSWORD] = self.key_password  # type: ignore[assignment]  # only whether it is set counts
        sasl = {_MECHANISM: self.mechanism, _USER: self.user, _PASSWORD: self.password}
        for is_used, variables, wanted in (
            (self.uses_tls, tls, "SASL_SSL" if self.uses_sasl else "SSL"),
            (self.uses_sasl, sasl, "SASL_SSL"),
        ):
            for variable, value in variables.items():
                if value is not None and not is_used:
                    yield f"{variable}: is of no use with the protocol {self.protocol}; set {_PROTOCOL}={wanted}"

    def _missing(self) -> Iterator[str]:
        if self.uses_sasl:
            for variable, value, hint in (
                (_MECHANISM, self.mechanism, f"set it to what the brokers offer: {', '.join(MECHANISMS)}"),
                (_USER, self.user, "set it to the name that the brokers know"),
                (_PASSWORD, self.password, f"set it, or {_PASSWORD}_FILE to a file that holds it"),
            ):
                if value is None:
                    yield f"{variable}: is missing, and {_PROTOCOL}={self.protocol} needs it; {hint}"
        if self.uses_tls and self.certificate_file is not None and self.key_file is None:
            yield f"{_KEY}: is missing beside {_CERTIFICATE}; set it to the file with the key of the certificate"
        if self.uses_tls and self.key_file is not None and self.certificate_file is None:
            yield f"{_CERTIFICATE}: is missing beside {_KEY}; set it to the file with the certificate of the key"

    def _unusable_files(self, now: datetime) -> Iterator[str]:
        if self.ca_file is not None:
            yield from _certificate_trouble(_CA, self.ca_file, now, "get the new certificate of the authority")
        if self.certificate_file is not None:
            trouble = list(_certificate_trouble(_CERTIFICATE, self.certificate_file, now, "have it renewed"))
            yield from trouble or self._key_trouble()

    def _key_trouble(self) -> Iterator[str]:
        try:
            self.key_file.read_bytes()  # type: ignore[union-attr]  # missing ones were told before
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(
                self.certificate_file,  # type: ignore[arg-type]  # see above
                self.key_file,
                lambda: self.key_password or "",
            )
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                yield f"{_KEY}: {self.key_file} is not the key of the certificate in {_CERTIFICATE}"
                return
            yield (
                f"{_KEY}: {self.key_file} cannot be opened; it must be a key in PEM, and if it is encrypted, "
                f"{_KEY_PASSWORD} (or {_KEY_PASSWORD}_FILE) must open it"
            )
        except OSError as error:
            yield f"{_KEY}: {self.key_file} cannot be read: {error.strerror or error}"


class _LeavesAtOnce(ssl.SSLObject):
    """Says that it closes, and does not wait for the other side to say so too, which RFC 8446 (6.1) leaves open.

    A broker with a fetch in hand does not answer, and asyncio and uvloop would wait for it for half a minute: in every
    recovery, and whenever a partition changes hands.
    """

    @override
    def unwrap(self) -> None:
        """Send the closing alert."""
        with suppress(ssl.SSLWantReadError):
            super().unwrap()


def _certificate_trouble(variable: str, file: Path, now: datetime, way_out: str) -> Iterator[str]:
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - slow to load, and seldom needed

    try:
        certificates = load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        yield f"{variable}: {file} cannot be read: {error.strerror or error}"
        return
    except ValueError:
        yield f"{variable}: {file} holds no certificate; it must be one in PEM, beginning with BEGIN CERTIFICATE"
        return
    # The first of a chain is our own. Of many authorities one is enough.
    counted = certificates if variable == _CA else certificates[:1]
    ends = max(each.not_valid_after_utc for each in counted)
    if ends <= now:
        yield f"{variable}: the certificate in {file} has expired on {ends:%Y-%m-%d}; {way_out}"
