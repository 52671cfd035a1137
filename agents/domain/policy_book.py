"""The policies in force, compiled: which one judges a conversation, by which calendar, against which target.

Policy files come from `streams.policy_files` (read there into `schemas.policy.PolicyFile`);
`agents.domain.conversation` asks this book at every event.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from agents.domain.calendar import Calendar, Edge, compile_calendars
from agents.domain.instant import Instant
from schemas.conversation_state import ConversationState
from schemas.policy import (
    DEFAULT_PAUSE_STATUSES,
    Condition,
    Duration,
    MetricTarget,
    Policy,
    PolicyFile,
    WarningThreshold,
)

BEGINNING_OF_TIME: Instant = -(2**62)
RESOLUTION_METRICS = frozenset({"first_resolution", "total_resolution"})
"""Metrics that pause by default while the customer or a third party has the ball.

Response clocks never do by themselves.
"""

Predicate = Callable[[ConversationState], bool]

_ATTRIBUTES = {
    "account": "account_id",
    "type": "conversation_type",
    "tag": "tags",
}
"""Condition keys whose name differs from the field that they ask."""


def compile_condition(condition: Condition) -> Predicate:
    """A condition as a function of a conversation. Keys are and-ed, values or-ed; an empty condition always holds."""
    tests: list[Predicate] = [_any_of(key, frozenset(values)) for key, values in condition.any_of.items()]
    if condition.negated is not None:
        inner = compile_condition(condition.negated)
        tests.append(lambda conversation: not inner(conversation))
    if not tests:
        return _always
    if len(tests) == 1:
        return tests[0]
    return lambda conversation: all(test(conversation) for test in tests)


def _always(_conversation: ConversationState) -> bool:
    return True


def never(_conversation: ConversationState) -> bool:
    """The pause condition of clocks that do not pause."""
    return False


def _any_of(key: str, values: frozenset[str]) -> Predicate:
    attribute = _ATTRIBUTES.get(key, key)
    if attribute == "tags":
        return lambda conversation: not values.isdisjoint(conversation.tags)
    return lambda conversation: getattr(conversation, attribute) in values


@dataclass(frozen=True, slots=True)
class Promise:
    """What one policy promises for one metric, ready to be computed with."""

    metric: str
    calendar: Calendar
    edge: Edge
    target: Duration | None
    by_priority: Mapping[str, Duration]
    pauses: Predicate
    reopen: str

    def duration(self, priority: str) -> Duration | None:
        """The time allowed at a priority; null where the policy sets no deadline."""
        return self.by_priority.get(priority, self.target)


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """One entry of a policy file with its calendars resolved."""

    id: str
    version: str
    calendar: Calendar
    matches: Predicate
    promises: Mapping[str, Promise]
    warn_at: tuple[WarningThreshold, ...]
    on_change: str
    applies_to_changes: str
    objective_ratio: float | None
    warnings: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """What `agents.domain.clock` found out about the warnings of each target."""


class Terms(NamedTuple):
    """What a clock runs under.

    Without a policy (a due date set by hand where nothing is promised) time counts around the clock, without pauses.
    """

    policy: CompiledPolicy | None
    promise: Promise


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy file in force from an instant on. `number` counts the activations, from 1."""

    version: str
    in_force_from: Instant
    number: int
    policies: tuple[CompiledPolicy, ...]

    def match(self, conversation: ConversationState) -> CompiledPolicy | None:
        """The first policy whose condition holds."""
        for policy in self.policies:
            if policy.matches(conversation):
                return policy
        return None


class PolicyBook:
    """All policy versions that were ever activated, in the order in which they came into force."""

    def __init__(self) -> None:
        self._versions: list[PolicyVersion] = []
        self._starts: list[Instant] = []
        self._by_name: dict[str, PolicyVersion] = {}
        self._policies: dict[tuple[str | None, str | None], CompiledPolicy] = {}
        self._terms: dict[tuple[str | None, str | None, str], Terms] = {}
        self.activations = 0
        """How many versions were activated so far: what an event could know of when it was first applied."""
        self._always = compile_calendars({})["always"]

    @classmethod
    def of(cls, policy_file: PolicyFile) -> Self:
        """A book in which one file has always been in force, as `policy test` and `policy run` want it."""
        book = cls()
        book.activate(policy_file, BEGINNING_OF_TIME)
        return book

    def activate(self, policy_file: PolicyFile, in_force_from: Instant) -> None:
        """Add a version. Of two that begin at the same instant the one activated later wins.

        Raises:
            CalendarMistake: a calendar of the file is impossible; nothing is activated then.
            KeyError: a policy names a calendar that the file does not have; nothing is activated then.
        """
        calendars = compile_calendars(policy_file.calendars)
        policies = tuple(_compile(policy, policy_file.version, calendars) for policy in policy_file.policies)
        place = bisect_right(self._starts, in_force_from)
        self.activations += 1
        version = PolicyVersion(policy_file.version, in_force_from, self.activations, policies)
        self._starts.insert(place, in_force_from)
        self._versions.insert(place, version)
        self._by_name[version.version] = version
        self._policies.update({(policy.version, policy.id): policy for policy in policies})
        self._terms.clear()

    def at(self, instant: Instant, known: int | None = None) -> PolicyVersion | None:
        """The version in force at an instant, of the first `known` activations (default: all).

        Null before the first one.
        """
        place = bisect_right(self._starts, instant)
        if known is not None and known < self.activations:
            while place and self._versions[place - 1].number > known:
                place -= 1
        return self._versions[place - 1] if place else None

    def version(self, name: str | None) -> PolicyVersion | None:
        """A version by its name, whether or not it is in force."""
        return None if name is None else self._by_name.get(name)

    def policy(self, version: str | None, policy_id: str | None) -> CompiledPolicy | None:
        """A policy by the names that a clock carries; null for a clock without a policy."""
        return self._policies.get((version, policy_id))

    def terms(self, version: str | None, policy_id: str | None, metric: str) -> Terms:
        """What a clock with these names runs under."""
        key = (version, policy_id, metric)
        found = self._terms.get(key)
        if found is None:
            policy = self.policy(version, policy_id)
            promise = policy.promises.get(metric) if policy is not None else None
            if promise is None:
                promise = Promise(metric, self._always, "close", None, {}, never, "continue")
            found = self._terms[key] = Terms(policy, promise)
        return found

    def __bool__(self) -> bool:
        """Whether any policy was ever activated."""
        return bool(self._versions)


def _compile(policy: Policy, version: str, calendars: Mapping[str, Calendar]) -> CompiledPolicy:
    calendar = calendars[policy.calendar]
    return CompiledPolicy(
        id=policy.id,
        version=version,
        calendar=calendar,
        matches=compile_condition(policy.when),
        promises={
            metric: Promise(
                metric=metric,
                calendar=calendars[target.calendar] if target.calendar else calendar,
                edge=policy.edge,
                target=target.target,
                by_priority=target.by_priority,
                pauses=_pauses(target),
                reopen=target.reopen,
            )
            for metric, target in policy.targets.items()
        },
        warn_at=policy.warn_at,
        on_change=policy.on_change,
        applies_to_changes=policy.applies_to_changes,
        objective_ratio=policy.objective.ratio if policy.objective else None,
    )


def _pauses(target: MetricTarget) -> Predicate:
    if target.pause_when is not None:
        written = target.pause_when
        return compile_condition(written) if written.any_of or written.negated else never
    if target.metric in RESOLUTION_METRICS:
        return compile_condition(Condition({"status": DEFAULT_PAUSE_STATUSES}))
    return never
