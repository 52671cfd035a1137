"""Canonical interactions and signals as people write them in JSON, by the contract's keys or by short ones.

`webhook_generic` and `cloudevents_http` read their payloads with it. The short keys are those of policy tests and
import mappings: `at`, `from`, `public`, `automated`, `conversation`, `account`. Unknown keys are ignored, as on our
topics.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from schemas.interaction import Interaction
from schemas.signal import Signal, SignalKind
from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.drafting import DIRECTIONS
from streams.connectors.payload_reading import Malformed, content_id

SIGNAL_KINDS = frozenset(get_args(SignalKind))

SHORT_KEYS = {"at": "occurred_at", "conversation": "conversation_id", "account": "account_id"}
IDS = frozenset({"id", "conversation_id", "account_id", "into", "agent", "team", "inbox"})
"""Many systems number their things; a number is an id as well as a text is."""

OURS = frozenset({"source", "clock", "received_at", "handed_over", "via"})
"""What the connector or a merge says and a payload cannot: otherwise one sender could speak for another, or move
another's clock."""


class CanonicalReader:
    """Reads one JSON object as an interaction or a signal of an instance."""

    def __init__(self, source: str, clock: str, channel: str | None) -> None:
        self._ours = {"source": source, "clock": clock}
        self._channel = channel

    def read(self, item: Any, received_at: datetime, defaults: Mapping[str, Any] | None = None) -> Draft | Refused:  # noqa: ANN401
        """An understood event, or what is wrong with it. `defaults` hold where the payload says nothing."""
        if not isinstance(item, dict):
            return Refused("contract_violation", f"Expected an object, got {_kind_of(item)}")
        try:
            words = {**(defaults or {}), **_long_form(item)}
            if "id" not in words:
                words["id"] = content_id(item)
            words |= self._ours
            words["received_at"] = received_at.astimezone(UTC)
            event = self._signal(words) if words.get("kind") in SIGNAL_KINDS else self._interaction(words)
        except (msgspec.ValidationError, Malformed) as error:
            return Refused("contract_violation", str(error))
        return Draft(event, (event.account_hint,) if event.account_hint else ())

    def _interaction(self, words: dict[str, Any]) -> Interaction:
        if words.get("type", "message") == "message" and not words.get("author"):
            raise msgspec.ValidationError("A message must say who wrote it - at `$.from`")
        words["channel"] = self._channel or words.get("channel") or "other"
        interaction = msgspec.convert(words, Interaction, strict=False)
        if interaction.direction is None and interaction.type == "message":
            direction = DIRECTIONS.get(interaction.author.kind)
            interaction = msgspec.structs.replace(interaction, direction=direction)
        return interaction

    @staticmethod
    def _signal(words: dict[str, Any]) -> Signal:
        words["account_id"] = words.get("account_id") or ""
        return msgspec.convert(words, Signal, strict=False)


def _long_form(item: dict[str, Any]) -> dict[str, Any]:
    words = {SHORT_KEYS.get(key, key): value for key, value in item.items() if value is not None and key not in OURS}
    account = words.get("account_id")
    if isinstance(account, dict):
        words |= {key: account[key] for key in ("tier", "segment", "contract") if account.get(key) is not None}
        words["account_id"] = account.get("id")
    words |= {key: str(words[key]) for key in IDS & words.keys() if type(words[key]) is int}
    author = words.get("author", {})
    if "from" in words and isinstance(author, dict):
        words["author"] = {**author, "kind": words.pop("from")}
    public = words.pop("public", None)
    if isinstance(public, bool):
        words["visibility"] = "public" if public else "internal"
    elif public is not None:
        raise msgspec.ValidationError(f"Expected `bool`, got {_kind_of(public)} - at `$.public`")
    if isinstance(words.get("automated"), bool):
        # The contract wants the reason; the sender's bare word is the only one there is.
        words["automated"] = "declared" if words["automated"] else None
    return words


def _kind_of(value: object) -> str:
    return {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}.get(
        type(value), "a number"
    )
