"""The health profiles that were put in force, and which of them scores at an instant.

`streams.file_publisher` writes a file down as it travels through the log (`to_published`), `agents.account_agent`
keeps what it reads there in its ledger, and `agents.domain.live_health` scores with the book that is in force.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from agents.domain.health_profile import HealthFile
from agents.domain.health_verdict import Account, HealthBook
from agents.domain.instant import Instant
from agents.domain.signal_catalogue import default_file
from agents.domain.signal_reading import Observation
from schemas.account_state import ActiveProfile

_KEPT_BOOKS = 16


class UnusableProfileError(ValueError):
    """A profile file that nobody can score with; what is in force stays so."""


def to_published(file: HealthFile) -> str:
    """A profile file as it travels through the log: complete in itself, so that a replay needs no file and no YAML."""
    return msgspec.json.encode(file, order="deterministic").decode()


def from_published(text: str) -> HealthFile:
    """The profile file in a `health_activated` record.

    Raises:
        msgspec.DecodeError: the text is not a published profile file.
    """
    return msgspec.json.decode(text, type=HealthFile)


@lru_cache(maxsize=_KEPT_BOOKS)
def book_of(text: str) -> HealthBook:
    """A published file ready for use, tried once.

    Raises:
        UnusableProfileError: it cannot be scored with.
    """
    try:
        file = from_published(text)
        book = HealthBook(file)
        for profile in file.profiles:
            fields = {key: words[0] for key, words in profile.when.any_of.items() if words}
            seen = {rule.name: [Observation(0, 0)] for _, rule in profile.signals}
            book.judge(Account("a", fields), seen, 0)
    except Exception as error:
        raise UnusableProfileError(f"{type(error).__name__}: {error}") from error
    if not file.version or not file.profiles:
        raise UnusableProfileError("a profile file has a version and at least one profile")
    return book


@lru_cache(maxsize=1)
def default_book() -> HealthBook:
    """The profile that Careline ships with, for accounts without a published one whose score a person overrides."""
    return HealthBook(default_file())


class HealthShelf:
    """All versions that were activated, by when they came into force."""

    def __init__(self, active: Sequence[ActiveProfile]) -> None:
        self._versions = sorted(enumerate(active), key=lambda each: (each[1].in_force_from, each[0]))
        self._starts = [version.in_force_from for _, version in self._versions]

    def at(self, as_of: Instant) -> HealthBook | None:
        """The version in force at an instant; of two that begin together the one published later. Null before all."""
        place = bisect_right(self._starts, as_of)
        return book_of(self._versions[place - 1][1].text) if place else None

    def changes_at(self, as_of: Instant) -> Instant | None:
        """When the next version comes into force."""
        place = bisect_right(self._starts, as_of)
        return self._starts[place] if place < len(self._starts) else None


def activated(active: Sequence[ActiveProfile], text: str, published_at: Instant) -> ActiveProfile | None:
    """A version as it comes into force; null where it is there already.

    Raises:
        UnusableProfileError: it cannot be scored with, or its name stands for other content.
    """
    file = book_of(text).file
    in_force_from = published_at if file.effective_from is None else file.effective_from
    for known in active:
        if known.version == file.version and known.text != text:
            raise UnusableProfileError(f"profile version {file.version} stands for other content already")
        if known.version == file.version and known.in_force_from == in_force_from:
            return None
    return ActiveProfile(file.version, in_force_from, text)
