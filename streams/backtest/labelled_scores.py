"""The score of every row of a labelled history, as it would have been at that row's instant.

What was observed of an account before a row counts for it, what came after does not. The rows come from
`streams.health_files.snapshot_rows`; `ranking` and `calibration` compare the scores with the labels.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.domain.health_verdict import Account, HealthBook, ordered
from agents.domain.instant import Instant
from agents.domain.signal_reading import Observation
from streams.backtest.ranking import Outcome
from streams.health_files.snapshot_rows import Snapshot

_HEALTHIEST = 100.0


class LabelledRow(NamedTuple):
    """A row that says whether its account has left, with all that was known of the account by then."""

    account: Account
    at: Instant
    observed: Mapping[str, Sequence[Observation]]
    left: bool


class ScoredRow(NamedTuple):
    """A row with its score (hundredths) and its band; null where nothing was known."""

    row: LabelledRow
    score: int | None
    band: str | None

    @property
    def outcome(self) -> Outcome:
        """The risk, from 0 to 100, is the opposite of the score."""
        return Outcome(_HEALTHIEST - (self.score or 0) / 100, self.row.left)


def labelled_rows(snapshots: Sequence[Snapshot], *, dated: bool) -> list[LabelledRow]:
    """The rows that have a label, in file order.

    Args:
        snapshots: all rows.
        dated: whether rows say when they are of; else each row is all that is known of its account.
    """
    if not dated:
        return [_row(row, _own(row), row.label) for row in snapshots if row.label is not None]
    by_account: dict[str, dict[str, list[Observation]]] = {}
    for row in snapshots:
        observed = by_account.setdefault(row.account.id, {})
        for signal, value in row.values.items():
            observed.setdefault(signal, []).append(Observation(row.at, value))
    in_time = {account: ordered(observed) for account, observed in by_account.items()}
    return [_row(row, in_time[row.account.id], row.label) for row in snapshots if row.label is not None]


def _own(row: Snapshot) -> dict[str, list[Observation]]:
    return {signal: [Observation(row.at, value)] for signal, value in row.values.items()}


def _row(row: Snapshot, observed: Mapping[str, Sequence[Observation]], left: bool) -> LabelledRow:  # noqa: FBT001 - a label
    return LabelledRow(row.account, row.at, observed, left)


def score_rows(book: HealthBook, rows: Sequence[LabelledRow]) -> list[ScoredRow]:
    """Every row with its score by a profile file. Bands are those of the score by itself."""
    scored = []
    for row in rows:
        verdict = book.judge(row.account, row.observed, row.at)
        scored.append(ScoredRow(row, verdict.score, verdict.band))
    return scored
