"""Front (id `front`): rule webhooks and application webhooks.

A rule webhook is one event; an application webhook puts it under `payload`, beside a type of its own. `front_event`
makes the canonical events. Rule webhooks are signed with HMAC-SHA1 over the body, application webhooks with
HMAC-SHA256 over `timestamp:body`; the length of the signature tells which.
"""

import json
from collections.abc import Callable
from functools import partial

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    Verifier,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.front_event import STATUSES, FrontEvent
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    flag,
    id_text,
    read_each,
    read_json,
    read_one,
    required,
    table,
    tables,
    text,
    word,
)
from streams.connectors.shared_secrets import ChosenProof
from streams.connectors.signatures import raw_text


def _signed(request: WebhookRequest, timestamp: str) -> bytes:
    return raw_text(timestamp) + b":" + request.body


HEADER = "x-front-signature"
RULE_SIGNATURE = HmacScheme(header=HEADER, digest="sha1", written="base64")
APPLICATION_SIGNATURE = HmacScheme(
    header=HEADER, written="base64", timestamp_header="x-front-request-timestamp", signed=_signed
)
SHA256_CHARACTERS = 44
"""Of 32 bytes in base64; a SHA-1 has 28."""


class FrontEvents:
    """Reads events, and the messages, comments and conversations of Front's API."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or each of a list."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "email")
        listed = list(tables(payload, "_results"))
        read = partial(_read, drafter=drafter)
        return read_each(listed, read) if listed else read_one(payload, read)


def _read(payload: Json, drafter: Drafter) -> Reading:
    told = word(payload, "type")
    inner = table(payload, "payload")
    event = inner or payload
    if told == "sync" and not inner:
        return [Ignored("connection")]
    if inner:
        kind = APPLICATION_TYPES.get(told or "", word(inner, "type") or told)
    else:
        kind = APPLICATION_TYPES.get(told or "", told)
    if not table(event, "conversation") and "emitted_at" not in (event if isinstance(event, dict) else {}):
        return _object(event, drafter)
    kind = required(kind, "$.type")
    if kind in WITHOUT_EFFECT:
        return [Ignored(WITHOUT_EFFECT[kind])]
    handler = _HANDLERS.get(kind)
    if handler is None:
        return [Refused("not_understood", f"the event type {kind[:80]!r} is not known")]
    return handler(FrontEvent(drafter, event))


def _object(item: Json, drafter: Drafter) -> Reading:
    """A message, comment or conversation as the API has it: the links say where it belongs."""
    if flag(item, "is_inbound") is not None:
        return _inbound(FrontEvent(drafter, {"target": {"data": item}}))
    if at(item, "posted_at") is not None:
        return [FrontEvent(drafter, {"target": {"data": item}}).comment(item)]
    if id_text(item, "id") and word(item, "status") in STATUSES and at(item, "recipient") is not None:
        event = FrontEvent(drafter, {"conversation": item, "emitted_at": at(item, "created_at")})
        latest = table(item, "last_message")
        told = [event.message(latest)] if latest else []
        status = word(item, "status") or ""
        return [*told, event.status(STATUSES[status], status)]
    if (id_text(item, "id") or "").startswith(("tea_", "crd_", "ctc_", "inb_", "tag_", "rul_", "cmp_", "acc_")):
        return [Ignored("other_subject")]
    raise Malformed("Object contains no conversation - at `$.conversation`")


def _message(event: FrontEvent, *, inbound: bool) -> Reading:
    found = required(event.target or table(event.conversation, "last_message") or None, "$.target.data")
    if flag(found, "is_draft") or text(found, "draft_mode"):
        return [Ignored("not_sent")]
    return [event.message(found if flag(found, "is_inbound") is not None else found | {"is_inbound": inbound})]


def _inbound(event: FrontEvent) -> Reading:
    return _message(event, inbound=True)


def _outbound(event: FrontEvent) -> Reading:
    return _message(event, inbound=False)


def _comment(event: FrontEvent) -> Reading:
    return [event.comment(required(event.target or None, "$.target.data"))]


def _assigned(event: FrontEvent) -> Reading:
    assignee = id_text(event.target, "id") or id_text(event.conversation, "assignee", "id")
    return [event.change("assigned", agent=assignee)]


def _unassigned(event: FrontEvent) -> Reading:
    return [event.change("assigned", agent=None)]


def _assignee_changed(event: FrontEvent) -> Reading:
    named = word(event.event, "type")
    unassigned = named == "unassign" or not (event.target or table(event.conversation, "assignee"))
    return _unassigned(event) if unassigned else _assigned(event)


def _moved(event: FrontEvent) -> Reading:
    return [event.change("assigned")]


def _tagged(event: FrontEvent) -> Reading:
    return [event.change("tagged")]


def _archived(event: FrontEvent) -> Reading:
    return [event.status("closed", "archived")]


def _reopened(event: FrontEvent) -> Reading:
    found = word(event.conversation, "status") or ""
    return [event.status("open", found if STATUSES.get(found) == "open" else "open")]


def _trashed(event: FrontEvent) -> Reading:
    return [event.status("deleted", "deleted")]


def _restored(event: FrontEvent) -> Reading:
    found = word(event.conversation, "status") or "open"
    status = STATUSES.get(found, "open")
    return [event.status("open" if status == "deleted" else status, found)]


def _snoozed(event: FrontEvent) -> Reading:
    return [event.status("on_hold", "snoozed")]


def _ticket_status(event: FrontEvent) -> Reading:
    found = word(event.conversation, "status_category") or word(event.conversation, "status") or ""
    if found not in STATUSES:
        return [Refused("not_understood", f"the status {found[:40]!r} is not known")]
    return [event.status(STATUSES[found], found)]


def _merged(event: FrontEvent) -> Reading:
    found = at(event.event, "target", "data")
    others = found if isinstance(found, list) else [found]
    ids = [id_text(other, "id") for other in others]
    told = [event.merged(other) for other in ids if other and other != event.conversation_id]
    return told or [Ignored("conversation_not_said")]


APPLICATION_TYPES = {
    "assignee_changed": "assignee_changed",
    "conversation_archived": "archive",
    "conversation_deleted": "trash",
    "conversation_moved": "move",
    "conversation_reopened": "reopen",
    "conversation_restored": "restore",
    "conversation_snoozed": "snooze",
    "conversation_snooze_expired": "reminder",
    "inbound_received": "inbound",
    "message_delivery_failed": "sending_error",
    "new_comment_added": "comment",
    "outbound_sent": "outbound",
    "tag_added": "tag",
    "tag_removed": "untag",
}
"""Types of application webhooks, as the types of the events that they carry."""

WITHOUT_EFFECT = {
    "conversation_created": "without_effect",
    "conversations_split": "without_effect",
    "custom_field_updated": "without_effect",
    "forward": "without_effect",
    "link_added": "without_effect",
    "link_removed": "without_effect",
    "message_bounce_error": "not_delivered",
    "message_seen": "receipt",
    "outbound_seen": "receipt",
    "sending_error": "not_delivered",
    "topic_added": "without_effect",
    "topic_removed": "without_effect",
}

_HANDLERS: dict[str, Callable[[FrontEvent], Reading]] = {
    "archive": _archived,
    "assign": _assigned,
    "assignee_changed": _assignee_changed,
    "comment": _comment,
    "conversations_merged": _merged,
    "inbound": _inbound,
    "mention": _comment,
    "move": _moved,
    "out_reply": _outbound,
    "outbound": _outbound,
    "reminder": _reopened,
    "reopen": _reopened,
    "restore": _restored,
    "snooze": _snoozed,
    "tag": _tagged,
    "ticket_status_updated": _ticket_status,
    "trash": _trashed,
    "unassign": _unassigned,
    "untag": _tagged,
}


def _verifier(instance: Instance) -> Verifier:
    return ChosenProof(
        HmacVerifier(RULE_SIGNATURE, instance.secrets),
        HmacVerifier(APPLICATION_SIGNATURE, instance.secrets),
        is_other=lambda request: len(request.headers.get(HEADER) or "") == SHA256_CHARACTERS,
    )


def _challenge(_instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:
    """The signed `sync` request before an application webhook is saved: its challenge wants to be echoed."""
    challenge = request.headers.get("x-front-challenge")
    if challenge is None or not verdict.genuine or request.method != "POST":
        return None
    return ProviderAnswer(body=json.dumps({"challenge": challenge}).encode(), content_type="application/json")


FRONT = ConnectorKind(
    id="front",
    title="Front rule and application webhooks",
    normaliser=FrontEvents,
    verifier=_verifier,
    handshake=_challenge,
    setup=(
        "Rule webhooks: a rule with 'Send to a webhook' to https://<your host>/in/front, full event; the secret is\n"
        "the API secret of the Webhooks app. Application webhooks: Developers > your app > Webhooks, the same\n"
        "address; the secret is the app's signing key. Both may stand under `secrets:` at once."
    ),
)
