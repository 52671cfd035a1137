"""Why a condition of a policy holds for a conversation, or does not: key by key, with the value that was found.

`agents.domain.explanation` asks, for policies that were passed over and for pauses. Whether a key holds is decided by
the same functions that the engine asks (`agents.domain.clock_rules`), so no answer here can differ from what was done.
"""

from msgspec import Struct

from agents.domain.clock_rules import attribute_of, state_predicate
from schemas.conversation_state import ConversationState
from schemas.policy import Condition
from schemas.timeline_entry import TimelineEntry

NOT = "not."
"""Goes before keys that stand under `not`, as often as they stand under one."""


class KeyFinding(Struct, frozen=True):
    """One key of a condition, what it asks for, and what the conversation has; nothing where it has nothing."""

    key: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]


def why_not(condition: Condition, state: ConversationState) -> tuple[KeyFinding, ...]:
    """The keys that keep a condition from holding; empty where it holds.

    A `not` that forbids it is told by all of its keys, since all of them hold.
    """
    findings = [
        KeyFinding(key, wanted, _found(key, state))
        for key, wanted in condition.any_of.items()
        if not state_predicate(Condition({key: wanted}))(state, None)
    ]
    negated = condition.negated
    if negated is not None and state_predicate(negated)(state, None):
        findings += [KeyFinding(NOT + each.key, each.wanted, each.found) for each in why(negated, state)]
    return tuple(findings)


def why(condition: Condition, state: ConversationState) -> tuple[KeyFinding, ...]:
    """Every key of a condition that holds, with what was found; under `not` the keys that do not hold."""
    findings = [KeyFinding(key, wanted, _found(key, state)) for key, wanted in condition.any_of.items()]
    if condition.negated is not None:
        found = why_not(condition.negated, state)
        findings += [KeyFinding(NOT + each.key, each.wanted, each.found) for each in found]
    return tuple(findings)


def why_paused(
    condition: Condition | None, state: ConversationState, entry: TimelineEntry | None
) -> tuple[KeyFinding, ...]:
    """What a pause is for, after an event. Declared clocks may pause by what the event itself is."""
    if condition is None:
        return ()
    of_event = {} if entry is None else _event_words(entry)
    findings = []
    for key, wanted in condition.any_of.items():
        of_entry = of_event.get(key)
        found = (of_entry,) if of_entry in wanted and of_entry is not None else _found(key, state)
        findings.append(KeyFinding(key, wanted, tuple(each for each in found if each in wanted) or found))
    if condition.negated is not None:
        found_not = why_not(condition.negated, state)
        findings += [KeyFinding(NOT + each.key, each.wanted, each.found) for each in found_not]
    return tuple(findings)


def _event_words(entry: TimelineEntry) -> dict[str, str | None]:
    return {
        "type": entry.type,
        "from": entry.author,
        "public": "true" if entry.public else "false",
        "automated": "true" if entry.automated else "false",
        "kind": (entry.facts or {}).get("kind"),
    }


def _found(key: str, state: ConversationState) -> tuple[str, ...]:
    value = getattr(state, attribute_of(key), None)
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple) else (str(value),)
