"""Reads the parts of the care figures from their topic, and merges what is asked for.

`careline care` prints what it finds. The arithmetic is `agents.domain.care_metrics`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from agents.domain.care_metrics import LEAST_CASES, Figure, Window, care_of, figures_of, least_of
from agents.domain.four_cs import FourC, four_cs, gap_of
from agents.domain.instant import Instant, from_datetime
from schemas.codec import ContractViolation, decode
from schemas.issue import Issue
from schemas.rollup import Rollup, RollupScope
from schemas.topics import ISSUES, ROLLUPS
from streams.settings import Settings
from streams.topic_reader import topic_reader


class CareValue(NamedTuple):
    """The figures of one value of a scope, and the four C's of the company or an account; of others there are none."""

    value: str | None
    figures: list[Figure]
    four_cs: list[FourC]
    name: str | None = None
    """Of a topic: the telling words of its newest issue."""


def read_parts(settings: Settings, clock: str) -> list[Rollup]:
    """The newest part of every key on one clock.

    Raises:
        TopicAbsent: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    newest: dict[bytes | None, Rollup] = {}
    with topic_reader(settings.kafka) as reader:
        for record in reader.records(settings.topic(ROLLUPS.name)):
            try:
                part = decode(Rollup, record.value)
            except ContractViolation:
                continue
            if part.clock == clock:
                newest[record.key] = part
    return list(newest.values())


def topic_names(settings: Settings, clock: str) -> dict[str, str]:
    """What the newest issue of each topic is called on one clock.

    Raises:
        TopicAbsent: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    newest: dict[str, tuple[datetime, datetime, str]] = {}
    with topic_reader(settings.kafka) as reader:
        for record in reader.records(settings.topic(ISSUES.name)):
            try:
                issue = decode(Issue, record.value)
            except ContractViolation:
                continue  # a forgetting
            if issue.clock == clock and issue.topic_id is not None:
                told = (issue.opened_at, issue.as_of, issue.name)
                newest[issue.topic_id] = max(told, newest.get(issue.topic_id, told))
    return {topic_id: name for topic_id, (_, _, name) in newest.items()}


def latest_instant(parts: Iterable[Rollup]) -> Instant | None:
    """How far the clock of some parts has come; null where there are none."""
    return max((from_datetime(part.as_of) for part in parts), default=None)


def care_values(parts: Iterable[Rollup], scope: RollupScope, window: Window, as_of: Instant) -> list[CareValue]:
    """The figures of every value of a scope, in order of the value."""
    by_scope: defaultdict[str, defaultdict[str, list[Rollup]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        by_scope[part.scope][part.scope_value or ""].append(part)
    found = []
    for value, own in sorted(by_scope[scope].items()):
        figures = figures_of(care_of(own, window, as_of), least_of(scope))
        if scope == "company":
            scores = four_cs(figures, {f"{each}_gap": _gap(by_scope[each], window, as_of) for each in _COMPARED})
        else:
            scores = four_cs(figures) if scope == "account" else []
        found.append(CareValue(value or None, figures, scores))
    return found


_COMPARED: tuple[RollupScope, ...] = ("channel", "team", "hours")


def _gap(values: Mapping[str, list[Rollup]], window: Window, as_of: Instant) -> float | None:
    figures = [figures_of(care_of(own, window, as_of), LEAST_CASES) for own in values.values()]
    return gap_of(figure.value for found in figures for figure in found if figure.name == "adherence_ratio")
