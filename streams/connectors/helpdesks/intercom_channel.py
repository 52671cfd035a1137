"""Intercom (id `intercom`): notifications of conversations and tickets, signed with HMAC-SHA1.

`intercom_thread` makes the events, `intercom_payload` knows the words. Intercom asks an endpoint with HEAD whether it
is there, and sends the topic `ping`.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from schemas.interaction import Author
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
from streams.connectors.helpdesks.intercom_payload import identities_of, opening_of
from streams.connectors.helpdesks.intercom_thread import IntercomThread
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.message_content import written_text
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    id_text,
    instant,
    items,
    read_each,
    read_json,
    read_one,
    required,
    table,
    tables,
    text,
    word,
)

SIGNATURE = HmacScheme(header="x-hub-signature", digest="sha1", prefix="sha1=")
"""Intercom developer documentation, "Signed notifications": the key is the app's client secret."""

ITEM = "$.data.item"
OTHER_SUBJECTS = frozenset(
    {
        "admin",
        "api",
        "article",
        "call",
        "company",
        "contact",
        "content_snippet",
        "content_stat",
        "data_connector",
        "granular",
        "job",
        "messenger",
        "procedure",
        "subscription",
        "user",
        "visitor",
    }
)
"""First words of topics that are about no conversation."""
OTHER_OBJECTS = frozenset(
    {"admin", "article", "company", "contact", "contact_tag", "lead", "subscription", "tag", "team", "user", "visitor"}
)


class Notice(NamedTuple):
    """One notification. `id` is the same for every delivery attempt."""

    id: str
    topic: str
    at: datetime | None
    item: dict[str, Any]
    thread: IntercomThread


