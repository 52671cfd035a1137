"""One message of product analytics: whose it is, when it was, and what it is called, in every spelling.

SDKs write `messageId`, warehouses and older webhooks `message_id`, PostHog `uuid` and `distinct_id`. `segment_events`
and `segment_chat` read messages through it.

Source: Segment documentation, "Spec: Common fields"; PostHog documentation, "Capture API" and "Group analytics".
"""

from datetime import datetime

from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.business.subscription_words import snake_case
from streams.connectors.payload_reading import Json, content_id, flag, id_text, instant, table, text, word

POSTHOG_CALLS = {
    "$pageview": "page",
    "$screen": "screen",
    "$identify": "identify",
    "$set": "identify",
    "$groupidentify": "group",
    "$create_alias": "alias",
    "$merge_dangerously": "alias",
}
"""PostHog's own events by the call that they stand for."""

TIMES = ("timestamp", "originalTimestamp", "original_timestamp", "sentAt", "sent_at", "receivedAt", "received_at")
"""The best time first: `timestamp` is when it happened, corrected for the clock of the device."""


LONGEST_NAME = 200
"""Characters of a signal's name: an event is a word, and whole texts in its place would swell every table."""


class SegmentMessage:
    """A message as it can be asked. `envelope` is the batch around it, which may say what the message leaves out."""

    def __init__(self, message: Json, envelope: Json = None) -> None:
        # PostHog's pipelines wrap the event and put the person beside it.
        inner = table(message, "event")
        self.message = inner or table(message)
        self.envelope = table(envelope)
        self.context = table(self.message, "context") or table(self.envelope, "context")
        self.properties = table(self.message, "properties")
        self.person = table(message, "person", "properties") if inner else {}

    @property
    def name(self) -> str | None:
        """The name of the event, as it was written."""
        return text(self.message, "event") or text(self.message, "name")

    @property
    def call(self) -> str | None:
        """`track`, `identify` ...; null where nothing says what this is."""
        said = word(self.message, "type") or word(self.message, "action")
        if said is not None and "distinct_id" not in self.message:
            return said
        return POSTHOG_CALLS.get(self.name or "", "track") if text(self.message, "event") else None

    @property
    def traits(self) -> dict[str, Json]:
        """What is said of the person or the group, wherever the call has it."""
        said = table(self.message, "traits") or table(self.context, "traits")
        return self.person | table(self.properties, "$group_set") | table(self.properties, "$set") | said

    @property
    def id(self) -> str:
        """The id that the sender gave it; without one the content is the id, so that sending it twice is once."""
        given = (id_text(self.message, key) for key in ("messageId", "message_id", "uuid"))
        found = next((known for known in given if known), None)
        return found or content_id(self.message)

    @property
    def at(self) -> datetime | None:
        """When it happened, by the sender."""
        sources = (self.message, self.envelope)
        return next((known for source in sources for key in TIMES if (known := instant(source, key))), None)

    @property
    def user(self) -> str | None:
        """The sender's own id of the person; PostHog says of some ids that nobody has signed in under them."""
        if flag(self.properties, "$is_identified") is False:
            return None
        return (
            id_text(self.message, "userId")
            or id_text(self.message, "user_id")
            or id_text(self.message, "distinct_id")
            or id_text(self.properties, "distinct_id")
        )

    @property
    def visitor(self) -> str | None:
        """The id of a browser or device, which is all there is of an unknown person."""
        return id_text(self.message, "anonymousId") or id_text(self.message, "anonymous_id")

    @property
    def group(self) -> str | None:
        """The company's id in the sender's product: of a group call, of the context, of PostHog's groups."""
        groups = table(self.properties, "$groups")
        grouped = next(
            (groups[kind] for kind in ("company", "organization", "account", "workspace") if kind in groups), None
        )
        return (
            id_text(self.message, "groupId")
            or id_text(self.message, "group_id")
            or id_text(self.context, "groupId")
            or id_text(self.context, "group_id")
            or id_text(self.properties, "$group_key")
            or id_text(grouped if grouped is not None else next(iter(groups.values()), None))
        )

    @property
    def identities(self) -> tuple[str, ...]:
        """Whose it is: the group, the company behind the address, the person."""
        address = text(self.traits, "email") or text(self.properties, "email")
        return (
            *([f"account:{self.group}"] if self.group else []),
            *(identities_of_address(address) if self.call != "group" else ()),
            *([f"user:{self.user}"] if self.user else []),
        )

    @property
    def word(self) -> str:
        """The event's name as a stable word."""
        return snake_case((self.name or "")[:LONGEST_NAME])
