"""The `clocks:` of a policy file: metrics that a company defines itself, by conditions over events.

Used by `policy_reader`; gives `schemas.policy.DeclaredClock`. Their names may then stand under `targets`.
"""

from typing import get_args

from schemas.interaction_words import AuthorKind, InteractionType, SurveyKind
from schemas.policy import CONDITION_KEYS, METRICS, DeclaredClock
from streams.policy_files.condition_reader import FLAGS, condition_of
from streams.policy_files.fields import fields_of, required
from streams.policy_files.located_yaml import Node, Table
from streams.policy_files.problem import Problems

_MOMENTS = ("start", "satisfy", "pause", "cancel")
EVENT_CONDITION_KEYS = ("status", "from", "public", "automated", "agent", "kind", *CONDITION_KEYS)
_EVENT_VOCABULARIES = {
    "type": get_args(InteractionType),
    "from": get_args(AuthorKind),
    "kind": get_args(SurveyKind),
    "public": FLAGS,
    "automated": FLAGS,
}
"""What an event may say: a clock that waits for another word would wait for ever."""


def clocks_of(node: Node, problems: Problems) -> dict[str, DeclaredClock]:
    """Every clock of the section, by name."""
    if not isinstance(node, Table):
        problems.error(
            node.place, "clocks must be a table of names and clocks", "for example triage: {start: …, satisfy: …}"
        )
        return {}
    found: dict[str, DeclaredClock] = {}
    for entry in node:
        name, what = entry.key.text, f"clock {entry.key.text!r}"
        if name in METRICS:
            problems.error(entry.key.place, f"{name!r} is a metric already", "choose another name")
            continue
        fields = fields_of(entry.value, _MOMENTS, what, problems)
        if not required(fields, entry.value, ("start", "satisfy"), what, problems):
            continue
        conditions = {
            moment: condition_of(value, EVENT_CONDITION_KEYS, f"{moment} of {what}", problems, _EVENT_VOCABULARIES)
            for moment, value in fields.items()
        }
        found[name] = DeclaredClock(name=name, **conditions)
    return found
