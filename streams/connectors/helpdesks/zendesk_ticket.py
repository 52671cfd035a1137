"""One Zendesk event about one ticket, and the canonical events that can be made of it.

`zendesk_channel` decides which of them an event means; `zendesk_payload` knows the shape.
"""

from datetime import UTC
from typing import Any

import msgspec

from schemas.interaction import Author, InteractionType
from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_payload import (
    CHANNEL_OF,
    STATUSES,
    SYSTEM_USER,
    ZendeskEvent,
    id_text,
    tags_of,
    word,
)


class ZendeskTicket:
    """One event about one ticket, and the canonical events that can be made of it."""

    def __init__(self, event: ZendeskEvent, drafter: Drafter) -> None:
        self.event = event
        self.detail = event.detail
        self.change = event.event
        number = id_text(event.detail.id) or (event.subject or "").rpartition("zen:ticket:")[2]
        if not number:
            raise msgspec.ValidationError("Object contains no ticket id - at `$.detail.id`")
        if event.time.tzinfo is None:
            raise msgspec.ValidationError("Expected a time with its zone - at `$.time`")
        self._drafter = drafter
        self._number = number
        organisation, requester = id_text(self.detail.organization_id), id_text(self.detail.requester_id)
        found = (organisation and f"zendesk_org:{organisation}", requester and f"zendesk_user:{requester}")
        self.identities = tuple(identity for identity in found if identity)

    def conversation(self, number: str) -> str:
        """The conversation of a ticket number."""
        return self._drafter.conversation(number)

    def actor(self) -> Author:
        """Who caused the event: the requester is the customer, Zendesk itself the system, anybody else is staff.

        Staff file tickets of their own as well: who has or had the ticket to work on is no customer.
        """
        actor, change = id_text(self.detail.actor_id), self.change
        if actor is None or actor == SYSTEM_USER:
            return Author("system", actor)
        assignees = {id_text(each) for each in (self.detail.assignee_id, change.current, change.previous)}
        asks = actor == id_text(self.detail.requester_id) and actor not in assignees
        return Author("customer" if asks else "agent", actor)

    def interaction(
        self,
        type: InteractionType,  # noqa: A002 - the contract's own word
        event_id: str | None = None,
        author: Author | None = None,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """An interaction about this ticket, with the ticket as it is now."""
        detail = self.detail
        said: dict[str, Any] = {
            "channel": CHANNEL_OF.get(word(detail.via.channel if detail.via else None) or "", "other"),
            "inbox": id_text(detail.brand_id),
            "team": id_text(detail.group_id),
            "agent": id_text(detail.assignee_id),
            "conversation_type": word(detail.type),
            "priority": word(detail.priority),
            "tags": tags_of(detail),
            "raw_reference": f"zendesk:event:{self.event.id}",
            "identities": self.identities,
        }
        moment = self.event.time.astimezone(UTC)
        found = event_id or self.event.id
        return self._drafter.interaction(found, type, self._number, moment, author or self.actor(), **(said | words))

    def message(self, author: Author, *, public: bool, text: str | None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A message in this ticket.

        One action of Zendesk's is one message at most, but creating a ticket sends `created` as well as
        `comment_added`: both get the id of their common action, so the message counts once whichever comes first.
        """
        meta = self.change.meta or {}
        sequence = meta.get("sequence")
        action = id_text(sequence.get("id")) if isinstance(sequence, dict) else None
        event_id = f"action:{action}:message" if action else None
        return self.interaction("message", event_id, author, public=public, text=text, **words)

    def status(self, original: str | None, event_id: str | None = None) -> Draft | Refused:
        """A change of status, with Zendesk's own word beside ours."""
        status = STATUSES.get(original or "")
        if status is None:
            return Refused("not_understood", f"the status {original!r} is not known")
        return self.interaction("status_changed", event_id, status=status, source_status=original)

    def rating(self, value: float, scale: float, comment: str | None) -> Draft:
        """A satisfaction rating as a survey signal."""
        return self._drafter.signal(
            self.event.id,
            "survey",
            "csat",
            value,
            self.event.time.astimezone(UTC),
            identities=self.identities,
            conversation=self._number,
            scale=scale,
            text=comment,
            raw_reference=f"zendesk:event:{self.event.id}",
        )
