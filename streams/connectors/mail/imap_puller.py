"""Fetches mails from the mailboxes of an IMAP account, and waits for new ones (IDLE; where there is none it asks).

A connection for each mailbox. The place behind a mail is stored after the mail; a crash in between fetches it again,
under the same id. Where UIDVALIDITY has changed, UIDs mean other mails, so everything since the beginning is fetched
again. The mailbox is opened read-only. `imap_login` opens connections, `imap_progress` keeps the places,
`email_messages` says what the mails mean.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from streams.connectors.connector_contract import Instance
from streams.connectors.mail.imap_login import MailboxSettings, opened, read_settings
from streams.connectors.mail.imap_progress import MailboxPlace, ReadingProgress, read_progress
from streams.connectors.mail.imap_wire import BATCH_BYTES, Answer, ImapClosed, ImapConnection
from streams.connectors.mail.mail_fields import mail_date
from streams.connectors.source_contract import Deliver, Fetched, PullTrouble

log = logging.getLogger(__name__)

WHOLE_SIZE = "careline-whole-size"
"""Header of a request: only the header was fetched, of a mail of so many bytes."""

ROUND_SECONDS = 20.0
"""How long is waited for news. After it the server has told everything up to now: conversations are judged until
there, so this is also how late a breach is noticed. Firewalls and servers forget a connection only after minutes."""
WINDOW_UIDS = 50_000
"""UIDs that are searched at once: the answer fits into a line of `imap_wire.LONGEST_LINE`."""
MOST_AT_ONCE = 50
"""Mails that are asked for at once."""
HEADER_BYTES = 256 * 1024
MOST_REFUSALS = 3
"""How often a single mail is asked for that the server refuses to give. Then a dead letter says so, and the mails
behind it have their turn."""

_UID = re.compile(rb"[ (]UID (\d{1,20})", re.IGNORECASE)
_SIZE = re.compile(rb"[ (]RFC822\.SIZE (\d{1,20})", re.IGNORECASE)
_DATE = re.compile(rb'[ (]INTERNALDATE "([^"]{1,40})"', re.IGNORECASE)
_SHORT = re.compile(rb'BODY\[[^\]]*\](?:<\d+>)? "((?:[^"\\]|\\.)*)"', re.IGNORECASE | re.DOTALL)
_SEARCH = re.compile(rb"\* SEARCH\b(.*)", re.IGNORECASE)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What a server says of a mail before it is fetched."""

    size_bytes: int
    received_at: datetime | None


