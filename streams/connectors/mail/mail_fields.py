"""The header of a mail: fields in their order, read without trusting any of them.

Addresses, message ids and dates are found by what they look like rather than by the grammar of RFC 5322, which real
mails break daily: nothing raises, everything is bounded. `mime_tree` makes the fields of a raw message, `ses_mail`
and its neighbours those that a provider has taken apart.
"""

import email.utils
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from streams.connectors.mail.charset_reading import header_text

MOST_FIELDS = 2_000
LONGEST_VALUE = 64 * 1024
"""Characters of one field: References of a thread with a thousand mails."""
LONGEST_ADDRESSES = 16 * 1024
"""Characters of a field in which addresses are looked for: some three hundred recipients."""
LONGEST_ADDRESS = 320
"""64 of the local part, an @, 255 of the domain (RFC 5321, 4.5.3.1)."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,200}"(?!@)')
_COMMENT = re.compile(r"\((?:[^()\\]|\\.){0,200}\)")
_IN_ANGLES = re.compile(r"<([^<>]{0,400})>")
_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bq]\?[^?\s]{0,1000}\?=", re.IGNORECASE)
_BARE = re.compile(r"(?:\"[^\"\\]{1,64}\"|[^\s<>@,;:\"()\[\]]{1,64})@+(?:\[[^\]\s]{1,60}\]|[^\s<>@,;:\"()\[\]]{1,255})")
_ZONE_WITH_COLON = re.compile(r"([+-]\d\d):(\d\d)\s*$")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_HALF_DAYS = re.compile(r"\b[ap]\.?m\b", re.IGNORECASE)
_AROUND_COLONS = re.compile(r"\s*:\s*")
_AROUND_DOTS = re.compile(r"\s*([.@])\s*")
_FOLD = re.compile(r"\r?\n[ \t]")
_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")
_WORD = re.compile(r"[^\s<>,;]{3,998}")


class MailFields:
    """The fields of one header, the topmost first."""

    __slots__ = ("_fields",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._fields: list[tuple[str, str]] = []
        for name, value in pairs:
            if len(self._fields) == MOST_FIELDS:
                break
            unfolded = _FOLD.sub(" ", value[:LONGEST_VALUE]).replace("\r", "").replace("\n", " ").strip()
            self._fields.append((name.strip().lower(), unfolded))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __contains__(self, name: str) -> bool:
        return any(found == name for found, _ in self._fields)

    def having(self, others: Mapping[str, str | None]) -> "MailFields":
        """These fields, and those of the others that say something and are missing here."""
        missing = [(name, value) for name, value in others.items() if value and name.lower() not in self]
        return MailFields([*self._fields, *missing])

    def all(self, name: str) -> list[str]:
        """The raw values of a field, the topmost first."""
        return [value for found, value in self._fields if found == name]

    def raw(self, name: str) -> str:
        """The topmost value of a field as it came; empty where there is none."""
        return next(iter(self.all(name)), "")

    def word(self, name: str) -> str:
        """The topmost value in lower case, without parameters; empty where there is none."""
        return self.raw(name).partition(";")[0].strip().lower()

    def text(self, name: str) -> str | None:
        """The topmost value as people read it; null where it says nothing."""
        return header_text(self.raw(name)).strip() or None

    def addresses(self, *names: str) -> tuple[str, ...]:
        """The mail addresses of some fields in lower case, each once."""
        found = [address for name in names for value in self.all(name) for address in addresses_in(value)]
        return tuple(dict.fromkeys(found))

    def message_ids(self, *names: str) -> tuple[str, ...]:
        """The message ids of some fields, without their brackets, each once."""
        found = [said for name in names for value in self.all(name) for said in message_ids_in(value)]
        return tuple(dict.fromkeys(found))

    def moment(self, name: str) -> datetime | None:
        """The instant of a date field, of several the topmost that is one; null where none is."""
        return next((moment for value in self.all(name) if (moment := mail_date(value))), None)

    def received_at(self) -> datetime | None:
        """When the topmost `Received` was written: by the server that we fetched the mail from, or that sent it on."""
        return next((moment for value in self.all("received")[:1] if (moment := received_date(value))), None)


def addresses_in(value: str) -> list[str]:
    """The addresses in a header's value, in lower case: those in angle brackets, where there are any, else bare ones.

    Of `Mikel <mikel@@nowhere.example>` it is `mikel@nowhere.example`: no reader of mail takes a doubled @ for two.
    """
    # An address inside an encoded word is a display name that wants to be taken for the sender; it counts only where
    # nothing else is there.
    looked_at = value[:LONGEST_ADDRESSES]
    said = _addresses_outside_of_names(header_text(_ENCODED_WORD.sub(" ", looked_at)))
    return said or _addresses_outside_of_names(header_text(looked_at))


def _addresses_outside_of_names(value: str) -> list[str]:
    bare = _COMMENT.sub("", _QUOTED.sub(" ", value))
    found: list[str] = []
    for piece in re.split(r"[,;]", bare):
        in_angles = [_AROUND_DOTS.sub(r"\1", angled) for angled in _IN_ANGLES.findall(piece) if "@" in angled]
        for candidate in in_angles or [piece]:
            found += [tidy_address(match) for match in _BARE.findall(candidate)[-1 if in_angles else 0 :]]
    return [address for address in found if len(address) <= LONGEST_ADDRESS]


def tidy_address(address: str) -> str:
    """An address in the one form that is compared."""
    local, _, domain = address.partition("@")
    return f"{local.strip()}@{domain.strip('@').strip().rstrip('.')}".lower()


def message_ids_in(value: str) -> list[str]:
    """The message ids in a value. Without any brackets, words with an @ are taken for ids.

    A long id may have been folded in the middle, and an old one may have blanks and comments (RFC 5322, 4.5.4).
    """
    found = [said if " " not in said and "\t" not in said else _closed_up(said) for said in _MESSAGE_ID.findall(value)]
    return [said for said in found if said] or [word for word in _WORD.findall(value) if "@" in word]


def _closed_up(message_id: str) -> str:
    """Without what may stand between its parts; empty where it is no id but words in brackets."""
    said = "".join(_COMMENT.sub("", message_id).split())
    return said if "@" in said else ""


def received_date(value: str) -> datetime | None:
    """The instant of a `Received` field: what stands behind its last semicolon."""
    return mail_date(value.rpartition(";")[2])


def mail_date(value: str) -> datetime | None:
    """A date of RFC 5322, its obsolete forms, or ISO 8601; null where it is none. Without a zone it is UTC."""
    said = _ZONE_WITH_COLON.sub(r"\1\2", _AROUND_COLONS.sub(":", _COMMENT.sub(" ", value[:200]))).strip()
    try:
        if _ISO.match(said):
            moment = datetime.fromisoformat(value.strip())
        elif _HALF_DAYS.search(said):  # the standard library would read the afternoon as the morning
            return None
        else:
            moment = email.utils.parsedate_to_datetime(said)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
