"""How far a connector that fetches has come: kept in Kafka, so that it goes on there after a crash.

`streams.connectors.cursor_store` writes and reads them; nobody else needs them.
"""

from datetime import datetime

from msgspec import Struct


class PullCursor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything up to `position` is in Kafka. `position` is the connector's own text and means something only to it.

    `delivered_until` is the source's own time up to which nothing is missing; null where the source cannot say.
    """

    instance: str
    position: str
    saved_at: datetime
    delivered_until: datetime | None = None
