"""Reading a provider's JSON without trusting it: the right kind of value, or nothing.

Payloads change their spelling between versions and accounts (ids as numbers or texts, instants as seconds,
milliseconds or ISO 8601). Normalisers take them apart with these functions, which never raise on any JSON; what is
missing where it must not be is said by `Malformed`, which names the place.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeVar

import msgspec

from streams.connectors.connector_contract import Ignored, Reading, Refused

Found = TypeVar("Found")

Json = Any
"""A decoded JSON value: what it is has to be asked."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 100_000_000_000
"""A number of seconds of this size lies in the year 5138; so many milliseconds lie in 1973."""
MICROSECONDS_FROM = 100_000_000_000_000
LONGEST_INSTANT = 100
"""Characters of an instant that are read."""
LARGEST_WHOLE = 2**53
"""A JSON number is exact below it; no file has so many bytes."""

MOST_ITEMS = 10_000
"""Things of one body that are read. A megabyte of real events has some thousands; more is an attack on our time."""

_encoder = msgspec.json.Encoder(order="deterministic")

_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""Escapes of a JSON text from left to right, so that an escaped backslash hides none; `half` is half a character."""


class Malformed(ValueError):  # noqa: N818 - it describes the payload, in the words of the dead letter
    """Something is missing without which the payload means nothing. The message ends with its place (`$.a.b`)."""


def read_json(body: bytes) -> Json | Refused:
    """The value in a JSON text, or why there is none.

    Half a character, as programs leave it that cut a text between two UTF-16 units, is JSON all the same (RFC 8259,
    section 8.2); it becomes U+FFFD.
    """
    try:
        body.decode()  # the decoder skips the inside of texts that it is not asked for, wrong bytes included
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            mended = _ESCAPES.sub(_whole, body)
            if mended == body:
                raise
            return msgspec.json.decode(mended)
    except UnicodeDecodeError as error:
        return Refused("not_utf8", str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Refused("not_json", str(error))


def _whole(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["half"] else escape[0]


def table(value: Json, *path: str) -> dict[str, Json]:
    """The object at a path of keys; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def items(value: Json, *path: str) -> list[Json]:
    """The list at a path; an empty one where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def tables(value: Json, *path: str) -> Iterator[dict[str, Json]]:
    """The objects of the list at a path."""
    return (item for item in items(value, *path) if isinstance(item, dict))


def at(value: Json, *path: str) -> Json:
    """The value at a path of keys; null where the path ends before."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: Json, *path: str) -> str | None:
    """A text that is not empty."""
    found = at(value, *path)
    return found if isinstance(found, str) and found.strip() else None


def id_text(value: Json, *path: str) -> str | None:
    """An id, which may be written as a number."""
    found = at(value, *path)
    if isinstance(found, bool) or found is None:
        return None
    if isinstance(found, int):
        return str(found)
    return found.strip() or None if isinstance(found, str) else None


def word(value: Json, *path: str) -> str | None:
    """A word of a vocabulary, in lower case."""
    found = text(value, *path)
    return found.strip().lower() if found is not None else None


def flag(value: Json, *path: str) -> bool | None:
    """True or false, also as forms write them; null where neither is said."""
    found = at(value, *path)
    if isinstance(found, bool):
        return found
    return {"true": True, "1": True, "false": False, "0": False}.get(str(found).strip().lower())


