"""Vonage (id `vonage`): calls of the Voice API, messages of the Messages API and the older SMS API.

`vonage_calls` reads calls, `vonage_jwt` proves the sender. Vonage has no id for a thread of messages: the two numbers
on one channel are it.
"""

from functools import partial
from typing import Any

from schemas.interaction import Attachment, Author
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
from streams.connectors.form_body import read_form_or_json
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    id_text,
    instant,
    read_each,
    read_one,
    required,
    table,
    text,
    word,
)
from streams.connectors.phone.vonage_calls import call_event
from streams.connectors.phone.vonage_jwt import VonageJwt
from streams.connectors.phone_numbers import person_of, text_thread, texter_identities

CHANNELS = {"whatsapp": "whatsapp", "messenger": "social", "viber_service": "social", "instagram": "social"}
NUMBERED = frozenset({"sms", "whatsapp"})
"""Channels whose addresses are telephone numbers; the others have ids of their own, which may look like numbers."""

MEDIA = frozenset({"image", "audio", "video", "file", "vcard", "sticker"})


class VonageWebhooks:
    """Reads webhooks and resources."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_form_or_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        listed = payload if isinstance(payload, list) else at(payload, "_embedded", "calls")

        read = partial(_meaning, Drafter(self._instance, request, "phone"))
        if isinstance(listed, list):
            return read_each(listed, read) or [Ignored("nothing_inside")]
        return read_one(payload, read)


def _meaning(drafter: Drafter, payload: Json) -> Reading:
    if id_text(payload, "message_uuid"):
        return [_message(drafter, payload)]
    if id_text(payload, "messageId") or id_text(payload, "msisdn"):
        return [_sms(drafter, payload)]
    if id_text(payload, "uuid") or id_text(payload, "call_uuid"):
        return call_event(drafter, payload)
    # Recordings, transcriptions and conversation events are about calls that are told of elsewhere.
    if id_text(payload, "recording_uuid") or id_text(payload, "conversation_uuid"):
        return [Ignored("other_subject")]
    raise Malformed("Object contains no uuid, message_uuid or messageId - at `$`")


def _message(drafter: Drafter, payload: Json) -> Draft | Ignored:
    """The Messages API, in its first version (from, to and content are objects) and the present one."""
    content = table(payload, "message", "content")
    kind = word(payload, "message_type") or word(content, "type")
    if at(payload, "status") is not None or kind is None:
        return Ignored("receipt")
    outbound = word(payload, "direction") == "outbound"
    sides = [_side(payload, "from"), _side(payload, "to")]
    theirs, ours = reversed(sides) if outbound else sides
    network = word(payload, "channel") or theirs[1] or "sms"
    part = table(payload, kind) or table(content, kind)
    return _drafted(
        drafter,
        required(id_text(payload, "message_uuid"), "$.message_uuid"),
        network,
        ours=ours[0],
        theirs=required(theirs[0], "$.to" if outbound else "$.from"),
        outbound=outbound,
        occurred_at=instant(payload, "timestamp"),
        text=_text_of(payload, kind) or _text_of(content, kind),
        attachments=(Attachment(name=text(part, "name"), media_type=kind),) if kind in MEDIA else (),
    )


def _text_of(said: Json, kind: str) -> str | None:
    found = (("text",), (kind, "caption"), ("reply", "title"), ("button", "text"), (kind, "text"))
    return next((written for path in found if (written := text(said, *path))), None)


def _side(payload: Json, side: str) -> tuple[str | None, str | None]:
    """Address and channel of one side."""
    found = at(payload, side)
    if not isinstance(found, dict):
        return id_text(payload, side), None
    kind = word(found, "type")
    names = ("id", "user") if kind in {"messenger", "viber_service"} else ("number", "id", "user")
    return next((named for key in names if (named := id_text(found, key))), None), kind


def _sms(drafter: Drafter, payload: Json) -> Draft | Ignored:
    """The SMS API: receipts of delivery have a status, messages that came in have none."""
    if at(payload, "status") is not None or "err-code" in payload:
        return Ignored("receipt")
    return _drafted(
        drafter,
        required(id_text(payload, "messageId") or id_text(payload, "message-id"), "$.messageId"),
        "sms",
        ours=id_text(payload, "to"),
        theirs=required(id_text(payload, "msisdn"), "$.msisdn"),
        occurred_at=instant(payload, "message-timestamp"),
        text=text(payload, "text"),
    )


def _drafted(
    drafter: Drafter,
    message_id: str,
    network: str,
    *,
    ours: str | None,
    theirs: str,
    outbound: bool = False,
    **words: Any,  # noqa: ANN401 - contract fields
) -> Draft:
    channel = CHANNELS.get(network, "sms")
    numbered = channel in NUMBERED
    us, them = (person_of(ours), person_of(theirs)) if numbered else (ours, theirs)
    return drafter.interaction(
        message_id,
        "message",
        text_thread(channel, us, them),
        author=Author("agent", us) if outbound else drafter.author("customer", them),
        channel=channel,
        identities=() if network == "viber_service" else texter_identities(network, theirs),
        **words,
    )


VONAGE = ConnectorKind(
    id="vonage",
    title="Vonage: calls, SMS and messages",
    normaliser=VonageWebhooks,
    verifier=lambda instance: VonageJwt(instance.secrets),
    options={
        "menu": "true where a recorded menu takes calls first: then only the leg of somebody connected counts as answer"
    },
    setup=(
        "Dashboard > Applications > your application: event URL of Voice, inbound URL of Messages:\n"
        "https://<your host>/in/vonage, POST, with signed webhooks (Voice: use signed webhooks).\n"
        "The secret is the signature secret of API Settings. Unsigned webhooks (the old SMS API) are refused."
    ),
)
