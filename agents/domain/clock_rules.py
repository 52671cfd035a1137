"""Every metric as data: what starts its clock, what satisfies and what cancels it, in which statuses it pauses.

`agents.domain.policy_book` binds a rule to what a policy promises; `agents.domain.clock_moves` applies it. Where the
rules come from is told in `docs/sla.md`.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from agents.domain.occurrences import (
    ANSWERED,
    ASKED_AGAIN,
    ASKED_FIRST,
    CALL_ANSWERED,
    CALL_ENDED,
    CALL_STARTED,
    CONTACTED,
    CREATED,
    DISSATISFIED,
    NO_REPLY_NEEDED,
    NOTHING,
    REOPENED,
    RESOLVED,
    TEAM_ENTERED,
    TEAM_LEFT,
    UPDATED,
    Occurrences,
)
from schemas.conversation_state import ConversationState
from schemas.policy import DEFAULT_PAUSE_STATUSES, Condition, DeclaredClock
from schemas.timeline_entry import TimelineEntry

Predicate = Callable[[ConversationState, TimelineEntry | None], bool]
"""Whether a condition holds for a conversation after an event; without an event, for the conversation as it is."""


class Trigger(Struct, frozen=True, gc=False):
    """A condition of a declared clock.

    One that asks only for attributes (`{team: second-line}`) holds at the event that makes it true, not at those after.
    """

    holds: Predicate
    is_edge: bool


class DeclaredTriggers(Struct, frozen=True, gc=False):
    """When a clock that a policy file declares itself starts, and is satisfied or cancelled."""

    start: Trigger
    satisfy: Trigger
    cancel: Trigger | None = None


class ClockRule(Struct, frozen=True, gc=False):
    """How the clock of one metric lives. Of what holds at once, cancel comes before satisfy, pause and start."""

    metric: str
    starts: Occurrences = NOTHING
    satisfied_by: Occurrences = NOTHING
    cancelled_by: Occurrences = NOTHING
    pause_statuses: tuple[str, ...] = ()
    continues: bool = False
    """Whether a reopened conversation goes on with the time used before, unless its policy says `new_cycle`."""
    declared: DeclaredTriggers | None = None


_RULES = (
    ClockRule("first_response", ASKED_FIRST, ANSWERED, NO_REPLY_NEEDED),
    ClockRule("next_response", ASKED_AGAIN, ANSWERED, NO_REPLY_NEEDED | RESOLVED),
    ClockRule("periodic_update", UPDATED, ANSWERED, RESOLVED),
    ClockRule("pausable_update", UPDATED, ANSWERED, RESOLVED, ("waiting_on_customer",)),
    ClockRule("requester_wait", CREATED | REOPENED, RESOLVED, NOTHING, ("waiting_on_customer",), continues=True),
    ClockRule("agent_work", CREATED | REOPENED, RESOLVED, NOTHING, DEFAULT_PAUSE_STATUSES, continues=True),
    ClockRule("first_resolution", CREATED, RESOLVED, NOTHING, DEFAULT_PAUSE_STATUSES),
    ClockRule("total_resolution", CREATED | REOPENED, RESOLVED, NOTHING, DEFAULT_PAUSE_STATUSES, continues=True),
    ClockRule("group_ownership", TEAM_ENTERED, TEAM_LEFT | RESOLVED),
    ClockRule("speed_of_answer", CALL_STARTED, CALL_ANSWERED, CALL_ENDED),
    ClockRule("follow_up", DISSATISFIED, CONTACTED),
)

BUILT_IN: Mapping[str, ClockRule] = {rule.metric: rule for rule in _RULES}
"""The metrics of `schemas.policy.METRICS`."""

_STATE_ATTRIBUTES = {
    "account": "account_id",
    "tag": "tags",
}
"""Condition keys whose name differs from the field that they ask."""

EVENT_KEYS = frozenset({"type", "from", "public", "automated", "kind"})
"""What the conditions of declared clocks ask of the event itself. Everything else is the conversation's."""


def rule_of(metric: str, declared: Mapping[str, DeclaredClock]) -> ClockRule:
    """The rule of a metric, built in or declared by the file.

    Raises:
        KeyError: there is no such metric.
    """
    clock = declared.get(metric)
    if clock is None:
        return BUILT_IN[metric]
    cancel = _trigger(clock.cancel) if clock.cancel is not None else None
    triggers = DeclaredTriggers(_trigger(clock.start), _trigger(clock.satisfy), cancel)
    return ClockRule(metric, declared=triggers)


def _trigger(condition: Condition) -> Trigger:
    return Trigger(event_predicate(condition), not _asks_the_event(condition))


def _asks_the_event(condition: Condition) -> bool:
    negated = condition.negated
    return not EVENT_KEYS.isdisjoint(condition.any_of) or (negated is not None and _asks_the_event(negated))


def attributes_asked(condition: Condition) -> frozenset[str]:
    """The attributes of a conversation on which a condition of a policy depends."""
    inner = attributes_asked(condition.negated) if condition.negated is not None else frozenset()
    return inner | {attribute_of(key) for key in condition.any_of}


def attribute_of(key: str) -> str:
    """The field of `ConversationState` that a condition key of a policy asks."""
    return "conversation_type" if key == "type" else _STATE_ATTRIBUTES.get(key, key)


def state_predicate(condition: Condition) -> Predicate:
    """A condition of a policy as a function of the conversation.

    Keys are and-ed, values or-ed; an empty condition always holds.
    """
    return _combined(condition, lambda key, values: _asks_state(attribute_of(key), values))


def event_predicate(condition: Condition) -> Predicate:
    """A condition of a declared clock: `type`, `from`, `public`, `automated` and `kind` are the event's."""

    def test(key: str, values: frozenset[str]) -> Predicate:
        if key in EVENT_KEYS:
            return _asks_event(key, values)
        return _asks_state(_STATE_ATTRIBUTES.get(key, key), values)

    return _combined(condition, test)


def _combined(condition: Condition, test: Callable[[str, frozenset[str]], Predicate]) -> Predicate:
    tests = [test(key, frozenset(values)) for key, values in condition.any_of.items()]
    if condition.negated is not None:
        inner = _combined(condition.negated, test)
        tests.append(lambda state, entry: not inner(state, entry))
    if not tests:
        return always
    if len(tests) == 1:
        return tests[0]
    return lambda state, entry: all(each(state, entry) for each in tests)


def always(_state: ConversationState, _entry: TimelineEntry | None) -> bool:
    """The empty condition."""
    return True


def never(_state: ConversationState, _entry: TimelineEntry | None) -> bool:
    """The pause condition of clocks that do not pause."""
    return False


def _asks_state(attribute: str, values: frozenset[str]) -> Predicate:
    if attribute == "tags":
        return lambda state, _: not values.isdisjoint(state.tags)
    if attribute == "status":
        return lambda state, _: (state.status or "new") in values
    return lambda state, _: getattr(state, attribute) in values


def _asks_event(key: str, values: frozenset[str]) -> Predicate:
    match key:
        case "type":
            return lambda _, entry: entry is not None and entry.type in values
        case "from":
            return lambda _, entry: entry is not None and entry.author in values
        case "kind":
            return lambda _, entry: entry is not None and (entry.facts or {}).get("kind") in values
        case _:
            return lambda _, entry: entry is not None and ("true" if getattr(entry, key) else "false") in values
