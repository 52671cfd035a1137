"""LINE (id `line`): what users, groups and rooms send to an official account.

Source: LINE Developers, "Messaging API reference: Webhook event objects" (line/line-openapi, webhook.yml). The
conversation is the user, the group or the room; LINE tells what people send, never what the account itself answers.
A message has an id of its own, the same when it is delivered again, and what is unsent is told with that id in a
higher version: it takes away the message and not the conversation. A pressed button has its `webhookEventId`.
"""

from typing import Any

from schemas.interaction import Attachment, InteractionType
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    at,
    id_text,
    instant,
    read_each,
    read_json,
    required,
    table,
    tables,
    text,
    whole_number,
    word,
)

LINE_SIGNATURE = HmacScheme(header="x-line-signature", written="base64")

SPEAKING: dict[str, InteractionType] = {
    "message": "message",
    "messageedited": "edited",
    "postback": "message",
    "unsend": "deleted",
}
WITHOUT_EFFECT = frozenset(
    {
        "accountlink",
        "activated",
        "beacon",
        "botresumed",
        "botsuspended",
        "deactivated",
        "membership",
        "module",
        "things",
        "videoplaycomplete",
    }
)
"""Events in which nobody says anything: what is near, what was watched, who may use the account."""
COME_AND_GO = frozenset({"follow", "join", "leave", "memberjoined", "memberleft", "unfollow"})

MEDIA = frozenset({"image", "video", "audio", "file", "sticker"})


class LineWebhooks:
    """Reads webhooks, also one event alone."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "social")
        if at(payload, "events") == []:
            return [Ignored("connection")]
        alone = [payload] if text(payload, "type") and isinstance(at(payload, "source"), dict) else []
        read = read_each([*tables(payload, "events"), *alone], lambda event: _event(drafter, event))
        return read or [Refused("malformed_payload", "Object contains no events - at `$.events`")]


def _event(drafter: Drafter, event: Json) -> Reading:
    kind = required(word(event, "type"), "$.type")
    what = SPEAKING.get(kind)
    if what is None:
        if kind in COME_AND_GO or kind == "delivery":
            return [Ignored("participant_changed" if kind in COME_AND_GO else "receipt")]
        known = kind in WITHOUT_EFFECT
        return [
            Ignored("without_effect") if known else Refused("not_understood", f"the event {kind[:80]!r} is unknown")
        ]
    source = table(event, "source")
    person = id_text(source, "userId")
    thread = id_text(source, "groupId") or id_text(source, "roomId") or person
    said = table(event, "message")
    message_id = id_text(said, "id") or id_text(event, "unsend", "messageId")
    place, moment = required(thread, "$.source.userId"), instant(event, "timestamp")
    author, words = drafter.author("customer", person), {"identities": _identities(source)} | _content(said)
    if kind == "postback":
        pressed = id_text(event, "webhookEventId") or (
            f"postback:{person}:{moment.timestamp():.3f}" if moment else None
        )
        return [drafter.interaction(required(pressed, "$.webhookEventId"), what, place, moment, author, **words)]
    message_id = required(message_id, "$.message.id")
    if what == "edited":
        mark = id_text(event, "webhookEventId") or (f"{moment.timestamp():.3f}" if moment else "")
        return [drafter.edited(message_id, mark, place, moment, author, **words)]
    if what == "deleted":
        return [drafter.deleted(message_id, place, moment, author, **words)]
    return [drafter.interaction(message_id, what, place, moment, author, **words)]


def _identities(source: Json) -> tuple[str, ...]:
    """The group, which is one customer's in practice, then the person."""
    groups = (id_text(source, key) for key in ("groupId", "roomId"))
    person = id_text(source, "userId")
    return (*(f"line_group:{group}" for group in groups if group), *((f"line_user:{person}",) if person else ()))


def _content(said: Json) -> dict[str, Any]:
    kind = word(said, "type") or ""
    if kind == "location":
        named = (text(said, key) for key in ("title", "address"))
        return {"text": ", ".join(part for part in named if part) or None}
    if kind not in MEDIA:
        return {"text": text(said, "text")}
    attachment = Attachment(name=text(said, "fileName"), media_type=kind, size_bytes=whole_number(said, "fileSize"))
    return {"text": text(said, "text"), "attachments": (attachment,)}


LINE = ConnectorKind(
    id="line",
    title="LINE Messaging API",
    normaliser=LineWebhooks,
    verifier=lambda instance: HmacVerifier(LINE_SIGNATURE, instance.secrets),
    setup=(
        "developers.line.biz > your channel > Messaging API: webhook URL https://<your host>/in/line, use webhook on.\n"
        "The secret is the channel secret (Basic settings). Redelivery may be on: events are counted once."
    ),
)
