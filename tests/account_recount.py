"""Adherence counted by brute force: a model of the rules that knows no buckets, cells or sums, for the laws.

It keeps every clock's last word and every outcome with the labels under which it was decided, and asks each of them
anew whether a window reaches it.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, from_datetime, to_datetime
from schemas.adherence import SCOPES, AdherenceReport
from schemas.sla_event import SlaEvent

Place = tuple[str, str, str | None, str]
"""Metric, scope, value and window."""
Counts = tuple[int, int, int, int, int]
"""Met, breached, open, overdue, at risk."""

WIDTHS = {"1h": MINUTE_US, "24h": MINUTE_US, "7d": HOUR_US, "30d": HOUR_US}
LENGTHS = {"1h": HOUR_US, "24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US}


class Stand(NamedTuple):
    """Where a clock stands: its kind of standing, its labels, whether it was warned of, its span."""

    where: str
    labels: dict[str, str | None]
    is_warned: bool
    span: tuple[Instant, Instant] | None


def reaches(window: str, at: Instant, as_of: Instant) -> bool:
    """Whether an outcome counts, by the words of `agents.domain.rolling_window`."""
    if window == "month":
        return to_datetime(at).strftime("%Y-%m") == to_datetime(as_of).strftime("%Y-%m") and at <= as_of
    width = WIDTHS[window]
    start = at - at % width
    return as_of - as_of % width - LENGTHS[window] < start <= as_of


def labels_of(event: SlaEvent) -> dict[str, str | None]:
    return {"account": None} | {scope: getattr(event, scope) for scope in SCOPES}


class Recount:
    """All clocks of an account, by what their events said."""

    def __init__(self, events: Iterable[Any]) -> None:
        self.stands: dict[tuple[str, str], Stand] = {}
        self.decided: dict[tuple[str, str], tuple[str, Instant, dict[str, str | None]]] = {}
        for event in events:
            if isinstance(event, SlaEvent) and event.metric is not None:
                self._take(event, (event.metric, event.conversation_id))

    def _take(self, event: SlaEvent, clock: tuple[str, str]) -> None:
        labels, before = labels_of(event), self.stands.get(clock)
        span = None
        if event.due_at is not None and event.started_at is not None:
            span = from_datetime(event.started_at), from_datetime(event.due_at)
        if event.kind in {"paused", "resumed", "retargeted", "warned"}:
            if before is not None and before.where == "open":
                warned = event.kind == "warned" or (before.is_warned and event.kind != "retargeted")
                self.stands[clock] = Stand("open", labels, warned, span)
            return
        where = {"activated": "open", "outcome_revised": str(event.outcome)}.get(event.kind, event.kind)
        self.stands[clock] = Stand(where, labels, False, span)
        if event.kind in {"retracted", "outcome_revised"} or (event.kind == "merged" and event.previous_decided_at):
            self.decided.pop(clock, None)
        if where == "met":
            self.decided[clock] = ("met", from_datetime(event.satisfied_at or event.occurred_at), labels)
        elif where == "breached":
            self.decided[clock] = ("breached", from_datetime(event.breached_at or event.occurred_at), labels)

    def figures(self, as_of: Instant) -> dict[Place, Counts]:
        """Every figure that is not nothing."""
        counts: dict[Place, Counter[str]] = {}

        def note(metric: str, labels: dict[str, str | None], window: str, *what: str) -> None:
            for scope, value in labels.items():
                counts.setdefault((metric, scope, value, window), Counter()).update(what)

        for (metric, _), (outcome, at, labels) in self.decided.items():
            for window in (*WIDTHS, "month"):
                if reaches(window, at, as_of):
                    note(metric, labels, window, outcome)
        for (metric, _), stand in self.stands.items():
            for window in (*WIDTHS, "month"):
                if stand.where == "open":
                    note(metric, stand.labels, window, "open", *(["risk"] if is_at_risk(stand, as_of) else []))
                elif stand.where == "breached":
                    note(metric, stand.labels, window, "overdue")
        return {
            place: (each["met"], each["breached"], each["open"], each["overdue"], each["risk"])
            for place, each in counts.items()
        }


def is_at_risk(stand: Stand, as_of: Instant) -> bool:
    if stand.is_warned or stand.span is None:
        return stand.is_warned
    started_at, due_at = stand.span
    return to_datetime(as_of) >= to_datetime(due_at) - timedelta(microseconds=(due_at - started_at) // 5)


def figures_in(reports: Iterable[Any]) -> dict[Place, Counts]:
    """What the latest report of each metric says, as the model says it."""
    latest = {report.metric: report for report in reports if isinstance(report, AdherenceReport)}
    return {
        (each.metric, each.scope, each.scope_value, each.window): counts
        for report in latest.values()
        for each in report.figures()
        if any(counts := (each.met, each.breached, each.open, each.overdue, each.at_risk))
    }