class IntercomNotifications:
    """Reads notifications, and the objects of Intercom's API that they carry."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One notification as what it means; a bare conversation or ticket as everything that it tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "chat")
        listed = [*tables(payload, "conversations"), *tables(payload, "tickets")]
        read = partial(_read, drafter=drafter)
        return read_each(listed, read) if listed else read_one(payload, read)


def _read(payload: Json, drafter: Drafter) -> Reading:
    if word(payload, "topic") is not None or table(payload, "data", "item"):
        return _notification(payload, drafter)
    return _object(table(payload, "item") or payload, drafter)


def _notification(payload: Json, drafter: Drafter) -> Reading:
    topic = required(word(payload, "topic"), "$.topic")
    family = topic.partition(".")[0]
    if topic == "ping":
        return [Ignored("connection")]
    item = table(payload, "data", "item")
    if topic == "event.created":
        return _usage(item, drafter)
    if topic in WITHOUT_EFFECT:
        return [Ignored(WITHOUT_EFFECT[topic])]
    handler = _HANDLERS.get(topic)
    if handler is None:
        if family in OTHER_SUBJECTS:
            return [Ignored("other_subject")]
        return [Refused("not_understood", f"the topic {topic[:80]!r} is not known")]
    required(item or None, ITEM)
    inner = table(item, "conversation") or table(item, "ticket") or item
    told = instant(payload, "created_at") or instant(payload, "first_sent_at")
    thread = IntercomThread(drafter, inner, ITEM)
    notice_id = id_text(payload, "id") or f"{thread.id}:{topic}:{told.isoformat() if told else 'unknown'}"
    return handler(Notice(notice_id, topic, told or instant(inner, "updated_at"), item, thread))


def _object(item: Json, drafter: Drafter) -> Reading:
    kind = word(item, "type")
    if kind in OTHER_OBJECTS:
        return [Ignored("other_subject")]
    if kind == "event":
        return _usage(item, drafter)
    if kind not in {"conversation", "ticket", "ticket_ticket_part", "conversation_part"}:
        raise Malformed("Object contains no topic - at `$.topic`")
    if kind == "conversation_part" and id_text(item, "conversation_id") is None:
        return [Ignored("conversation_not_said")]
    if kind == "conversation_part":
        thread = IntercomThread(drafter, {"id": item["conversation_id"], "conversation_parts": [item]}, "$")
        return thread.of_parts(thread.parts) or [Ignored("nothing_inside")]
    inner = table(item, "ticket") or item
    thread = IntercomThread(drafter, inner, "$")
    begin = thread.opening() if opening_of(inner) else _ticket_opening(thread) if kind == "ticket" else []
    parts = [table(item, "ticket_part")] if table(item, "ticket_part") else thread.parts
    told = _without_repetition([*begin, *thread.of_parts(parts)])
    state = _state_of(thread)
    if state not in {None, "open", "submitted"} and not _has(told, "status_changed"):
        moment = instant(inner, "updated_at")
        stamp = moment.isoformat() if moment else "unknown"
        told.append(thread.status(f"{thread.id}:{state}:{stamp}", state or "", moment, Author("system")))
    return [*told, *thread.rating(table(inner, "conversation_rating"))] or [Ignored("nothing_inside")]


def _state_of(thread: IntercomThread) -> str | None:
    found = at(thread.thread, "ticket_state")
    return word(found, "category") if isinstance(found, dict) else word(found) or word(thread.thread, "state")


def _has(told: list[Any], kind: str) -> bool:
    return any(isinstance(made, Draft) and getattr(made.event, "type", None) == kind for made in told)


def _without_repetition(told: list[Any]) -> list[Any]:
    return list({made.event.id: made for made in told}.values())


def _usage(item: Json, drafter: Drafter) -> Reading:
    name = required(text(item, "event_name"), f"{ITEM}.event_name")
    event_id = id_text(item, "id") or required(id_text(item, "intercom_user_id"), f"{ITEM}.id")
    person = {"type": "user", "id": id_text(item, "intercom_user_id"), "email": text(item, "email")}
    person["user_id"] = id_text(item, "user_id")
    identities = identities_of(person)
    return [drafter.signal(event_id, "usage", name, 1.0, instant(item, "created_at"), identities=identities)]


# conversations


def _created(notice: Notice) -> Reading:
    thread = notice.thread
    told = _without_repetition([*thread.opening(), *thread.of_parts(thread.parts)])
    return told or [Refused("malformed_payload", f"Object contains no source - at `{ITEM}.source`")]


def _happened(notice: Notice) -> Reading:
    """Something that a part tells: a reply, a note, an assignment, another state."""
    thread = notice.thread
    part = table(notice.item, "ticket_part")
    parts = [part] if part else thread.parts
    told: list[Any] = _without_repetition(thread.of_parts(parts))
    newest = parts[-1] if parts else {}
    author = thread.author(newest) if newest else Author("system")
    state = STATE_OF_TOPIC.get(notice.topic)
    if state is not None and not any(made.event.source_status == state for made in told):
        # Intercom may repeat the part of the state before: then the topic is right.
        told = [made for made in told if made.event.type != "status_changed"]
        told.append(thread.status(notice.id, state, notice.at, author))
    if "assigned" in notice.topic and not _has(told, "assigned"):
        told.append(thread.assigned(notice.id, notice.at, author, table(thread.thread, "assignee")))
    return told or [Ignored("nothing_inside")]


def _tagged(notice: Notice) -> Reading:
    thread = notice.thread
    part = table(notice.item, "conversation_part") or (thread.parts[-1] if thread.parts else {})
    taggers = [table(tag, "applied_by") for tag in (*items(part, "tags"), *items(thread.thread, "tags", "tags"))]
    tagger = next((found for found in reversed(taggers) if found), None)
    author = thread.author({"author": tagger}) if tagger else Author("system")
    return [thread.draft(notice.id, "tagged", notice.at, author)]


def _priority(notice: Notice) -> Reading:
    thread = notice.thread
    if word(thread.thread, "priority") is None:
        return [Ignored("without_effect")]
    author = thread.author(thread.parts[-1]) if thread.parts else Author("system")
    return [thread.draft(notice.id, "priority_changed", notice.at, author)]


def _redacted(notice: Notice) -> Reading:
    thread = notice.thread
    parts = [part for part in thread.parts if at(part, "redacted") is True] or thread.parts
    part = table(notice.item, "conversation_part") or (parts[-1] if parts else {})
    gone = required(id_text(part, "id"), f"{ITEM}.conversation_parts")
    said = {"public": "note" not in (word(part, "part_type") or ""), "raw_reference": f"intercom:part:{gone}"}
    return [thread.draft(f"{gone}:edited:redacted", "edited", notice.at, thread.author(part), **said)]


def _deleted(notice: Notice) -> Reading:
    return [
        notice.thread.draft(
            notice.id, "status_changed", notice.at, Author("system"), status="deleted", source_status="deleted"
        )
    ]


def _rated(notice: Notice) -> Reading:
    thread, item = notice.thread, notice.item
    places = (thread.thread, item)
    found = [table(place, key) for place in places for key in ("conversation_rating", "ticket_rating", "rating")]
    return thread.rating(*found, *places) or [Ignored("no_answer")]


def _company(notice: Notice) -> Reading:
    return [notice.thread.draft(notice.id, "account_changed", notice.at, Author("system"))]


# tickets


def _ticket_opening(thread: IntercomThread) -> list[Draft]:
    """What a customer filed. Tickets of the back office and trackers are between teammates: nobody waits for them."""
    ticket = thread.thread
    category = word(ticket, "category") or word(ticket, "ticket_type", "category") or "customer"
    if category not in {"customer", "request"}:
        return []
    attributes = table(ticket, "ticket_attributes")
    filed = written_text(at(attributes, "_default_description_"), at(attributes, "_default_title_"))
    event_id, moment = f"{thread.id}:ticket", instant(ticket, "created_at")
    reference = f"intercom:ticket:{thread.id}"
    return [thread.message({}, event_id, moment, thread.contact(), text=filed, raw_reference=reference)]


def _ticket_created(notice: Notice) -> Reading:
    thread = notice.thread
    state = _state_of(thread)
    told: list[Any] = list(_ticket_opening(thread))
    if not told or state not in {None, "submitted"}:
        told.append(thread.status(f"{thread.id}:created", state or "submitted", notice.at, Author("system")))
    return told


def _ticket_state(notice: Notice) -> Reading:
    thread = notice.thread
    state = "closed" if notice.topic == "ticket.closed" else "resolved" if notice.topic == "ticket.resolved" else None
    state = _state_of(thread) if state is None or _state_of(thread) == "resolved" else state
    state = required(state, f"{ITEM}.ticket_state")
    changes = [part for part in thread.parts if (word(part, "part_type") or "").startswith("ticket_state")]
    author = thread.author(changes[-1]) if changes else Author("system")
    return [thread.status(notice.id, state, notice.at, author)]


STATE_OF_TOPIC = {
    "conversation.admin.closed": "closed",
    "conversation.admin.opened": "open",
    "conversation.admin.snoozed": "snoozed",
    "conversation.admin.unsnoozed": "open",
}

WITHOUT_EFFECT = {
    "conversation.admin.replied.translated": "without_effect",
    "conversation.contact.attached": "participant_changed",
    "conversation.contact.detached": "participant_changed",
    "conversation.read": "receipt",
    "ticket.admin.replied.translated": "without_effect",
    "ticket.attribute.updated": "without_effect",
    "ticket.contact.attached": "participant_changed",
    "ticket.contact.detached": "participant_changed",
}

_HANDLERS: dict[str, Callable[[Notice], Reading]] = {
    "conversation.admin.assigned": _happened,
    "conversation.admin.closed": _happened,
    "conversation.admin.noted": _happened,
    "conversation.admin.open.assigned": _happened,
    "conversation.admin.opened": _happened,
    "conversation.admin.replied": _happened,
    "conversation.admin.single.created": _created,
    "conversation.admin.snoozed": _happened,
    "conversation.admin.unsnoozed": _happened,
    "conversation.company.updated": _company,
    "conversation.deleted": _deleted,
    "conversation.operator.replied": _happened,
    "conversation.priority.updated": _priority,
    "conversation.rating.added": _rated,
    "conversation.rating.remarked": _rated,
    "conversation.user.created": _created,
    "conversation.user.replied": _happened,
    "conversation_part.redacted": _redacted,
    "conversation_part.tag.created": _tagged,
    "ticket.admin.assigned": _happened,
    "ticket.admin.replied": _happened,
    "ticket.closed": _ticket_state,
    "ticket.contact.replied": _happened,
    "ticket.created": _ticket_created,
    "ticket.note.created": _happened,
    "ticket.rating.provided": _rated,
    "ticket.resolved": _ticket_state,
    "ticket.state.updated": _ticket_state,
    "ticket.team.assigned": _happened,
}


def _is_there(_instance: Instance, request: WebhookRequest, _verdict: Verdict) -> ProviderAnswer | None:
    """Intercom's HEAD before it saves an endpoint; it is signed by nothing and told nothing."""
    return ProviderAnswer() if request.method == "HEAD" else None


INTERCOM = ConnectorKind(
    id="intercom",
    title="Intercom webhooks",
    normaliser=IntercomNotifications,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    handshake=_is_there,
    setup=(
        "Developer Hub > your app > Webhooks: endpoint https://<your host>/in/intercom,\n"
        "topics conversation.*, conversation_part.* and ticket.*;\n"
        "the secret is the app's client secret (Basic information)."
    ),
)
