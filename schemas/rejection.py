"""A dead letter: what could not be understood, why, and every byte of it, so that it can be sent again.

Connectors and agents emit rejections under the key of the original; `careline rejected` lists, shows and re-drives
them.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

RejectionReason = Literal[
    "not_json",
    "not_utf8",
    "contract_violation",
    "unknown_type",
    "missing_key",
    "key_mismatch",
    "tombstone",
    "from_the_future",
    "impossible_time",
    "calculation_failed",
    "malformed_payload",
    "not_understood",
    "too_large",
]


class Origin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where it was found: a record of a topic, or a request to a connector."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    connector: str | None = None


class Rejection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Raw key and value travel untouched (base64 in JSON). `detail` names the place inside the value where it broke."""

    id: str
    reason: RejectionReason
    detail: str
    origin: Origin
    rejected_at: datetime
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
