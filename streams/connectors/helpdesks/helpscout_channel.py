"""Help Scout (id `helpscout`): webhooks about conversations and satisfaction ratings, signed with HMAC-SHA1.

The header `X-HelpScout-Event` names the event; without it the body is read as the object of the API that it is.
`helpscout_conversation` and `helpscout_chat` make the canonical events.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from schemas.interaction import Author
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
from streams.connectors.helpdesks.helpscout_chat import HelpScoutChat, is_chat
from streams.connectors.helpdesks.helpscout_conversation import (
    STATUSES,
    HelpScoutConversation,
    rating_of,
    survey_answer_of,
)
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    id_text,
    instant,
    read_each,
    read_json,
    read_one,
    table,
    tables,
    text,
    word,
)

SIGNATURE = HmacScheme(header="x-helpscout-signature", digest="sha1", written="base64")
EVENT = "x-helpscout-event"

CHATS = "beacon.chat."
OTHER_SUBJECTS = frozenset({"beacon", "customer", "helpscout", "message", "organization", "tag", "user"})
"""First words of events that are about no conversation. `helpscout.test` is one, `message` what is
shown in the product; the answers to its surveys are told by `survey_answer_of`."""

Told = list[Draft | Ignored | Refused]


class HelpScoutEvents:
    """Reads webhooks, and the conversations, threads and ratings of Help Scout's API."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or each object of a list."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "email")
        event = (request.headers.get(EVENT) or "").strip().lower()
        if table(payload, "conversation") and not event:
            payload = table(payload, "conversation")
        read = partial(_one, event, drafter=drafter)
        listed = list(tables(payload, "_embedded", "conversations"))
        return read_each(listed, read) if listed else read_one(payload, read)


def _one(event: str, payload: Json, drafter: Drafter) -> Reading:
    if table(payload, "message") and table(payload, "response"):
        return [survey_answer_of(drafter, table(payload))]
    return _event(event, payload, drafter) if event else _object(payload, drafter)


def _event(event: str, payload: Json, drafter: Drafter) -> Reading:
    if event in WITHOUT_EFFECT:
        return [Ignored(WITHOUT_EFFECT[event])]
    if event == "satisfaction.ratings":
        return [rating_of(drafter, table(payload))]
    if event.startswith(CHATS):
        return HelpScoutChat(drafter, table(payload)).told_by(event)
    handler = _HANDLERS.get(event)
    if handler is not None:
        return handler(HelpScoutConversation(drafter, table(payload)))
    if event.partition(".")[0] in OTHER_SUBJECTS:
        return [Ignored("other_subject")]
    return [Refused("not_understood", f"the event {event[:80]!r} is not known")]


def _object(item: Json, drafter: Drafter) -> Reading:
    """The object of the API that a body is: everything that it tells."""
    if is_chat(item):
        return HelpScoutChat(drafter, item).told_by("")
    if text(item, "rating") is not None:
        return [rating_of(drafter, item)]
    status = word(item, "status")
    is_conversation = status is not None and any(key in item for key in ("number", "mailboxId", "mailbox", "subject"))
    if is_conversation and status not in STATUSES:
        return [Refused("not_understood", f"the status {status[:40]!r} is not known")]  # type: ignore[index]  # a word
    if is_conversation:
        return _everything(HelpScoutConversation(drafter, item))
    if at(item, "body") is not None and word(item, "type") is not None:
        return _thread(item, drafter)
    if text(item, "firstName") is not None and status is None:
        return [Ignored("other_subject")]
    raise Malformed("Object contains no conversation - at `$.id`")


def _thread(thread: dict[str, Any], drafter: Drafter) -> Reading:
    """A bare thread: its link says where it belongs."""
    linked = (text(thread, "_links", "conversation", "href") or "").rpartition("/")[2]
    owner = id_text(thread, "conversationId") or linked
    if not owner:
        return [Ignored("conversation_not_said")]
    around = {"id": owner, "customer": table(thread, "customer"), "threads": [thread]}
    return HelpScoutConversation(drafter, around).messages() or [Ignored("nothing_inside")]


def _everything(conversation: HelpScoutConversation) -> Told:
    told: Told = list(conversation.messages())
    if not told:
        told.append(conversation.opening())
    if STATUSES.get(word(conversation.conversation, "status") or "") != "open":
        told.append(conversation.status())
    return told


def _created(conversation: HelpScoutConversation) -> Told:
    told: Told = list(conversation.messages()[:1]) or [conversation.opening()]
    if STATUSES.get(word(conversation.conversation, "status") or "") not in {"open", None}:
        told.append(conversation.status())
    return told


def _newest(*kinds: str) -> Callable[[HelpScoutConversation], Told]:
    """The newest thread of one of these types; the newest of any where there is none."""

    def told(conversation: HelpScoutConversation) -> Told:
        fitting = [thread for thread in conversation.threads if word(thread, "type") in kinds]
        for thread in reversed(fitting or conversation.threads):
            made = conversation.message(thread)
            if made is not None:
                return [made]
        return [Ignored("nothing_inside")]

    return told


def _assigned(conversation: HelpScoutConversation) -> Told:
    return [conversation.changed("assigned", "assigned")]


def _moved(conversation: HelpScoutConversation) -> Told:
    return [conversation.changed("assigned", "moved")]


def _tagged(conversation: HelpScoutConversation) -> Told:
    return [conversation.changed("tagged", "tagged")]


def _status(conversation: HelpScoutConversation) -> Told:
    return [conversation.status()]


def _merged(conversation: HelpScoutConversation) -> Told:
    return list(conversation.merged()) or [Ignored("conversation_not_said")]


def _deleted(conversation: HelpScoutConversation) -> Told:
    event_id = f"conversation:{conversation.id}:deleted"
    moment = instant(conversation.conversation, "deletedAt")
    words = {"status": "deleted", "source_status": "deleted"}
    return [conversation.draft(event_id, "status_changed", moment, Author("system"), **words)]


WITHOUT_EFFECT = {"convo.ai-answers-email.resolution": "without_effect", "convo.custom-fields": "without_effect"}

_HANDLERS: dict[str, Callable[[HelpScoutConversation], Told]] = {
    "convo.agent.reply.created": _newest("message", "reply", "chat", "phone"),
    "convo.ai-answers-email.reply.created": _everything,
    "convo.ai-answers.created": _everything,
    "convo.assigned": _assigned,
    "convo.created": _created,
    "convo.customer.reply.created": _newest("customer", "chat", "beaconchat"),
    "convo.deleted": _deleted,
    "convo.merged": _merged,
    "convo.moved": _moved,
    "convo.note.created": _newest("note"),
    "convo.status": _status,
    "convo.tags": _tagged,
}


HELPSCOUT = ConnectorKind(
    id="helpscout",
    title="Help Scout webhooks",
    normaliser=HelpScoutEvents,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    setup=(
        "Manage > Apps > Webhooks: callback https://<your host>/in/helpscout, payload version V2 (no notification\n"
        "webhook: those carry no body), the conversation events and 'Satisfaction ratings'; the secret is the one\n"
        "that you enter there."
    ),
)
