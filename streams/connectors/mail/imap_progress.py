"""How far each mailbox of an instance is read: the position that is kept in Kafka, and what the server has told.

`imap_puller` moves it. Positions are `{"INBOX": [validity, uid, ...]}`: UIDs only grow within one UIDVALIDITY
(RFC 3501, 2.3.1.1), so together they name a place that survives every crash.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from streams.connectors.source_contract import PullTrouble


@dataclass(frozen=True, slots=True)
class MailboxPlace:
    """A place in a mailbox: everything up to `uid` is in Kafka.

    `since` is the day on which reading begins (null: with the oldest mail). It applies to UIDs below `old_below`, which
    were there when reading began; what is moved in later is new, however old it is.
    """

    validity: int
    uid: int
    since: date | None
    old_below: int

    def as_list(self) -> list[int | str | None]:
        """For a position."""
        return [self.validity, self.uid, self.since.isoformat() if self.since else None, self.old_below]


@dataclass(slots=True)
class ReadingProgress:
    """The places of all mailboxes, and until when each has told everything. `lock` is held while one is stored."""

    places: dict[str, MailboxPlace] = field(default_factory=dict)
    told_until: dict[str, datetime] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def position_with(self, mailbox: str, place: MailboxPlace) -> str:
        """The places as the text of a cursor, with one of them moved."""
        places = sorted((self.places | {mailbox: place}).items())
        return json.dumps({name: each.as_list() for name, each in places}, ensure_ascii=False)

    def all_told_until(self, mailboxes: Sequence[str]) -> datetime | None:
        """Until when every mailbox has told everything; null while one has yet to."""
        told = [self.told_until.get(mailbox) for mailbox in mailboxes]
        return None if None in told else min(moment for moment in told if moment is not None)


def read_progress(position: str | None) -> ReadingProgress:
    """The places in a position.

    Raises:
        PullTrouble: it is none. Going on from anywhere else would lose mails, so somebody has to decide.
    """
    try:
        said = json.loads(position or "{}")
        places = {
            str(name): MailboxPlace(int(validity), int(uid), date.fromisoformat(since) if since else None, int(below))
            for name, (validity, uid, since, below) in said.items()
        }
    except (ValueError, TypeError, AttributeError):
        raise PullTrouble("the stored position is not one of a mailbox", hopeless=True) from None
    return ReadingProgress(places)
