"""The policies in force, compiled: which one judges a conversation, by which calendar, against which target.

Policy files come from `streams.policy_files` (read there into `schemas.policy.PolicyFile`);
`agents.domain.conversation` asks this book at every event.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from agents.domain.calendar import Calendar, Edge, compile_calendars
from agents.domain.clock_rules import (
    ClockRule,
    Predicate,
    Trigger,
    attributes_asked,
    event_predicate,
    never,
    rule_of,
    state_predicate,
)
from agents.domain.instant import Instant
from agents.domain.occurrences import NOTHING, Occurrences
from schemas.conversation_state import ConversationState
from schemas.policy import Condition, DeclaredClock, Duration, MetricTarget, Policy, PolicyFile, WarningThreshold

BEGINNING_OF_TIME: Instant = -(2**62)


@dataclass(frozen=True, slots=True)
class Promise:
    """What one policy promises for one metric, ready to be computed with."""

    rule: ClockRule
    calendar: Calendar
    edge: Edge
    target: Duration | None = None
    by_priority: Mapping[str, Duration] = field(default_factory=dict)
    pauses: Predicate = never
    pause_when: Condition | None = None
    """What `pauses` asks, in words; null where the clock never pauses."""
    continues: bool = False
    """Whether a reopened conversation goes on with the time that this clock has used."""

    def duration(self, priority: str) -> Duration | None:
        """The time allowed at a priority; null where the policy sets no deadline."""
        return self.by_priority.get(priority, self.target)


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """One entry of a policy file with its calendars resolved."""

    id: str
    version: str
    when: Condition
    matches: Predicate
    """`when` as a function."""
    promises: Mapping[str, Promise]
    warn_at: tuple[WarningThreshold, ...]
    on_change: str
    applies_to_changes: str
    objective_ratio: float | None
    objective_over: str | None
    starts: Occurrences
    """What starts any of its clocks."""
    declared: tuple[Promise, ...]
    """Promises by clocks that the file declares itself; their conditions are asked at every event."""
    started_by: dict[Occurrences, tuple[str, ...]] = field(default_factory=dict)
    """Metrics whose clocks start when these things happen together: found out once for each combination."""
    warnings: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """What `agents.domain.clock` found out about the warnings of each target."""

    def starting(self, happened: Occurrences) -> tuple[str, ...]:
        """Metrics whose clocks start when this happens: what the same event would cancel does not start."""
        known = self.started_by.get(happened)
        if known is None:
            rules = [promise.rule for promise in self.promises.values()]
            known = tuple(rule.metric for rule in rules if rule.starts & happened and not rule.cancelled_by & happened)
            self.started_by[happened] = known
        return known


class Terms(NamedTuple):
    """What a clock runs under.

    Without a policy (a due date set by hand where nothing is promised) time counts around the clock, without pauses.
    """

    policy: CompiledPolicy | None
    promise: Promise


TermsKey = tuple[str | None, str | None, str]
"""Policy version, policy and metric: the names that a clock carries."""


class TermsTable(dict[TermsKey, Terms]):
    """What a clock with these names runs under; found out when it is first asked for."""

    def __init__(self, policies: Mapping[tuple[str | None, str | None], CompiledPolicy]) -> None:
        super().__init__()
        self._policies = policies
        self._always = compile_calendars({})["always"]

    def __missing__(self, key: TermsKey) -> Terms:
        version, policy_id, metric = key
        policy = self._policies.get((version, policy_id))
        promise = policy.promises.get(metric) if policy is not None else None
        if promise is None:
            promise = Promise(_rule_without_policy(metric), self._always, "close")
        terms = self[key] = Terms(policy, promise)
        return terms


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy file in force from an instant on. `number` counts the activations, from 1."""

    version: str
    in_force_from: Instant
    number: int
    policies: tuple[CompiledPolicy, ...]
    asks: frozenset[str]
    """The attributes of a conversation that decide which policy matches, or what it promises."""

    def match(self, conversation: ConversationState) -> CompiledPolicy | None:
        """The first policy whose condition holds."""
        for policy in self.policies:
            if policy.matches(conversation, None):
                return policy
        return None