def number(value: Json, *path: str) -> float | None:
    """A finite number, which may be written as a text."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        read = float(found)
    except (ValueError, OverflowError):
        return None
    return read if read - read == 0 else None


def whole_number(value: Json, *path: str) -> int | None:
    """A count that is not negative, such as a size in bytes."""
    found = number(value, *path)
    return int(found) if found is not None and 0 <= found < LARGEST_WHOLE else None


def instant(value: Json, *path: str) -> datetime | None:
    """An instant: seconds, milliseconds or microseconds since 1970, ISO 8601, or RFC 2822; without a zone it is UTC.

    Ruby writes UTC as a word, `2020-03-03 13:05:57 UTC`, others a blank before the zone.
    """
    found = at(value, *path)
    counted = number(found)
    if counted is not None:
        return _since_epoch(counted) if counted else None  # nothing was written in 1970: a zero is a time not set
    if not isinstance(found, str) or len(found) > LONGEST_INSTANT:
        return None
    written = found.strip()
    try:
        if written[:1].isalpha():  # the name of a day
            moment = parsedate_to_datetime(written)
        else:
            moment = datetime.fromisoformat(written.removesuffix(" UTC").replace(" +", "+").replace(" -", "-"))
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _since_epoch(counted: float) -> datetime | None:
    size = abs(counted)
    seconds = counted / (1_000_000 if size >= MICROSECONDS_FROM else 1_000 if size >= MILLISECONDS_FROM else 1)
    try:
        # Rounded to what the provider can have meant: a float of today's seconds is exact to about 0.2 microseconds.
        return EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    except OverflowError:
        return None


def required(found: Found | None, place: str) -> Found:
    """What was found.

    Raises:
        Malformed: nothing was.
    """
    if found is None:
        raise Malformed(f"Object contains no {place.rpartition('.')[2]} - at `{place}`")
    return found


def read_one(thing: Json, read: Callable[[Json], Iterable[Found]]) -> list[Found | Refused]:
    """What a payload means, or the place where it is malformed."""
    try:
        return list(read(thing))
    except Malformed as error:
        return [Refused("malformed_payload", str(error))]


def read_each(things: Iterable[Json], read: Callable[[Json], Iterable[Found]]) -> list[Found | Refused]:
    """What each of several things means. What is refused goes with its own bytes: it harms no neighbour."""
    waiting = iter(things)
    found = [_apart(told, thing) for thing in islice(waiting, MOST_ITEMS) for told in read_one(thing, read)]
    rest = next(waiting, waiting) is not waiting
    return [*found, Refused("too_large", f"more than {MOST_ITEMS} items: the rest is not read")] if rest else found


def read_items(body: bytes, read: Callable[[dict[str, Json]], Reading]) -> Reading:
    """What the object in a JSON body means, or every one of a list of them."""
    content = read_json(body)
    if isinstance(content, Refused):
        return [content]
    if not isinstance(content, list):
        return read_one(content, whole_object(read))
    return read_each(content, whole_object(read)) or [Ignored("nothing_inside")]


def whole_object(read: Callable[[dict[str, Json]], Iterable[Found]]) -> Callable[[Json], Iterable[Found]]:
    """A reader of objects as a reader of anything: what is no object is malformed."""

    def read_anything(thing: Json) -> Iterable[Found]:
        if not isinstance(thing, dict):
            raise Malformed("Expected an object - at `$`")
        return read(thing)

    return read_anything


def _apart(reading: Found | Refused, thing: Json) -> Found | Refused:
    """The reading of one of several things: refused, its dead letter holds no neighbour."""
    if not isinstance(reading, Refused) or reading.value is not None:
        return reading
    try:
        return Refused(reading.reason, reading.detail, as_json(thing))
    except Malformed:
        return reading


def as_json(value: Json) -> bytes:
    """A piece of a payload as a text of its own, always the same for the same content.

    Raises:
        Malformed: it is nested too deeply to be written down.
    """
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise Malformed("nested too deeply - at `$`") from None


def content_id(value: Json, leaving_out: Iterable[str] = ()) -> str:
    """An id for what has none: the same content has the same id, so that sending it twice changes nothing.

    `leaving_out` are keys that differ between deliveries of the same.

    Raises:
        Malformed: it is nested too deeply.
    """
    if isinstance(value, dict):
        value = {key: each for key, each in value.items() if key not in set(leaving_out)}
    return "sha:" + blake2b(as_json(value), digest_size=16).hexdigest()
