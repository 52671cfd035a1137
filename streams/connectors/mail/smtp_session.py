"""One connection of a mail server that hands mail over: what is asked, what is answered, and what is kept meanwhile.

aiosmtpd speaks the protocol. Its DATA is ours: aiosmtpd keeps an object for every line, so that a mail of empty lines
takes thirty times its size, and it gives one answer where LMTP wants one for each recipient.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax
from typing_extensions import override

from streams.connectors.mail.smtp_data import MailData
from streams.connectors.mail.smtp_listener import MOST_CONNECTIONS, SmtpListener
from streams.connectors.signatures import any_matches
from streams.connectors.source_contract import Outcome, Reception

HOST_NAME = "careline.invalid"
"""What we call ourselves: a name that nobody has (RFC 2606). An address there is a mail server's way to copies for us
and nobody's address, so it is no recipient."""
IDLE_SECONDS = 300.0
"""For the next command (RFC 5321, 4.5.3.2.7)."""
DATA_SECONDS = 600.0
"""For a whole mail, however slowly it dribbles."""
LONGEST_COMMAND = 64 * 1024
"""Bytes in the buffer of a connection, which must hold a line; in a mail lines may be of any length."""
PIECE_BYTES = 1024 * 1024
"""More than the buffer ever holds: twice `LONGEST_COMMAND` and what the network brings at once."""
MOST_RECIPIENTS = 1_000
MOST_NAMED = 50
"""Recipients that are written on top of the mail: its own header has to fit below (`mime_tree.LONGEST_HEADER`)."""

NOT_NOW = "451 4.3.0 Not now; keep it and come again"
TOO_LARGE = "552 5.3.4 The mail is too large"


