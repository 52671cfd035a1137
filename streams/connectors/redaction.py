"""What a person wrote and where they can be reached, taken out before anything is published.

`event_store` redacts every event after its account was found and before Kafka sees it, so topics, changelogs, tables,
alerts and calls to language models hold only what is left; a dead letter of a redacted instance keeps its reason and
not its bytes. `docs/privacy.md` says what that costs.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from schemas.interaction import Author, Interaction
from schemas.rejection import Rejection
from schemas.signal import Signal

TEXT_MODES = ("keep", "drop")
ADDRESS_MODES = ("keep", "hash", "drop")

_ADDRESS = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.\[\]-]+"  # what RFC 5322 allows before the @, and any letter
    r"|(?<![A-Za-z0-9])\+?[0-9][0-9 ().-]{6,}[0-9](?![A-Za-z0-9])"
)
"""A mail address, or a run of digits as telephone numbers are written. In an id it is better to hash one number too
many than one too few; instants are not looked at."""

_HASH_CHARACTERS = 18
"""72 bits: among a billion addresses two meet with a chance of one in ten thousand."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is taken out of the events of one instance.

    `text`: what people wrote is dropped. `addresses`: mail addresses and telephone numbers become a keyed hash
    (the same address gives the same word, and nobody without the key can guess it), or are dropped where a contract
    allows it and hashed where it does not: an id cannot be missing.
    """

    text: Literal["keep", "drop"] = "keep"
    addresses: Literal["keep", "hash", "drop"] = "keep"
    key: bytes = b""

    def __post_init__(self) -> None:
        if self.addresses != "keep" and len(self.key) < 16:
            raise ValueError("redacting addresses needs a key of at least 16 bytes")

    @property
    def changes_nothing(self) -> bool:
        """Whether everything is kept."""
        return self.text == "keep" and self.addresses == "keep"

    def event(self, event: Interaction | Signal) -> Interaction | Signal:
        """The event without what must not be published."""
        if self.changes_nothing:
            return event
        kept_text = event.text if self.text == "keep" else None
        if self.addresses == "keep":
            return replace(event, text=kept_text)
        shared = {
            "id": self._hashed(event.id),
            "text": self._hashed(kept_text) if kept_text is not None else None,
            "account_id": self._hashed(event.account_id) if event.account_id else event.account_id,
            "account_hint": self._in_open_field(event.account_hint),
            "raw_reference": self._in_open_field(event.raw_reference),
        }
        if isinstance(event, Signal):
            conversation = self._hashed(event.conversation_id) if event.conversation_id else None
            return replace(event, conversation_id=conversation, **shared)
        return replace(
            event,
            conversation_id=self._hashed(event.conversation_id),
            author=Author(event.author.kind, self._in_open_field(event.author.id)),
            inbox=self._in_open_field(event.inbox),
            agent=self._in_open_field(event.agent),
            into=self._hashed(event.into) if event.into else None,
            attachments=tuple(replace(each, name=None) for each in event.attachments),
            **shared,
        )

    def letter(self, letter: Rejection) -> Rejection:
        """A dead letter without its bytes: what could not be understood cannot be redacted in part."""
        if self.changes_nothing or letter.value is None:
            return letter
        detail = f"{self._hashed(letter.detail)} (its {len(letter.value)} bytes are not kept: redaction is on)"
        return replace(letter, detail=detail, value=None)

    def _in_open_field(self, value: str | None) -> str | None:
        if value is None or not _ADDRESS.search(value):
            return value
        return self._hashed(value) if self.addresses == "hash" else None

    def _hashed(self, value: str) -> str:
        return _ADDRESS.sub(lambda found: self._hash_of(found.group()), value)

    def _hash_of(self, address: str) -> str:
        canonical = address.lower() if "@" in address else re.sub(r"[^0-9]", "", address)
        digest = hmac.new(self.key, canonical.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        return f"~{digest[:_HASH_CHARACTERS]}"


NOTHING_REDACTED = Redaction()
"""The default: everything is published as it came."""
