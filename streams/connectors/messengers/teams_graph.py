"""Microsoft Graph: change notifications for chat messages, and the chat messages themselves.

Source: Microsoft Graph documentation, "Change notifications for Microsoft Teams resources", "Reduce missing change
notifications" and the resource types `changeNotification` and `chatMessage`. `teams_words` says who and what,
`teams_channel` finds out what a body is.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from schemas.interaction import InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.messengers.teams_words import Person, attachments_of, message_text
from streams.connectors.payload_reading import Json, id_text, instant, required, table, tables, text, word

LIFECYCLE = {
    "missed": "events_lost",
    "reauthorizationrequired": "subscription_ends",
    "subscriptionremoved": "subscription_ends",
}
"""What Graph says about the subscription itself, with the reason that is told."""
CHANGES = frozenset({"created", "updated", "deleted"})
NOT_WRITTEN = frozenset({"chatevent", "systemeventmessage", "typing", "unknownfuturevalue"})
"""Kinds of chat messages that nobody wrote: members come and go, calls begin and end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands, as a path of Graph says it: `teams('T')/channels('C')/messages('M')/replies('R')`."""

    channel: str | None = None
    chat: str | None = None
    thread: str | None = None
    message: str | None = None

    @property
    def of_messages(self) -> bool:
        """Whether it leads to messages at all."""
        return self.message is not None


def place_of(path: str | None) -> Place:
    """Takes apart a resource, an `@odata.id` or an `@odata.context`, with keys in brackets or between slashes."""
    parts = (path or "").rpartition("#")[2].replace("('", "/").replace("')", "").strip("/").split("/")
    # `$entity` stands where a context does not say which one.
    keys = {name.lower(): unquote(key) for name, key in pairwise(parts) if not key.startswith("$")}
    in_thread = "replies" in parts
    message = keys.get("replies") or keys.get("messages")
    return Place(keys.get("channels"), keys.get("chats"), keys.get("messages") if in_thread else None, message)


def read_notification(item: Json, drafter: Drafter) -> Reading:
    """What one notification of a batch means.

    Raises:
        Malformed: something is missing without which it means nothing.
    """
    lifecycle = word(item, "lifecycleEvent")
    if lifecycle is not None:
        reason = LIFECYCLE.get(lifecycle)
        unknown = Refused("not_understood", f"the lifecycle event {lifecycle[:80]!r} is not known")
        return [Ignored(reason) if reason else unknown]
    change = required(word(item, "changeType"), "$.changeType")
    if change not in CHANGES:
        return [Refused("not_understood", f"the change type {change[:80]!r} is not known")]
    if (without_message := reason_without_message(item)) is not None:
        return [Ignored(without_message)]
    data = table(item, "resourceData")
    return [ChatMessage(data, drafter, _place_in(item), id_text(item, "tenantId")).after(change)]


def reason_without_message(item: Json) -> str | None:
    """Why no message stands in a change notification (`needs_fetch`: it points to one); null when one does."""
    data = table(item, "resourceData")
    kind = word(data, "@odata.type")
    if not (kind.endswith("chatmessage") if kind else _place_in(item).of_messages):
        return "other_subject"
    if table(item, "encryptedContent"):
        return "encrypted"
    return None if is_chat_message(data) else "needs_fetch"


def _place_in(item: Json) -> Place:
    return place_of(text(item, "resource") or text(item, "resourceData", "@odata.id"))


def is_chat_message(content: Json) -> bool:
    """Whether an object has what a chat message is made of, and is no mere reference to one."""
    found = table(content)
    return "messageType" in found or ("createdDateTime" in found and ("body" in found or "from" in found))


def read_chat_message(content: Json, drafter: Drafter, context: str | None = None) -> Reading:
    """What a chat message means that was read by itself or in a list; `context` is the list's `@odata.context`.

    Raises:
        Malformed: something is missing without which it means nothing.
    """
    place = place_of(text(content, "@odata.context") or context)
    return [ChatMessage(content, drafter, place, None).after("created")]


class ChatMessage:
    """One chat message, and the canonical event that a change of it means."""

    def __init__(self, content: Json, drafter: Drafter, place: Place, tenant: str | None) -> None:
        """`place` and `tenant` are what is known from outside; the message's own words come first."""
        self._content = content
        self._drafter = drafter
        self._place = place
        self._link = text(content, "webUrl") or ""
        self._tenant = tenant or _tenant_in(self._link)

    def after(self, change: str) -> Draft | Ignored | Refused:
        """The event of a change: `created`, `updated` or `deleted`."""
        content = self._content
        kind = word(content, "messageType") or "message"
        if kind in NOT_WRITTEN or table(content, "eventDetail"):
            return Ignored("line_of_the_provider")
        if kind != "message":
            return Refused("not_understood", f"the message type {kind[:80]!r} is not known")
        deleted_at = instant(content, "deletedDateTime")
        if change == "deleted" or deleted_at is not None:
            return self._event("deleted", self._id(), deleted_at, version=1)
        return self._updated() if change == "updated" else self._message()

    def _message(self) -> Draft:
        return self._event(
            "message",
            self._id(),
            instant(self._content, "createdDateTime"),
            text=message_text(self._content),
            attachments=attachments_of(self._content),
        )

    def _updated(self) -> Draft | Ignored:
        """An edit, or a reaction: Graph tells both as an update, and the later of the two is what happened."""
        edited_at = instant(self._content, "lastEditedDateTime")
        reacted = [
            (at, each) for each in tables(self._content, "reactions") if (at := instant(each, "createdDateTime"))
        ]
        reacted_at, reaction = max(reacted, key=lambda pair: pair[0], default=(None, None))
        if reacted_at is not None and (edited_at is None or reacted_at > edited_at):
            person = Person.of_identities(table(reaction, "user"), "$.reactions.user.user.id")
            event_id = f"{self._id()}:reaction:{person.id}:{reacted_at.isoformat()}"
            return self._event("reaction", event_id, reacted_at, person, text=text(reaction, "reactionType"))
        if edited_at is None:
            return Ignored("without_effect")
        event_id = f"{self._id()}:edited:{edited_at.isoformat()}"
        return self._event("edited", event_id, edited_at, text=message_text(self._content))

    def _event(
        self,
        event_type: InteractionType,
        event_id: str,
        at: datetime | None,
        person: Person | None = None,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        instance = self._drafter.instance
        who = person or Person.of_identities(table(self._content, "from"), "$.from.user.id")
        return self._drafter.interaction(
            event_id,
            event_type,
            self._conversation(),
            at,
            who.author(instance, self._tenant),
            identities=who.identities(instance, self._tenant),
            automated=who.machine,
            inbox=self._channel(),
            raw_reference=f"teams:message:{self._id()}",
            **words,
        )

    def _id(self) -> str:
        return required(id_text(self._content, "id") or self._place.message, "$.id")

    def _channel(self) -> str | None:
        named = id_text(self._content, "channelIdentity", "channelId") or self._place.channel
        return named or (None if id_text(self._content, "chatId") else _channel_in(self._link))

    def _conversation(self) -> str:
        """A chat, or a thread in a channel, in the words in which bots hear of it."""
        chat = id_text(self._content, "chatId") or self._place.chat
        if chat is not None:
            return chat
        channel = required(self._channel(), "$.chatId")
        first = id_text(self._content, "replyToId") or self._place.thread or self._id()
        return f"{channel};messageid={first}"


def _channel_in(link: str) -> str | None:
    """The channel in a link to a message: `https://teams.microsoft.com/l/message/<channel>/<message>?...`."""
    _, _, path = link.partition("/l/message/")
    return unquote(path.partition("/")[0]) or None


def _tenant_in(link: str) -> str | None:
    try:
        return parse_qs(urlsplit(link).query).get("tenantId", [None])[0]
    except ValueError:  # a link that is none
        return None
