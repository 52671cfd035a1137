"""The part of IMAP (RFC 3501, 2177, 4315) that reading a mailbox needs, over asyncio, within bounded memory.

Why our own: the one asyncio client there is, aioimaplib, is under the GPL and takes a response of any size, line by
line in recursion; the standard library's imaplib blocks, cannot wait for mail before Python 3.14, and reads what the
server says, however large. `imap_login` opens a connection, `imap_puller` reads with it.
"""

import asyncio
import base64
import re
import ssl
from itertools import groupby
from typing import NamedTuple

LONGEST_LINE = 1024 * 1024
"""Bytes of one line of a response. The longest are answers to searches, which are asked for in pieces."""
BATCH_BYTES = 2 * 1024 * 1024
"""Of mails in one answer, beside a single large one."""
MOST_TEXT = 4 * 1024 * 1024
"""Bytes of all untagged lines of one answer."""
ANSWER_SECONDS = 60.0
"""For the next line of an answer, or one piece of a mail."""
PIECE_BYTES = 256 * 1024
"""A mail is read in pieces, each in its own time, so that a slow line is told from a silent one."""

_LITERAL = re.compile(rb"\{(\d{1,12})\}\Z")
_TAGGED = re.compile(rb"(C\d+) (OK|NO|BAD)\b ?(.*)", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT) (\d{1,20})\]", re.IGNORECASE)
_NEWS = re.compile(rb"\* (\d{1,12}) (?:EXISTS|RECENT)\b", re.IGNORECASE)
_CAPABILITY = re.compile(rb"(?:\* |\[)CAPABILITY ([^\]]*)", re.IGNORECASE)


class ImapClosed(Exception):  # noqa: N818 - the condition; the caller connects again
    """The connection is lost, or what came over it is no IMAP. The message says why, and shows nothing of a mail."""


class Untagged(NamedTuple):
    """One untagged response: its lines without the literals, which stand beside."""

    text: bytes
    literals: tuple[bytes, ...] = ()


class Answer(NamedTuple):
    """What a command was answered: OK, NO or BAD, the server's words, and what came before them."""

    status: str
    words: str
    untagged: tuple[Untagged, ...]

    @property
    def fine(self) -> bool:
        """Whether the server has done it."""
        return self.status == "OK"


