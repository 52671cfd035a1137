"""The whole life of a Zendesk ticket from its audits, each event with the ticket as it stood then.

Pure. `streams.backfill` fetches the ticket, its audits and its people; `zendesk_objects` says what one audit means.
What is added here is what a webhook has in its `detail`: team, agent, priority, tags and customer after each update,
and who was staff at the time, since agents who have left are end users now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_objects import COMMENTS, ROLES, ZendeskObjects
from streams.connectors.helpdesks.zendesk_payload import CHANNEL_OF
from streams.connectors.helpdesks.zendesk_payload import id_text as someone
from streams.connectors.payload_reading import Json, at, flag, id_text, instant, items, tables, text, word

FIELDS = (
    "assignee_id",
    "brand_id",
    "group_id",
    "organization_id",
    "priority",
    "requester_id",
    "tags",
    "type",
)
"""What is known of a ticket at each of its events."""
GONE = frozenset({"deleted", "scrubbed"})


def ticket_history(
    drafter: Drafter, ticket: Mapping[str, Json], audits: Iterable[Json], people: Iterable[Json] = ()
) -> Reading:
    """Every event of a ticket, in the order of time.

    Args:
        drafter: of the instance; `received_at` is the time of fetching.
        ticket: as the API has it now.
        audits: all of them, in any order; none where the ticket is deleted and Zendesk keeps them back.
        people: users beside the audits, with the role that each has now.
    """
    ordered = sorted((each for each in audits if isinstance(each, dict)), key=_age)
    number = id_text(ticket, "id")
    if not ordered or number is None:
        return ZendeskObjects(drafter, {"users": list(people)}).read([("ticket", dict(ticket))])
    roles = _roles_then(ordered, people)
    objects = ZendeskObjects(drafter, {"users": [{"id": person, "role": role} for person, role in roles.items()]})
    standing = _Standing(ticket, ordered, drafter.instance.channel)
    told: list[Draft | Ignored | Refused] = []
    for audit in ordered:
        standing.update(audit)
        told += [standing.complete(each) for each in objects.read([("audit", {"ticket_id": number} | audit)])]
    if word(ticket, "status") in GONE:
        told += [each for each in objects.read([("ticket", dict(ticket))]) if _is_status(each)]
    return told


def _age(audit: Json) -> tuple[float, int]:
    moment, number = instant(audit, "created_at"), id_text(audit, "id") or ""
    return (moment.timestamp() if moment else 0.0, int(number) if number.isdecimal() else 0)


def _is_status(reading: Draft | Ignored | Refused) -> bool:
    return isinstance(reading, Draft) and isinstance(reading.event, Interaction) and reading.event.status is not None


def _roles_then(audits: Sequence[Json], people: Iterable[Json]) -> dict[str, str]:
    """The role that each person had in this ticket: of now, unless what they did shows that they were staff then."""
    roles = {person: word(each, "role") or "" for each in people if (person := id_text(each, "id")) is not None}
    return {person: role for person, role in roles.items() if role in ROLES} | dict.fromkeys(_staff_in(audits), "agent")


def _staff_in(audits: Sequence[Json]) -> Iterator[str]:
    """Whom the ticket was assigned to, and who wrote internal notes: customers can do neither."""
    for audit in audits:
        for event in tables(audit, "events"):
            assignee = someone(at(event, "value")) if word(event, "field_name") == "assignee_id" else None
            if assignee is not None:
                yield assignee
            if word(event, "type") in COMMENTS and flag(event, "public") is False:
                author = someone(at(event, "author_id")) or someone(at(audit, "author_id"))
                if author is not None:
                    yield author


class _Standing:
    """A ticket as it stands while its audits are walked through."""

    def __init__(self, ticket: Mapping[str, Json], audits: Sequence[Json], channel: str | None) -> None:
        """`channel` is what the instance is configured to call it."""
        self._now: dict[str, Json] = {field: ticket.get(field) for field in FIELDS}
        # A field that no audit sets from the beginning had the value before its first change.
        known: set[str] = set()
        for event in (event for audit in audits for event in tables(audit, "events")):
            field = word(event, "field_name") or ""
            if field in self._now and field not in known and word(event, "type") in {"create", "change"}:
                known.add(field)
                is_first = word(event, "type") == "create"
                self._now[field] = at(event, "value") if is_first else at(event, "previous_value")
        self._channel = channel or CHANNEL_OF.get(word(ticket, "via", "channel") or "", "other")

    def update(self, audit: Json) -> None:
        """Take the changes of an audit."""
        for event in tables(audit, "events"):
            field = word(event, "field_name") or ""
            if field in self._now and word(event, "type") in {"create", "change"}:
                self._now[field] = at(event, "value")

    def complete(self, reading: Draft | Ignored | Refused) -> Draft | Ignored | Refused:
        """The event with what is known of its ticket."""
        if not isinstance(reading, Draft):
            return reading
        organisation, requester = someone(self._now["organization_id"]), someone(self._now["requester_id"])
        found = (organisation and f"zendesk_org:{organisation}", requester and f"zendesk_user:{requester}")
        identities = tuple(identity for identity in found if identity)
        event = reading.event
        if not isinstance(event, Interaction):
            return Draft(event, identities)
        words: dict[str, Any] = {
            "inbox": someone(self._now["brand_id"]),
            "team": event.team or someone(self._now["group_id"]),
            "agent": event.agent or someone(self._now["assignee_id"]),
            "priority": event.priority or word(self._now["priority"]),
            "conversation_type": word(self._now["type"]),
            "tags": _tags(self._now["tags"]),
        }
        if event.channel != "chat":  # what was said in a chat stays that
            words["channel"] = self._channel
        return Draft(replace(event, **words), identities)


def _tags(value: Json) -> tuple[str, ...]:
    listed = (text({"tags": value}, "tags") or "").split() if isinstance(value, str) else items({"tags": value}, "tags")
    return tuple(tag for tag in listed if isinstance(tag, str))
