"""Policy tests, run: events go through the engine, the clocks that come out are compared with what was expected.

Cases come from `case_reader`; `streams.cli.policy_commands` shows the results.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agents.domain.instant import from_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_conversation
from schemas.policy import PolicyFile
from streams.policy_files.case_reader import Expectation, PolicyCase
from streams.policy_files.clock_columns import INSTANT_COLUMNS, ColumnValue, columns_of, instant_text

_A_MICROSECOND = 1e-6
"""Seconds are compared to the microsecond, in which the engine computes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not as expected. `column` is null when the whole clock is missing."""

    metric: str
    instance: int
    column: str | None
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case."""

    case: PolicyCase
    actual: Sequence[Mapping[str, ColumnValue]]
    differences: Sequence[Difference]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """The entry under `tests` that `--json` prints."""
        return {
            "file": self.case.file,
            "name": self.case.name,
            "passed": self.passed,
            "expected": [expectation.written for expectation in self.case.expected],
            "actual": list(self.actual),
        }


def run_cases(cases: Sequence[PolicyCase]) -> Iterator[CaseResult]:
    """Run cases in order. `effective_from` of a policy file does not count here: its policies hold at any time."""
    books: dict[int, tuple[PolicyFile, PolicyBook]] = {}
    for case in cases:
        _, book = books.setdefault(id(case.policies), (case.policies, PolicyBook.of(case.policies)))
        yield _run(case, book)


def _run(case: PolicyCase, book: PolicyBook) -> CaseResult:
    latest = max((interaction.occurred_at for interaction in case.interactions), default=None)
    now = case.now or latest
    if now is None:
        return CaseResult(case, [], list(_differences(case.expected, [])))
    actual = [columns_of(view) for view in judge_conversation(book, case.interactions, from_datetime(now))]
    return CaseResult(case, actual, list(_differences(case.expected, actual)))


def _differences(expected: Sequence[Expectation], actual: Sequence[Mapping[str, ColumnValue]]) -> Iterator[Difference]:
    by_clock = {(clock["metric"], clock["instance"]): clock for clock in actual}
    for expectation in expected:
        metric, instance = expectation.metric, expectation.instance
        clock = by_clock.get((metric, instance))
        if clock is None:
            others = ", ".join(f"{other} {number}" for other, number in by_clock) or "no clock at all"
            yield Difference(metric, instance, None, "a clock", others)
            continue
        for column, value in expectation.values.items():
            if not _equal(column, value, clock[column]):
                yield Difference(metric, instance, column, _shown(value), _shown(clock[column]))


def _equal(column: str, expected: str | float | datetime | None, actual: ColumnValue) -> bool:
    if expected is None or actual is None:
        return expected is None and actual is None
    if column in INSTANT_COLUMNS and isinstance(expected, datetime):
        return instant_text(expected) == actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return abs(expected - actual) < _A_MICROSECOND
    return expected == actual


def _shown(value: str | float | datetime | None) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    return "null" if value is None else str(value)
