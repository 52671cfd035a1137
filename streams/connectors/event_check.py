"""The last look at an event before it enters Kafka: what no connector may let through.

The agents look again at what they read; here the sender is still known, and the dead letter can say which request it
was.
"""

from datetime import UTC, datetime

from agents.domain.entries import missing_in
from schemas.codec import encode
from schemas.interaction import Interaction
from schemas.rejection import RejectionReason
from schemas.signal import Signal

LONGEST_ID = 512
"""Characters of an id or key. Provider ids have up to about 200; a key of a megabyte would make every lookup by it
slow."""

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""No customer service of today has events from before; a zero or garbled timestamp usually lands in 1970."""
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Inside what instants represent exactly (1700 to 2240), beyond what anyone means."""

Flaw = tuple[RejectionReason, str]


def flaw_in(event: Interaction | Signal) -> Flaw | None:
    """Why an event cannot be published; null when it can."""
    for name in ("id", "conversation_id", "account_id", "into"):
        value = getattr(event, name, None)
        if value is not None and (flaw := _id_flaw(name, value)):
            return flaw
    for name in ("occurred_at", "due_at"):
        moment = getattr(event, name, None)
        if moment is not None and (flaw := _time_flaw(name, moment)):
            return flaw
    if isinstance(event, Interaction):
        missing = missing_in(event)
        if missing is not None:
            return "contract_violation", f"{event.type} needs {missing}"
        if not event.conversation_id:
            return "missing_key", "conversation_id is empty"
    elif not event.account_id:
        return "missing_key", "nothing in the signal says whose it is"
    return _text_flaw(event)


def _text_flaw(event: Interaction | Signal) -> Flaw | None:
    """Half a character anywhere: Kafka takes UTF-8 alone, and an exception would bring the same request for ever."""
    try:
        encode(event)  # some microseconds; what comes out is written again once it is known to be good
    except UnicodeEncodeError as error:
        return "not_utf8", f"a text of the event is none: {error.reason}"
    return None


def _id_flaw(name: str, value: str) -> Flaw | None:
    if name in {"id", "into"} and not value:
        return "contract_violation", f"{name} is empty"
    if len(value) > LONGEST_ID:
        return "contract_violation", f"{name} has {len(value)} characters, more than {LONGEST_ID}"
    if "\x00" in value:
        return "contract_violation", f"{name} holds a zero byte"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "not_utf8", f"{name} is no text"
    return None


def _time_flaw(name: str, moment: datetime) -> Flaw | None:
    if moment.tzinfo is None:
        return "contract_violation", f"{name} {moment.isoformat()} has no time zone"
    if not EARLIEST <= moment < LATEST:
        return "impossible_time", f"{name} {moment.isoformat()} is outside {EARLIEST.year} to {LATEST.year}"
    return None
