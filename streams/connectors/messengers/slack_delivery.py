"""One event of Slack with the envelope that it came in: whose workspace it is, who wrote, in which conversation.

A conversation is a thread: `<team>:<channel>:<ts of its first message>`, and a message outside of threads begins one.
The team is the app's own, which is the same whoever writes: the envelope's `team_id` may be that of the author in a
channel shared through Slack Connect. A message is `<team>:<channel>:<ts>`, however often and as whatever event it is
told. An event without an envelope does not say whose app heard it, so there the team is left out.

Who is ours: with `own_ids` whoever is listed there, by person, bot or team. Without, Slack's word where it has one: in
a channel shared with others, our own team's people are agents. In a channel of one workspace everybody is of the same
team, which says nothing, so authors are customers there.

`slack_channel` makes canonical events with it.
"""

from datetime import datetime

from schemas.interaction import Author
from streams.connectors.connector_contract import Instance
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    flag,
    id_text,
    instant,
    required,
    table,
    tables,
    text,
)

SLACKBOT = "USLACKBOT"


class SlackDelivery:
    """An event in its envelope; the envelope of a bare event is empty."""

    def __init__(self, instance: Instance, envelope: Json, event: Json) -> None:
        self.event = event
        self.event_id = id_text(envelope, "event_id")
        self.place = "$.event" if "event" in envelope else "$"
        self._own_ids = instance.own_ids
        self._instance = instance
        self._said_team = id_text(envelope, "team_id")
        self._shared = flag(envelope, "is_ext_shared_channel") is True
        authorised = next(tables(envelope, "authorizations"), {})
        self._own_team = id_text(envelope, "context_team_id") or id_text(authorised, "team_id") or self._said_team

    def channel(self, of: Json | None = None) -> str:
        """The channel of the event, or of the thing that it is about.

        Raises:
            Malformed: there is none.
        """
        found = id_text(self.event if of is None else of, "channel")
        return required(found, f"{self.place}.channel" if of is None else f"{self.place}.item.channel")

    def message_id(self, channel: str, ts: str) -> str:
        """The identity of a message; of the first one of a thread it is that of the conversation."""
        return ":".join(part for part in (self._own_team, channel, ts) if part)

    def ts(self, *path: str) -> str:
        """The text that is a message's time and, in its channel, its id.

        Raises:
            Malformed: it is missing, or no time.
        """
        place = ".".join((self.place, *path))
        found = required(id_text(self.event, *path), place)
        if instant(found) is None:
            raise Malformed(f"Expected a time in seconds - at `{place}`")
        return found

    def moment(self, *path: str) -> datetime | None:
        """The instant at a path of the event."""
        return instant(self.event, *path)

    def author(self, message: Json, place: str | None = None) -> Author:
        """Who wrote a message or set a reaction.

        Raises:
            Malformed: nobody is named.
        """
        if automated_by(message) is not None:
            return Author("bot", id_text(message, "bot_id") or id_text(message, "user") or id_text(message, "app_id"))
        person = required(_person_of(message), f"{place or self.place}.user")
        return Author("agent" if self._is_ours(message) else "customer", person)

    def identities(self, message: Json) -> tuple[str, ...]:
        """Where its author belongs, unless that is us."""
        if self._is_ours(message):
            return ()
        team, person = self._team_of(message), _person_of(message)
        found = (team and f"slack_team:{team}", person and person != SLACKBOT and f"slack_user:{person}")
        return tuple(identity for identity in found if identity)

    def _is_ours(self, message: Json) -> bool:
        team = self._team_of(message)
        if self._own_ids:
            return self._instance.is_own_id(team, _person_of(message), id_text(message, "bot_id"))
        return self._shared and team is not None and team == self._own_team

    def _team_of(self, message: Json) -> str | None:
        """The team of an author: what is said, or the workspace where the channel is shared with no other."""
        said = (
            id_text(message, "user_team")
            or id_text(message, "team")
            or id_text(message, "source_team")
            or id_text(message, "bot_profile", "team_id")
            or id_text(message, "user_profile", "team")
            or id_text(next(tables(message, "files"), {}), "user_team")
        )
        return said or (None if self._shared else self._said_team)


def _person_of(message: Json) -> str | None:
    """Who wrote a message; older ones with files name their uploader alone."""
    uploader = id_text(next(tables(message, "files"), {}), "user") or id_text(message, "file", "user")
    return id_text(message, "user") or uploader


def automated_by(message: Json) -> str | None:
    """Why a message counts as a machine's; null when a person wrote it."""
    of_slack = id_text(message, "user") == SLACKBOT or text(message, "subtype") == "slackbot_response"
    is_bots = id_text(message, "bot_id") or text(message, "subtype") == "bot_message" or table(message, "bot_profile")
    return "bot" if of_slack or is_bots else None
