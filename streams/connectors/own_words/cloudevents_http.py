"""CloudEvents over HTTP (id `cloudevents`): binary, structured and batched, with canonical events as data.

Source: cloudevents/spec, HTTP protocol binding 1.0.2, and "HTTP 1.1 Web Hooks for Event Delivery" for the OPTIONS
handshake. Senders are verified by a Standard Webhooks signature, or by a bearer token where they cannot sign.
`canonical_json` reads the data.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.own_words.canonical_json import CanonicalReader
from streams.connectors.payload_reading import read_each, read_json, table
from streams.connectors.shared_secrets import signed_or_shown
from streams.connectors.signatures import StandardWebhooks

INTERACTION_TYPE = "careline.interaction.v1"
SIGNAL_TYPE = "careline.signal.v1"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")


def may_events_be_sent(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001
    """`OPTIONS` asks whether events may be sent here. They may: every one of them has to prove itself."""
    origin = request.headers.get("webhook-request-origin")
    if request.method != "OPTIONS" or origin is None or not origin.isprintable() or not origin.isascii():
        return None
    return ProviderAnswer(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"})


class CloudEventsOverHttp:
    """Reads the three content modes."""

    def __init__(self, instance: Instance) -> None:
        self._reader = CanonicalReader(instance.name, instance.clock, instance.channel)

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or one per member of a batch."""
        media_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        mode = media_type if media_type in {BATCHED, STRUCTURED} else _mode_without_a_name(request)
        if mode == BATCHED:
            return self._batch(request)
        if mode == STRUCTURED:
            event = read_json(request.body)
            return [event if isinstance(event, Refused) else self._structured(event, request.received_at)]
        return [self._binary(request, media_type)]

    def _batch(self, request: WebhookRequest) -> Reading:
        events = read_json(request.body)
        if isinstance(events, Refused):
            return [events]
        if not isinstance(events, list):
            return [Refused("malformed_payload", "a batch is a JSON array of events")]
        read = read_each(events, lambda event: [self._structured(event, request.received_at)])
        return read or [Ignored("nothing_inside")]

    def _structured(self, event: Any, received_at: datetime) -> Draft | Ignored | Refused:  # noqa: ANN401 - JSON is anything
        if not isinstance(event, dict):
            return Refused("malformed_payload", "an event is a JSON object")
        data = event.get("data")
        if data is None and isinstance(event.get("data_base64"), str):
            try:
                data = read_json(base64.b64decode(event["data_base64"], validate=True))
            except (binascii.Error, ValueError):
                return Refused("malformed_payload", "data_base64 is not base64")
            if isinstance(data, Refused):
                return Refused(data.reason, f"data_base64: {data.detail}")
        return self._read(event, data, received_at)

    def _binary(self, request: WebhookRequest, media_type: str) -> Draft | Ignored | Refused:
        attributes = {
            name.removeprefix("ce-"): unquote(value)
            for name, value in request.headers.items()
            if name.startswith("ce-")
        }
        if not attributes:
            return Refused("not_understood", f"content type {media_type[:80]!r} without ce- headers is no CloudEvent")
        if media_type and media_type != "application/json" and not media_type.endswith("+json"):
            return Refused("not_understood", f"data of type {media_type[:80]!r}; only JSON is read")
        data = read_json(request.body)
        return data if isinstance(data, Refused) else self._read(attributes, data, request.received_at)

    def _read(self, attributes: Mapping[str, Any], data: Any, received_at: datetime) -> Draft | Ignored | Refused:  # noqa: ANN401
        for name in REQUIRED:
            value = attributes.get(name)
            if not isinstance(value, str) or not value:
                return Refused("malformed_payload", f"the attribute {name} is missing")
        if attributes["specversion"] != "1.0":
            return Refused("not_understood", f"CloudEvents {attributes['specversion'][:20]!r}; only 1.0 is read")
        if attributes["type"] not in {INTERACTION_TYPE, SIGNAL_TYPE}:
            return Refused(
                "unknown_type", f"type {attributes['type'][:80]!r}; {INTERACTION_TYPE} and {SIGNAL_TYPE} are read"
            )
        reading = self._reader.read(data, received_at, _defaults(attributes))
        if isinstance(reading, Draft) and _type_of(reading) != attributes["type"]:
            return Refused("contract_violation", f"type says {attributes['type']}, data is {_type_of(reading)}")
        return reading


def _mode_without_a_name(request: WebhookRequest) -> str | None:
    """The mode of a body whose sender calls it plain JSON, or says nothing: the envelope itself is unmistakable."""
    if any(name.startswith("ce-") for name, _ in request.headers.items()):
        return None
    content = read_json(request.body)
    if isinstance(content, list):
        return BATCHED if content and all("specversion" in table(event) for event in content) else None
    return STRUCTURED if "specversion" in table(content) else None


def _defaults(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the envelope says where the data is silent. In CloudEvents only source and id together are unique."""
    said = {
        "id": f"{attributes['source']}/{attributes['id']}",
        "occurred_at": attributes.get("time"),
        "conversation_id": attributes.get("subject"),
    }
    return {name: value for name, value in said.items() if value}


def _type_of(draft: Draft) -> str:
    return SIGNAL_TYPE if type(draft.event).__name__ == "Signal" else INTERACTION_TYPE


CLOUDEVENTS = ConnectorKind(
    id="cloudevents",
    title="CloudEvents 1.0 over HTTP: binary, structured, batched",
    normaliser=CloudEventsOverHttp,
    verifier=lambda instance: signed_or_shown(instance, StandardWebhooks.with_secrets, StandardWebhooks.HEADERS[-1]),
    handshake=may_events_be_sent,
    setup=(
        f"POST events of type {INTERACTION_TYPE} or {SIGNAL_TYPE}, with the generic webhook's objects as JSON data.\n"
        "Sign them as standardwebhooks.com describes, or configure tokens and send Authorization: Bearer <token>."
    ),
)
