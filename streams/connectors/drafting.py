"""From a normaliser's words to drafts: what every event of one request has in common is written once.

`Drafter` fills in source, clock, receiving time and the instance's own channel, keeps conversations of two instances
apart, and gives a message its direction from who wrote it.
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

        `occurred_at` is the provider's own time; where it says none, receiving is the best that is known.
        """
        said: dict[str, Any] = {
            "visibility": "public" if public else "internal",
            "direction": DIRECTIONS.get(author.kind) if type == "message" and public else None,
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
            **words,
        )
        return Draft(made, identities)

    def author(self, kind: AuthorKind, person: str | None, *groups: str | None) -> Author:
        """Who wrote it: the provider's word, unless the configuration says that the person or group is our own."""
        if kind == "customer" and self.instance.is_own_id(person, *groups):
            kind = "agent"
        return Author(kind, person)
