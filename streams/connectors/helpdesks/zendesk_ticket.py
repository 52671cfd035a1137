"""One Zendesk event about one ticket, and the canonical events that can be made of it.

`zendesk_channel` decides which of them an event means; `zendesk_payload` knows the shape.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.interaction import Author, Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import Draft, Instance, Refused
from streams.connectors.helpdesks.zendesk_payload import (
    CHANNEL_OF,
    STATUSES,
    SYSTEM_USER,
    ZendeskEvent,
    id_text,
    tags_of,
    word,
)

_DIRECTIONS = {"customer": "inbound", "agent": "outbound", "bot": "outbound"}


class ZendeskTicket:
    """One event about one ticket, and the canonical events that can be made of it."""

    def __init__(self, event: ZendeskEvent, instance: Instance, received_at: datetime) -> None:
        self.event = event
        self.detail = event.detail
        self.change = event.event
        number = id_text(event.detail.id) or (event.subject or "").rpartition("zen:ticket:")[2]
        if not number:
            raise msgspec.ValidationError("Object contains no ticket id - at `$.detail.id`")
        if event.time.tzinfo is None:
            raise msgspec.ValidationError("Expected a time with its zone - at `$.time`")
        self._instance = instance
        self._received_at = received_at.astimezone(UTC)
        self.conversation_id = self.conversation(number)
        organisation, requester = id_text(self.detail.organization_id), id_text(self.detail.requester_id)
        found = (organisation and f"zendesk_org:{organisation}", requester and f"zendesk_user:{requester}")
        self.identities = tuple(identity for identity in found if identity)

    def conversation(self, number: str) -> str:
        """The conversation of a ticket number."""
        return f"{self._instance.name}:{number}"

    def actor(self) -> Author:
        """Who caused the event: the requester is the customer, Zendesk itself the system, anybody else is staff."""
        actor = id_text(self.detail.actor_id)
        if actor is None or actor == SYSTEM_USER:
            return Author("system", actor)
        return Author("customer" if actor == id_text(self.detail.requester_id) else "agent", actor)

    def interaction(self, event_id: str | None = None, said_channel: str | None = None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction about this ticket, with the ticket as it is now."""
        detail, instance = self.detail, self._instance
        said: dict[str, Any] = {
            "author": self.actor(),
            "inbox": id_text(detail.brand_id),
            "team": id_text(detail.group_id),
            "agent": id_text(detail.assignee_id),
            "conversation_type": word(detail.type),
            "priority": word(detail.priority),
            "tags": tags_of(detail),
            "raw_reference": f"zendesk:event:{self.event.id}",
        }
        via = CHANNEL_OF.get(word(detail.via.channel if detail.via else None) or "", "other")
        made = Interaction(
            id=event_id or self.event.id,
            source=instance.name,
            conversation_id=self.conversation_id,
            occurred_at=self.event.time.astimezone(UTC),
            received_at=self._received_at,
            clock=instance.clock,
            channel=instance.channel or said_channel or via,
            **(said | words),
        )
        return Draft(made, self.identities)

    def message(self, author: Author, *, public: bool, text: str | None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A message in this ticket.

        One action of Zendesk's is one message at most, but creating a ticket sends `created` as well as
        `comment_added`: both get the id of their common action, so the message counts once whichever comes first.
        """
        meta = self.change.meta or {}
        sequence = meta.get("sequence")
        action = id_text(sequence.get("id")) if isinstance(sequence, dict) else None
        return self.interaction(
            event_id=f"action:{action}:message" if action else None,
            type="message",
            author=author,
            visibility="public" if public else "internal",
            direction=_DIRECTIONS.get(author.kind) if public else None,
            text=text,
            **words,
        )

    def status(self, original: str | None, event_id: str | None = None) -> Draft | Refused:
        """A change of status, with Zendesk's own word beside ours."""
        status = STATUSES.get(original or "")
        if status is None:
            return Refused("not_understood", f"the status {original!r} is not known")
        return self.interaction(event_id=event_id, type="status_changed", status=status, source_status=original)

    def rating(self, value: float, scale: float, comment: str | None) -> Draft:
        """A satisfaction rating as a survey signal."""
        signal = Signal(
            id=self.event.id,
            source=self._instance.name,
            account_id="",
            occurred_at=self.event.time.astimezone(UTC),
            received_at=self._received_at,
            clock=self._instance.clock,
            kind="survey",
            name="csat",
            value=value,
            scale=scale,
            text=comment,
            conversation_id=self.conversation_id,
            raw_reference=f"zendesk:event:{self.event.id}",
        )
        return Draft(signal, self.identities)