class PolicyBook:
    """All policy versions that were ever activated, in the order in which they came into force."""

    def __init__(self) -> None:
        self._versions: list[PolicyVersion] = []
        self._starts: list[Instant] = []
        self._by_name: dict[str, PolicyVersion] = {}
        self._policies: dict[tuple[str | None, str | None], CompiledPolicy] = {}
        self.terms = TermsTable(self._policies)
        self.activations = 0
        """How many versions were activated so far: what an event could know of when it was first applied."""
        self.edges: tuple[Trigger, ...] = ()
        """Conditions of declared clocks that hold at the event which makes them true: what held before is asked too."""
        self.declares = False
        """Whether any version declares clocks of its own."""

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
        policies = tuple(_compile(policy, policy_file, calendars) for policy in policy_file.policies)
        asks = frozenset({"priority"}).union(*(attributes_asked(policy.when) for policy in policy_file.policies))
        place = bisect_right(self._starts, in_force_from)
        self.activations += 1
        version = PolicyVersion(policy_file.version, in_force_from, self.activations, policies, asks)
        self._starts.insert(place, in_force_from)
        self._versions.insert(place, version)
        self._by_name[version.version] = version
        self._policies.update({(policy.version, policy.id): policy for policy in policies})
        self.edges += tuple(_edges(policies))
        self.declares = self.declares or any(policy.declared for policy in policies)
        self.terms.clear()

    def at(self, instant: Instant, known: int | None = None) -> PolicyVersion | None:
        """The version in force at an instant, of the first `known` activations (default: all).

        Null before the first one.
        """
        if self._starts and instant >= self._starts[-1] and (known is None or known >= self._versions[-1].number):
            return self._versions[-1]
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

    def __bool__(self) -> bool:
        """Whether any policy was ever activated."""
        return bool(self._versions)


def _edges(policies: tuple[CompiledPolicy, ...]) -> Iterator[Trigger]:
    for promise in (each for policy in policies for each in policy.declared):
        triggers = promise.rule.declared
        if triggers is not None:
            for trigger in (triggers.start, triggers.satisfy, triggers.cancel):
                if trigger is not None and trigger.is_edge:
                    yield trigger


def _rule_without_policy(metric: str) -> ClockRule:
    try:
        return rule_of(metric, {})
    except KeyError:  # a clock that a file declared which is in force no more: only a status can end it
        return ClockRule(metric)


def _compile(policy: Policy, policy_file: PolicyFile, calendars: Mapping[str, Calendar]) -> CompiledPolicy:
    by_default = calendars[policy.calendar]  # which there must be, also where every target has its own
    promises = {
        metric: _promise(
            policy, target, policy_file.clocks, calendars[target.calendar] if target.calendar else by_default
        )
        for metric, target in policy.targets.items()
    }
    starts = NOTHING
    for promise in promises.values():
        starts |= promise.rule.starts
    objective = policy.objective
    return CompiledPolicy(
        id=policy.id,
        version=policy_file.version,
        when=policy.when,
        matches=state_predicate(policy.when),
        promises=promises,
        warn_at=policy.warn_at,
        on_change=policy.on_change,
        applies_to_changes=policy.applies_to_changes,
        objective_ratio=objective.ratio if objective else None,
        objective_over=_over(objective.over_days) if objective else None,
        starts=starts,
        declared=tuple(promise for promise in promises.values() if promise.rule.declared is not None),
    )


def _promise(
    policy: Policy, target: MetricTarget, declared: Mapping[str, DeclaredClock], calendar: Calendar
) -> Promise:
    rule = rule_of(target.metric, declared)
    pause_when, pauses = _pauses(target, rule, declared.get(target.metric))
    return Promise(
        rule=rule,
        calendar=calendar,
        edge=policy.edge,
        target=target.target,
        by_priority=target.by_priority,
        pauses=pauses,
        pause_when=pause_when,
        continues=rule.continues and target.reopen == "continue",
    )


def _pauses(
    target: MetricTarget, rule: ClockRule, declared: DeclaredClock | None
) -> tuple[Condition | None, Predicate]:
    written = target.pause_when
    if written is not None:
        return (written, state_predicate(written)) if written != Condition() else (None, never)
    if declared is not None:
        return declared.pause, event_predicate(declared.pause) if declared.pause is not None else never
    if not rule.pause_statuses:
        return None, never
    by_default = Condition({"status": rule.pause_statuses})
    return by_default, state_predicate(by_default)


def _over(days: int | None) -> str:
    return "month" if days is None else f"{days}d"
