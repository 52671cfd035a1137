"""From a normaliser's words to drafts: what every event of one request has in common is written once.

`Drafter` fills in source, clock, receiving time and the instance's own channel, keeps conversations of two instances
apart, gives a message its direction from who wrote it, and has one way to tell edits, deletions and reactions.
"""

from datetime import UTC, datetime
from typing import Any

from schemas.interaction import Author, AuthorKind, Interaction, InteractionType
from schemas.signal import Signal, SignalKind
from streams.connectors.connector_contract import Draft, Instance, WebhookRequest

DIRECTIONS = {"customer": "inbound", "agent": "outbound", "bot": "outbound"}
"""Of public messages; the system's own lines go nowhere."""


class Drafter:
    """Makes the drafts of one request."""

    def __init__(self, instance: Instance, request: WebhookRequest, channel: str) -> None:
        """`channel` is what the provider's events are unless the instance or an event says otherwise."""
        self.instance = instance
        self.received_at = request.received_at.astimezone(UTC)
        self._channel = channel

    def conversation(self, provider_id: str) -> str:
        """The conversation of a provider's own id: two instances never meet."""
        return f"{self.instance.name}:{provider_id}"

    def reference(self, kind: str, provider_id: str) -> str:
        """What an event goes back to, as `raw_reference` says it: `zendesk:comment:8`."""
        return f"{self.instance.connector}:{kind}:{provider_id}"

    def interaction(
        self,
        event_id: str,
        type: InteractionType,  # noqa: A002 - the contract's own word
        conversation: str,
        occurred_at: datetime | None,
        author: Author,
        *,
        identities: tuple[str, ...] = (),
        channel: str | None = None,
        public: bool = True,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """An interaction in the conversation of the provider's id `conversation`.

        `occurred_at` is the provider's own time; where it says none, receiving is the best that is known. What nobody
        refers to otherwise refers to itself.
        """
        said: dict[str, Any] = {
            "visibility": "public" if public else "internal",
            "direction": DIRECTIONS.get(author.kind) if type == "message" and public else None,
            "raw_reference": self.reference("message" if type == "message" else "event", event_id),
        }
        made = Interaction(
            id=event_id,
            source=self.instance.name,
            conversation_id=self.conversation(conversation),
            occurred_at=occurred_at or self.received_at,
            received_at=self.received_at,
            type=type,
            clock=self.instance.clock,
            channel=self.instance.channel or channel or self._channel,
            author=author,
            **(said | words),
        )
        return Draft(made, identities)

    def signal(
        self,
        event_id: str,
        kind: SignalKind,
        name: str,
        value: float | None,
        occurred_at: datetime | None,
        *,
        identities: tuple[str, ...],
        conversation: str | None = None,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """A signal about whoever the identities lead to."""
        said: dict[str, Any] = {"raw_reference": self.reference("event", event_id)}
        made = Signal(
            id=event_id,
            source=self.instance.name,
            account_id="",
            occurred_at=occurred_at or self.received_at,
            received_at=self.received_at,
            clock=self.instance.clock,
            kind=kind,
            name=name,
            value=value,
            conversation_id=self.conversation(conversation) if conversation else None,
            **(said | words),
        )
        return Draft(made, identities)

    def edited(
        self,
        message_id: str,
        mark: str,
        conversation: str,
        occurred_at: datetime | None,
        author: Author,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """An edit: an event of its own beside its message, which stays as it was first said.

        `mark` tells the edits of one message apart: the provider's time or count of it.
        """
        said: dict[str, Any] = {"raw_reference": self.reference("message", message_id)} | words
        return self.interaction(f"{message_id}:edited:{mark}", "edited", conversation, occurred_at, author, **said)

    def deleted(
        self,
        message_id: str,
        conversation: str,
        occurred_at: datetime | None,
        author: Author,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """A message that was taken away: it has the message's own id in a higher version, and takes away it alone."""
        said: dict[str, Any] = {"raw_reference": self.reference("message", message_id), "version": 1} | words
        return self.interaction(message_id, "deleted", conversation, occurred_at, author, **said)

    def reacted(
        self,
        message_id: str,
        mark: str,
        conversation: str,
        occurred_at: datetime | None,
        author: Author,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        """A reaction to a message. `mark` tells its reactions apart: what was set by whom, or when."""
        said: dict[str, Any] = {"raw_reference": self.reference("message", message_id)} | words
        return self.interaction(f"{message_id}:reaction:{mark}", "reaction", conversation, occurred_at, author, **said)

    def author(self, kind: AuthorKind, person: str | None, *groups: str | None) -> Author:
        """Who wrote it: the provider's word, unless the configuration says that the person or group is our own."""
        if kind == "customer" and self.instance.is_own_id(person, *groups):
            kind = "agent"
        return Author(kind, person)
