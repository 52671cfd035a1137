"""Slack (id `slack`): messages, edits, deletions and reactions of the Events API, by HTTP or out of Socket Mode.

`slack_socket` keeps the connection of Socket Mode, `slack_payload` knows the wrappings and the words, `slack_delivery`
who wrote in which conversation. A message that is told twice, as `message` and as `app_mention`, or by a repeated
delivery, has one id. A deletion takes the id of its message in a higher version: it takes away the message, not the
conversation. A reaction names its message but not the thread, so one to an answer inside a thread stands by itself.

Buttons, shortcuts, modals and slash commands are genuine and mean nothing here: what they say belongs to no thread
that an answer could be found in. Should an app's conversations begin with them, it says so in our own words
(`own_words.webhook_generic`).
"""

from collections.abc import Callable

from schemas.interaction import Attachment, Author
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
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.messengers.slack_delivery import SlackDelivery, automated_by
from streams.connectors.messengers.slack_payload import (
    BY_PERSONS_AND_APPS,
    COME_AND_GO,
    INTERACTIVE,
    LINES_OF_SLACK,
    OF_THE_CONNECTION,
    OTHER_SUBJECTS,
    files_of,
    is_form,
    read_body,
    text_of,
)
from streams.connectors.messengers.slack_socket import socket_mode_of
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    flag,
    id_text,
    items,
    read_one,
    required,
    table,
    text,
    word,
)
from streams.connectors.signatures import raw_text

SIGNATURE = HmacScheme(
    header="x-slack-signature",
    prefix="v0=",
    timestamp_header="x-slack-request-timestamp",
    signed=lambda request, timestamp: b"v0:" + raw_text(timestamp) + b":" + request.body,
)
"""Source: Slack developer documentation, "Verifying requests from Slack"."""

Meaning = Draft | Ignored | Refused


class SlackEvents:
    """Reads one payload."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """The one thing that a payload means."""
        payload = read_body(request)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "slack")
        return read_one(payload, lambda told: [self._meaning(told, drafter)])

    def _meaning(self, payload: Json, drafter: Drafter) -> Meaning:
        if text(payload, "envelope_id"):
            payload = payload.get("payload")
        if not isinstance(payload, dict):
            raise Malformed("Expected an object - at `$`")
        ignored = _without_event(payload)
        if ignored is not None:
            return ignored
        event = payload.get("event")
        if isinstance(event, dict):
            return self._event(SlackDelivery(self._instance, payload, event), drafter)
        if word(payload, "type") == "event_callback":
            raise Malformed("Object contains no event - at `$.event`")
        return self._event(_bare(self._instance, payload), drafter)

    def _event(self, delivery: SlackDelivery, drafter: Drafter) -> Meaning:
        kind = required(word(delivery.event, "type"), f"{delivery.place}.type")
        if kind == "app_rate_limited":
            return Ignored("events_lost")
        if kind in OF_THE_CONNECTION:
            return Ignored("connection")
        handler = _HANDLERS.get(kind)
        if handler is not None:
            return handler(delivery, drafter)
        if kind.partition("_")[0] in OTHER_SUBJECTS:
            return Ignored("without_effect")
        return Refused("not_understood", f"the event type {kind[:80]!r} is not known")


def _without_event(payload: Json) -> Ignored | None:
    """Why a payload that is no event means nothing here; null when it may be one."""
    kind = word(payload, "type")
    if text(payload, "command"):
        return Ignored("command")
    if kind in INTERACTIVE or (kind is None and items(payload, "actions")):
        return Ignored("command")
    if kind == "url_verification" or text(payload, "ssl_check"):
        return Ignored("connection")
    return Ignored("connection") if kind in OF_THE_CONNECTION else None


def _bare(instance: Instance, payload: Json) -> SlackDelivery:
    """An event without an envelope. The legacy outgoing webhook is a form whose fields are a message's."""
    if text(payload, "type") is not None or not text(payload, "channel_id") or not text(payload, "timestamp"):
        return SlackDelivery(instance, {}, payload)
    renamed = {"channel": payload["channel_id"], "ts": payload["timestamp"], "user": payload.get("user_id")}
    return SlackDelivery(instance, {"team_id": payload.get("team_id")}, {**payload, **renamed, "type": "message"})


def _message(delivery: SlackDelivery, drafter: Drafter) -> Meaning:
    event = delivery.event
    subtype = word(event, "subtype")
    change = _CHANGES.get(subtype or "")
    if change is not None:
        return change(delivery, drafter)
    if subtype in LINES_OF_SLACK | COME_AND_GO:
        return Ignored("participant_changed" if subtype in COME_AND_GO else "line_of_the_provider")
    if subtype is not None and subtype not in BY_PERSONS_AND_APPS:
        return Refused("not_understood", f"the message subtype {subtype[:80]!r} is not known")
    if flag(event, "is_ephemeral"):
        return Ignored("ephemeral")
    channel, ts = delivery.channel(), delivery.ts("ts")
    return drafter.interaction(
        delivery.message_id(channel, ts),
        "message",
        delivery.message_id(channel, id_text(event, "thread_ts") or ts),
        delivery.moment("ts"),
        delivery.author(event),
        identities=delivery.identities(event),
        automated=automated_by(event),
        text=text_of(event),
        attachments=files_of(event),
        inbox=channel,
    )


