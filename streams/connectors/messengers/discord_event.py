"""One event of Discord as canonical interactions: messages, edits, deletions, reactions, threads, commands and forms.

A conversation is a channel: a thread or a forum post, which is a channel of its own, a direct message, or a whole text
channel. Replies inside a text channel (`message_reference`) do not part it into conversations: an event names at most
the message before it, never the first of the chain, an answer without a reply would belong nowhere, and deletions and
reactions name the channel alone. Who wants a conversation for each question lets people ask in threads or forums. The
message that a thread was started from was written outside; Discord repeats it inside, and there it is read.

An agent is who is listed in `own_ids`, by user or by role. Discord itself never says who works for whom.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from schemas.interaction import Author
from streams.connectors.connector_contract import Draft, Ignored, Instance, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.message_content import attachments_of
from streams.connectors.messengers.discord_payload import (
    AUTOCOMPLETE,
    CHAT_INPUT,
    COME_AND_GO,
    COMMAND,
    COMPONENT,
    CROSSPOST,
    LINES_OF_DISCORD,
    MODAL,
    OTHER_SUBJECTS,
    PING,
    THREAD_STARTER,
    UNSAID,
    WRITTEN_BY_SOMEBODY,
    Told,
    filled_form,
    flags_of,
    forwarded_in,
    snowflake_time,
    type_of,
    typed_command,
)
from streams.connectors.payload_reading import Json, flag, id_text, instant, items, required, table, text

Meaning = Draft | Ignored | Refused


class DiscordEvent:
    """One event and the canonical interactions that can be made of it. All methods may raise `Malformed`."""

    def __init__(self, instance: Instance, drafter: Drafter, told: Told) -> None:
        self._instance = instance
        self._drafter = drafter
        self._told = told
        self._data = told.data

    def meanings(self) -> list[Meaning]:
        """What it means: one thing, or one for each message that was deleted together with others."""
        name = self._told.name
        if name == "MESSAGE_DELETE_BULK":
            ids = [found for each in items(self._data, "ids") if (found := id_text(each)) is not None]
            return [self._deleted_message(each) for each in ids] or [Ignored("without_effect")]
        handler = _HANDLERS.get(name)
        if handler is not None:
            return [handler(self)]
        ignored = next((reason for begin, reason in UNSAID.items() if name.startswith(begin)), None)
        if ignored is not None:
            return [Ignored(ignored)]
        if name.partition("_")[0] in OTHER_SUBJECTS:
            return [Ignored("without_effect")]
        return [Refused("not_understood", f"the event {name[:80]!r} is not known")]

    def message(self) -> Meaning:
        """Somebody wrote."""
        kind = type_of(self._data)
        if kind == THREAD_STARTER:
            starter = table(self._data, "referenced_message")
            return self._written(starter, ".referenced_message") if starter else Ignored("line_of_the_provider")
        if kind in WRITTEN_BY_SOMEBODY:
            return self._written(self._data)
        if kind in LINES_OF_DISCORD:
            return Ignored("participant_changed" if kind in COME_AND_GO else "line_of_the_provider")
        return Refused("not_understood", f"the message type {kind} is not known")

    def message_of_a_game(self) -> Meaning:
        """Somebody wrote in a lobby or a game: its players need not be Discord's users, and Discord may not say who."""
        return self.message() if table(self._data, "author") else Ignored("author_not_said")

    def edited(self) -> Meaning:
        """A message was changed by its author; Discord's own additions, like a link's preview, are no edit."""
        edited_at = instant(self._data, "edited_timestamp")
        if edited_at is None:
            return Ignored("unchanged")
        if type_of(self._data) in LINES_OF_DISCORD:
            return Ignored("line_of_the_provider")
        if not table(self._data, "author"):
            return Ignored("author_not_said")  # a partial update
        return self._written(self._data, edited_at=edited_at)

    def deleted(self) -> Meaning:
        """A message was deleted. Discord may say whose it was, and does not say by whom."""
        return self._deleted_message(self._required_id(self._data, "id"))

    def reaction(self) -> Meaning:
        """Somebody set a reaction."""
        message = self._required_id(self._data, "message_id")
        emoji = text(self._data, "emoji", "name") or id_text(self._data, "emoji", "id") or text(self._data, "emoji")
        member = table(self._data, "member")
        person = self._required_id(self._data, "user_id")
        author = self._author({**table(member, "user"), "id": person}, member)
        return self._drafter.reacted(
            message,
            f"{emoji}:{person}",
            self._conversation(self._data),
            self._told.at,
            author,
            identities=self._identities(self._data, author),
            text=emoji,
        )

    def thread_opened(self) -> Meaning:
        """A thread or forum post was opened, or we were let into one."""
        thread = self._required_id(self._data, "id")
        began = instant(self._data, "thread_metadata", "create_timestamp") or snowflake_time(thread)
        owner = id_text(self._data, "owner_id")
        return self._of_thread(thread, f"{thread}:opened", began, owner, type="status_changed", status="new")

    def thread_changed(self) -> Meaning:
        """A thread was locked: somebody has ended it. That it is archived alone says only that nobody wrote."""
        if flag(self._data, "thread_metadata", "locked") is not True:
            return Ignored("without_effect")
        thread = self._required_id(self._data, "id")
        at = instant(self._data, "thread_metadata", "archive_timestamp")
        said = text(self._data, "thread_metadata", "archive_timestamp") or ""
        return self._of_thread(thread, f"{thread}:locked:{said}", at, None, type="status_changed", status="closed")

    def thread_deleted(self) -> Meaning:
        """A thread is gone with everything in it."""
        thread = self._required_id(self._data, "id")
        words = {"type": "status_changed", "status": "deleted", "source_status": "deleted"}
        return self._of_thread(thread, f"{thread}:deleted", None, None, **words)

    def interaction(self) -> Meaning:
        """A command that was typed or a form that was filled in is a message to whoever runs the app."""
        kind = type_of(self._data)
        if kind == COMMAND:
            if type_of(table(self._data, "data"), CHAT_INPUT) != CHAT_INPUT:
                return Ignored("command")
            said = typed_command(self._data)
            return Ignored("command") if said is None else self._entered(said)
        if kind == MODAL:
            return self._entered(filled_form(self._data))
        ignored = {PING: "connection", COMPONENT: "command", AUTOCOMPLETE: "command"}.get(kind)
        if ignored is None:
            return Refused("not_understood", f"the interaction type {kind} is not known")
        return Ignored(ignored)

    def _entered(self, said: str | None) -> Draft:
        member = table(self._data, "member")
        user = table(member, "user") or table(self._data, "user")
        entered = self._required_id(self._data, "id")
        author = self._author(user, member, place=".member.user" if member else ".user")
        return self._drafter.interaction(
            entered,
            "message",
            self._conversation(self._data),
            snowflake_time(entered),
            author,
            identities=self._identities(self._data, author),
            text=said,
        )

    def _written(
        self,
        message: Json,
        inside: str = "",
        *,
        edited_at: datetime | None = None,
    ) -> Draft:
        message_id, passed_on = self._required_id(message, "id", inside), forwarded_in(message)
        author = self._author(table(message, "author"), table(message, "member"), message, place=f"{inside}.author")
        said: dict[str, Any] = {
            "identities": self._identities(self._data, author),
            "automated": _automated_by(message, author),
            "text": text(message, "content") or text(passed_on, "content"),
            "attachments": attachments_of(message, "attachments") or attachments_of(passed_on, "attachments"),
        }
        place = self._conversation(self._data)
        if edited_at is not None:
            mark = text(message, "edited_timestamp") or ""
            return self._drafter.edited(message_id, mark, place, edited_at, author, **said)
        written_at = instant(message, "timestamp") or snowflake_time(message_id) or self._told.at
        return self._drafter.interaction(message_id, "message", place, written_at, author, **said)

    def _deleted_message(self, message: str) -> Draft:
        user = table(self._data, "author")
        author = self._author(user, {}, self._data, ".author") if user else Author("system")
        return self._drafter.deleted(
            message,
            self._conversation(self._data),
            self._told.at,
            author,
            identities=self._identities(self._data, author),
        )

    def _of_thread(self, thread: str, event_id: str, at: datetime | None, owner: str | None, **words: str) -> Draft:
        author = self._drafter.author("customer", owner) if owner else Author("system")
        tags = tuple(found for each in items(self._data, "applied_tags") if (found := id_text(each)) is not None)
        return self._drafter.interaction(
            event_id,
            conversation=thread,
            occurred_at=at,
            author=author,
            identities=self._identities(self._data, author),
            inbox=id_text(self._data, "parent_id"),
            tags=tags,
            **words,  # type: ignore[arg-type]  # contract fields
        )

    def _conversation(self, of: Json) -> str:
        found = id_text(of, "lobby_id") or id_text(of, "channel_id") or id_text(of, "channel", "id")
        return required(found, f"{self._told.place}.channel_id")

    def _required_id(self, of: Json, key: str, inside: str = "") -> str:
        return required(id_text(of, key), f"{self._told.place}{inside}.{key}")

    def _author(self, user: Json, member: Json, message: Json | None = None, place: str = ".user_id") -> Author:
        person = required(id_text(user, "id"), f"{self._told.place}{place}.id")
        if flag(user, "system") and not id_text(message, "webhook_id"):
            return Author("system", person)
        if flag(user, "bot") or id_text(message, "webhook_id"):
            return Author("bot", person)
        roles = [found for each in items(member, "roles") if (found := id_text(each)) is not None]
        return self._drafter.author("customer", person, *roles)

    def _identities(self, of: Json, author: Author) -> tuple[str, ...]:
        """The server, unless it is our own, where everybody is; then the person."""
        guild = id_text(of, "guild_id") or id_text(of, "guild", "id")
        server = f"discord_guild:{guild}" if guild and not self._instance.is_own_id(guild) else None
        person = f"discord_user:{author.id}" if author.kind == "customer" else None
        return tuple(identity for identity in (server, person) if identity)


