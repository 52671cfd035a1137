"""Freshdesk's words in ours, and its almost-JSON.

Sources: Freshdesk API v2 ("Tickets", "Conversations": statuses, priorities and sources are numbers), its automation
rules (the same by name), and zulip/zulip's published deliveries, which show `triggered_event`: the text
`{status:{from:4,to:6}}`, without a quotation mark anywhere.
"""

import re
from typing import NamedTuple

from schemas.interaction import Status
from streams.connectors.payload_reading import Json, id_text, word

STATUSES: dict[str, Status] = {
    "2": "open",
    "3": "waiting_on_customer",
    "4": "resolved",
    "5": "closed",
    "6": "waiting_on_customer",
    "7": "waiting_on_third_party",
    "open": "open",
    "being processed": "open",
    "pending": "waiting_on_customer",
    "awaiting your reply": "waiting_on_customer",
    "resolved": "resolved",
    "closed": "closed",
    "waiting on customer": "waiting_on_customer",
    "waiting on third party": "waiting_on_third_party",
}
"""By number, by name, and by the name that the customer sees. Numbers from 6 on can be a company's own: the name, where
there is one, says more."""

PRIORITIES = {"1": "low", "2": "medium", "3": "high", "4": "urgent"}

TICKET_CHANNELS = {
    "1": "email",
    "2": "form",
    "3": "phone",
    "5": "social",
    "6": "social",
    "7": "chat",
    "9": "form",
    "10": "email",
    "12": "chat",
    "13": "whatsapp",
    "email": "email",
    "portal": "form",
    "web form": "form",
    "phone": "phone",
    "twitter": "social",
    "facebook": "social",
    "chat": "chat",
    "feedback widget": "form",
    "outbound email": "email",
    "bot": "chat",
    "whatsapp": "whatsapp",
}
OUTBOUND = frozenset({"10", "outbound email"})
"""A ticket with this source begins with a mail of an agent."""

REPLY_CHANNELS = {"0": "email", "1": "email", "5": "social", "7": "social", "8": "email", "9": "phone"}
"""By the source of a conversation (of one reply or note)."""

RATINGS = {"-103": 1.0, "-102": 2.0, "-101": 3.0, "100": 4.0, "101": 5.0, "102": 6.0, "103": 7.0}
FACES = 7.0
"""Answers to a satisfaction survey, from extremely unhappy to extremely happy; shorter surveys leave some out."""

LONGEST_EVENT = 2_000
"""Characters of a `triggered_event` that are read; a rule that watches every field writes some hundred."""

_ENTRY = re.compile(r"[\"']?(\w+)[\"']?\s*:\s*(?:\{([^{}]*)\}|([^,{}]*))")
_WORD = re.compile(r"[a-z]+")


class Change(NamedTuple):
    """A field that a rule saw change: what it was, where that is said, and what it is."""

    before: str | None
    after: str | None


def changes_in(triggered_event: Json) -> dict[str, Change]:
    """What a rule's `triggered_event` says, by field: `{status:{from:4,to:6}}`, `{note_type:public}`, or proper JSON.

    A plain word such as `ticket_created` is a field without a value.
    """
    if isinstance(triggered_event, dict):
        return {str(field): change_of(value) for field, value in triggered_event.items()}
    said = triggered_event[:LONGEST_EVENT].strip() if isinstance(triggered_event, str) else ""
    if ":" not in said:
        plain = "_".join(_WORD.findall(said.lower()))
        return {plain: Change(None, None)} if plain else {}
    inside = said[1:-1] if said.startswith("{") and said.endswith("}") else said
    found: dict[str, Change] = {}
    for field, both, only in _ENTRY.findall(inside):
        pair = {name.lower(): _bare(value) for name, _, value in _ENTRY.findall(both)}
        found[field.lower()] = Change(pair.get("from"), pair.get("to")) if pair else Change(None, _bare(only))
    return found


def change_of(value: Json) -> Change:
    """A change as JSON says it: `[4, 6]`, `{"from": 4, "to": 6}`, or only what it is now."""
    if isinstance(value, list):
        return Change(_said(value[0]) if value else None, _said(value[-1]) if value else None)
    if isinstance(value, dict):
        return Change(_said(value.get("from")), _said(value.get("to")))
    return Change(None, _said(value))


def _said(value: Json) -> str | None:
    return str(value).lower() if isinstance(value, bool) else id_text(value)


def priority_of(value: Json) -> str | None:
    """A priority by number or name."""
    return PRIORITIES.get(id_text(value) or "") or word(value)


def _bare(value: str) -> str | None:
    bare = value.strip().strip("\"'").strip()
    return None if bare in {"", "--", "null", "nil", "None", "*"} else bare
