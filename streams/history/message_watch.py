"""Messages out of history, watched as if they came in now: for surges, silence and moods; all as lines of JSON.

`careline issues run`, `silent` and `sentiment` print the lines; `agents.domain.topic_surge` and `silent_accounts`
judge. The format of the lines is public (docs/issues.md): fields are never renamed.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.json import Encoder

from agents.domain.instant import DAY_US, Instant, from_datetime, to_datetime
from agents.domain.message_enrichment import is_customer_message
from agents.domain.rule_sentiment import SentimentScorer
from agents.domain.silent_accounts import Silence, SilentAccounts
from agents.domain.theme_marks import LEAST_MESSAGES
from agents.domain.topic_surge import Sensitivity, TopicSurges
from schemas.issue_state import CustomerMessage, SurgeState
from streams.history.conversations import History
from streams.policy_files.clock_columns import instant_text

_ENOUGH_MESSAGES = 200
_ENOUGH_US = 3 * DAY_US
_TOLD_EVERY = 500
"""Messages between two reports of progress."""


class SurgeLine(Struct, frozen=True):
    """One line. `at` is when the surge was noticed; `accounts` and `messages` are in the order in which they came."""

    at: datetime | str
    topic: str
    growth: float
    accounts: list[str]
    messages: list[str]


class SilenceLine(Struct, frozen=True):
    """One line. `missing` is how many contacts should have come since `last_at`."""

    at: datetime | str
    account: str
    last_at: datetime | str
    missing: float


class MoodLine(Struct, frozen=True):
    """One line. `scorer` says who judged: the name and version of a `SentimentScorer`."""

    at: datetime | str
    id: str
    account: str
    language: str
    sentiment: float | None
    reasons: tuple[str, ...]
    scorer: str


_encode = Encoder().encode


def surge_line(surge: SurgeState) -> bytes:
    """A surge as a line of JSON, with its end of line."""
    line = SurgeLine(_told(surge.raised_at), surge.topic, round(surge.growth, 2), surge.accounts, surge.messages)
    return _encode(line) + b"\n"


def silence_line(silence: Silence) -> bytes:
    """A silence as a line of JSON, with its end of line."""
    line = SilenceLine(_told(silence.at), silence.account, _told(silence.last_at), round(silence.missing, 1))
    return _encode(line) + b"\n"


def mood_line(message: CustomerMessage, scorer: SentimentScorer) -> bytes:
    """How a message feels as a line of JSON, with its end of line."""
    found = scorer.score(message.text)
    line = MoodLine(
        _told(message.at),
        message.id,
        message.account,
        found.language,
        found.score,
        found.reasons,
        f"{scorer.name}/{scorer.version}",
    )
    return _encode(line) + b"\n"


def _told(at: Instant) -> datetime | str:
    moment = to_datetime(at)
    return moment if not moment.microsecond else instant_text(moment)


def messages_of(history: History) -> list[CustomerMessage]:
    """What customers wrote, in the order of time: public messages with text that no machine has sent, each once.

    Where the rows name no account, every conversation is one of its own.
    """
    found: dict[tuple[str, str], CustomerMessage] = {}
    for conversation, interactions in history.conversations("issues"):
        for event in interactions:
            if is_customer_message(event) and event.text is not None:
                found[conversation, event.id] = CustomerMessage(
                    id=event.id,
                    at=from_datetime(event.occurred_at),
                    account=event.account_id or conversation,
                    text=event.text,
                )
    return sorted(found.values(), key=lambda message: (message.at, message.id))


def surges_in(
    messages: Sequence[CustomerMessage], sensitivity: Sensitivity, progress: Callable[[int], None] | None = None
) -> list[SurgeState]:
    """All surges of messages in the order of time; the first noticed comes first, each as it was at its end."""
    watch = TopicSurges(sensitivity=sensitivity)
    raised: list[SurgeState] = []
    for done, message in enumerate(messages):
        raised += [news.surge for news in watch.take(message) if news.kind == "raised"]
        if progress is not None and done % _TOLD_EVERY == 0:
            progress(done)
    if messages:
        raised += [news.surge for news in watch.pass_time(messages[-1].at + 1) if news.kind == "raised"]
    return raised


def doubts_about(messages: Sequence[CustomerMessage], sensitivity: Sensitivity) -> Iterator[str]:
    """Why no surge in messages in the order of time does not say much: sentences for people."""
    if not messages:
        return
    accounts = len({message.account for message in messages})
    if len(messages) <= LEAST_MESSAGES:
        yield f"{len(messages):,} messages are too few: the first {LEAST_MESSAGES} only show what is usual"
    elif len(messages) < _ENOUGH_MESSAGES or messages[-1].at - messages[0].at < _ENOUGH_US:
        days = (messages[-1].at - messages[0].at) / DAY_US
        yield (
            f"{len(messages):,} messages of {days:.1f} days say little of what is usual: only what is very clear is "
            f"told, and nothing of the first {LEAST_MESSAGES}; {_ENOUGH_MESSAGES} messages of three days say more"
        )
    if accounts < sensitivity.accounts:
        yield f"{accounts:,} accounts wrote, and a surge needs {sensitivity.accounts}"


def silences_in(messages: Sequence[CustomerMessage], progress: Callable[[int], None] | None = None) -> list[Silence]:
    """All silences of messages in the order of time; who is silent when the messages end counts to there."""
    watch = SilentAccounts()
    found: list[Silence] = []
    for done, message in enumerate(messages):
        found += watch.heard(message.account, message.at)
        if progress is not None and done % _TOLD_EVERY == 0:
            progress(done)
    return found
