"""Activities of the Bot Framework, as bots and outgoing webhooks of Teams receive them.

Source: the Bot Framework Activity specification, and the Teams documentation on bot conversations and conversation
events. `teams_words` says who and what, `teams_channel` finds out that a body is an activity.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from schemas.interaction import InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.messengers.teams_words import Person, activity_text, attachments_of
from streams.connectors.payload_reading import (
    Json,
    content_id,
    id_text,
    instant,
    items,
    required,
    table,
    tables,
    text,
    word,
)

WITHOUT_MEANING = {
    "command": "command",
    "commandresult": "command",
    "contactrelationupdate": "without_effect",
    "delay": "without_effect",
    "deleteuserdata": "without_effect",
    "endofconversation": "without_effect",
    "event": "without_effect",
    "handoff": "without_effect",
    "installationupdate": "without_effect",
    "invoke": "command",
    "invokeresponse": "command",
    "suggestion": "without_effect",
    "trace": "without_effect",
    "typing": "typing",
}
"""Documented types of activities that no promise depends on, with the reason that is told."""

_MILLISECONDS = re.compile(r"[0-9]{13}", re.ASCII)
_THREAD = ";messageid="


def read_activity(content: Json, drafter: Drafter) -> Reading:
    """What an activity means.

    Raises:
        Malformed: something is missing without which it means nothing.
    """
    kind = required(word(content, "type"), "$.type")
    if kind == "conversationupdate":
        return [Ignored(_change_of_conversation(content))]
    if kind in WITHOUT_MEANING:
        return [Ignored(WITHOUT_MEANING[kind])]
    handler = _HANDLERS.get(kind)
    if handler is None:
        return [Refused("not_understood", f"the activity type {kind[:80]!r} is not known")]
    return [handler(TeamsActivity(content, drafter))]


class TeamsActivity:
    """One activity about one message, and the canonical event that can be made of it."""

    def __init__(self, content: Json, drafter: Drafter) -> None:
        self.content = _in_protocol_form(content)
        self.id = id_text(self.content, "id")
        self._drafter = drafter

    @property
    def sender(self) -> Person:
        """Whoever did it.

        Raises:
            Malformed: the activity does not say.
        """
        return Person.of_account(table(self.content, "from"), "$.from.id")

    def event(self, event_type: InteractionType, event_id: str | None, about: str | None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An event of the sender in this conversation; `about` is the id of the message that it is about."""
        instance, person = self._drafter.instance, self.sender
        tenant = id_text(self.content, "channelData", "tenant", "id") or id_text(
            self.content, "conversation", "tenantId"
        )
        said: dict[str, Any] = {"raw_reference": self._drafter.reference("message", about)} if about else {}
        return self._drafter.interaction(
            event_id or content_id(self.content),
            event_type,
            self._conversation(about),
            self._occurred_at(event_type),
            person.author(instance, tenant),
            identities=person.identities(instance, tenant),
            automated=person.machine,
            inbox=id_text(self.content, "channelData", "channel", "id"),
            **(said | words),
        )

    def moment(self) -> str:
        """The instant of the activity as it is written, to tell two changes of one message apart."""
        return text(self.content, "timestamp") or text(self.content, "localTimestamp") or content_id(self.content)

    def _conversation(self, about: str | None) -> str:
        """The thread, or the chat. Where only the channel is named, the message itself begins the thread."""
        named = required(id_text(self.content, "conversation", "id"), "$.conversation.id")
        in_channel = word(self.content, "conversation", "conversationType") == "channel"
        if not in_channel or _THREAD in named:
            return named
        first = id_text(self.content, "replyToId") or about
        return f"{named}{_THREAD}{first}" if first else named

    def _occurred_at(self, event_type: InteractionType) -> datetime | None:
        said = instant(self.content, "timestamp") or instant(self.content, "localTimestamp")
        # The id of a message in Teams is the millisecond in which it was written.
        if said is None and event_type == "message" and self.id and _MILLISECONDS.fullmatch(self.id):
            return instant(self.id)
        return said


def _message(activity: TeamsActivity) -> Draft | Ignored:
    said, attached = activity_text(activity.content), attachments_of(activity.content)
    if said is None and not attached and activity.content.get("value") is not None:
        return Ignored("command")  # a button of a bot's card was pressed: a bot is asked, and nothing is written
    return activity.event("message", activity.id, activity.id, text=said, attachments=attached)


def _edited(activity: TeamsActivity) -> Draft:
    what = word(activity.content, "channelData", "eventType")
    if what == "softdeletemessage":
        return _deleted(activity)
    if what == "undeletemessage":
        return activity.event("message", activity.id, activity.id, text=activity_text(activity.content), version=2)
    event_id = f"{activity.id}:edited:{activity.moment()}" if activity.id else None
    return activity.event("edited", event_id, activity.id, text=activity_text(activity.content))


def _deleted(activity: TeamsActivity) -> Draft:
    # The id of its message in a higher version: it takes that away, and not the conversation.
    return activity.event("deleted", required(activity.id, "$.id"), activity.id, version=1)


def _reaction(activity: TeamsActivity) -> Draft | Ignored:
    if not items(activity.content, "reactionsAdded"):
        return Ignored("reaction_removed")
    said = next((text(each, "type") for each in tables(activity.content, "reactionsAdded")), None)
    # Its activity often has the id of the message that is reacted to.
    about = id_text(activity.content, "replyToId") or activity.id
    event_id = f"{about}:reaction:{activity.sender.id}:{activity.moment()}" if about else None
    return activity.event("reaction", event_id, about, text=said)


_HANDLERS: dict[str, Callable[[TeamsActivity], Draft | Ignored]] = {
    "message": _message,
    "messagedelete": _deleted,
    "messagereaction": _reaction,
    "messageupdate": _edited,
}


def _change_of_conversation(content: Json) -> str:
    came_or_left = items(content, "membersAdded") or items(content, "membersRemoved")
    return "participant_changed" if came_or_left else "other_subject"


def _in_protocol_form(content: Json) -> Json:
    """The activity as the protocol has it; the Node SDK of version 3 hands it on with its ends under `address`."""
    address = table(content, "address")
    if not address:
        return content
    ends = {"id": address.get("id"), "from": address.get("user"), "recipient": address.get("bot")}
    return {**ends, "conversation": address.get("conversation"), **content}
