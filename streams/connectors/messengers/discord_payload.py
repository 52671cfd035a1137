"""What Discord sends, in any of its wrappings, and its words: dispatches, message types, interactions.

Sources: Discord developer documentation, "Gateway Events", "Webhook Events", "Message Object", "Channel Object",
"Receiving and Responding to Interactions", "Snowflakes". `discord_event` makes canonical events of one of them.
"""

import re
from datetime import datetime
from typing import NamedTuple

from streams.connectors.payload_reading import Json, id_text, instant, items, table, tables, text

DISCORD_EPOCH_MILLISECONDS = 1_420_070_400_000
"""The first second of 2015, from which snowflakes count."""

WRITTEN_BY_SOMEBODY = frozenset({0, 19, 20, 23})
"""Types of messages that a person or an app wrote: plain, reply, and the answers to commands."""
THREAD_STARTER = 21
"""Type of the message that repeats, inside a thread, the message which the thread was started from."""
LINES_OF_DISCORD = frozenset({*range(1, 13), *range(14, 19), *range(22, 33), *range(36, 40), 44, 46}) - {23}
"""Types of what Discord itself says in a channel: who joined, what was pinned, whose server was boosted ..."""
COME_AND_GO = frozenset({1, 2, 7})
"""Those among them that say who came and who left."""

CROSSPOST = 1 << 1
"""Flag of a message that a followed channel has brought here."""

WEBHOOK_PING = 0
"""Type of a webhook request that carries no event."""
PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 1, 2, 3, 4, 5
"""Types of interactions."""
CHAT_INPUT, STRING_OPTION = 1, 3
"""The type of a command that is typed, and of its options that are texts."""

UNSAID = {
    "GUILD_MEMBER_": "participant_changed",
    "MESSAGE_REACTION_": "reaction_removed",
    "READY": "connection",
    "RESUMED": "connection",
    "THREAD_MEMBER": "participant_changed",
    "TYPING_": "typing",
}
"""Beginnings of the dispatches in which nobody says anything, with the reason that is told."""

OTHER_SUBJECTS = frozenset(
    {
        "APPLICATION",
        "AUTO",
        "CHANNEL",
        "ENTITLEMENT",
        "GUILD",
        "INTEGRATION",
        "INVITE",
        "MESSAGE",
        "PRESENCE",
        "QUEST",
        "RATE",
        "SOUNDBOARD",
        "STAGE",
        "SUBSCRIPTION",
        "THREAD",
        "USER",
        "VOICE",
        "WEBHOOKS",
    }
)
"""First words of the dispatches and webhook events that move no promise of ours: `CHANNEL_UPDATE`,
`ENTITLEMENT_CREATE` ..."""

_SNOWFLAKE = re.compile(r"[0-9]{1,20}", re.ASCII)


class Told(NamedTuple):
    """One event without its wrapping: its name, its data, where those stand, and when it was, if it says so."""

    name: str
    data: dict[str, Json]
    place: str
    at: datetime | None = None


def snowflake_time(snowflake: str | None) -> datetime | None:
    """When an id was made: its upper 42 bits are milliseconds since 2015."""
    if snowflake is None or not _SNOWFLAKE.fullmatch(snowflake):
        return None
    return instant((int(snowflake) >> 22) + DISCORD_EPOCH_MILLISECONDS)


def flags_of(message: Json) -> int:
    """The flags of a message, a bit each."""
    found = message.get("flags")
    return found if isinstance(found, int) else 0


def forwarded_in(message: Json) -> Json:
    """The message that somebody has passed on without a word of their own; empty where it is none."""
    return table(next(tables(message, "message_snapshots"), {}), "message")


def typed_command(interaction: Json) -> str | None:
    """A typed command as the person typed it; null where no text of the person's own is in it."""
    data = table(interaction, "data")
    words, texts = [f"/{text(data, 'name') or ''}"], 0
    waiting = list(reversed(list(tables(data, "options"))))
    while waiting:
        option = waiting.pop()
        name, value = text(option, "name") or "", option.get("value")
        typed = isinstance(value, str) and option.get("type") == STRING_OPTION
        texts += typed
        words.append(f"{name}: {value}" if isinstance(value, str | int | float) else name)
        waiting += reversed(list(tables(option, "options")))
    return " ".join(words) if texts else None


def filled_form(interaction: Json) -> str | None:
    """What a person entered into a modal, a line for each field."""
    lines: list[str] = []
    waiting = list(reversed(items(interaction, "data", "components")))
    while waiting:
        component = waiting.pop()
        if not isinstance(component, dict):
            continue
        entered = [component.get("value"), *items(component, "values")]
        lines += [each for each in entered if isinstance(each, str) and each.strip()]
        waiting += [component.get("component"), *reversed(items(component, "components"))]
    return "\n".join(lines) or None


def type_of(of: Json, unsaid: int = 0) -> int:
    """The number that says what kind of message, command or interaction this is; -1 where it is no number."""
    found = of.get("type")
    if found is None:
        return unsaid
    return found if isinstance(found, int) and not isinstance(found, bool) else -1


def is_interaction(payload: Json) -> bool:
    """Whether an object is an interaction: it has a token to answer with, or at least says which command it is.

    Of a ping its type is enough: nothing else is so bare.
    """
    if payload.keys() == {"type"}:
        return type_of(payload) == PING
    named = id_text(payload, "token") is not None or id_text(payload, "data", "id") is not None
    return named and type_of(payload) > 0


def is_ping_of_webhooks(payload: Json) -> bool:
    """Whether an object asks if webhook events may be sent here."""
    return payload.keys() == {"version", "application_id", "type"} and type_of(payload) == WEBHOOK_PING
