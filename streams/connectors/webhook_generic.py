"""The generic webhook (id `webhook`): canonical events in our own words, signed by the Standard Webhooks scheme.

For everything that has no connector of its own: a script, an in-house tool, an integration platform. The body is one
event, or a list of events; `canonical_json` says which keys it may have.
"""

from datetime import datetime

from streams.connectors.canonical_json import CanonicalReader, of_item, read_json
from streams.connectors.connector_contract import (
    ConnectorKind,
    HandshakeAnswer,
    Headers,
    Instance,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.signatures import StandardWebhooks


class GenericWebhook:
    """The connector. Its signature scheme: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

    def __init__(self, instance: Instance) -> None:
        self._signature = StandardWebhooks.with_secrets(instance.secrets)
        self._reader = CanonicalReader(instance.name, instance.clock, instance.channel)

    def verify(self, headers: Headers, raw_body: bytes, now: datetime) -> Verdict:
        """Whether the signature is right and fresh."""
        return self._signature.verify(headers, raw_body, now)

    def handshake(self, request: WebhookRequest, verdict: Verdict) -> HandshakeAnswer | None:  # noqa: ARG002 - the contract
        """There is none."""
        return None

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or one per item of a list."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        if not isinstance(payload, list):
            return [self._reader.read(payload, request.received_at)]
        return [of_item(self._reader.read(item, request.received_at), item) for item in payload]


WEBHOOK = ConnectorKind(
    id="webhook",
    title="Generic webhook in Careline's own words",
    build=GenericWebhook,
    setup=(
        "Sign every request as standardwebhooks.com describes and POST\n"
        '{"id": "m-1", "conversation": "c-1", "at": "2026-03-02T09:30:00Z", "type": "message", "from": "customer"}\n'
        "or a list of such objects."
    ),
)
