"""Amazon Connect (id `amazon-connect`): contact events through EventBridge, contact records, chats, and flow events.

An API destination of EventBridge cannot sign; it sends a token, and so does a Firehose. `amazon_connect_streams` opens
what records arrive in, `amazon_connect_contact` says what a contact means and `amazon_connect_chat` what is written.
Agents' own events and what Contact Lens finds (Administrator Guide, "Agent event streams data model", "Contact Lens
output files" and "Real-time contact analysis segment streams") are about no promise.
"""

from collections.abc import Iterable
from functools import partial

from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, instant, read_each, read_json, read_one, table, word
from streams.connectors.phone.amazon_connect_chat import chat_item, is_chat_item, is_transcript, transcript
from streams.connectors.phone.amazon_connect_contact import Contact
from streams.connectors.phone.amazon_connect_streams import bearer_or_firehose, firehose_answer, unwrapped, wrapped_in

CONTACT_EVENT = "amazon connect contact event"

OTHER_STREAMS = (
    ("AgentARN", "CurrentAgentSnapshot"),
    ("EventType", "LanguageCode"),
    ("EventType", "Segments"),
    ("CustomerMetadata", "Transcript"),
)
"""By the keys that only they have: what an agent does, Contact Lens during a contact (two forms) and after it."""


class AmazonConnectContacts:
    """Reads events and records of contacts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_record, Drafter(self._instance, request, "phone"))
        wrapped = wrapped_in(payload)
        return read_each(wrapped, read) if wrapped is not None else read_one(payload, read)


def _record(drafter: Drafter, record: Json) -> Iterable[Draft | Ignored | Refused]:
    for payload in unwrapped(record):
        yield from _meaning(drafter, payload)


def _meaning(drafter: Drafter, payload: Json) -> Iterable[Draft | Ignored | Refused]:
    if is_transcript(payload):
        return transcript(drafter, payload)
    if is_chat_item(payload):
        return chat_item(drafter, payload)
    if "SubscribeURL" in table(payload):
        return [Ignored("connection")]  # of SNS, which asks to be called there
    if any(all(key in table(payload) for key in keys) for keys in OTHER_STREAMS):
        return [Ignored("other_subject")]
    return _contact(drafter, payload)


def _contact(drafter: Drafter, payload: Json) -> Reading:
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
    title="Amazon Connect: contacts and chats",
    normaliser=AmazonConnectContacts,
    verifier=bearer_or_firehose,
    receipt=firehose_answer,
    setup=(
        "EventBridge > Rules: source aws.connect, detail type Amazon Connect Contact Event, to an API destination\n"
        "https://<your host>/in/amazon-connect, POST, whose connection has an API key named Authorization\n"
        "with the value Bearer <token>. The token stands under tokens.\n"
        "Contact records instead: a Firehose on their Kinesis stream to the same HTTP endpoint, access key: the token."
    ),
)