class ImapConnection:
    """One connection. A command is said once the one before is answered: servers work on several at once otherwise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most_literal_bytes: int) -> None:
        """`most_literal_bytes` is how much of a mail is asked for at most; a server that sends more is left."""
        self._reader = reader
        self._writer = writer
        self._most_literal_bytes = most_literal_bytes
        self._count = 0
        self.capabilities: frozenset[str] = frozenset()
        self.uid_validity: int | None = None
        self.uid_next: int | None = None

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, most_literal_bytes: int) -> "ImapConnection":
        """Connect, with TLS from the first byte where there is a context, and hear the greeting.

        Raises:
            ImapClosed: nobody is there, the certificate is wrong, or it is no IMAP server.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=LONGEST_LINE)
        except (OSError, TimeoutError) as error:
            raise ImapClosed(f"cannot connect to {host}:{port}: {str(error) or 'no answer in time'}") from None
        opened = cls(reader, writer, most_literal_bytes)
        try:
            await opened._hear_greeting()
        except BaseException:
            await opened.close()
            raise
        return opened

    async def _hear_greeting(self) -> None:
        greeting = await self._line()
        if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
            raise ImapClosed("it greets like no IMAP server")
        self._learn(greeting)

    async def start_tls(self, host: str, context: ssl.SSLContext) -> None:
        """Go on under TLS (RFC 3501, 6.2.1).

        Raises:
            ImapClosed: the server has no TLS, its certificate is wrong, or somebody has put in words of his own.
        """
        tag = self._send("STARTTLS")
        said = b""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                # Everything that is there, not a line: what comes behind the answer is from an attacker between us.
                while not re.search(rb"(?:^|\n)" + tag + rb"[^\n]*\n", said):
                    piece = await self._reader.read(4096)
                    if not piece:
                        raise ImapClosed("the connection was lost before TLS")
                    said += piece
            lines = said.removesuffix(b"\r\n").split(b"\r\n")
            if not lines[-1].upper().startswith(tag + b" OK"):
                raise ImapClosed("the server does not begin TLS (option tls)")
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.start_tls(context, server_hostname=host)
        except (OSError, TimeoutError) as error:
            raise ImapClosed(f"TLS with {host} failed: {str(error) or 'no answer in time'}") from None
        self.capabilities = frozenset()  # what was said before TLS may be anybody's word

    async def close(self) -> None:
        """End the connection, with a word of farewell if it can be said at once."""
        if not self._writer.is_closing():
            self._send("LOGOUT")
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    # commands

    async def command(self, line: str) -> Answer:
        """Say a command and hear its answer.

        Raises:
            ImapClosed: the connection is lost.
        """
        return await self._answer(self._send(line))

    async def select(self, mailbox: str, *, read_only: bool) -> Answer:
        """Open a mailbox; `uid_validity` and `uid_next` are its own then.

        Raises:
            ImapClosed: the connection is lost.
        """
        self.uid_validity = self.uid_next = None
        return await self.command(f"{'EXAMINE' if read_only else 'SELECT'} {mailbox_name(mailbox)}")

    async def authenticate(self, mechanism: str, proof: bytes) -> Answer:
        """Say who we are, by a mechanism whose whole proof is one message (RFC 4616, XOAUTH2).

        Raises:
            ImapClosed: the connection is lost.
        """
        tag = self._send(f"AUTHENTICATE {mechanism}")
        said: bytes | None = base64.b64encode(proof)
        while True:
            line = await self._line()
            if not line.startswith(b"+"):
                found = _TAGGED.fullmatch(line)
                if found and found[1] == tag:
                    self._learn(line)
                    return Answer(found[2].decode().upper(), found[3].decode("utf-8", "replace"), ())
                continue
            # A second question is the reason of a failure, which wants an empty answer before it is said.
            self._writer.write((said or b"") + b"\r\n")
            said = None

    async def idle(self, seconds: float) -> bool:
        """Wait until the server has news, so many seconds at most (RFC 2177); afterwards it has told everything.

        Returns whether there was news.

        Raises:
            ImapClosed: the connection is lost.
        """
        tag = self._send("IDLE")
        while not (line := await self._line()).startswith(b"+"):
            if _TAGGED.fullmatch(line):
                self.capabilities -= {"IDLE"}  # it offers what it refuses; then it is asked again and again
                return False
        news = False
        try:
            async with asyncio.timeout(seconds):
                while not news:
                    news = _NEWS.match(await self._next_line()) is not None
        except TimeoutError:
            pass
        finally:
            self._writer.write(b"DONE\r\n")
        await self._answer(tag)
        return news

    # bytes

    async def _answer(self, tag: bytes) -> Answer:
        untagged: list[Untagged] = []
        text_bytes = literal_bytes = 0
        while True:
            response = await self._response(await self._line())
            found = _TAGGED.fullmatch(response.text)
            if found and found[1] == tag:
                return Answer(found[2].decode().upper(), found[3].decode("utf-8", "replace"), tuple(untagged))
            untagged.append(response)
            text_bytes += len(response.text)
            literal_bytes += sum(len(literal) for literal in response.literals)
            if text_bytes > MOST_TEXT or literal_bytes > self._most_literal_bytes + BATCH_BYTES:
                raise ImapClosed("the server sends far more than was asked for")

    def _send(self, line: str) -> bytes:
        self._count += 1
        tag = f"C{self._count}".encode()
        self._writer.write(tag + b" " + line.encode() + b"\r\n")
        return tag

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._next_line()
        except TimeoutError:
            raise ImapClosed("the server has said nothing for a minute") from None

    async def _next_line(self) -> bytes:
        try:
            line = (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
        except (asyncio.IncompleteReadError, OSError):
            raise ImapClosed("the connection was lost") from None
        except asyncio.LimitOverrunError:
            raise ImapClosed("the server sends a line without end") from None
        if line[:5].upper() == b"* BYE":
            raise ImapClosed(f"the server has ended the connection: {line[6:200].decode('utf-8', 'replace')}")
        return line

    async def _response(self, line: bytes) -> Untagged:
        """A whole response, of which the first line is read already."""
        text, literals = line, list[bytes]()
        while (found := _LITERAL.search(line)) is not None:
            literals.append(await self._literal(int(found[1])))
            line = await self._line()
            text += line
            if len(text) > MOST_TEXT:
                raise ImapClosed("the server answers without end")
        self._learn(text)
        return Untagged(text, tuple(literals))

    async def _literal(self, size: int) -> bytes:
        if size > self._most_literal_bytes:
            raise ImapClosed("the server sends more of a mail than was asked for")
        content = bytearray()
        while len(content) < size:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    piece = await self._reader.read(min(PIECE_BYTES, size - len(content)))
            except TimeoutError:
                raise ImapClosed("the server has stopped in the middle of a mail") from None
            except OSError:
                piece = b""
            if not piece:
                raise ImapClosed("the connection was lost in the middle of a mail")
            content += piece
        return bytes(content)

    def _learn(self, line: bytes) -> None:
        """What lines say by the way: what the server can do, and which mailbox this is."""
        if (found := _CAPABILITY.search(line)) is not None:
            self.capabilities = frozenset(found[1].decode("ascii", "replace").upper().split())
        if (code := _CODE.match(line)) is not None:
            if code[1].upper() == b"UIDVALIDITY":
                self.uid_validity = int(code[2])
            else:
                self.uid_next = int(code[2])


def quoted(text: str) -> str:
    """A text as a quoted string (RFC 3501, 4.3).

    Raises:
        ValueError: it holds a line end, which would begin another command.
    """
    if any(letter in text for letter in "\r\n\0"):
        raise ValueError("a line end in a name or password")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mailbox_name(name: str) -> str:
    """The name of a mailbox as the wire has it: what is not ASCII in modified UTF-7 (RFC 3501, 5.1.3)."""
    pieces = []
    for is_plain, letters in groupby(name, key=lambda letter: " " <= letter <= "~"):
        run = "".join(letters)
        if is_plain:
            pieces.append(run.replace("&", "&-"))
        else:
            coded = base64.b64encode(run.encode("utf-16-be", "surrogatepass")).decode()
            pieces.append("&" + coded.rstrip("=").replace("/", ",") + "-")
    return quoted("".join(pieces))
