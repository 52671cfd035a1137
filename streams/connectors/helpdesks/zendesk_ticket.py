"""One Zendesk event about one ticket, and the canonical events that can be made of it.

`zendesk_channel` decides which of them an event means; `zendesk_payload` knows the shape.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.interaction import Author, InteractionType
from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_event_ids import (
    change_id,
    comment_id,
    edit_id,
    merge_id,
    message_id,
    opening_id,
    rating_id,
    second,
)
from streams.connectors.helpdesks.zendesk_payload import (
    CHANNEL_OF,
    STATUSES,
    SYSTEM_USER,
    ZendeskEvent,
    id_text,
    tags_of,
    word,
)
from streams.connectors.payload_reading import instant

_SOON = timedelta(seconds=5)
"""Between an update of a ticket and the event that tells of it; beyond, the ticket was updated again meanwhile."""


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

    def opening(self, author: Author) -> Draft:
        """The message that a ticket begins with."""
        public = self.detail.is_public is not False
        opened_with = self.detail.description
        return self.interaction("message", opening_id(self._number), author, public=public, text=opened_with)

    def comment(self, author: Author, *, public: bool, text: str | None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A comment.

        Creating a ticket sends `created` as well as `comment_added`: both get the id of the opening, so the message
        counts once whichever comes first.
        """
        comment = id_text((self.change.comment or {}).get("id"))
        if self._is_opening(text):
            event_id = opening_id(self._number)
        else:
            event_id = comment_id(comment) if comment else self.event.id
        return self.interaction("message", event_id, author, public=public, text=text, **words)

    def chat_message(self, author: Author, text: str | None, automated: str | None) -> Draft:
        """A message of messaging: its people have the ids of Sunshine Conversations; the ticket names no requester."""
        message = id_text((self.change.message or {}).get("id"))
        event_id = message_id(message) if message else self.event.id
        said: dict[str, Any] = {"text": text, "automated": automated, "channel": "chat"}
        if author.kind == "customer" and author.id and not self.identities:
            said["identities"] = (f"sunshine_user:{author.id}",)
        return self.interaction("message", event_id, author, **said)

    def _is_opening(self, text: str | None) -> bool:
        created, opened_with = instant(self.detail.created_at), self.detail.description
        if created is None or second(created) != second(self._updated_at()):
            return False
        return opened_with is None or text is None or opened_with.strip() == text.strip()

    def changed(self, type: InteractionType, field: str, value: object, **words: Any) -> Draft:  # noqa: A002, ANN401 - contract words
        """A change of a field of the ticket."""
        return self.interaction(type, change_id(self._number, field, value, self._updated_at()), **words)

    def edited(self, what: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A comment that is not what it was."""
        comment = id_text((self.change.comment or {}).get("id"))
        event_id = edit_id(comment, what, self._updated_at()) if comment else self.event.id
        return self.interaction("edited", event_id, **words)

    def merged(self, target: str) -> Draft:
        """The end of this ticket in another one."""
        return self.interaction("merged", merge_id(self._number, target), into=self.conversation(target))

    def _updated_at(self) -> datetime:
        """When the ticket was updated, as the audit of the update says it too."""
        updated = instant(self.detail.updated_at)
        return updated if updated is not None and abs(self.event.time - updated) < _SOON else self.event.time

    def status(self, original: str | None) -> Draft | Refused:
        """A change of status, with Zendesk's own word beside ours."""
        status = STATUSES.get(original or "")
        if status is None:
            return Refused("not_understood", f"the status {original!r} is not known")
        return self.changed("status_changed", "status", original, status=status, source_status=original)

    def rating(self, score: object, value: float, scale: float, comment: str | None) -> Draft:
        """A satisfaction rating as a survey signal; `score` is Zendesk's word for it."""
        return self._drafter.signal(
            rating_id(self._number, score, self._updated_at()),
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
