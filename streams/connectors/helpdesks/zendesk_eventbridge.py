"""Zendesk's events as Amazon EventBridge carries them, in the shape of its event webhooks.

Source: Zendesk developer documentation, "Events Connector for Amazon EventBridge", ticket and chat events: the same
events, with the ticket inside and their names in words. `zendesk_channel` reads what comes of it.
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
    """The event webhook that says the same; null where the payload is no EventBridge event of a ticket or chat."""
    chat = table(payload, "detail", "chat_event")
    if chat:
        ticket = {"id": at(chat, "chat", "ticket_id"), "via": {"channel": "native_messaging"}}
        return _webhook(payload, "messaging_ticket.message_added", ticket, chat)
    event = table(payload, "detail", "ticket_event")
    said = text(event, "type") or (text(payload, "detail-type") or "").rpartition(": ")[2]
    if not event or not said:
        return None
    name = said.strip().lower().replace(" ", "_")
    ticket = table(event, "ticket") | {"actor_id": at(event, "meta", "actor_id")}
    return _webhook(payload, f"ticket.{NAMES.get(name, name)}", ticket, event)


def _webhook(payload: Json, name: str, ticket: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": f"zen:event-type:{name}",
        "id": at(payload, "id") or at(event, "meta", "ref"),
        "time": at(event, "meta", "occurred_at") or at(payload, "time"),
        "detail": ticket,
        "event": {key: value for key, value in event.items() if key not in {"ticket", "type"}},
    }
