"""One message of WhatsApp's Cloud API, from a customer or from the business itself, as an event.

Source: WhatsApp Business Platform documentation, "Webhooks: messages" and "Coexistence: message echoes". Who has a
username may come without a telephone number, under the business-scoped id alone. `whatsapp_channel` brings them here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.interaction import Attachment, Author
from streams.connectors.connector_contract import Draft, Ignored, Reading
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, at, id_text, instant, required, table, tables, text, word
from streams.connectors.phone_numbers import e164, phone_identities

ABOUT_ANOTHER = {"edit": "original_message_id", "reaction": "message_id", "revoke": "original_message_id"}
"""Types of messages that are about an earlier one, and the key that names it."""
MEDIA = frozenset({"image", "video", "audio", "voice", "document", "sticker"})


@dataclass(frozen=True, slots=True)
class Customer:
    """A person on WhatsApp: by the number (`wa_id`), or by ids that only this business has for them."""

    wa_id: str | None
    user_id: str | None = None
    parent_user_id: str | None = None

    @property
    def id(self) -> str | None:
        """What tells the person apart: the number where there is one, since earlier messages knew nothing else."""
        return self.wa_id or self.user_id or self.parent_user_id

    @property
    def identities(self) -> tuple[str, ...]:
        """The number, then the ids."""
        ids = (f"whatsapp_user:{found}" for found in (self.user_id, self.parent_user_id) if found)
        return (*phone_identities(self.wa_id), *ids)


class Thread:
    """What the messages of one change have in common: our number, and who the contacts are."""

    def __init__(self, drafter: Drafter, value: Json) -> None:
        self.drafter = drafter
        number = table(value, "metadata")
        self.display_number = text(number, "display_phone_number")
        self.number = id_text(number, "phone_number_id") or e164(self.display_number) or self.display_number
        self._contacts = [
            Customer(id_text(contact, "wa_id"), id_text(contact, "user_id"), id_text(contact, "parent_user_id"))
            for contact in tables(value, "contacts")
        ]

    def customer(self, wa_id: str | None, user_id: str | None = None, parent_user_id: str | None = None) -> Customer:
        """A person by the ids that a message has, with what the change's contacts know besides."""
        for contact in self._contacts:
            same = wa_id == contact.wa_id if wa_id and contact.wa_id else user_id == contact.user_id
            if same or (len(self._contacts) == 1 and not wa_id and not user_id):
                return Customer(
                    wa_id or contact.wa_id, user_id or contact.user_id, parent_user_id or contact.parent_user_id
                )
        return Customer(wa_id, user_id, parent_user_id)

    def conversation(self, other: str) -> str:
        """Our number and the customer, or the group."""
        return f"{self.number}:{other}" if self.number else other

    def is_ours(self, number: str | None) -> bool:
        """Whether a number is the business's own."""
        ours = e164(self.display_number) or self.display_number
        return ours is not None and (e164(number) or number) == ours


def message(thread: Thread, said: Json, *, echo: bool = False) -> Reading:
    """What one message means. An echo is what the business wrote in its own app.

    Raises:
        Malformed: it has no id, or nobody wrote it.
    """
    message_id = required(id_text(said, "id"), "$.id")
    kind = required(word(said, "type"), "$.type")
    sender = text(said, "from")
    if kind == "system":
        return [_system(thread, said, message_id)]
    if kind == "request_welcome":
        return [Ignored("without_effect")]
    ours = echo or thread.is_ours(sender)
    side = "to" if ours else "from"
    customer = thread.customer(
        id_text(said, side), id_text(said, f"{side}_user_id"), id_text(said, f"{side}_parent_user_id")
    )
    who = required(customer.id, f"$.{side}")
    author = Author("agent", sender) if ours else thread.drafter.author("customer", who, customer.user_id)
    by_bot = ours and (word(said, "message_creation_type") or "").endswith("_bot")
    if by_bot:
        author = Author("bot", sender)
    place, moment = thread.conversation(id_text(said, "group_id") or who), instant(said, "timestamp")
    words = {"identities": customer.identities, "inbox": thread.number, "automated": "bot" if by_bot else None}
    if kind in ABOUT_ANOTHER:
        return [_about_another(thread.drafter, said, kind, place, moment, author, words)]
    return [thread.drafter.interaction(message_id, "message", place, moment, author, **(words | _content(said, kind)))]


def _about_another(  # noqa: PLR0917 - what all three have in common
    drafter: Drafter,
    said: Json,
    kind: str,
    place: str,
    moment: datetime | None,
    author: Author,
    words: dict[str, Any],
) -> Draft | Ignored:
    """A reaction to a message, or what became of it."""
    about = required(id_text(said, kind, ABOUT_ANOTHER[kind]), f"$.{kind}.{ABOUT_ANOTHER[kind]}")
    own_id = id_text(said, "id") or ""
    if kind == "revoke":
        return drafter.deleted(about, place, moment, author, **words)
    if kind == "edit":
        inside = table(said, "edit", "message")
        again = _content(inside, word(inside, "type") or "unsupported")
        return drafter.edited(about, own_id, place, moment, author, **(words | again))
    emoji = text(said, "reaction", "emoji")
    if emoji is None:
        return Ignored("reaction_removed")
    return drafter.reacted(about, own_id, place, moment, author, text=emoji, **words)


def _content(said: Json, kind: str) -> dict[str, Any]:
    """What a message says."""
    return {"text": _text_of(said, kind), "attachments": _attached(said, kind)}


def _text_of(said: Json, kind: str) -> str | None:
    if kind == "contacts":
        names = (text(contact, "name", "formatted_name") for contact in tables(said, "contacts"))
        return ", ".join(name for name in names if name) or None
    if kind == "location":
        named = (text(said, "location", key) for key in ("name", "address"))
        return ", ".join(part for part in named if part) or None
    paths = {
        "text": (("text", "body"),),
        "button": (("button", "text"), ("button", "payload")),
        "order": (("order", "text"),),
        "interactive": tuple(
            ("interactive", reply, key)
            for reply in ("button_reply", "list_reply", "nfm_reply", "call_permission_reply", "poll_reply")
            for key in ("title", "body", "text", "response")
        ),
    }.get(kind, ((kind, "caption"), (kind, "text"), (kind, "body")))
    return next((written for path in paths if (written := text(said, *path))), None)


def _attached(said: Json, kind: str) -> tuple[Attachment, ...]:
    if kind not in MEDIA or not isinstance(at(said, kind), dict):
        return ()
    return (Attachment(name=text(said, kind, "filename"), media_type=text(said, kind, "mime_type") or kind),)


def _system(thread: Thread, said: Json, message_id: str) -> Draft | Ignored:
    """A customer under another number or id goes on in another conversation: the old one is merged into it."""
    about = table(said, "system")
    before = id_text(said, "from") or id_text(about, "customer") or id_text(about, "previous_user_id")
    by_number = id_text(said, "from") is not None or id_text(about, "customer") is not None
    after = id_text(about, "wa_id") or id_text(about, "new_wa_id") if by_number else id_text(about, "user_id")
    if before is None or after is None or before == after:
        return Ignored("without_effect")
    return thread.drafter.interaction(
        message_id,
        "merged",
        thread.conversation(before),
        instant(said, "timestamp"),
        Author("system"),
        identities=thread.customer(before if by_number else None, None if by_number else before).identities,
        into=thread.drafter.conversation(thread.conversation(after)),
        automated="system",
        text=text(about, "body"),
    )
