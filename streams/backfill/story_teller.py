"""A conversation as it was fetched, as the events that go to Kafka: whose they are, looked over, redacted, in order.

The same steps as `streams.connectors.event_store` takes for what comes live, and one more: a conversation is told from
its beginning, so that its clocks move forward only.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.signal import Signal
from streams.backfill.history_source import Thread
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft, Headers, Instance, Refused, WebhookRequest
from streams.connectors.event_check import flaw_in
from streams.connectors.event_store import rejection_of


@dataclass(slots=True)
class Told:
    """What one conversation comes to. `later` counts events behind the end of the history."""

    events: list[Interaction | Signal] = field(default_factory=list)
    letters: list[Rejection] = field(default_factory=list)
    later: int = 0


class StoryTeller:
    """Tells conversations of one instance."""

    def __init__(self, instance: Instance, directory: AccountsDirectory, until: datetime) -> None:
        self._instance = instance
        self._directory = directory
        self._until = until

    def tell(self, thread: Thread) -> Told:
        """The events of a conversation before `until`, by their time; those of one instant keep their order."""
        told = Told()
        for index, reading in enumerate(thread.reading):
            if isinstance(reading, Draft):
                event = self._instance.redaction.event(stamp(reading, self._directory))
                flaw = flaw_in(event)
                if flaw is not None:
                    told.letters.append(self._letter(Refused(*flaw), index, thread))
                elif event.occurred_at >= self._until:
                    told.later += 1
                else:
                    told.events.append(event)
            elif isinstance(reading, Refused):
                told.letters.append(self._letter(reading, index, thread))
        told.events.sort(key=lambda event: event.occurred_at)
        return told

    def _letter(self, refused: Refused, index: int, thread: Thread) -> Rejection:
        request = WebhookRequest("GET", Headers(()), thread.content, datetime.now(UTC))
        return rejection_of(refused, index, self._instance, request)
