"""A certificate authority that nobody but a test trusts, for servers and clients, in order or deliberately not."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class Identity(NamedTuple):
    """A certificate, its key, and both in one file as Kafka's PEM key stores want them."""

    certificate: Path
    private_key: Path
    both: Path


class CertificateAuthority:
    """Issues certificates into a folder. `certificate` is what has to be trusted."""

    def __init__(self, folder: Path, name: str, *, days: float = 2) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        built = (
            _begun(self._name, self._key, days)
            .issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(built.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, days: float = 1, password: str | None = None, host: str = "127.0.0.1") -> Identity:
        """A certificate for `name`, good at `host`; of negative `days` it has run out, so many days ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = (
            _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, days)
            .issuer_name(self._name)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        hiding: KeySerializationEncryption = (
            NoEncryption() if password is None else BestAvailableEncryption(password.encode())
        )
        certificate = built.public_bytes(Encoding.PEM)
        private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hiding)
        files = Identity(*(self._folder / f"{name}.{kind}.pem" for kind in ("certificate", "key", "both")))
        for file, content in zip(files, (certificate, private_key, private_key + certificate), strict=True):
            file.write_bytes(content)
        return files


def _begun(name: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
    )
