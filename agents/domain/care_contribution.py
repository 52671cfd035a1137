"""What counts in the care figures, and where: the words between an account and the figures of its partition.

`agents.domain.care_notes` and `agents.domain.care_standing` say what an account puts in and takes out,
`agents.care_rollups` changes the sums.
"""

from functools import lru_cache
from typing import NamedTuple

from agents.domain.normalisation import MILLION
from schemas.care_state import CareLabels

UNTIMED = -1

_BEST_SCORE = 100_00

Change = tuple[str, int | None, int]
"""Measure, bin (null for a count), amount."""


def score_of(sentiment: int) -> int:
    """A sentiment in millionths of -1 to 1 as it is summed up: hundredths of 0 to 100."""
    return (sentiment + MILLION) * _BEST_SCORE // (2 * MILLION)


class Contribution(NamedTuple):
    """Something that counts: a measure with its amount, and the bins of how long it took in open time and in all.

    A bin below 0 is none. `answered/<metric>` is counted by its durations alone.
    """

    measure: str
    amount: int = 1
    bin: int = UNTIMED
    wall_bin: int = UNTIMED


class CareDelta(NamedTuple):
    """A contribution that is put into one bucket under some labels (`sign` 1), or taken out of it again (-1)."""

    clock: str
    bucket: str
    number: int
    labels: CareLabels
    what: Contribution
    sign: int


@lru_cache(maxsize=4096)
def changes_of(what: Contribution) -> tuple[Change, ...]:
    """What a contribution changes: (measure, bin, amount), where a bin that is null stands for a count."""
    group, _, metric = what.measure.partition("/")
    timed = [(metric, what.bin), (f"{metric}/wall", what.wall_bin)]
    changes = [(measure, number, what.amount) for measure, number in timed if number != UNTIMED]
    counted = [] if group == "answered" else [(what.measure, None, what.amount)]
    return (*counted, *changes)
