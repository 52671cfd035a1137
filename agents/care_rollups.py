"""The care figures of one partition: what its accounts add, spread over scopes and buckets and told at a pace.

`agents.account_agent` hands over what settled accounts have added; the buckets are kept by `agents.care_buckets`.
Results are `schemas.rollup.Rollup`; `agents.domain.care_metrics` adds those of all partitions up.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from agents.care_buckets import RINGS, ClockFigures, Place
from agents.domain.care_contribution import CareDelta, Change, Contribution, changes_of
from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from agents.domain.revenue_retention import month_begins_at, month_number
from agents.interaction_check import WALL
from agents.ports import Effects, States
from schemas.care_state import CareLabels, RollupState
from schemas.rollup import Rollup, Timings
from schemas.topics import ROLLUPS

_LABELLED = ("channel", "team", "agent", "tier")

HOURS_COMPARED = 4
"""Six parts of a day tell the night from the day. Of 24 the worst and the best are mostly chance."""


class CareRollups:
    """Keeps the figures of one partition in its `States`, and tells them."""

    def __init__(
        self, states: States, effects: Effects, *, agent_figures: bool = True, team_figures: bool = True
    ) -> None:
        self._states = states
        self._effects = effects
        kept = {"agent": agent_figures, "team": team_figures}
        self._scopes = tuple(scope for scope in _LABELLED if kept.get(scope, True))
        self._added: list[tuple[str, Instant, list[CareDelta]]] = []

    def add(self, account_id: str, as_of: Instant, deltas: list[CareDelta]) -> None:
        """Take what an account adds; it is counted when the batch is settled, or before time passes."""
        if deltas:
            self._added.append((account_id, as_of, deltas))

    def settle(self, partition: int) -> None:
        """Count what was added, and tell what is untold where it is time to."""
        for clock, batch in sorted(self._taken().items()):
            figures = ClockFigures(self._states, clock)
            figures.state.as_of = max(figures.state.as_of, batch.as_of)
            self._count(figures, batch)
            if figures.is_due():
                self._tell(figures, partition)
            figures.save()

    def _taken(self) -> dict[str, "_Batch"]:
        """What was added, by clock: the sum of what is alike."""
        taken: defaultdict[str, _Batch] = defaultdict(_Batch)
        for account_id, as_of, deltas in self._added:
            for clock, bucket, number, labels, what, sign in deltas:
                batch = taken[clock]
                batch.as_of = max(batch.as_of, as_of)
                shared = batch.shared[bucket, number, labels]
                shared[what] = shared.get(what, 0) + sign
                if bucket == "hour":
                    own = batch.own[account_id, "month", _month_of(number // 24)]
                else:
                    own = batch.own[account_id, bucket, number]
                own.append((what, sign))
        self._added = []
        return taken

    def tick(self, clock: str, as_of: Instant, partition: int) -> None:
        """Time has passed: tell what waits. On a clock that is no live one nobody knows whether more will come."""
        self.settle(partition)
        figures = ClockFigures(self._states, clock)
        figures.state.as_of = max(figures.state.as_of, as_of)
        if clock != WALL or figures.is_due():
            self._tell(figures, partition)
        if figures.state.told_at is not None or figures.state.values:
            figures.save()

    def release(self, clock: str, into: str, partition: int) -> None:
        """What was counted on a clock is counted on another from now on, and there no more."""
        self.settle(partition)
        ended, figures = ClockFigures(self._states, clock), ClockFigures(self._states, into)
        for slot in ended.slots():
            counted = ended.take_away(slot)
            if counted is not None:
                place = slot._replace(number=counted.number)
                day = _day_of(place, ended.state.as_of)
                value = figures.bounded(place.scope, place.value, day) if place.scope in _LABELLED else place.value
                figures.change(place._replace(value=value), _changes_of(counted))
                self._effects.emit(ROLLUPS, *told_part(ended, place, RollupState(place.number), partition))
        if ended.state.values:
            figures.state.as_of = max(figures.state.as_of, ended.state.as_of)
            ended.forget()
            figures.save()

    def forget(self, account_id: str, clock: str, partition: int) -> None:
        """Nothing is known of an account any more: its own figures go, what it added to sums names nobody."""
        self.settle(partition)
        for each in sorted({clock, WALL}):
            figures = ClockFigures(self._states, each)
            for place in figures.forget_account(account_id):
                self._effects.forget(ROLLUPS, _key_of(each, place, partition))
            if figures.state.told_at is not None or figures.state.values:
                figures.save()

    def _count(self, figures: ClockFigures, batch: "_Batch") -> None:
        """Spread what was added over scopes and buckets: each bucket is read and written once."""
        changes: defaultdict[Place, list[Change]] = defaultdict(list)
        for (bucket, number, labels), sums in batch.shared.items():
            added = _changes(sums.items())
            buckets = [(bucket, number), ("day", number // 24)] if bucket == "hour" else [(bucket, number)]
            values = self._values(figures, labels, buckets[-1])
            if bucket == "hour":
                values.append(("hours", figures.bounded("hours", hours_of_day(number), buckets[-1][1])))
            for scope, value in values:
                for kind, at in buckets:
                    changes[Place(scope, value, kind, at)] += added
        for place, each in changes.items():
            figures.change(place, each)
        for (account_id, bucket, number), parts in batch.own.items():
            figures.note_account(account_id)
            figures.change(Place("account", account_id, bucket, number), _changes(parts))

    def _values(self, figures: ClockFigures, labels: CareLabels, last: tuple[str, int]) -> list[tuple[str, str]]:
        day = last[1] if last[0] == "day" else figures.state.as_of // DAY_US
        named = zip(_LABELLED, labels, strict=True)
        return [
            ("company", figures.bounded("company", "", day)),
            *((scope, figures.bounded(scope, value, day)) for scope, value in named if value and scope in self._scopes),
        ]

    def _tell(self, figures: ClockFigures, partition: int) -> None:
        for place, counted in figures.take_untold():
            self._effects.emit(ROLLUPS, *told_part(figures, place, counted, partition))


def hours_of_day(hour: int) -> str:
    """The part of the day, in UTC, in which an hour from the epoch on lies."""
    begins = hour % 24 // HOURS_COMPARED * HOURS_COMPARED
    return f"{begins:02}-{begins + HOURS_COMPARED:02}"


class _Batch:
    """What a batch adds on one clock."""

    __slots__ = ("as_of", "own", "shared")

    def __init__(self) -> None:
        self.as_of: Instant = 0
        self.shared: defaultdict[tuple[str, int, CareLabels], dict[Contribution, int]] = defaultdict(dict)
        """By bucket and labels."""
        self.own: defaultdict[tuple[str, str, int], list[tuple[Contribution, int]]] = defaultdict(list)
        """By account and bucket."""


def _changes(parts: Iterable[tuple[Contribution, int]]) -> list[Change]:
    return [
        (measure, bin_number, times * amount)
        for what, times in parts
        if times
        for measure, bin_number, amount in changes_of(what)
    ]


def told_part(figures: ClockFigures, place: Place, counted: RollupState, partition: int) -> tuple[str, Rollup]:
    """What a partition says of one of its buckets, and under which key."""
    scope, value, bucket, _ = place
    clock, as_of, number = figures.clock, figures.state.as_of, counted.number
    key = _key_of(clock, Place(scope, value, bucket, number), partition)
    told = Rollup(
        id=f"{key}@{as_of}",
        partition=partition,
        scope=scope,  # type: ignore[arg-type]  # one of them
        scope_value=value or None,
        bucket=bucket,  # type: ignore[arg-type]  # one of them
        begins_at=_begins_at(bucket, number),
        as_of=to_datetime(as_of),
        clock=clock,
        counts=counted.counts,
        timings=tuple([Timings(name, tuple(bins), tuple(bins.values())) for name, bins in counted.timings.items()]),
    )
    return key, told


def _key_of(clock: str, place: Place, partition: int) -> str:
    scope, value, bucket, number = place
    return f"{clock}/{scope}/{value}/{bucket}/{number % RINGS[bucket]}/{partition}"


def _day_of(place: Place, as_of: Instant) -> int:
    """The day on which what a bucket holds was heard of; of how things stand, the last one."""
    match place.bucket:
        case "hour":
            return place.number // 24
        case "day":
            return place.number
        case _:
            return as_of // DAY_US


def _changes_of(counted: RollupState) -> list[Change]:
    changes: list[Change] = [(measure, None, amount) for measure, amount in counted.counts.items()]
    for measure, bins in counted.timings.items():
        changes += [(measure, each, amount) for each, amount in bins.items()]
    return changes


@lru_cache(maxsize=1024)
def _begins_at(bucket: str, number: int) -> datetime:
    match bucket:
        case "hour":
            return to_datetime(number * HOUR_US)
        case "day":
            return to_datetime(number * DAY_US)
        case "month":
            return to_datetime(month_begins_at(number))
        case _:
            return to_datetime(0)


@lru_cache(maxsize=1024)
def _month_of(day: int) -> int:
    return month_number(day * DAY_US)
