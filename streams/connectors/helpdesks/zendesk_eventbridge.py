"""Zendesk's events as Amazon EventBridge carries them, in the shape of its event webhooks.

Source: Zendesk developer documentation, "Events Connector for Amazon EventBridge", ticket events: the same events, with
the ticket inside and their names in words. `zendesk_channel` reads what comes of it.
"""

from typing import Any

from streams.connectors.payload_reading import Json, at, table, text

NAMES = {
    "comment_created": "comment_added",
    "ticket_created": "created",
    "ticket_form_changed": "form_changed",
    "ticket_merged": "merged",
    "ticket_soft_deleted": "soft_deleted",
    "ticket_permanently_deleted": "permanently_deleted",
    "ticket_undeleted": "undeleted",
    "ticket_marked_as_spam": "marked_as_spam",
    "ticket_type_changed": "type_changed",
}
"""Where the words are others than those of the event type."""


def as_webhook(payload: Json) -> dict[str, Any] | None:
    """The event webhook that says the same; null where the payload is no EventBridge event of a ticket."""
    event = table(payload, "detail", "ticket_event")
    said = text(event, "type") or (text(payload, "detail-type") or "").rpartition(": ")[2]
    if not event or not said:
        return None
    name = said.strip().lower().replace(" ", "_")
    ticket, meta = table(event, "ticket"), table(event, "meta")
    return {
        "type": f"zen:event-type:ticket.{NAMES.get(name, name)}",
        "id": at(payload, "id") or at(meta, "ref"),
        "time": at(meta, "occurred_at") or at(payload, "time"),
        "detail": ticket | {"actor_id": at(meta, "actor_id")},
        "event": {key: value for key, value in event.items() if key not in {"ticket", "type"}},
    }
