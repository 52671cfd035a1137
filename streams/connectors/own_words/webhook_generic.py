"""The generic webhook (id `webhook`): canonical events in our own words, signed by the Standard Webhooks scheme.

For everything that has no connector of its own: a script, an in-house tool, an integration platform. The body is one
event, or a list of events; `canonical_json` says which keys it may have.
"""

from streams.connectors.connector_contract import ConnectorKind, Ignored, Instance, Reading, Refused, WebhookRequest
from streams.connectors.own_words.canonical_json import CanonicalReader
from streams.connectors.payload_reading import read_each, read_json
from streams.connectors.signatures import StandardWebhooks


class GenericWebhook:
    """Reads canonical events in JSON."""

    def __init__(self, instance: Instance) -> None:
        self._reader = CanonicalReader(instance.name, instance.clock, instance.channel)

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or one per item of a list."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        if not isinstance(payload, list):
            return [self._reader.read(payload, request.received_at)]
        read = read_each(payload, lambda item: [self._reader.read(item, request.received_at)])
        return read or [Ignored("nothing_inside")]


WEBHOOK = ConnectorKind(
    id="webhook",
    title="Generic webhook in Careline's own words",
    normaliser=GenericWebhook,
    verifier=lambda instance: StandardWebhooks.with_secrets(instance.secrets),
    setup=(
        "Sign every request as standardwebhooks.com describes and POST\n"
        '{"id": "m-1", "conversation": "c-1", "at": "2026-03-02T09:30:00Z", "type": "message", "from": "customer"}\n'
        "or a list of such objects."
    ),
)
