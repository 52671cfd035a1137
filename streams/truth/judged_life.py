"""A life judged by the real agents, in memory and without Kafka: every conversation, every account, every day's tick.

One partition of each kind, one batch a day; what the conversation agent tells is what the account agent hears. Nothing
here knows the truth. `risk_days` has the scores next.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from msgspec import Struct

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.domain.health_profile import HealthFile
from agents.domain.health_shelf import to_published
from agents.domain.instant import DAY_US, Instant, from_datetime, to_datetime
from agents.partition_controls import tick
from agents.ports import Record
from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.health_score import HealthScore
from schemas.interaction import Interaction
from schemas.policy import PolicyFile
from schemas.policy import to_published as policy_text
from schemas.rejection import RejectionReason
from schemas.topics import HEALTH, INTERACTIONS, SIGNALS, SLA_EVENTS, TopicSpec
from streams.lane.partition_states import PartitionStates
from streams.simulation.conversation_script import Event, Timed

ACCOUNTS_TOLD_EVERY_DAYS = 2
"""How often accounts are told the time: whatever happens to them is judged at once anyway, and what is late is told by
the conversations every day."""

_SOURCE = "careline/truth"


class UnjudgedError(RuntimeError):
    """An agent refused something of a simulated life: one of the two is wrong."""


@dataclass(slots=True)
class _Told:
    """`agents.ports.Effects` of one agent: what it says to one topic is kept for whoever hears that."""

    kept: TopicSpec
    heard: list[tuple[str, Struct]] = field(default_factory=list)

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Keep it, or let it go."""
        if topic is self.kept:
            self.heard.append((key, event))

    def forget(self, topic: TopicSpec, key: str) -> None:
        """Nobody is forgotten in a simulated life."""

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Accounts have ticks of their own."""

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Nothing in a simulated life is malformed."""
        raise UnjudgedError(f"{record.topic.name}, {record.key!r}: {reason}: {detail}")

    def taken(self) -> list[tuple[str, Struct]]:
        """What has been kept since the last time."""
        heard, self.heard = self.heard, []
        return heard


class JudgedLife:
    """The agents, and what they remember.

    Args:
        clock: That the life is lived on.
        policies: What was promised.
        profile: By which accounts are scored; null for the built-in one.
    """

    def __init__(self, clock: str, policies: PolicyFile, profile: HealthFile | None) -> None:
        self._clock = clock
        self._conversations, self._accounts = _Told(SLA_EVENTS), _Told(HEALTH)
        self._conversation_states, self._account_states = PartitionStates(), PartitionStates()
        self._conversation_agent = ConversationAgent(self._conversation_states, self._conversations)
        self._account_agent = AccountAgent(self._account_states, self._accounts)
        self._offsets: dict[str, int] = {}
        self._policies, self._profile = policies, profile

    def scores(self, events: Iterable[Timed], begins_at: Instant) -> Iterator[HealthScore]:
        """Every score as it is told, day by day. The events must be in order."""
        self._begin(begins_at)
        for day, found in groupby(events, key=lambda each: (each[0] - begins_at) // DAY_US):
            told = (day + 1) % ACCOUNTS_TOLD_EVERY_DAYS == 0
            yield from self._day([event for _, event in found], begins_at + (day + 1) * DAY_US, accounts_told=told)

    def _begin(self, at: Instant) -> None:
        text = policy_text(self._policies)
        active = Control(id="policies", kind="policy_activated", as_of=to_datetime(at), policy_text=text)
        self._conversation_agent.process([self._record(INTERACTIONS, None, active, at)], at)
        if self._profile is not None:
            text = to_published(self._profile)
            active = Control(id="profiles", kind="health_activated", as_of=to_datetime(at), policy_text=text)
            self._account_agent.process([self._record(SIGNALS, None, active, at)], at)

    def _day(self, events: Sequence[Event], ends_at: Instant, *, accounts_told: bool) -> Iterator[HealthScore]:
        said = [self._of_event(event) for event in events]
        now = self._record(INTERACTIONS, None, tick(self._clock, ends_at), ends_at)
        interactions = [record for record in said if record.topic is INTERACTIONS]
        self._conversation_agent.process([*interactions, now], ends_at)
        heard = [self._record(SLA_EVENTS, key, event, ends_at) for key, event in self._conversations.taken()]
        signals = [record for record in said if record.topic is SIGNALS]
        ticks = [self._record(SIGNALS, None, tick(self._clock, ends_at), ends_at)] if accounts_told else []
        self._account_agent.process([*heard, *signals, *ticks], ends_at)
        self._conversation_states.changes.clear()
        self._account_states.changes.clear()
        yield from (score for _, score in self._accounts.taken() if isinstance(score, HealthScore))

    def _of_event(self, event: Event) -> Record:
        at = from_datetime(event.occurred_at)
        if isinstance(event, Interaction):
            return self._record(INTERACTIONS, event.conversation_id, event, at)
        return self._record(SIGNALS, event.account_id, event, at)

    def _record(self, topic: TopicSpec, key: str | None, event: Struct, at: Instant) -> Record:
        offset = self._offsets[topic.name] = self._offsets.get(topic.name, -1) + 1
        event_id: str = event.id  # type: ignore[attr-defined]  # whatever travels has one
        headers = headers_of(event, _SOURCE, event_id, to_datetime(at))
        return Record(topic, 0, offset, None if key is None else key.encode(), encode(event), headers, at)
