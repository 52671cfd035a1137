"""Records of HubSpot's CRM as its API has them: tickets with their text, deals that were won or lost for a company.

`hubspot_channel` reads the thin events about them; both tell a ticket's stage by the words here.
"""

from typing import Any

from schemas.interaction import Author, Status
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.status_names import StatusNames
from streams.connectors.payload_reading import Json, at, id_text, instant, items, number, required, table, text, word
from streams.connectors.plain_text import looks_like_html, plain_text

STAGES: dict[str, Status] = {
    "1": "new",
    "2": "waiting_on_customer",
    "3": "open",
    "4": "closed",
    "new": "new",
    "open": "open",
    "waiting on contact": "waiting_on_customer",
    "waiting on us": "open",
    "closed": "closed",
    "resolved": "resolved",
}
"""The pipeline that every account begins with: New, Waiting on contact, Waiting on us, Closed. The stages of further
pipelines are numbers that only their owner can explain: the option `statuses`."""

SOURCES = {"chat": "chat", "email": "email", "form": "form", "phone": "phone", "whatsapp": "whatsapp"}
"""`source_type` of a ticket; with one of these a customer wrote it."""

OLDER_IDS = ("objectId", "vid", "companyId", "company-id", "dealId")
"""What the older APIs call the id of a record: of any kind, of a contact, a company, a deal."""

OUTCOMES = {"closedwon": "deal_won", "closedlost": "deal_lost"}
"""A deal's stage, by the names that every account begins with."""


def ticket_of(provider_id: str) -> str:
    """The conversation of a ticket: tickets and threads both have numbers."""
    return f"ticket:{provider_id}"


def is_record(item: dict[str, Json]) -> bool:
    """Whether an object is a record of the CRM."""
    return isinstance(item.get("properties"), dict) and "id" in item


def as_record(item: dict[str, Json]) -> dict[str, Json] | None:
    """The record in the older shape, which workflows still send: an id by its kind, properties with their histories.

    Null where it is none.
    """
    record_id = next((found for key in OLDER_IDS if (found := id_text(item, key)) is not None), None)
    said = table(item, "properties")
    if record_id is None or not said:
        return None
    values = {name: at(told, "value") if isinstance(told, dict) else told for name, told in said.items()}
    return {"id": record_id, "properties": values, "archived": item.get("isDeleted") is True}


def read_record(drafter: Drafter, statuses: StatusNames, item: dict[str, Json]) -> Reading:
    """What a record means as it is: a ticket or a deal; other records are nobody's conversation."""
    said = table(item, "properties")
    if "hs_pipeline_stage" in said or "hs_ticket_priority" in said:
        return _ticket(drafter, statuses, item, said)
    if "dealstage" in said:
        return [_deal(drafter, item, said)]
    return [Ignored("other_subject")]


def _ticket(drafter: Drafter, statuses: StatusNames, item: dict[str, Json], said: dict[str, Json]) -> Reading:
    ticket_id = required(id_text(item, "id"), "$.id")
    conversation, words = ticket_of(ticket_id), _words(item, said)
    created = instant(said, "createdate") or instant(item, "createdAt")
    updated = instant(said, "hs_lastmodifieddate") or instant(item, "updatedAt") or created
    found: list[Draft | Ignored | Refused] = []
    content = text(said, "content")
    if content is not None:
        author = Author("customer", next((contact for contact in _associated(item, "contacts")), None))
        told = plain_text(content) if looks_like_html(content) else content
        found.append(
            drafter.interaction(f"{conversation}:opening", "message", conversation, created, author, text=told, **words)
        )
    stage = id_text(said, "hs_pipeline_stage")
    if item.get("archived") is True:
        status: Status | None = "deleted"
    else:
        status = statuses.find(stage)
    if status is not None and not (found and status in {"new", "open"}):
        stamp = updated.isoformat() if updated is not None else "unknown"
        words |= {"status": status, "source_status": stage}
        event_id = f"{conversation}:stage:{status}:{stamp}"
        found.append(drafter.interaction(event_id, "status_changed", conversation, updated, Author(), **words))
    elif stage is None and not found:
        found.append(Ignored("needs_fetch"))  # whoever fetched it did not ask for the stage
    elif status is None and not found:
        found.append(Refused("not_understood", f"the stage {(stage or '')[:40]!r} is not known; see statuses"))
    return found


def _words(item: dict[str, Json], said: dict[str, Json]) -> dict[str, Any]:
    companies, contacts = _associated(item, "companies"), _associated(item, "contacts")
    return {
        "identities": (
            *(f"hubspot_company:{company}" for company in companies[:1]),
            *(f"hubspot_contact:{contact}" for contact in contacts[:1]),
        ),
        "channel": SOURCES.get(word(said, "source_type") or ""),
        "agent": id_text(said, "hubspot_owner_id"),
        "team": id_text(said, "hubspot_team_id"),
        "inbox": id_text(said, "hs_pipeline"),
        "priority": word(said, "hs_ticket_priority"),
        "raw_reference": f"hubspot:ticket:{id_text(item, 'id')}",
    }


def _deal(drafter: Drafter, item: dict[str, Json], said: dict[str, Json]) -> Draft | Ignored:
    """A deal that was won or lost, if it says for which company: a signal about nobody helps nobody."""
    stage, companies = word(said, "dealstage") or "", _associated(item, "companies")
    outcome = OUTCOMES.get(stage)
    if outcome is None:
        return Ignored("not_yet")
    if not companies:
        return Ignored("nobody_named")
    deal_id = required(id_text(item, "id"), "$.id")
    return drafter.signal(
        f"deal:{deal_id}:{stage}",
        "subscription",
        outcome,
        number(said, "amount"),
        instant(said, "closedate") or instant(item, "updatedAt"),
        identities=(f"hubspot_company:{companies[0]}",),
        text=stage if outcome == "deal_lost" else None,
        raw_reference=f"hubspot:deal:{deal_id}",
    )


def _associated(item: dict[str, Json], kind: str) -> list[str]:
    """The ids of the records of a kind that a record is associated with, by the two ways in which APIs write them."""
    told = table(item, "associations").get(kind)
    listed = items(told, "results") if isinstance(told, dict) else items(item, "associations", kind)
    ids = [id_text(each, "id") if isinstance(each, dict) else id_text(each) for each in listed]
    return [each for each in ids if each is not None]
