"""Amazon Connect (id `amazon-connect`): contact events through EventBridge, contact records, and flow events.

An API destination of EventBridge cannot sign; it sends a token. `amazon_connect_contact` says what a contact means.
"""

from functools import partial

from streams.connectors.connector_contract import ConnectorKind, Ignored, Instance, Reading, Refused, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, instant, read_each, read_json, read_one, table, word
from streams.connectors.phone.amazon_connect_contact import Contact
from streams.connectors.shared_secrets import SharedSecret

CONTACT_EVENT = "amazon connect contact event"


class AmazonConnectContacts:
    """Reads events and records of contacts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_meaning, Drafter(self._instance, request, "phone"))
        return read_each(payload, read) if isinstance(payload, list) and payload else read_one(payload, read)


def _meaning(drafter: Drafter, payload: Json) -> Reading:
    subject = word(payload, "detail-type")
    if subject is not None and subject != CONTACT_EVENT:
        if word(payload, "source") == "aws.connect":
            return [Ignored("other_subject")]
        return [Refused("not_understood", f"the detail type {subject[:80]!r} is not known")]
    # The event itself, its detail alone, what a flow hands to Lambda, the API's answer, or a contact record.
    envelopes = (("detail",), ("Details", "ContactData"), ("Contact",))
    inside = next((found for path in envelopes if (found := table(payload, *path))), payload)
    contact = Contact(drafter, inside, instant(payload, "time"))
    return [contact.told(contact.event)] if contact.event is not None else contact.recorded()


AMAZON_CONNECT = ConnectorKind(
    id="amazon-connect",
    title="Amazon Connect contact events",
    normaliser=AmazonConnectContacts,
    verifier=lambda instance: SharedSecret(instance.tokens),
    setup=(
        "EventBridge > Rules: source aws.connect, detail type Amazon Connect Contact Event, to an API destination\n"
        "https://<your host>/in/amazon-connect, POST, whose connection has an API key named Authorization\n"
        "with the value Bearer <token>. The token stands under tokens."
    ),
)
