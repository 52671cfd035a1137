"""What a person wrote and where they can be reached, taken out before anything is published.

`event_store` redacts every event after its account was found and before Kafka sees it, so topics, changelogs, tables,
alerts and calls to language models hold only what is left; a dead letter of a redacted instance keeps its reason and
not its bytes. `docs/privacy.md` says what that costs.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

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

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
"""What a mistake quotes of what it found."""

_IDS = ("id", "account_id", "conversation_id", "into", "name")
"""What must not be missing: an address in it is hashed in its place."""

_OPEN_FIELDS = (
    *("account_hint", "raw_reference", "inbox", "agent", "team", "tier", "segment", "contract"),
    *("conversation_type", "source_status"),
)

_HASH_CHARACTERS = 18
"""72 bits: among a billion addresses two meet with a chance of one in ten thousand."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is taken out of the events of one instance.

    `text`: what people wrote is dropped, with the names of what they attached. `addresses`: mail addresses and
    telephone numbers become a keyed hash (the same address gives the same word, and nobody without the key can guess
    it), or are dropped where a contract allows it and hashed where it does not: an id cannot be missing.
    """

    text: Literal["keep", "drop"] = "keep"
    addresses: Literal["keep", "hash", "drop"] = "keep"
    key: bytes = field(default=b"", repr=False)

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
        changes: dict[str, Any] = {"text": kept_text}
        if self.addresses != "keep":
            changes["text"] = None if kept_text is None else self._hashed(kept_text)
            changes |= {name: self._hashed(value) for name in _IDS if (value := getattr(event, name, None))}
            changes |= {
                name: self._in_open_field(value) for name in _OPEN_FIELDS if (value := getattr(event, name, None))
            }
        if isinstance(event, Signal):
            return replace(event, **changes)
        if self.addresses != "keep":
            changes["author"] = Author(event.author.kind, self._in_open_field(event.author.id))
            changes["tags"] = tuple(map(self._hashed, event.tags))
        # Whoever names a file writes a text, and often a name or an address into it.
        changes["attachments"] = tuple(replace(each, name=None) for each in event.attachments)
        return replace(event, **changes)

    def letter(self, letter: Rejection) -> Rejection:
        """A dead letter without its bytes: what could not be understood cannot be redacted in part.

        Of `detail` the place is kept and not what stood there.
        """
        if self.changes_nothing:
            return letter
        detail = _QUOTED.sub("'…'", self._hashed(letter.detail) if self.key else letter.detail)
        if letter.value is not None:
            detail = f"{detail} (its {len(letter.value)} bytes are not kept: redaction is on)"
        kept = tuple((name, value) for name, value in letter.headers if name == "content-type")
        return replace(letter, detail=detail, value=None, headers=kept)

    def in_words(self) -> str:
        """What is taken out, and what that costs, for whoever configures it."""
        told = []
        if self.text == "drop":
            told.append("text and names of attachments are dropped: thank-yous and holding replies are not recognised")
        if self.addresses != "keep":
            told.append(f"addresses are {'hashed' if self.addresses == 'hash' else 'dropped, and hashed in ids'}")
        if told:
            told.append("dead letters keep no bytes and cannot be sent again")
        return "; ".join(told) or "nothing"

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


def redacted(
    conversations: Iterable[tuple[str, list[Interaction]]], redaction: Redaction
) -> Iterator[tuple[str, list[Interaction]]]:
    """Conversations of a history without what must not be published; their ids are redacted like those of events."""
    for conversation, events in conversations:
        left = [event for each in events if isinstance(event := redaction.event(each), Interaction)]
        yield left[0].conversation_id if left else conversation, left


NOTHING_REDACTED = Redaction()
"""The default: everything is published as it came."""