class ImapPuller:
    """Fetches for one instance."""

    def __init__(
        self,
        instance: Instance,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        """Take the instance's options.

        Raises:
            ValueError: one is missing or wrong.
        """
        self._instance = instance
        self.settings = read_settings(instance)
        self.now = now
        self.round_seconds = round_seconds
        self.refusals: Counter[tuple[str, int]] = Counter()
        """How often the server refused to give a mail."""

    @property
    def description(self) -> str:
        """What is fetched, and from where."""
        said = self.settings
        mailboxes = ", ".join(said.mailboxes)
        change = "marks what it has read" if said.mark_seen else "changes nothing"
        return f"fetches {mailboxes} of {said.user} at {said.host}:{said.port} (tls: {said.tls}); {change}"

    async def run(self, position: str | None, deliver: Deliver) -> None:
        """Read all mailboxes behind a position, until cancelled.

        Raises:
            PullTrouble: one of them cannot be read for now.
        """
        progress = read_progress(position)
        try:
            async with asyncio.TaskGroup() as group:
                for mailbox in self.settings.mailboxes:
                    group.create_task(self._read(mailbox, progress, deliver))
        except BaseExceptionGroup as several:
            raise _foremost(several) from None

    async def _read(self, mailbox: str, progress: ReadingProgress, deliver: Deliver) -> None:
        try:
            connection = await opened(self.settings, self._instance)
            try:
                await _MailboxReader(self, mailbox, connection, progress, deliver).read()
            finally:
                await connection.close()
        except ImapClosed as error:
            raise PullTrouble(str(error)) from None


def _foremost(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one of several troubles to tell: what is hopeless, or a bug, hides behind no lost connection."""
    return min(several.exceptions, key=lambda error: isinstance(error, PullTrouble) and not error.hopeless)


class _MailboxReader:
    """Reads one mailbox over one connection."""

    def __init__(
        self,
        puller: ImapPuller,
        mailbox: str,
        connection: ImapConnection,
        progress: ReadingProgress,
        deliver: Deliver,
    ) -> None:
        self._puller = puller
        self._settings: MailboxSettings = puller.settings
        self._mailbox = mailbox
        self._imap = connection
        self._progress = progress
        self._deliver = deliver
        self._place = MailboxPlace(0, 0, None, 0)

    async def read(self) -> None:
        """Everything that is there, then whatever comes, until the connection is lost."""
        end = await self._enter()
        while self._place.uid + 1 < end:
            await self._take_window(min(self._place.uid + WINDOW_UIDS, end - 1))
        while True:
            asked_at = self._puller.now()
            await self._take(await self._search(f"{self._place.uid + 1}:*"))
            await self._told_until(asked_at)
            await self._wait()

    async def _enter(self) -> int:
        """Open the mailbox and find the place in it; returns where UIDs of mails that are to come begin."""
        answer = await self._imap.select(self._mailbox, read_only=not self._settings.mark_seen)
        validity = self._imap.uid_validity
        if not answer.fine or validity is None:
            raise PullTrouble(f"the mailbox {self._mailbox!r} cannot be opened: {answer.words[:200]}", hopeless=True)
        end = self._imap.uid_next or max(await self._search("*"), default=0) + 1
        known = self._progress.places.get(self._mailbox)
        if known is None:
            self._place = self._beginning(validity, end)
            await self._store([], self._place.uid)
        elif known.validity != validity:
            log.warning("%s of %s has new UIDs: it is read again", self._mailbox, self._settings.user)
            self._place = MailboxPlace(validity, 0, known.since, end)
        else:
            self._place = known
        return end

    def _beginning(self, validity: int, end: int) -> MailboxPlace:
        begin = self._settings.begin
        if begin is None:
            # Should the UIDs ever change, this is where the new ones are read from. A day has no time zone here.
            return MailboxPlace(validity, end - 1, self._puller.now().date() - timedelta(days=1), end)
        return MailboxPlace(validity, 0, None if begin == "all" else begin, end)

    async def _take_window(self, last: int) -> None:
        """Everything up to a UID. A window does not go over from mails that were there to those that came."""
        place = self._place
        if place.uid + 1 < place.old_below:
            last = min(last, place.old_below - 1)
        await self._take(await self._search(f"{place.uid + 1}:{last}"))
        self._place = replace(self._place, uid=last)

    async def _search(self, uids: str) -> list[int]:
        """UIDs behind the place, ascending."""
        place = self._place
        is_old = place.since is not None and place.uid + 1 < place.old_below
        since = f" SINCE {_imap_day(place.since)}" if is_old and place.since is not None else ""
        answer = self._checked(await self._imap.command(f"UID SEARCH UID {uids}{since}"))
        found = {
            int(word)
            for response in answer.untagged
            if (said := _SEARCH.match(response.text)) is not None
            for word in said[1].split()
            if word.isdigit()
        }
        # `9:*` is also the last mail where that is older than 9 (RFC 3501, 6.4.8).
        return sorted(uid for uid in found if uid > place.uid)

    def _checked(self, answer: Answer) -> Answer:
        if not answer.fine:
            raise PullTrouble(f"the server refuses: {answer.words[:200]}")
        if self._imap.uid_validity not in {None, self._place.validity} and self._place.validity:
            raise PullTrouble("the mailbox has been built anew")
        return answer

    async def _take(self, uids: Sequence[int]) -> None:
        """Fetch mails and store them, a few at a time."""
        for start in range(0, len(uids), MOST_AT_ONCE):
            piece = uids[start : start + MOST_AT_ONCE]
            facts = await self._facts(piece)
            for group in self._groups([uid for uid in piece if uid in facts], facts):
                await self._store(await self._fetch(group, facts), group[-1])
                if self._settings.mark_seen:
                    await self._imap.command(rf"UID STORE {_named(group)} +FLAGS.SILENT (\Seen)")
            self._place = replace(self._place, uid=piece[-1])

    def _groups(self, uids: Sequence[int], facts: Mapping[int, MailFacts]) -> Iterator[list[int]]:
        """Mails that are asked for at once: so many that they fit into a batch, and a huge one alone."""
        group: list[int] = []
        size = 0
        for uid in uids:
            if group and size + facts[uid].size_bytes > BATCH_BYTES:
                yield group
                group, size = [], 0
            group.append(uid)
            size += facts[uid].size_bytes
        if group:
            yield group

    async def _facts(self, uids: Sequence[int]) -> dict[int, MailFacts]:
        """Sizes and receiving times; a mail that somebody has deleted since is missing."""
        answer = self._checked(await self._imap.command(f"UID FETCH {_named(uids)} (UID RFC822.SIZE INTERNALDATE)"))
        found: dict[int, MailFacts] = {}
        for response in answer.untagged:
            uid, size, date_said = (pattern.search(response.text) for pattern in (_UID, _SIZE, _DATE))
            if uid is not None and size is not None:
                received_at = mail_date(date_said[1].decode("ascii", "replace").strip()) if date_said else None
                found[int(uid[1])] = MailFacts(int(size[1]), received_at)
        return found

    async def _fetch(self, uids: Sequence[int], facts: Mapping[int, MailFacts]) -> list[Fetched]:
        """The mails with these UIDs; one that is gone is missing."""
        most = self._settings.largest_bytes
        is_huge = facts[uids[0]].size_bytes > most  # then it is alone
        what = f"BODY.PEEK[HEADER]<0.{min(HEADER_BYTES, most)}>" if is_huge else f"BODY.PEEK[]<0.{most + 1}>"
        answer = await self._imap.command(f"UID FETCH {_named(uids)} (UID {what})")
        if not answer.fine and len(uids) > 1:
            return [mail for uid in uids for mail in await self._fetch([uid], facts)]
        if not answer.fine:
            return [self._refused(uids[0], answer)]
        contents = dict(_contents(answer))
        if gone := [uid for uid in uids if uid not in contents]:
            log.warning("%s: UID %s is gone, deleted before it was read", self._mailbox, _named(gone))
        return [self._mail(uid, facts[uid], contents[uid]) for uid in uids if uid in contents]

    def _mail(self, uid: int, facts: MailFacts, content: bytes) -> Fetched:
        """A fetched mail, with what the server knows of it."""
        size = max(facts.size_bytes, len(content))
        if size <= self._settings.largest_bytes:
            return Fetched(content, facts.received_at)
        log.warning("%s: of a mail of %d bytes (UID %d) only the header is read", self._mailbox, size, uid)
        header = content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return Fetched(header, facts.received_at, ((WHOLE_SIZE, str(size)),))

    def _refused(self, uid: int, answer: Answer) -> Fetched:
        """A dead letter for a mail that the server does not give, again and again."""
        self._puller.refusals[self._mailbox, uid] += 1
        reason = f"UID {uid} of {self._mailbox} cannot be fetched: {answer.words[:200]}"
        if self._puller.refusals[self._mailbox, uid] < MOST_REFUSALS:
            raise PullTrouble(reason)
        log.error("%s. It is left out", reason)
        return Fetched(reason.encode())

    async def _store(self, mails: Sequence[Fetched], uid: int) -> None:
        """Store mails, and then the place behind them."""
        async with self._progress.lock:
            place = replace(self._place, uid=uid)
            await self._deliver(mails, self._progress.position_with(self._mailbox, place))
            self._place = self._progress.places[self._mailbox] = place

    async def _told_until(self, moment: datetime) -> None:
        async with self._progress.lock:
            self._progress.told_until[self._mailbox] = moment
            until = self._progress.all_told_until(self._settings.mailboxes)
            if until is not None:
                await self._deliver([], None, until)

    async def _wait(self) -> None:
        """Until there is news, or everything may be asked for again."""
        if "IDLE" in self._imap.capabilities:
            await self._imap.idle(self._puller.round_seconds)
        else:
            await asyncio.sleep(self._puller.round_seconds)
            self._checked(await self._imap.command("NOOP"))


def _contents(answer: Answer) -> Iterator[tuple[int, bytes]]:
    """UID and content of every mail in the answer to a FETCH."""
    for response in answer.untagged:
        said = _UID.search(response.text)
        if said is not None and response.literals:
            yield int(said[1]), response.literals[0]
        elif said is not None and (short := _SHORT.search(response.text)) is not None:
            yield int(said[1]), re.sub(rb"\\(.)", rb"\1", short[1])


def _named(uids: Sequence[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _imap_day(day: date) -> str:
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
