"""Receives mail by SMTP (RFC 5321) or LMTP (RFC 2033) from one's own mail server, for instances of `email-smtp`.

A mail is taken with 250 only once Kafka has it; otherwise the sender hears 451 and keeps it. This is no mail server:
nothing is relayed, bounced or looked up. `smtp_session` speaks with the sender, `email_messages` knows what mails mean.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from streams.connectors.connector_contract import Instance
from streams.connectors.mail.imap_login import is_loopback, whole_number
from streams.connectors.source_contract import Reception

if TYPE_CHECKING:
    from streams.connectors.mail.smtp_session import MailSession

Network = IPv4Network | IPv6Network

LARGEST_BYTES = 36 * 1024 * 1024
"""25 MB of attachments in base64, as most servers let through."""
MOST_LARGEST_BYTES = 256 * 1024 * 1024
MOST_CONNECTIONS = 100
"""Postfix opens 20 to one destination."""
DRAIN_SECONDS = 10.0
"""For mails in progress at the end: longer than one waits for Kafka. A sender that needs longer comes again."""

OPTIONS = {
    "listen": "host and port (default: 127.0.0.1:2525)",
    "protocol": "smtp (default) or lmtp",
    "largest_bytes": "a larger mail hears 552 (default: 37748736)",
    "peers": "networks that may send, with commas between them: 10.0.0.0/8, 192.0.2.7 (default: whoever can connect)",
    "user": "with secrets: senders must prove themselves (AUTH) as this user, with one of them as the password",
    "certificate": "a file with the certificate and its chain (PEM); then mail is taken over TLS alone (STARTTLS)",
    "private_key": "a file with its key (default: it stands in the certificate's file)",
}


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where mail is received, and from whom."""

    host: str
    port: int
    protocol: Literal["smtp", "lmtp"]
    largest_bytes: int
    peers: tuple[Network, ...]
    user: str | None
    tls: ssl.SSLContext | None


def read_listen_settings(instance: Instance) -> ListenSettings:
    """The settings in an instance's options.

    Raises:
        ValueError: one is missing or wrong.
    """
    said = instance.options
    host, _, port = said.get("listen", "127.0.0.1:2525").rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("the option listen is HOST:PORT, for example 127.0.0.1:2525")
    protocol = said.get("protocol", "smtp")
    if protocol not in {"smtp", "lmtp"}:
        raise ValueError("the option protocol is smtp or lmtp")
    peers = _networks(said.get("peers", ""))
    if bool(instance.secrets) != ("user" in said):
        raise ValueError("the option user and a password under secrets: belong together")
    tls = _tls(said.get("certificate"), said.get("private_key"))
    if not is_loopback(host):
        if not peers and not instance.secrets:
            raise ValueError("beyond this machine anybody could send: say peers:, or user: and secrets:")
        if instance.secrets and tls is None:
            raise ValueError("a password would cross the network in the clear: AUTH needs a certificate:")
    return ListenSettings(
        host=host,
        port=int(port),
        protocol="lmtp" if protocol == "lmtp" else "smtp",
        largest_bytes=whole_number(said, "largest_bytes", LARGEST_BYTES, MOST_LARGEST_BYTES),
        peers=peers,
        user=said.get("user"),
        tls=tls,
    )


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(each.strip(), strict=False) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise ValueError(f"the option peers: {error}") from None


def _tls(certificate: str | None, private_key: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"the certificate in {certificate} cannot be used: {error.strerror or error}") from None
    return context


class SmtpListener:
    """Receives for one instance."""

    def __init__(self, instance: Instance) -> None:
        """Take the instance's options.

        Raises:
            ValueError: one is missing or wrong, or the extra `mail` is not installed.
        """
        self.instance = instance
        self.settings = read_listen_settings(instance)
        try:
            from streams.connectors.mail import smtp_session  # noqa: PLC0415 - of an extra
        except ModuleNotFoundError:
            raise ValueError("it needs aiosmtpd: pip install 'careline[mail]'") from None
        self._session_of = smtp_session.session_class(self.settings.protocol)
        self._server: asyncio.Server | None = None
        self.sessions: set[MailSession] = set()
        self.held_bytes = 0
        """Bytes of all mails that are being received."""
        self.draining = False

    @property
    def most_held_bytes(self) -> int:
        """Bytes of mails in memory at once; whoever comes on top shall come again."""
        return 3 * self.settings.largest_bytes

    @property
    def addresses(self) -> list[str]:
        """What is listened on."""
        found = [socket.getsockname()[:2] for socket in self._server.sockets] if self._server else []
        said = found or [(self.settings.host, self.settings.port)]
        return [f"{self.settings.protocol}://{_in_url(host)}:{port}" for host, port in said]

    @property
    def description(self) -> str:
        """Where it listens, and for whom."""
        said = self.settings
        whom = ["over TLS"] if said.tls else []
        whom += [f"with the password of {said.user}"] if said.user else []
        whom += [f"from {', '.join(str(peer) for peer in said.peers)}"] if said.peers else []
        return f"listens at {', '.join(self.addresses)} for mail {' '.join(whom) or 'from this machine'}"

    async def start(self, reception: Reception) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be used.
        """
        # It tells who writes to whom.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: self._session_of(self, reception, loop), self.settings.host, self.settings.port
        )

    def admits(self, host: str) -> bool:
        """Whether a peer may send."""
        if not self.settings.peers:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.settings.peers)

    async def drain(self) -> None:
        """Accept nothing new, let mails in progress have their answer, close."""
        self.draining = True
        if self._server is None:
            return
        self._server.close()
        for session in list(self.sessions):
            session.leave()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self.sessions:
                    await asyncio.wait([session.over for session in self.sessions])
        except TimeoutError:
            for session in list(self.sessions):
                session.abort()
        await self._server.wait_closed()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
