"""The filter of a Zendesk SLA policy as conditions of ours, or what of it cannot be said. Pure.

Source: Zendesk developer documentation, "SLA Policies" (`filter` with `all` and `any`) and "Conditions reference". A
policy holds where all conditions of `all` and at least one of `any` hold; of ours the first policy that matches counts,
so alternatives over different fields become policies one behind the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.policy import Condition
from streams.connectors.payload_reading import Json, id_text, tables, text, word
from streams.policy_files.policy_overlap import contradicts_itself

AccountOf = Callable[[str], str]
"""The account of an organisation, by the organisation's id."""

TICKET_TYPES = {"1": "question", "2": "incident", "3": "problem", "4": "task"}
KEYS = {
    "brand_id": "inbox",
    "current_tags": "tag",
    "group_id": "team",
    "organization_id": "account",
    "priority": "priority",
    "ticket_type_id": "type",
    "type": "type",
    "via_id": "channel",
    "via_type": "channel",
}
"""Fields that policies of ours know, and under which name."""
CHANNEL_OF_VIA = {
    "0": "form",
    "4": "email",
    "17": "form",
    "29": "chat",
    "30": "social",
    "33": "phone",
    "34": "phone",
    "35": "phone",
    "44": "phone",
    "45": "phone",
    "46": "phone",
    "48": "form",
    "57": "sms",
    "mail": "email",
    "web": "form",
    "web_form": "form",
    "web_widget": "form",
    "chat": "chat",
    "native_messaging": "chat",
    "phone": "phone",
    "sms": "sms",
    "whatsapp": "whatsapp",
}
CONTRADICTION = "its conditions contradict each other"
POSITIVE = frozenset({"is", "includes"})
NEGATIVE = frozenset({"is_not", "not_includes"})


@dataclass(slots=True)
class Filter:
    """What a filter comes to: conditions of which one must hold, notes, and what keeps it from being said at all."""

    alternatives: list[Condition] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Term:
    """One condition: a key that is, or is not, one of some words."""

    key: str
    words: tuple[str, ...]
    source: str
    negated: bool = False


def filter_of(policy: Json, account_of: AccountOf) -> Filter:
    """The filter of a policy."""
    found = Filter()
    read = [_term(each, account_of, found.notes) for each in tables(policy, "filter", "all")]
    required = [term for term in read if isinstance(term, _Term)]
    found.unsaid += [term for term in read if isinstance(term, str)]
    options, lost = _options([*tables(policy, "filter", "any")], account_of, found.notes)
    if not options:
        found.unsaid += lost
    if found.unsaid:
        return found
    made = [_conjunction([*required, *option]) for option in options or [()]]
    lost += [each for each in made if isinstance(each, str)]
    found.alternatives = [each for each in made if isinstance(each, Condition) and not contradicts_itself(each)]
    if found.alternatives:
        found.notes += [f"left out, one of several that would have done: {each}" for each in lost]
    else:
        found.unsaid = lost or [CONTRADICTION]
    return found


def _options(
    conditions: Sequence[Mapping[str, Json]], account_of: AccountOf, notes: list[str]
) -> tuple[list[tuple[_Term, ...]], list[str]]:
    """The terms of which one must hold, those over one key put together; and those that cannot be said."""
    lost: list[str] = []
    by_key: dict[str, _Term] = {}
    single: list[tuple[_Term, ...]] = []
    for each in conditions:
        term = _term(each, account_of, notes)
        if isinstance(term, str):
            lost.append(term)
        elif term.negated:
            single.append((term,))
        else:
            before = by_key.get(term.key)
            words = (*before.words, *term.words) if before else term.words
            source = f"{before.source}, {term.source}" if before else term.source
            by_key[term.key] = _Term(term.key, tuple(dict.fromkeys(words)), source)
    return [*((term,) for term in by_key.values()), *single], lost


def _term(condition: Mapping[str, Json], account_of: AccountOf, notes: list[str]) -> _Term | str:
    """A condition as a term, or in words where it cannot be one."""
    name, operator, value = text(condition, "field") or "", word(condition, "operator") or "", condition.get("value")
    source = f"{name} {operator}" if value is None or value == "" else f"{name} {operator} {value!r}"
    key = KEYS.get(name)
    words = _words(key or "", value, account_of)
    if key is None or not words or operator not in POSITIVE | NEGATIVE:
        return source
    if key == "channel":
        notes.append(f"{source}: as near as a channel can say it")
    return _Term(key, words, source, operator in NEGATIVE)


def _words(key: str, value: Json, account_of: AccountOf) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else str(value).split() if key == "tag" else [value]
    said = [
        found.lower() if key in {"priority", "type", "channel"} else found
        for each in listed
        if (found := id_text(each))
    ]
    if key == "account":
        said = [account_of(each) for each in said]
    elif key == "type":
        said = [TICKET_TYPES.get(each, each) for each in said]
    elif key == "channel":
        said = [CHANNEL_OF_VIA[each] for each in said if each in CHANNEL_OF_VIA]
    return tuple(dict.fromkeys(said)) if len(said) == len(listed) else ()


def _conjunction(terms: Sequence[_Term]) -> Condition | str:
    """All terms at once, or in words why that cannot be said."""
    any_of: dict[str, tuple[str, ...]] = {}
    for term in (term for term in terms if not term.negated):
        before = any_of.get(term.key)
        if before is None:
            any_of[term.key] = term.words
        elif term.key == "tag":
            return f"{term.source}, beside another condition on tags"
        else:
            any_of[term.key] = tuple(each for each in before if each in term.words)
    excluded: dict[str, tuple[str, ...]] = {}
    for term in (term for term in terms if term.negated):
        if term.key in any_of and term.key != "tag":
            any_of[term.key] = tuple(each for each in any_of[term.key] if each not in term.words)
        else:
            excluded[term.key] = tuple(dict.fromkeys((*excluded.get(term.key, ()), *term.words)))
    if not all(any_of.values()):
        return CONTRADICTION
    if len(excluded) > 1:
        sources = ", ".join(term.source for term in terms if term.negated)
        return f"several things that must not be at once: {sources}"
    return Condition(any_of, Condition(excluded) if excluded else None)
