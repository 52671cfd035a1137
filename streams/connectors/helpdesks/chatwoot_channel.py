"""Chatwoot (id `chatwoot`): account, inbox, automation and agent bot webhooks.

`chatwoot_conversation` makes the canonical events. Newer Chatwoots sign (`X-Chatwoot-Signature` over
`timestamp.body`); older ones cannot, and there a token in the address (`?token=`) or in an `Authorization` header that
a proxy sets proves the sender.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verifier,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.chatwoot_conversation import ChatwootConversation
from streams.connectors.helpdesks.chatwoot_payload import STATUSES, conversation_id, message_type, status_word
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    number,
    read_each,
    read_json,
    read_one,
    table,
    tables,
    word,
)
from streams.connectors.shared_secrets import signed_or_shown
from streams.connectors.signatures import raw_text


def _signed(request: WebhookRequest, timestamp: str) -> bytes:
    return raw_text(timestamp) + b"." + request.body


SIGNATURE = HmacScheme(
    header="x-chatwoot-signature", prefix="sha256=", timestamp_header="x-chatwoot-timestamp", signed=_signed
)

AUTOMATION = ("automation_event.", "macro_event.")
"""Before the events that rules and macros send; what follows carries a conversation, whatever it is about."""

Handler = Callable[["ChatwootEvents", Json, Drafter], Reading]


class ChatwootEvents:
    """Reads webhook events, and the messages and conversations of Chatwoot's API."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event as what it means."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "chat")
        return read_one(payload, lambda event: self._event(event, drafter))

    def _event(self, payload: Json, drafter: Drafter) -> Reading:
        event = word(payload, "event")
        if event is None:
            return self._object(payload, drafter)
        for before in AUTOMATION:
            if event.startswith(before):
                return self.conversation_created(payload, drafter)
        event = event.replace(".", "_")  # as Chatwoot says it over its websocket
        if event in WITHOUT_EFFECT:
            return [Ignored(WITHOUT_EFFECT[event])]
        handler = _HANDLERS.get(event)
        if handler is None:
            return [Refused("not_understood", f"the event {event[:80]!r} is not known")]
        return handler(self, _unwrapped(event, payload), drafter)

    def _object(self, payload: Json, drafter: Drafter) -> Reading:
        listed = [*tables(payload, "payload"), *tables(payload, "data", "payload")]
        return read_each(listed, lambda each: self._bare(each, drafter)) if listed else self._bare(payload, drafter)

    def _bare(self, payload: Json, drafter: Drafter) -> Reading:
        if message_type(payload) is not None:
            return self.message_created(payload, drafter)
        if conversation_id(payload) and status_word(payload) in STATUSES:
            return self.conversation_created(payload, drafter)
        raise Malformed("Object contains no event - at `$.event`")

    # messages

    def message_created(self, payload: Json, drafter: Drafter) -> Reading:
        """A message; where the payload is a conversation instead, that."""
        if message_type(payload) is None and (at(payload, "meta") or at(payload, "messages")):
            return self.conversation_created(payload, drafter)
        made = ChatwootConversation.around(drafter, payload).message(payload)
        return [made if made is not None else Ignored("line_of_the_provider")]

    def message_updated(self, payload: Json, drafter: Drafter) -> Reading:
        """A message that was rated, taken away or changed. Receipts look the same: an edit moves no promise."""
        conversation = ChatwootConversation.around(drafter, payload)
        answer = at(payload, "content_attributes", "submitted_values", "csat_survey_response")
        rating = number(answer, "rating")
        if rating is not None:
            return [conversation.rating(payload, answer, rating)]
        made = conversation.changed_message(payload)
        return [made if made is not None else Ignored("line_of_the_provider")]

    # conversations

    def conversation_created(self, payload: Json, drafter: Drafter) -> Reading:
        """A conversation with its newest message, and its status unless it is simply open."""
        conversation = ChatwootConversation(drafter, table(payload), "$.id")
        told = [made for each in tables(payload, "messages") if (made := conversation.message(each)) is not None]
        return told if told and status_word(payload) == "open" else [*told, conversation.status()]

    def conversation_status_changed(self, payload: Json, drafter: Drafter) -> Reading:
        """The status as it is now."""
        return [ChatwootConversation(drafter, table(payload), "$.id").status()]

    def conversation_updated(self, payload: Json, drafter: Drafter) -> Reading:
        """What `changed_attributes` names, as far as it means something."""
        conversation = ChatwootConversation(drafter, table(payload), "$.id")
        changed = {key for each in tables(payload, "changed_attributes") for key in each}
        changed |= set(table(payload, "changed_attributes"))
        told = [conversation.changed(kind, kind) for kind, attributes in CHANGES.items() if changed & attributes]
        if "status" in changed:
            told.append(conversation.status())
        return told or [Ignored("without_effect")]


def _unwrapped(event: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The message or conversation of an event: it is the payload, and relays put it under its name or as `data`."""
    inner = table(payload, "message" if event.startswith("message") else "conversation") or table(payload, "data")
    wrapped = bool(inner) and (event.startswith("message") or "status" not in payload)
    return payload | inner if wrapped else payload


CHANGES: dict[str, frozenset[str]] = {
    "assigned": frozenset({"assignee_id", "team_id", "assignee_agent_bot_id"}),
    "priority_changed": frozenset({"priority"}),
    "tagged": frozenset({"label_list", "cached_label_list"}),
}

WITHOUT_EFFECT = {
    "contact_created": "other_subject",
    "contact_updated": "other_subject",
    "conversation_typing_off": "typing",
    "conversation_typing_on": "typing",
    "inbox_created": "other_subject",
    "inbox_updated": "other_subject",
    "webwidget_triggered": "without_effect",
}

_HANDLERS: dict[str, Handler] = {
    "conversation_created": ChatwootEvents.conversation_created,
    "conversation_opened": ChatwootEvents.conversation_status_changed,
    "conversation_resolved": ChatwootEvents.conversation_status_changed,
    "conversation_status_changed": ChatwootEvents.conversation_status_changed,
    "conversation_updated": ChatwootEvents.conversation_updated,
    "message_created": ChatwootEvents.message_created,
    "message_incoming": ChatwootEvents.message_created,
    "message_outgoing": ChatwootEvents.message_created,
    "message_updated": ChatwootEvents.message_updated,
}


def _verifier(instance: Instance) -> Verifier:
    return signed_or_shown(instance, partial(HmacVerifier, SIGNATURE), SIGNATURE.header, query="token")


CHATWOOT = ConnectorKind(
    id="chatwoot",
    title="Chatwoot webhooks",
    normaliser=ChatwootEvents,
    verifier=_verifier,
    setup=(
        "Settings > Integrations > Webhooks: https://<your host>/in/chatwoot, events conversation_* and message_*;\n"
        "copy the secret of the webhook. A Chatwoot without secrets: put a token of your own under `tokens:` and\n"
        "write https://<your host>/in/chatwoot?token=<it>. One instance per Chatwoot account."
    ),
)