class MailSession(SMTP):
    """One connection, by SMTP."""

    line_length_limit = LONGEST_COMMAND

    def __init__(self, listener: SmtpListener, reception: Reception, loop: asyncio.AbstractEventLoop) -> None:
        settings = listener.settings
        super().__init__(
            _Rules(listener, reception),
            data_size_limit=settings.largest_bytes,
            enable_SMTPUTF8=True,
            hostname=HOST_NAME,
            ident="Careline",
            tls_context=settings.tls,
            timeout=IDLE_SECONDS,
            auth_required=bool(settings.user) and settings.tls is not None,
            auth_require_tls=settings.tls is not None or not settings.user,
            authenticator=_authenticator(listener, reception),
            loop=loop,
        )
        # Said above it would warn of passwords in the clear; without TLS it is loopback (`read_listen_settings`).
        self._auth_required = bool(settings.user)
        self._listener = listener
        self._reception = reception
        self._busy = False
        self.over: asyncio.Future[None] = loop.create_future()
        """Done when the connection has ended."""

    # connections

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._listener.sessions:
            refusal = self._refusal(transport)
            if refusal is not None:
                stream = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
                stream.write(f"{refusal}\r\n".encode())
                stream.set_protocol(asyncio.Protocol())
                stream.close()
                return
            self._listener.sessions.add(self)
        super().connection_made(transport)

    def _refusal(self, transport: asyncio.BaseTransport) -> str | None:
        peer = transport.get_extra_info("peername") or ("",)
        if not self._listener.admits(str(peer[0])):
            self._reception.answered(554, "bad_origin")
            return "554 5.7.1 You are not among those who may send"
        if self._listener.draining or len(self._listener.sessions) >= MOST_CONNECTIONS:
            self._reception.answered(421, "overloaded")
            return "421 4.3.2 Too many connections; come again"
        return None

    @override
    def connection_lost(self, error: Exception | None) -> None:
        self._listener.sessions.discard(self)
        if not self.over.done():
            self.over.set_result(None)
        if self.session is not None:
            super().connection_lost(error)

    def leave(self) -> None:
        """End it: at once, or once the mail in progress has its answer."""
        if not self._busy and self.transport is not None and not self.transport.is_closing():
            cast("asyncio.Transport", self.transport).write(b"421 4.3.2 Shutting down; come again\r\n")
            self.transport.close()

    def abort(self) -> None:
        """End it now."""
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                cast("asyncio.Transport", transport).abort()

    # mails

    @override
    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:
        """Take a mail."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Say to whom first (RCPT)")
            return
        if arg:
            await self.push("501 5.5.4 DATA stands alone")
            return
        if self._listener.held_bytes >= self._listener.most_held_bytes:
            self._reception.answered(451, "overloaded")
            await self.push(NOT_NOW)
            return
        self._busy = True
        try:
            await self._take(self.envelope)
        finally:
            self._busy = False
            self.envelope = self._create_envelope()
        if self._listener.draining:
            self.leave()

    async def _take(self, envelope: Envelope) -> None:
        await self.push("354 Go on; end with a dot in a line of its own")
        self._reset_timeout(DATA_SECONDS)
        content = bytearray()
        try:
            refusal = await self._receive(content)
            if refusal is not None:
                status, reason = refusal
            else:
                trace = _trace(self._listener.settings.protocol, self.session or self._create_session(), envelope)
                outcome = await self._reception.store(trace + content)
                status, reason = _answer(outcome), outcome.reason
        finally:
            self._listener.held_bytes -= len(content)
        self._reception.answered(int(status[:3]), reason)
        for _ in envelope.rcpt_tos if self._listener.settings.protocol == "lmtp" else ("",):
            await self.push(status)

    async def _receive(self, content: bytearray) -> tuple[str, str] | None:
        """Read a mail to its end into `content`; of what is refused nothing is kept. Returns the refusal.

        It is read in large pieces: a mail may have millions of lines, and others wait.
        """
        refusal: tuple[str, str] | None = None
        data = MailData()
        while data.behind is None:
            piece = await self._reader.read(PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("hung up in the middle of a mail")
            certain = data.feed(piece)
            if refusal is None:
                refusal = self._keep(content, certain)
        # What was sent behind it is the next command. Nothing else is in the buffer: it was read whole.
        self._reader.feed_data(data.behind)
        return refusal

    def _keep(self, content: bytearray, piece: bytes) -> tuple[str, str] | None:
        listener = self._listener
        refusal: tuple[str, str] | None = None
        if len(content) + len(piece) > listener.settings.largest_bytes:
            refusal = TOO_LARGE, "too_large"
        elif listener.held_bytes + len(piece) > listener.most_held_bytes:
            refusal = NOT_NOW, "overloaded"
        if refusal is None:
            content += piece
            listener.held_bytes += len(piece)
        else:
            listener.held_bytes -= len(content)
            content.clear()
        return refusal


class LmtpSession(MailSession, LMTP):
    """One connection, by LMTP."""


def session_class(protocol: Literal["smtp", "lmtp"]) -> type[MailSession]:
    """The class that speaks a protocol."""
    return LmtpSession if protocol == "lmtp" else MailSession


class _Rules:
    """What aiosmtpd asks about commands."""

    def __init__(self, listener: SmtpListener, reception: Reception) -> None:
        self._listener = listener
        self._reception = reception

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's way to name hooks
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._listener.settings.tls is not None and session.ssl is None:
            self._reception.answered(530, "no_tls")
            return "530 5.7.0 Begin TLS first (STARTTLS)"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Go on"

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 Go on"

    async def handle_exception(self, _error: Exception) -> str:
        return "451 4.3.0 Something went wrong here; come again"


def _authenticator(listener: SmtpListener, reception: Reception) -> Any:  # noqa: ANN401 - aiosmtpd's own signature
    """Compares digests, in constant time."""
    user = (listener.settings.user or "").encode()
    right = [_digest(user, password.encode()) for password in listener.instance.secrets]

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, proof: LoginPassword
    ) -> AuthResult:
        is_right = any_matches(right, [_digest(proof.login, proof.password)])
        if not is_right:
            reception.answered(535, "bad_token")
        return AuthResult(success=is_right, handled=False)

    return authenticate


def _digest(user: bytes, password: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(user).digest() + password).digest()


def _answer(outcome: Outcome) -> str:
    if outcome.stored:
        return "250 2.0.0 It is in Kafka"
    return NOT_NOW if outcome.not_now else TOO_LARGE


def _trace(protocol: str, session: Session, envelope: Envelope) -> bytes:
    """What the receiving server writes on top of a mail (RFC 5321, 4.4): from whom, for whom, and when."""
    peer = session.peer[0] if session.peer else "unknown"
    secure = "S" if session.ssl is not None else ""
    word = "LMTP" if protocol == "lmtp" else "ESMTP"
    received = f"from {_tidy(session.host_name)} ([{_tidy(peer)}]) by {HOST_NAME} with {word}{secure}"
    lines = [
        f"Return-Path: <{_tidy(envelope.mail_from).strip('<>')}>",
        *(f"Delivered-To: {recipient}" for recipient in _recipients(envelope)),
        f"Received: {received}; {format_datetime(datetime.now(UTC))}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def _recipients(envelope: Envelope) -> list[str]:
    tidied = dict.fromkeys(_tidy(recipient) for recipient in envelope.rcpt_tos)
    return [each for each in tidied if each.rpartition("@")[2].lower() != HOST_NAME][:MOST_NAMED]


def _tidy(text: object) -> str:
    return "".join(letter for letter in str(text or "") if letter.isprintable() and letter not in "()\\")[:320]