def _automated_by(message: Json, author: Author) -> str | None:
    """Why a message counts as a machine's; null when a person wrote it here."""
    if author.kind not in {"agent", "customer"}:
        return author.kind
    return "crosspost" if flags_of(message) & CROSSPOST else None


_HANDLERS: dict[str, Callable[[DiscordEvent], Meaning]] = {
    "MESSAGE_CREATE": DiscordEvent.message,
    "MESSAGE_UPDATE": DiscordEvent.edited,
    "MESSAGE_DELETE": DiscordEvent.deleted,
    "MESSAGE_REACTION_ADD": DiscordEvent.reaction,
    "LOBBY_MESSAGE_CREATE": DiscordEvent.message_of_a_game,
    "LOBBY_MESSAGE_UPDATE": DiscordEvent.edited,
    "LOBBY_MESSAGE_DELETE": DiscordEvent.deleted,
    "GAME_DIRECT_MESSAGE_CREATE": DiscordEvent.message_of_a_game,
    "GAME_DIRECT_MESSAGE_UPDATE": DiscordEvent.edited,
    "GAME_DIRECT_MESSAGE_DELETE": DiscordEvent.deleted,
    "THREAD_CREATE": DiscordEvent.thread_opened,
    "THREAD_UPDATE": DiscordEvent.thread_changed,
    "THREAD_DELETE": DiscordEvent.thread_deleted,
    "INTERACTION_CREATE": DiscordEvent.interaction,
}