def _changed(delivery: SlackDelivery, drafter: Drafter) -> Meaning:
    event, now, before = delivery.event, table(delivery.event, "message"), table(delivery.event, "previous_message")
    if word(now, "subtype") == "tombstone":
        return _deleted(delivery, drafter)
    if word(now, "subtype") in LINES_OF_SLACK:
        return Ignored("line_of_the_provider")
    if before and _as_edited(now) == _as_edited(before):
        return Ignored("unchanged")  # Slack unfolds a link or counts an answer
    channel, ts = delivery.channel(), delivery.ts(*_place_of_ts(now, "message"))
    message = delivery.message_id(channel, ts)
    edited = id_text(now, "edited", "ts") or id_text(event, "event_ts") or id_text(event, "ts")
    thread = id_text(now, "thread_ts") or id_text(before, "thread_ts") or ts
    return drafter.edited(
        message,
        edited or "",
        delivery.message_id(channel, thread),
        delivery.moment("message", "edited", "ts") or delivery.moment("event_ts") or delivery.moment("ts"),
        delivery.author(now, f"{delivery.place}.message"),
        identities=delivery.identities(now),
        automated=automated_by(now),
        text=text_of(now),
        attachments=files_of(now),
        inbox=channel,
    )


def _as_edited(message: Json) -> tuple[str | None, str | None, tuple[Attachment, ...]]:
    """What differs between two versions of a message when its author has edited it."""
    return id_text(message, "edited", "ts"), text_of(message), files_of(message)


def _place_of_ts(message: Json, where: str) -> tuple[str, ...]:
    """Where the ts of a changed message stands; some senders leave it to the one before."""
    return (where, "ts") if id_text(message, "ts") else ("previous_message", "ts")


def _deleted(delivery: SlackDelivery, drafter: Drafter) -> Meaning:
    event, before = delivery.event, table(delivery.event, "previous_message")
    path = ("deleted_ts",) if id_text(event, "deleted_ts") else _place_of_ts(table(event, "message"), "message")
    channel, ts = delivery.channel(), delivery.ts(*path)
    message = delivery.message_id(channel, ts)
    told = id_text(before, "user") or automated_by(before)  # Slack names whose message it was, not who deleted it
    return drafter.deleted(
        message,
        delivery.message_id(channel, id_text(before, "thread_ts") or ts),
        delivery.moment("event_ts") or delivery.moment("ts"),
        delivery.author(before) if told else Author("system"),
        identities=delivery.identities(before) if told else (),
        automated=automated_by(before),
        inbox=channel,
    )


def _reaction(delivery: SlackDelivery, drafter: Drafter) -> Meaning:
    event, item = delivery.event, table(delivery.event, "item")
    if word(item, "type") in {"file", "file_comment"}:
        return Ignored("other_subject")
    channel, ts = delivery.channel(item), delivery.ts("item", "ts")
    message, name = delivery.message_id(channel, ts), required(text(event, "reaction"), f"{delivery.place}.reaction")
    author = delivery.author(event)
    return drafter.reacted(
        message,
        f"{name}:{author.id}",
        message,
        delivery.moment("event_ts"),
        author,
        identities=delivery.identities(event),
        text=name,
        inbox=channel,
    )


_HANDLERS: dict[str, Callable[[SlackDelivery, Drafter], Meaning]] = {
    "message": _message,
    "app_mention": _message,
    "reaction_added": _reaction,
    "member_joined_channel": lambda _delivery, _drafter: Ignored("participant_changed"),
    "member_left_channel": lambda _delivery, _drafter: Ignored("participant_changed"),
    "reaction_removed": lambda _delivery, _drafter: Ignored("reaction_removed"),
}
_CHANGES: dict[str, Callable[[SlackDelivery, Drafter], Meaning]] = {
    "message_changed": _changed,
    "message_deleted": _deleted,
}


def greet(_: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:
    """The challenge of a new address, once it is signed; and the check of the certificate, which is never signed."""
    payload = read_body(request)
    if is_form(request) and isinstance(payload, dict) and text(payload, "ssl_check"):
        return ProviderAnswer()
    challenge = text(payload, "challenge") if word(payload, "type") == "url_verification" else None
    return ProviderAnswer(body=challenge.encode("utf-8", "replace")) if challenge and verdict.genuine else None


def thank(_: Instance, request: WebhookRequest) -> ProviderAnswer:  # noqa: ARG001 - the contract's signature
    """Nothing: whatever stands in an answer to a slash command or a modal is shown to the person."""
    return ProviderAnswer()


SLACK = ConnectorKind(
    id="slack",
    title="Slack: Events API, by HTTP or over Socket Mode",
    normaliser=SlackEvents,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    handshake=greet,
    receipt=thank,
    puller=socket_mode_of,
    options={"api_url": "where Slack's Web API is, for GovSlack (default: https://slack.com/api)"},
    setup=(
        "api.slack.com/apps > your app > Event Subscriptions: subscribe to message.channels, message.groups,\n"
        "message.im, message.mpim, app_mention and reaction_added, then invite the app into the channels.\n"
        "By HTTP: Request URL https://<your host>/in/slack; the Signing Secret (Basic Information) is a secret here.\n"
        "Over Socket Mode, without an address of your own: switch it on, make an App-Level Token with the scope\n"
        "connections:write (Basic Information); the token (xapp-...) is a token here, and secrets are left out.\n"
        "Name your own workspace (T...), people (U...) and bots (B...) under own_ids: they are agents."
    ),
)
