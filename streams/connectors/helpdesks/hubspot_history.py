"""HubSpot's records and threads as the API has them, told as its webhooks would have told them.

Pure. `streams.backfill` fetches; the history of a ticket's properties is a list of the changes that webhooks report one
by one, so `hubspot_channel` reads both. A webhook knows neither the ticket's company nor its owner at the time: that is
added here. Source: HubSpot developer documentation, "Retrieve records with their property history" and "Conversations
API".
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.hubspot_channel import RECEIVED, SENT, ThinEvent, milliseconds
from streams.connectors.helpdesks.hubspot_messages import CHANNELS, read_message
from streams.connectors.helpdesks.hubspot_records import SOURCES, STAGES, read_record
from streams.connectors.helpdesks.status_names import StatusNames
from streams.connectors.payload_reading import Json, id_text, instant, read_one, table, tables, text, whole_object, word

TRACKED = ("hs_pipeline_stage", "hs_ticket_priority", "hubspot_owner_id", "hubspot_team_id", RECEIVED, SENT)
"""Properties whose history tells the life of a ticket."""
STANDING = {"hubspot_owner_id": "agent", "hubspot_team_id": "team", "hs_ticket_priority": "priority"}

Told = list[Draft | Ignored | Refused]


def ticket_record_history(drafter: Drafter, ticket: Mapping[str, Json]) -> Reading:
    """Every event of a ticket that was fetched with `propertiesWithHistory` and its associations, by time."""
    statuses = StatusNames(drafter.instance, STAGES)
    changes = sorted(_changes(ticket), key=lambda change: change["occurredAt"])
    heard = any(change["propertyName"] == RECEIVED for change in changes)
    told: Told = list(_told(drafter, statuses, _thin(ticket, "ticket.creation")))
    told += [] if heard else _opening(drafter, statuses, ticket)
    common, identities = _common(ticket), _identities(ticket)
    told = [_completed(reading, common, identities) for reading in told]
    standing: dict[str, str | None] = dict.fromkeys(STANDING.values())
    for change in changes:
        name, value = change["propertyName"], text(change, "propertyValue")
        if name in STANDING:
            standing[STANDING[name]] = value.lower() if value and name == "hs_ticket_priority" else value
        for reading in _told(drafter, statuses, change):
            told.append(_completed(reading, common | standing, identities))
    return told


def _told(drafter: Drafter, statuses: StatusNames, event: dict[str, Json]) -> Reading:
    return read_one(event, whole_object(lambda found: ThinEvent(drafter, statuses, found).read()))


def thread_history(drafter: Drafter, thread: Mapping[str, Json], messages: Iterable[Json]) -> Reading:
    """Every event of a thread: its creation, and what its history lists."""
    thread_id, contact = id_text(thread, "id"), id_text(thread, "associatedContactId")
    statuses = StatusNames(drafter.instance, STAGES)
    identities = (f"hubspot_contact:{contact}",) if contact else ()
    channel = CHANNELS.get(id_text(thread, "originalChannelId") or "")
    told: Told = []
    told += _told(drafter, statuses, _thin(thread, "conversation.creation"))
    for message in messages:
        told += read_one(message, whole_object(lambda found: [read_message(drafter, found, thread_id)]))
    agent: str | None = None
    for place, reading in enumerate(told):
        if isinstance(reading, Draft) and isinstance(reading.event, Interaction):
            agent = reading.event.agent if reading.event.type == "assigned" else agent
            words = {"agent": agent, "channel": channel if reading.event.channel == "other" else None}
            told[place] = _completed(reading, words, tuple(dict.fromkeys((*reading.identities, *identities))))
    return told


def _thin(record: Mapping[str, Json], subscription: str, **more: Json) -> dict[str, Any]:
    """The webhook that would have told of it."""
    created = instant(table(record, "properties"), "createdate") or instant(record, "createdAt")
    at = milliseconds(created) if created is not None else None
    return {"subscriptionType": subscription, "objectId": id_text(record, "id"), "occurredAt": at} | more


def _changes(ticket: Mapping[str, Json]) -> Iterator[dict[str, Any]]:
    for name in TRACKED:
        for entry in tables(ticket, "propertiesWithHistory", name):
            at = instant(entry, "timestamp")
            value = id_text(entry, "value")
            if at is None or (value is None and name not in STANDING):
                continue
            user = id_text(entry, "updatedByUserId")
            yield _thin(
                ticket,
                "ticket.propertyChange",
                propertyName=name,
                propertyValue=value or "",
                occurredAt=milliseconds(at),
                sourceId=f"userId:{user}" if user else text(entry, "sourceId"),
            )


def _opening(drafter: Drafter, statuses: StatusNames, ticket: Mapping[str, Json]) -> Told:
    """What the customer wrote into a form; a ticket made of a mail or chat has its first message anyway."""
    if text(table(ticket, "properties"), "content") is None:
        return []
    readings = read_one(dict(ticket), whole_object(lambda found: read_record(drafter, statuses, found)))
    return [each for each in readings if isinstance(each, Draft) and getattr(each.event, "type", None) == "message"]


def _common(ticket: Mapping[str, Json]) -> dict[str, str | None]:
    said = table(ticket, "properties")
    return {"channel": SOURCES.get(word(said, "source_type") or ""), "inbox": id_text(said, "hs_pipeline")}


def _identities(ticket: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(
        f"hubspot_{kind}:{found}"
        for kind, plural in (("company", "companies"), ("contact", "contacts"))
        for each in list(tables(ticket, "associations", plural, "results"))[:1]
        if (found := id_text(each, "id")) is not None
    )


def _completed(
    reading: Draft | Ignored | Refused, words: Mapping[str, str | None], identities: tuple[str, ...]
) -> Draft | Ignored | Refused:
    if not isinstance(reading, Draft) or not isinstance(reading.event, Interaction):
        return reading
    said = {name: value for name, value in words.items() if value is not None}
    return Draft(replace(reading.event, **said), reading.identities or identities)
