"""What a payload becomes, without a broker and without secrets: `careline connect explain`.

The same path as a delivery takes through `intake` (normalise, stamp the account, look the event over), except that
nothing is verified and nothing is sent. A file may also hold what tests and documents collect: several bodies under
names, or a request with its headers beside its body.
"""

import codecs
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from schemas.codec import encode
from schemas.interaction import Interaction
from schemas.signal import Signal
from schemas.topics import INTERACTIONS, SIGNALS
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Headers,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.event_check import flaw_in
from streams.connectors.payload_reading import read_json

_TEXT_OR_LAST_COMMA = re.compile(rb'"(?:[^"\\]|\\.)*+"|,(?=\s*[}\]])')

ALWAYS_SHOWN = (
    "id",
    "type",
    "occurred_at",
    "conversation_id",
    "channel",
    "author",
    "direction",
    "visibility",
    "automated",
    "account_hint",
    "text",
    "status",
)
"""Keys of an interaction that are shown even where the event leaves them at their default."""

NAMES_OF_BODIES = ("body", "payload", "value")
"""Under which documents and captures keep a body beside other words: a request, a sample, an example of OpenAPI."""


@dataclass(slots=True)
class PayloadExplained:
    """What one body becomes: events as they would travel, and why the rest would not."""

    events: list[dict[str, Any]] = field(default_factory=list)
    ignored: str | None = None
    rejected: str | None = None

    @property
    def means_something(self) -> bool:
        """Whether the connector knows what this is, be it nothing for us."""
        return bool(self.events) or self.ignored is not None

    def add(self, other: "PayloadExplained") -> None:
        """Another body of the same file."""
        self.events += other.events
        self.ignored = self.ignored or other.ignored
        self.rejected = self.rejected or other.rejected


class PayloadExplainer:
    """Explains payloads of one instance of one kind of connector."""

    def __init__(self, kind: ConnectorKind, instance: Instance, directory: AccountsDirectory) -> None:
        self._normaliser = kind.normaliser(instance)
        self._directory = directory
        self._redaction = instance.redaction

    def explain(self, body: bytes, headers: Mapping[str, str], now: datetime) -> PayloadExplained:
        """What a file becomes: the body that it is, or else the bodies that it collects."""
        body = body.removeprefix(codecs.BOM_UTF8)  # editors write it, providers do not
        request = WebhookRequest("POST", Headers(headers.items()), body, now)
        whole = self._one(request)
        if whole.means_something:
            return whole
        content = read_json(body)
        if isinstance(content, Refused) and (tidied := _without_last_commas(body)) != body:
            return self.explain(tidied, headers, now)
        inside = list(_bodies_in(content, request)) if not isinstance(content, Refused) else []
        parts = [self._one(part) for part in inside]
        if not any(part.means_something for part in parts):
            return whole
        together = PayloadExplained()
        for part in parts:
            together.add(part)
        return together

    def _one(self, request: WebhookRequest) -> PayloadExplained:
        return self._shown(self._normaliser.normalise(request))

    def _shown(self, reading: Reading) -> PayloadExplained:
        shown = PayloadExplained()
        for item in reading:
            if isinstance(item, Draft):
                event = self._redaction.event(stamp(item, self._directory))
                flaw = flaw_in(event)
                if flaw is None:
                    shown.events.append(event_shown(event))
                else:
                    shown.rejected = shown.rejected or f"{flaw[0]}: {flaw[1]}"
            elif isinstance(item, Ignored):
                shown.ignored = shown.ignored or item.reason
            else:
                shown.rejected = shown.rejected or f"{item.reason}: {item.detail}"
        if not reading:
            shown.ignored = "nothing_inside"
        return shown


def event_shown(event: Interaction | Signal) -> dict[str, Any]:
    """An event as its Kafka body says it, with its topic."""
    body: dict[str, Any] = msgspec.json.decode(encode(event))
    if isinstance(event, Signal):
        return {"topic": SIGNALS.name, "type": event.kind, **body}
    shown = {key: body.get(key) for key in ALWAYS_SHOWN}
    shown["type"], shown["visibility"], shown["channel"] = event.type, event.visibility, event.channel
    shown["author"] = {"kind": event.author.kind, "id": event.author.id}
    return {"topic": INTERACTIONS.name, **shown, **{key: value for key, value in body.items() if key not in shown}}


def _without_last_commas(body: bytes) -> bytes:
    """A JSON text without the commas that documents write behind the last item, where JSON has none."""
    return _TEXT_OR_LAST_COMMA.sub(lambda found: found[0] if found[0] != b"," else b"", body)


def _bodies_in(content: Any, request: WebhookRequest) -> Iterable[WebhookRequest]:  # noqa: ANN401 - JSON is anything
    if isinstance(content, dict) and "body" in content and isinstance(content.get("headers"), dict):
        headers = Headers((str(name), str(value)) for name, value in content["headers"].items())
        yield replace(request, headers=headers, body=_as_bytes(content["body"]))
        return
    inside = _collected_in(content) if isinstance(content, dict) else content if isinstance(content, list) else []
    for value in inside:
        if isinstance(value, dict | list):
            yield replace(request, body=_as_bytes(value))


def _collected_in(content: Mapping[str, Any]) -> Sequence[Any]:
    """Bodies under their names, or one beside a word about it. What stands inside a refused body is none."""
    if all(isinstance(value, dict | list) for value in content.values()):
        return list(content.values())
    return [content[name] for name in NAMES_OF_BODIES if name in content]


def _as_bytes(value: Any) -> bytes:  # noqa: ANN401 - JSON is anything
    return (
        value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    )
