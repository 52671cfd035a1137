"""How an instance of `email-imap` is configured, and how its mailbox is opened: TLS, then a password or a token.

`imap_puller` reads what is opened here, over the `imap_wire`.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from streams.connectors.connector_contract import Instance
from streams.connectors.mail.imap_wire import Answer, ImapConnection, quoted
from streams.connectors.source_contract import PullTrouble

Tls = Literal["implicit", "starttls", "none"]
PORTS: dict[Tls, int] = {"implicit": 993, "starttls": 143, "none": 143}
TLS_WAYS: tuple[Tls, ...] = ("implicit", "starttls", "none")

LARGEST_BYTES = 32 * 1024 * 1024
"""Above what most servers let through (25 MB, in base64 a third more)."""
MOST_LARGEST_BYTES = 256 * 1024 * 1024

OPTIONS = {
    "host": "the IMAP server",
    "port": "its port (default: 993, without implicit TLS 143)",
    "user": "whose mailbox; the password stands under secrets:, an OAuth 2.0 access token under tokens:",
    "token_file": "a file with the access token, read at every login, for whatever renews it",
    "mailbox": "the mailboxes to read, with commas between them (default: INBOX)",
    "tls": "implicit (default), starttls, or none, which is for this machine alone",
    "begin": "where to begin the first time: now (default), all, or a day such as 2026-03-01",
    "largest_bytes": "of a larger mail only the header is read (default: 33554432)",
    "mark_seen": "yes: what is in Kafka is marked as read (default: no, nothing in the mailbox is changed)",
}

_FOR_NOW = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG|ALERT)\b", re.IGNORECASE)
"""Codes of RFC 5530 with which a login may succeed later; ALERT is Gmail's, for too many connections at once."""


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Which mailboxes of which server are read, and how. `begin` null: the mails that come from now on."""

    host: str
    port: int
    user: str
    tls: Tls
    mailboxes: tuple[str, ...]
    begin: date | Literal["all"] | None
    largest_bytes: int
    mark_seen: bool
    token_file: Path | None


def read_settings(instance: Instance) -> MailboxSettings:
    """The settings in an instance's options.

    Raises:
        ValueError: one is missing or wrong.
    """
    said = instance.options
    host, user = said.get("host", "").strip(), said.get("user", "").strip()
    if not host or not user:
        raise ValueError(f"the option {'host' if not host else 'user'} is missing")
    tls = next((way for way in TLS_WAYS if way == said.get("tls", "implicit")), None)
    if tls is None:
        raise ValueError("the option tls is one of implicit, starttls, none")
    if tls == "none" and not is_loopback(host):
        raise ValueError("without TLS the password would cross the network: tls: none is for this machine alone")
    token_file = Path(said["token_file"]) if "token_file" in said else None
    if not instance.secrets and not instance.tokens and token_file is None:
        raise ValueError("a password under secrets: is missing, or a token under tokens: or token_file")
    for word in (user, *instance.secrets, *instance.tokens):
        quoted(word)
    return MailboxSettings(
        host=host,
        port=whole_number(said, "port", PORTS[tls], 65_535),
        user=user,
        tls=tls,
        mailboxes=tuple(
            dict.fromkeys(each.strip() for each in said.get("mailbox", "INBOX").split(",") if each.strip())
        ),
        begin=_beginning(said.get("begin", "now")),
        largest_bytes=whole_number(said, "largest_bytes", LARGEST_BYTES, MOST_LARGEST_BYTES),
        mark_seen=said.get("mark_seen", "no") in {"yes", "true"},
        token_file=token_file,
    )


def whole_number(said: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A number among the options, from 1 to `most`.

    Raises:
        ValueError: it is none.
    """
    text = said.get(name, str(default)).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if not 1 <= number <= most:
        raise ValueError(f"the option {name} is a whole number from 1 to {most}")
    return number


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _beginning(word: str) -> date | Literal["all"] | None:
    if word in {"now", "all"}:
        return None if word == "now" else "all"
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError("the option begin is now, all, or a day such as 2026-03-01") from None


async def opened(settings: MailboxSettings, instance: Instance) -> ImapConnection:
    """A connection on which somebody is logged in.

    Raises:
        PullTrouble: nobody is let in; hopeless where waiting will not help.
        ImapClosed: the connection cannot be had.
    """
    # The system's certificates, and those of SSL_CERT_FILE.
    context = ssl.create_default_context() if settings.tls != "none" else None
    at_once = context if settings.tls == "implicit" else None
    # One more than is kept shows that a mail is larger, whatever the server says of its size.
    connection = await ImapConnection.open(settings.host, settings.port, at_once, settings.largest_bytes + 1)
    try:
        if settings.tls == "starttls" and context is not None:
            await connection.start_tls(settings.host, context)
        if not connection.capabilities:
            await connection.command("CAPABILITY")
        await _log_in(connection, settings, instance)
        # Servers can do more for those whom they know (RFC 3501, 6.2.2), and most say so unasked.
        await connection.command("CAPABILITY")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _log_in(connection: ImapConnection, settings: MailboxSettings, instance: Instance) -> None:
    """Try every token and password: several of them are right while one is being replaced."""
    refused: Answer | None = None
    for token in _tokens(settings, instance):
        proof = f"user={settings.user}\x01auth=Bearer {token}\x01\x01"
        refused = await connection.authenticate("XOAUTH2", proof.encode())
        if refused.fine:
            return
    for password in instance.secrets:
        if "AUTH=PLAIN" in connection.capabilities:
            refused = await connection.authenticate("PLAIN", f"\0{settings.user}\0{password}".encode())
        else:
            refused = await connection.command(f"LOGIN {quoted(settings.user)} {quoted(password)}")
        if refused.fine:
            return
    words = refused.words[:200] if refused else "there is no token"
    raise PullTrouble(
        f"{settings.host} does not let {settings.user} in: {words}",
        hopeless=refused is None or not _FOR_NOW.search(refused.words),
    )


def _tokens(settings: MailboxSettings, instance: Instance) -> list[str]:
    if settings.token_file is None:
        return list(instance.tokens)
    try:
        read = settings.token_file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise PullTrouble(f"the token in {settings.token_file} cannot be read") from None
    return [read, *instance.tokens] if read else list(instance.tokens)
