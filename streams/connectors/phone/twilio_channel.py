"""Twilio (id `twilio`): calls, and text messages by SMS, MMS, WhatsApp, RCS and Messenger.

Webhooks are web forms; Event Streams, Conversations and the API's own resources are read as well. `twilio_calls` and
`twilio_messages` say what they mean, `twilio_signature` proves the sender.
"""

from collections.abc import Callable
from functools import partial

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.form_body import read_form_or_json
from streams.connectors.payload_reading import Json, Malformed, id_text, read_each, read_one, table, tables, text
from streams.connectors.phone.twilio_calls import call_progress, call_record
from streams.connectors.phone.twilio_messages import (
    conversation_record,
    conversation_streamed,
    conversation_webhook,
    message_record,
    message_streamed,
    message_webhook,
)
from streams.connectors.phone.twilio_signature import TwilioSignature

EMPTY_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""Nothing to say and nothing to do: Twilio reads every answer to a message or a call as instructions."""

OTHER_SUBJECTS = (
    "WorkspaceSid",
    "RecordingSid",
    "FaxSid",
    "RoomSid",
    "ConferenceSid",
    "VerificationSid",
    "UserSid",
    "InteractionSid",
    "PayloadType",
    "transcript_sid",
)
"""Keys of what else Twilio tells of: TaskRouter, recordings, faxes, video rooms, conferences, verifications, users of
a chat, Flex, the debugger (its webhook has no id of its own), Conversational Intelligence."""


CONVERSATIONS = "conversations."
"""Before the types of Event Streams that tell what Conversations' webhooks tell."""

LENGTH_OF_SID = 34
"""Two letters for the kind of resource and 32 hexadecimal digits."""


class TwilioWebhooks:
    """Reads webhooks, event streams and resources."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_form_or_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_meaning, Drafter(self._instance, request, "phone"))
        listed = payload if isinstance(payload, list) else [*tables(payload, "calls"), *tables(payload, "messages")]
        return read_each(listed, read) if listed else read_one(payload, read)


def _meaning(drafter: Drafter, payload: Json) -> Reading:
    """By the ids that a payload has: each kind of Twilio's objects has its own."""
    for has, read in _SHAPES:
        if id_text(payload, has):
            return read(drafter, payload)
    if any(id_text(payload, name) for name in OTHER_SUBJECTS):
        return [Ignored("other_subject")]
    raise Malformed("Object contains no CallSid or MessageSid - at `$`")


def _resource(drafter: Drafter, resource: Json) -> Reading:
    """A resource of the API: the first letters of its id say of what kind."""
    sid = id_text(resource, "sid") or ""
    kind = sid[:2]
    if kind == "CA":
        return call_record(drafter, resource)
    if kind in {"SM", "MM"}:
        return [message_record(drafter, resource)]
    if kind == "IM":
        return [conversation_record(drafter, resource)]
    if kind.isupper() and len(sid) == LENGTH_OF_SID:
        return [Ignored("other_subject")]
    raise Malformed("Expected the sid of a call or a message - at `$.sid`")


def _streamed(drafter: Drafter, event: Json) -> Reading:
    """A CloudEvent of Event Streams; those of calls carry the fields of the webhook that they repeat."""
    kind = (text(event, "type") or "").removeprefix("com.twilio.")
    if kind == "messaging.inbound-message.received":
        return [message_streamed(drafter, table(event, "data"))]
    if kind.startswith("messaging.message."):
        return [Ignored("receipt")]
    if kind.startswith(CONVERSATIONS):
        return [conversation_streamed(drafter, kind.removeprefix(CONVERSATIONS), table(event, "data"))]
    fields = table(event, "data", "request", "parameters")
    if kind.startswith("voice.") and "status-callback.call" in kind and id_text(fields, "CallSid"):
        return call_progress(drafter, fields)
    if (text(event, "type") or "").startswith("com.twilio."):
        return [Ignored("other_subject")]
    return [Refused("not_understood", f"the event type {kind[:80]!r} is not known")]


_SHAPES: tuple[tuple[str, Callable[[Drafter, Json], Reading]], ...] = (
    ("specversion", _streamed),
    ("ConversationSid", lambda drafter, fields: [conversation_webhook(drafter, fields)]),
    ("ChannelSid", lambda drafter, fields: [conversation_webhook(drafter, fields)]),
    ("CallSid", call_progress),
    ("MessageSid", lambda drafter, fields: [message_webhook(drafter, fields)]),
    ("SmsSid", lambda drafter, fields: [message_webhook(drafter, fields)]),
    ("sid", _resource),
)


def empty_twiml(instance: Instance, request: WebhookRequest) -> ProviderAnswer:  # noqa: ARG001 - the same for all
    """The instructions to do nothing."""
    return ProviderAnswer(body=EMPTY_TWIML, content_type="text/xml")


TWILIO = ConnectorKind(
    id="twilio",
    title="Twilio: calls, SMS, MMS and WhatsApp",
    normaliser=TwilioWebhooks,
    verifier=lambda instance: TwilioSignature(instance.secrets),
    receipt=empty_twiml,
    options={
        "menu": "true where a recorded menu takes calls first: then only the leg of somebody dialled counts as answer"
    },
    setup=(
        "Phone Numbers > your number: call status changes and messages go to https://<your host>/in/twilio, POST.\n"
        "In TwiML, give <Dial>'s <Number>, <Client> or <Sip> that address as statusCallback, with the events\n"
        "initiated ringing answered completed: they say when somebody takes the call.\n"
        "The secret is the account's auth token; behind a proxy set public_url, since Twilio signs the address."
    ),
)
