"""Profile tests, run: observations go through the engine, what comes out is compared with what was expected.

Cases come from `health_case_reader`; `streams.cli.health_commands` shows the results.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents.domain.health_story import standing, story
from agents.domain.health_verdict import HealthBook, Verdict, ordered
from streams.health_files.health_case_reader import HealthCase
from streams.health_files.verdict_columns import changes_of, columns_of, instant_column

_A_ROUNDING = 5e-5
"""Coverage and points are published with no more than four digits."""


class Mismatch(NamedTuple):
    """One value that is not as expected."""

    key: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class HealthCaseResult:
    """What came of a case."""

    case: HealthCase
    actual: Mapping[str, Any]
    mismatches: Sequence[Mismatch]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.mismatches

    def as_json(self) -> dict[str, Any]:
        """The entry under `tests` that `--json` prints."""
        return {
            "file": self.case.file,
            "name": self.case.name,
            "passed": self.passed,
            "expected": self.case.written,
            "actual": dict(self.actual),
        }


def run_health_cases(cases: Sequence[HealthCase]) -> Iterator[HealthCaseResult]:
    """Run cases in order."""
    books: dict[int, HealthBook] = {}
    for case in cases:
        book = books.setdefault(id(case.profiles), HealthBook(case.profiles))
        verdict, told = _judged(book, case)
        actual = columns_of(verdict, case.profiles.version) | {"changes": changes_of(told)}
        yield HealthCaseResult(case, actual, list(_mismatches(case.expected, actual, verdict, told)))


def _judged(book: HealthBook, case: HealthCase) -> tuple[Verdict, list[Verdict]]:
    """How the account is, and what was told until then. Children are known as they are now, so there is one change."""
    scorer = book.scorer_for(case.account)
    if case.children and scorer is not None and scorer.profile.children is not None:
        known = ordered(case.observed)
        verdict = book.judge(case.account, known, case.now, None, case.override, children=case.children)
        return verdict, [verdict]
    verdict = standing(book, case.account, case.observed, case.now, case.override)
    return verdict, list(story(book, case.account, case.observed, case.now, case.override))


def _mismatches(
    expected: Mapping[str, Any], actual: Mapping[str, Any], verdict: Verdict, told: Sequence[Verdict]
) -> Iterator[Mismatch]:
    for key, value in expected.items():
        if key == "contributions":
            yield from _parts(value, verdict)
        elif key == "plays":
            yield from _unless_equal(key, value, [play.id for play in verdict.plays])
        elif key == "changes":
            yield from _changes(value, told)
        else:
            yield from _unless_equal(key, value, actual[key])


def _parts(expected: Mapping[str, float], verdict: Verdict) -> Iterator[Mismatch]:
    points = {part.signal or part.component: part.points / 100 for part in verdict.parts}
    for name, value in expected.items():
        yield from _unless_equal(f"points of {name}", value, points.get(name, 0))


def _changes(expected: Sequence[Mapping[str, Any]], told: Sequence[Verdict]) -> Iterator[Mismatch]:
    if len(expected) != len(told):
        yield from _unless_equal("changes", len(expected), len(told))
        return
    for number, (wanted, verdict) in enumerate(zip(expected, told, strict=True), start=1):
        score = None if verdict.score is None else verdict.score / 100
        found = {"change": verdict.change, "score": score, "band": verdict.band}
        for key, value in wanted.items():
            if key == "at":
                yield from _unless_equal(f"change {number} at", instant_column(value), instant_column(verdict.as_of))
            else:
                yield from _unless_equal(f"change {number} {key}", value, found[key])


def _unless_equal(key: str, expected: Any, actual: Any) -> Iterator[Mismatch]:  # noqa: ANN401 - values of any column
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        is_equal = abs(expected - actual) < _A_ROUNDING
    else:
        is_equal = expected == actual
    if not is_equal:
        yield Mismatch(key, _shown(expected), _shown(actual))


def _shown(value: Any) -> str:  # noqa: ANN401 - values of any column
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "null" if value is None else str(value)
