"""A small IMAP server for tests: what reading needs of RFC 3501 and 2177, and faults where a test wants them.

It takes commands one after the other, as servers do with a client that waits; bodies are sent as literals.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

RECEIVED = datetime(2026, 3, 2, 9, 29, 55, tzinfo=UTC)


@dataclass
class StoredMail:
    uid: int
    content: bytes
    received_at: datetime = RECEIVED
    flags: set[str] = field(default_factory=set)


@dataclass
class Mailbox:
    validity: int = 7
    next_uid: int = 1
    mails: list[StoredMail] = field(default_factory=list)

    def add(self, content: bytes, received_at: datetime = RECEIVED) -> int:
        self.mails.append(StoredMail(self.next_uid, content, received_at))
        self.next_uid += 1
        return self.next_uid - 1

    def rebuild(self) -> None:
        """New UIDs for the same mails, in another order."""
        self.validity += 1
        self.mails.reverse()
        for number, mail in enumerate(self.mails, start=1):
            mail.uid = number
        self.next_uid = len(self.mails) + 1


class ImapHouse:
    """Mailboxes, a password, and what goes wrong. `commands` are all that it was told, without proofs."""

    def __init__(self, *mailboxes: str) -> None:
        self.mailboxes = {name: Mailbox() for name in mailboxes or ("INBOX",)}
        self.password = "sesame"
        self.token: str | None = None
        self.can_idle = True
        self.can_plain = True
        self.refuses_idle = False
        self.falls_silent = False
        """Hears nothing any more once a client waits: a machine that is gone without a word."""
        self.tls: ssl.SSLContext | None = None
        self.refuses_uids: set[int] = set()
        self.cut_after_bytes: int | None = None
        """Close a connection in the middle of the first literal that is longer."""
        self.lies_about_size = False
        self.before_tls = b""
        """What somebody puts in behind the answer to STARTTLS."""
        self.login_answer = "NO [AUTHENTICATIONFAILED] Wrong"
        self.commands: list[str] = []
        self.connections = 0
        self.port = 0
        self.news = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def inbox(self) -> Mailbox:
        return self.mailboxes["INBOX"]

    def deliver(self, content: bytes, mailbox: str = "INBOX", received_at: datetime = RECEIVED) -> None:
        self.mailboxes[mailbox].add(content, received_at)
        self.news.set()
        self.news = asyncio.Event()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def open(self, *, implicit_tls: bool = False) -> AsyncIterator["ImapHouse"]:
        server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self.tls if implicit_tls else None, limit=2**20
        )
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            await _Guest(self, reader, writer).serve()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


class _Guest:
    """One connection."""

    def __init__(self, house: ImapHouse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._house = house
        self._reader = reader
        self._writer = writer
        self._mailbox = Mailbox()
        self._read_only = True

    async def serve(self) -> None:
        self._say("* OK ready")
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode().strip()
            tag, _, said = line.partition(" ")
            command, _, arguments = said.partition(" ")
            if command.upper() == "UID":
                command, _, arguments = arguments.partition(" ")
                command = f"UID {command}"
            shown = command if command in {"LOGIN", "AUTHENTICATE"} else f"{command} {arguments}".strip()
            self._house.commands.append(shown)
            if command == "LOGOUT":
                return
            await getattr(self, f"_on_{command.lower().replace(' ', '_')}")(tag, arguments)
            await self._writer.drain()

    def _say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")

    async def _on_capability(self, tag: str, _: str) -> None:
        words = ["IMAP4rev1", *(["IDLE"] if self._house.can_idle else [])]
        words += ["STARTTLS"] if self._house.tls else []
        words += ["AUTH=PLAIN"] if self._house.can_plain else []
        self._say(f"* CAPABILITY {' '.join(words)}")
        self._say(f"{tag} OK done")

    async def _on_starttls(self, tag: str, _: str) -> None:
        if self._house.tls is None:
            self._say(f"{tag} BAD there is none")
            return
        self._writer.write(f"{tag} OK begin\r\n".encode() + self._house.before_tls)
        await self._writer.start_tls(self._house.tls)

    def _let_in(self, tag: str, *, right: bool) -> None:
        self._say(f"{tag} OK welcome" if right else f"{tag} {self._house.login_answer}")

    async def _on_login(self, tag: str, arguments: str) -> None:
        self._let_in(tag, right=arguments == f'"help" "{self._house.password}"')

    async def _on_authenticate(self, tag: str, mechanism: str) -> None:
        self._say("+ ")
        proof = base64.b64decode(await self._reader.readuntil(b"\r\n"))
        if mechanism == "XOAUTH2":
            right = proof == f"user=help\x01auth=Bearer {self._house.token}\x01\x01".encode()
            if not right:
                self._say("+ " + base64.b64encode(b'{"status":"400"}').decode())
                assert await self._reader.readuntil(b"\r\n") == b"\r\n"
        else:
            right = proof == f"\0help\0{self._house.password}".encode()
        self._let_in(tag, right=right)

    async def _on_examine(self, tag: str, name: str, *, read_only: bool = True) -> None:
        mailbox = self._house.mailboxes.get(name.strip('"'))
        if mailbox is None:
            self._say(f"{tag} NO there is none")
            return
        self._mailbox, self._read_only = mailbox, read_only
        self._say(f"* {len(mailbox.mails)} EXISTS")
        self._say(f"* OK [UIDVALIDITY {mailbox.validity}] valid")
        self._say(f"* OK [UIDNEXT {mailbox.next_uid}] next")
        self._say(f"{tag} OK [READ-ONLY] done")

    async def _on_select(self, tag: str, name: str) -> None:
        await self._on_examine(tag, name, read_only=False)

    async def _on_noop(self, tag: str, _: str) -> None:
        self._say(f"{tag} OK done")

    async def _on_uid_search(self, tag: str, arguments: str) -> None:
        found = re.fullmatch(r"UID ([\d:*]+)(?: SINCE (\S+))?", arguments)
        assert found is not None
        mails = self._named(found[1])
        if found[2]:
            day = datetime.strptime(found[2], "%d-%b-%Y").replace(tzinfo=UTC)
            mails = [mail for mail in mails if mail.received_at >= day]
        self._say("* SEARCH " + " ".join(str(mail.uid) for mail in mails))
        self._say(f"{tag} OK done")

    def _named(self, uids: str) -> list[StoredMail]:
        highest = self._mailbox.mails[-1].uid if self._mailbox.mails else 0
        wanted: set[int] = set()
        for piece in uids.split(","):
            first, last = ([int(each) if each != "*" else highest for each in piece.split(":")] * 2)[:2]
            wanted |= set(range(min(first, last), max(first, last) + 1))
        return [mail for mail in self._mailbox.mails if mail.uid in wanted]

    async def _on_uid_fetch(self, tag: str, arguments: str) -> None:
        uids, _, items = arguments.partition(" ")
        for number, mail in enumerate(self._named(uids), start=1):
            if "BODY" not in items:
                size = 1 if self._house.lies_about_size else len(mail.content)
                date = mail.received_at.strftime("%d-%b-%Y %H:%M:%S +0000")
                self._say(f'* {number} FETCH (UID {mail.uid} RFC822.SIZE {size} INTERNALDATE "{date}")')
            elif mail.uid in self._house.refuses_uids:
                self._say(f"{tag} NO this one is broken")
                return
            else:
                await self._send_body(number, mail, items)
        self._say(f"{tag} OK done")

    async def _send_body(self, number: int, mail: StoredMail, items: str) -> None:
        found = re.search(r"BODY\.PEEK\[(HEADER)?\]<0\.(\d+)>", items)
        assert found is not None, "only PEEK, and only so much"
        content = mail.content
        if found[1]:
            content = content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        content = content[: int(found[2])]
        self._say(f"* {number} FETCH (FLAGS (\\Recent) UID {mail.uid} BODY[{found[1] or ''}]<0> {{{len(content)}}}")
        cut = self._house.cut_after_bytes
        if cut is not None and len(content) > cut:
            self._house.cut_after_bytes = None
            self._writer.write(content[:cut])
            await self._writer.drain()
            raise ConnectionError("closed in the middle of a mail")
        self._writer.write(content)
        self._say(")")

    async def _on_uid_store(self, tag: str, arguments: str) -> None:
        assert not self._read_only
        uids, _, flag = arguments.partition(" +FLAGS.SILENT ")
        for mail in self._named(uids):
            mail.flags.add(flag.strip("()"))
        self._say(f"{tag} OK done")

    async def _on_idle(self, tag: str, _: str) -> None:
        if self._house.refuses_idle:
            self._say(f"{tag} BAD not now")
            return
        self._say("+ idling")
        if self._house.falls_silent:
            self._house.falls_silent = False
            await self._reader.read()
            return
        await self._writer.drain()
        done = asyncio.ensure_future(self._reader.readuntil(b"\r\n"))
        try:
            while not done.done():
                news = asyncio.ensure_future(self._house.news.wait())
                await asyncio.wait([news, done], return_when=asyncio.FIRST_COMPLETED)
                if news.done():
                    self._say(f"* {len(self._mailbox.mails)} EXISTS")
                news.cancel()
            assert await done == b"DONE\r\n"
        finally:
            done.cancel()
        self._say(f"{tag} OK done")
