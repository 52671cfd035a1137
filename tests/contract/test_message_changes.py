"""What becomes of a message is told alike by all: an edit stands beside it, a deletion takes away it alone."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from agents.domain.entries import entry_of, new_conversation
from agents.domain.narration import Silence
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import Timeline
from schemas.interaction import Interaction
from tests.payload_readings import KINDS, PayloadReader, reading_of
from tests.senders.chat_helpdesk_senders import CHATWOOT_MESSAGE
from tests.senders.messengers_senders import discord_dispatch, discord_message, slack_event, slack_message
from tests.senders.social_senders import direct, line_event, messenger, whatsapp, whatsapp_message
from tests.senders.teams_senders import activity


@dataclass(frozen=True)
class Changes:
    """One message, and the payloads that tell what became of it."""

    connector: str
    message: Any
    edit: Any = None
    deletion: Any = None
    reaction: Any = None


def slack_change(subtype: str, **fields: Any) -> dict[str, Any]:
    return slack_event(
        {"type": "message", "subtype": subtype, "channel": "C1", "event_ts": "1772443900.000100", **fields}
    )


def freshdesk(event: str) -> dict[str, Any]:
    reply = {"id": 9, "ticket_id": 11, "incoming": True, "user_id": 4, "body_text": "It is broken", "private": False}
    times = {"created_at": "2026-03-02T09:29:00Z", "updated_at": "2026-03-02T09:29:58Z"}
    return {"event": event, "data": {"conversation": reply | times}}


def twilio(event: str) -> bytes:
    said = {"EventType": event, "ConversationSid": "CH1", "MessageSid": "IM1", "Author": "+14155550100", "Body": "Hi"}
    times = {f"Date{name}": "2026-03-02T09:29:58Z" for name in ("Created", "Updated", "Removed")}
    return urlencode(said | times).encode()


def feed(verb: str) -> dict[str, Any]:
    value = {
        "item": "comment",
        "verb": verb,
        "comment_id": "7_8",
        "post_id": "900_7",
        "from": {"id": "42"},
        "message": "Hi",
    }
    return messenger(changes=[{"field": "feed", "value": value | {"created_time": 1772443790}}])


CHATWOOT_GONE = CHATWOOT_MESSAGE | {"event": "message_updated", "content_attributes": {"deleted": True}}
IN_CHANNEL = {"id": "334385199974967042", "message_id": "334385199974967042", "channel_id": "500", "user_id": "53"}
ABOUT = {"edit": {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "Hello"}}}}

MESSAGES = [
    Changes("chatwoot", CHATWOOT_MESSAGE, CHATWOOT_MESSAGE | {"event": "message_updated"}, CHATWOOT_GONE),
    Changes("freshdesk", *(freshdesk(f"onConversation{what}") for what in ("Create", "Update", "Delete"))),
    Changes(
        "discord",
        discord_message(),
        discord_dispatch("MESSAGE_UPDATE", discord_message(edited_timestamp="2026-03-02T09:29:59+00:00")),
        discord_dispatch("MESSAGE_DELETE", IN_CHANNEL),
        discord_dispatch("MESSAGE_REACTION_ADD", IN_CHANNEL | {"emoji": {"name": "x"}}),
    ),
    Changes(
        "slack",
        slack_event(slack_message()),
        slack_change("message_changed", message=slack_message(text="new"), previous_message=slack_message()),
        slack_change("message_deleted", deleted_ts="1772443798.000100", previous_message=slack_message()),
        slack_event(
            {
                "type": "reaction_added",
                "user": "U-ASKS",
                "reaction": "tada",
                "item": {"type": "message", "channel": "C1", "ts": "1772443798.000100"},
            }
        ),
    ),
    Changes(
        "teams",
        activity(),
        activity("messageUpdate"),
        activity("messageDelete"),
        activity("messageReaction", reactionsAdded=[{"type": "like"}], replyToId="1772443790000"),
    ),
    Changes("twilio", *(twilio(f"onMessage{what}") for what in ("Added", "Updated", "Removed"))),
    Changes(
        "line",
        line_event("message", message={"id": "3", "type": "text", "text": "Hi"}),
        line_event("messageEdited", message={"id": "3", "type": "text", "text": "Ho"}),
        line_event("unsend", unsend={"messageId": "3"}),
    ),
    Changes(
        "whatsapp",
        whatsapp(messages=[whatsapp_message()]),
        whatsapp(messages=[whatsapp_message(id="wamid.2", type="edit", **ABOUT)]),
        whatsapp(messages=[whatsapp_message(id="wamid.3", type="revoke", revoke={"original_message_id": "wamid.1"})]),
        whatsapp(
            messages=[whatsapp_message(id="wamid.4", type="reaction", reaction={"message_id": "wamid.1", "emoji": "x"})]
        ),
    ),
    Changes(
        "messenger",
        messenger(direct(message={"mid": "m_1", "text": "Hi"})),
        messenger(direct(message_edit={"mid": "m_1", "text": "Ho", "num_edit": 1})),
        messenger(direct(message={"mid": "m_1", "is_deleted": True})),
        messenger(direct(reaction={"mid": "m_1", "action": "react", "emoji": "x"})),
    ),
    Changes("instagram", feed("add"), feed("edited"), feed("remove")),
]

each = pytest.mark.parametrize("changes", MESSAGES, ids=lambda changes: changes.connector)


def only(changes: Changes, payload: Any) -> Interaction:
    (event,) = PayloadReader(KINDS[changes.connector]).interactions(payload)
    return event


@each
def test_an_edit_and_a_reaction_stand_beside_their_message(changes: Changes) -> None:
    message = only(changes, changes.message)
    assert (message.type, message.version) == ("message", 0)
    for kind, payload in (("edited", changes.edit), ("reaction", changes.reaction)):
        if payload is None:
            continue
        event = only(changes, payload)
        assert (event.type, event.conversation_id) == (kind, message.conversation_id)
        assert event.raw_reference == message.raw_reference
        assert event.id.startswith(f"{message.id}:")


@each
def test_a_deletion_takes_away_its_message_and_nothing_else(changes: Changes) -> None:
    message, gone = only(changes, changes.message), only(changes, changes.deletion)
    assert (gone.type, gone.id, gone.conversation_id) == ("deleted", message.id, message.conversation_id)
    assert (gone.version, gone.raw_reference) == (1, message.raw_reference)


@each
def test_what_the_agents_make_of_it(changes: Changes) -> None:
    """Whichever comes first: the conversation stays, and has no message any more that could be waited for."""
    message, gone = only(changes, changes.message), only(changes, changes.deletion)
    for order in ((message, gone), (gone, message), (message, gone, message)):
        book = PolicyBook()
        timeline = Timeline(book, Silence(book))
        state = new_conversation(order[0])
        for event in order:
            timeline.take(state, event, entry_of(event))
            state = timeline.state
        assert [entry.type for entry in state.entries] == ["edited"]
        assert state.status != "deleted"
        assert state.asked_at is None


@each
def test_what_is_read_again_is_the_same(changes: Changes) -> None:
    for payload in (changes.message, changes.edit, changes.deletion, changes.reaction):
        if payload is not None:
            assert reading_of(changes.connector, payload) == reading_of(changes.connector, payload)
