"""Bytes to contract and back: the one place that knows the wire format.

CloudEvents 1.0 in Kafka binary mode (cloudevents/spec, kafka-protocol-binding 3.2): the attributes are `ce_*` headers,
the value is the contract as JSON. A `traceparent` header is carried along untouched by whoever has one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from schemas.account_profile import AccountProfile
from schemas.adherence import AdherenceReport
from schemas.alert import Alert
from schemas.clock_view import ClockView
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.health_score import HealthScore
from schemas.interaction import Interaction
from schemas.issue import Issue
from schemas.mention import Mention
from schemas.published_policy import PublishedPolicy
from schemas.pull_cursor import PullCursor
from schemas.rejection import Rejection, RejectionReason
from schemas.rollup import Rollup
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

Contract = TypeVar("Contract", bound=Struct)
Headers = list[tuple[str, bytes]]

EVENT_TYPES: dict[type[Struct], str] = {
    Interaction: "careline.interaction.v1",
    Control: "careline.control.v1",
    Signal: "careline.signal.v1",
    AccountProfile: "careline.account.v1",
    PullCursor: "careline.cursor.v1",
    PublishedPolicy: "careline.policy.v1",
    SlaEvent: "careline.sla-event.v1",
    Enrichment: "careline.enrichment.v1",
    Mention: "careline.mention.v1",
    ClockView: "careline.clock.v1",
    AdherenceReport: "careline.adherence-report.v1",
    HealthScore: "careline.health.v1",
    Rollup: "careline.rollup.v1",
    Issue: "careline.issue.v1",
    Alert: "careline.alert.v1",
    Rejection: "careline.rejection.v1",
}
"""`ce_type` of every contract that travels; the version is the contract's, not the topic's."""

_TYPE_BYTES = {contract: name.encode() for contract, name in EVENT_TYPES.items()}
_CONTRACT_OF = {name.encode(): contract for contract, name in EVENT_TYPES.items()}
_FIXED: Headers = [("ce_specversion", b"1.0"), ("content-type", b"application/json")]

_encoder = msgspec.json.Encoder()
_decoders: dict[type[Struct], msgspec.json.Decoder[Any]] = {
    contract: msgspec.json.Decoder(contract) for contract in EVENT_TYPES
}


class ContractViolation(ValueError):  # noqa: N818 - a violation is what it is; the field's own word
    """The bytes are not what the topic promises. `reason` is the stable code, the message names the place."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectionReason = reason
        self.detail = detail


def encode(event: Struct) -> bytes:
    """The value of a record: the contract as JSON, defaults left out."""
    return _encoder.encode(event)


def headers_of(event: Struct, source: str, event_id: str, occurred_at: datetime) -> Headers:
    """The CloudEvents headers that go with `encode(event)`."""
    in_utc = occurred_at if occurred_at.tzinfo is UTC else occurred_at.astimezone(UTC)
    time = in_utc.isoformat().removesuffix("+00:00").encode() + b"Z"
    return [*_lasting_headers(type(event), source), ("ce_id", event_id.encode()), ("ce_time", time)]


def result_headers(contract: type[Struct], source: str, event_id: str) -> Headers:
    """The CloudEvents headers without the optional `ce_time`, for results, whose body has more than one instant."""
    return [*_lasting_headers(contract, source), ("ce_id", event_id.encode())]


@lru_cache(maxsize=256)
def _lasting_headers(contract: type[Struct], source: str) -> tuple[tuple[str, bytes], ...]:
    # The type comes first: it is the one header that a reader looks for.
    return (("ce_type", _TYPE_BYTES[contract]), *_FIXED, ("ce_source", source.encode()))


def contract_in(headers: Iterable[tuple[str, bytes]], default: type[Struct]) -> type[Struct]:
    """Which contract the headers announce; `default` where they announce nothing.

    Raises:
        ContractViolation: `unknown_type` for a `ce_type` that no contract has.
    """
    for name, value in headers:
        if name == "ce_type":
            contract = _CONTRACT_OF.get(value)
            if contract is None:
                raise ContractViolation("unknown_type", f"ce_type {value[:80]!r} is none of ours")
            return contract
    return default


def decode(contract: type[Contract], value: bytes | None) -> Contract:
    """The contract in a record's value. Unknown fields are ignored, so that old readers read new writers.

    Raises:
        ContractViolation: the value is missing, is not UTF-8 JSON, or does not fit the contract.
    """
    if value is None:
        raise ContractViolation("tombstone", "the record has no value")
    try:
        return _decoders[contract].decode(value)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise ContractViolation("contract_violation", str(error)) from None
    except msgspec.DecodeError as error:
        raise ContractViolation("not_json", str(error)) from None
    except UnicodeDecodeError as error:
        raise ContractViolation("not_utf8", str(error)) from None
    except RecursionError:
        raise ContractViolation("not_json", "nested too deeply") from None
