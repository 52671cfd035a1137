"""What the facts of a conversation say about care: who began it, whether the first answer was enough, whether it held.

A conversation is remembered by the checksum of its id (4 bytes) as one number (8 bytes), and looked for as it lies in
the state, because contacts are the most frequent events of all. Bits 0-1 say who spoke first (0 nobody yet, 1 the
customer, 2 we), 2-7 count our answers (63 and more are 63), 8 whether it is resolved now, 9 whether it ever was, 10
whether it counts as solved at first contact, 11-24 hold the place of its labels at its resolution, from 25 on the hour
of it. `agents.domain.care_notes` asks `step` what a fact adds.
"""

from collections.abc import Iterator
from struct import Struct as Layout
from typing import NamedTuple
from zlib import crc32

from schemas.sla_event import FactKind

KEPT_TALKS = 256
"""The newest conversations of each account: older ones are rarely answered or reopened, and then not counted."""

FEW_ANSWERS = 1
"""Solved at first contact: with no more answers than this, and not reopened."""

MANY_ANSWERS = 5
"""A case that takes so many answers of ours is a hard one: most take one or two."""

_CUSTOMER, _WE, _SPEAKER = 1, 2, 3
_ANSWER, _ANSWERS = 1 << 2, 0x3F << 2
_RESOLVED, _BEFORE, _AT_FIRST = 1 << 8, 1 << 9, 1 << 10
_PLACE_SHIFT, _PLACE = 11, 0x3FFF
_HOUR_SHIFT, _HOUR = 25, 0xF_FFFF
_WAY_SHIFT, _WAY = 45, 0xFF << 45
_ANSWERED_THERE, _SWITCHED, _HARD = 1 << 53, 1 << 54, 1 << 55
_LASTING = _SPEAKER | _ANSWERS | _WAY | _ANSWERED_THERE | _SWITCHED | _HARD


_DIGEST, _NUMBER = Layout("<I"), Layout("<Q")


class Talks:
    """The newest conversations of an account, oldest first: all checksums, then all numbers."""

    __slots__ = ("_digests", "_found", "_numbers", "_sought")

    def __init__(self, data: bytes) -> None:
        known = len(data) // (_DIGEST.size + _NUMBER.size)
        self._digests = bytearray(data[: known * _DIGEST.size])
        self._numbers = bytearray(data[known * _DIGEST.size :])
        self._sought, self._found = -1, -1

    def get(self, digest: int) -> int | None:
        """What is known of a conversation; null when it is not known, or no longer."""
        at = self._at(digest)
        return None if at < 0 else int(_NUMBER.unpack_from(self._numbers, 2 * at)[0])

    def put(self, digest: int, talk: int) -> None:
        """Remember a conversation; the oldest one makes room."""
        at = self._at(digest)
        if at >= 0:
            _NUMBER.pack_into(self._numbers, 2 * at, talk)
            return
        self._sought = -1
        self._digests += _DIGEST.pack(digest)
        self._numbers += _NUMBER.pack(talk)
        if len(self._digests) > KEPT_TALKS * _DIGEST.size:
            del self._digests[: _DIGEST.size]
            del self._numbers[: _NUMBER.size]

    def items(self) -> Iterator[tuple[int, int]]:
        """All that are known."""
        numbers = _NUMBER.iter_unpack(bytes(self._numbers))
        for (digest,), (talk,) in zip(_DIGEST.iter_unpack(bytes(self._digests)), numbers, strict=True):
            yield digest, talk

    def to_bytes(self) -> bytes:
        """As they are remembered."""
        return bytes(self._digests + self._numbers)

    def _at(self, digest: int) -> int:
        """Where a checksum lies, below 0 for nowhere. What is found across two of them is none."""
        if digest == self._sought:
            return self._found
        sought = _DIGEST.pack(digest)
        at = self._digests.find(sought)
        while at > 0 and at % _DIGEST.size:
            at = self._digests.find(sought, at + 1)
        self._sought, self._found = digest, at
        return at


class TalkStep(NamedTuple):
    """What a fact makes of a conversation, and the measures that it adds one to.

    `undone` is how measures change at the hour and place of the resolution that it takes back.
    """

    talk: int
    adds: tuple[str, ...] = ()
    undone: tuple[tuple[str, int], ...] = ()


def place_of(talk: int) -> int:
    """Where the labels of the resolution lie."""
    return talk >> _PLACE_SHIFT & _PLACE


def hour_of(talk: int) -> int:
    """The hour of the resolution, from the epoch on."""
    return talk >> _HOUR_SHIFT & _HOUR


def placed(talk: int, place: int) -> int:
    """The same conversation with its labels in another place."""
    return talk & ~(_PLACE << _PLACE_SHIFT) | place << _PLACE_SHIFT


def is_begun(talk: int) -> bool:
    """Whether somebody has spoken."""
    return bool(talk & _SPEAKER)


def contacted(talk: int, channel: str, *, by_customer: bool) -> int:
    """The conversation after somebody wrote by a channel: the first one to do so began it."""
    way = crc32(channel.encode()) % 255 + 1 << _WAY_SHIFT
    if by_customer:
        begun = talk if talk & _SPEAKER else talk | _CUSTOMER
        return begun & ~(_WAY | _ANSWERED_THERE) | way | (_SWITCHED if is_forced_away(talk, channel) else 0)
    answered = talk if talk & _ANSWERS == _ANSWERS else talk + _ANSWER
    if talk & _WAY == way:
        answered |= _ANSWERED_THERE
    if (answered & _ANSWERS) // _ANSWER >= MANY_ANSWERS:
        answered |= _HARD
    return answered if talk & _SPEAKER else answered | _WE


def is_forced_away(talk: int, channel: str) -> bool:
    """Whether a customer who writes by a channel had to leave another one, for the first time in the conversation.

    We had not answered there: nobody had, or by another channel. Whoever goes elsewhere after an answer chose to.
    Channels are remembered by a checksum of one byte; two of a dozen are rarely alike, and then no switch is seen.
    """
    way = crc32(channel.encode()) % 255 + 1 << _WAY_SHIFT
    return bool(talk & _WAY) and talk & _WAY != way and not talk & (_ANSWERED_THERE | _SWITCHED)


def is_hard(talk: int) -> bool:
    """Whether it was escalated, came back, or took many answers."""
    return bool(talk & _HARD)


def hardened(talk: int) -> int:
    """The conversation after it was escalated or reopened."""
    return talk | _HARD


def step(talk: int, kind: FactKind, hour: int, place: int) -> TalkStep:
    """A conversation was resolved or reopened."""
    if kind == "resolved" and not talk & _RESOLVED:
        adds = ["resolutions"]
        is_at_first = False
        if not talk & _BEFORE:
            adds.append("first_resolutions")
            is_at_first = (talk & _ANSWERS) // _ANSWER <= FEW_ANSWERS
            if is_at_first:
                adds.append("solved_at_first_contact")
        known = talk & _LASTING | _RESOLVED | _BEFORE | (_AT_FIRST if is_at_first else 0)
        return TalkStep(known | place << _PLACE_SHIFT | hour << _HOUR_SHIFT, tuple(adds))
    if kind == "reopened" and talk & _RESOLVED:
        undone = [("reopened", 1)]
        if talk & _AT_FIRST:
            undone.append(("solved_at_first_contact", -1))
        return TalkStep(hardened(talk & ~(_RESOLVED | _AT_FIRST)), undone=tuple(undone))
    return TalkStep(talk)
