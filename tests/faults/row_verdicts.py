"""The rows in ClickHouse against the oracle: not only that they are there, but what they say.

Asked over plain HTTP, as anybody would: outcomes as clocks and as facts, adherence in every window, health with its
parts, the company's days. `verdicts` asks where a house has a ClickHouse that is being filled.
"""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from tests.faults.account_verdicts import (
    Differences,
    Meant,
    ToldPart,
    ToldScore,
    ToldStandings,
    adherence_differences,
    by_scope,
    health_differences,
    rollup_differences,
    unsound_scores,
)
from tests.faults.clock_verdicts import ToldClock, clock_differences, elapsed_us, told_of
from tests.faults.fault_story import DAY
from tests.faults.plain_figures import PlainStanding

PATIENCE_SECONDS = 60.0
MOVES = ("activated", "met", "breached", "satisfied_late", "cancelled", "merged", "outcome_revised", "retracted")
"""Kinds of facts after which a clock stands elsewhere."""
PLAIN_NUMBERS = "SETTINGS output_format_json_quote_64bit_integers = 0 FORMAT JSONEachRow"


def _instants(*names: str) -> str:
    return ", ".join(f"toUnixTimestamp64Micro({name}) AS {name}_us" for name in names)


CLOCKS = f"""SELECT id, account_id, policy, priority, outcome, elapsed_seconds,
    {_instants("started_at", "due_at", "breached_at", "satisfied_at")} FROM clocks FINAL"""
OUTCOMES = f"SELECT id, kept, {_instants('decided_at')} FROM outcomes"
# Of the facts about one clock, which are in one partition, the last one.
FACTS = f"""SELECT concat(conversation_id, '/', metric, '/', toString(instance)) AS id, account_id, policy, priority,
    outcome, elapsed_seconds, {_instants("started_at", "due_at", "breached_at", "satisfied_at")}
    FROM sla_events FINAL WHERE kind IN {MOVES}
    ORDER BY version DESC LIMIT 1 BY conversation_id, metric, instance"""
ADHERENCE = f"""SELECT account_id, metric, {_instants("as_of")}, standings.scope AS scope,
    standings.scope_value AS value, standings.met AS met, standings.breached AS breached, standings.ratio AS ratio,
    standings.open AS open, standings.overdue AS overdue, standings.at_risk AS at_risk FROM adherence FINAL"""
HEALTH = f"""SELECT id, account_id, score, band, coverage, version, {_instants("as_of")},
    contributions.component AS component, contributions.signal AS signal, contributions.value AS value,
    contributions.sub_score AS sub_score, contributions.weight AS weight, contributions.points AS points
    FROM health FINAL ORDER BY version"""
ROLLUPS = f"""SELECT {_instants("begins_at")}, counts FROM rollups FINAL
    WHERE clock = 'wall' AND scope = 'company' AND bucket = 'day'"""


class Rows(NamedTuple):
    """The tables of one database."""

    port: int

    def ask(self, query: str) -> Iterator[dict[str, Any]]:
        """Rows as JSON, fractions as decimals."""
        address = f"http://127.0.0.1:{self.port}/?database=careline"
        with urllib.request.urlopen(address, f"{query} {PLAIN_NUMBERS}".encode(), timeout=60) as answer:
            for line in answer.read().splitlines():
                yield json.loads(line, parse_float=Decimal)

    def settled_differences(self, meant: Meant, *, of_story_only: bool) -> dict[str, Differences]:
        """What is different once the sink has come to the end, or patience has."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.differences(meant, of_story_only=of_story_only)
            if not any(found.values()) or time.monotonic() > until:
                return found
            time.sleep(0.5)

    def differences(self, meant: Meant, *, of_story_only: bool) -> dict[str, Differences]:
        """Everything that ClickHouse does not say as the oracle does, by what it is about."""
        read_at = time.time_ns() // 1000
        scores = list(map(_score_in, self.ask(HEALTH)))
        found = {
            "clocks": self._clocks(meant, of_story_only=of_story_only),
            "outcomes": self._outcomes(meant, of_story_only=of_story_only),
            "facts": self._facts(meant),
            "adherence": adherence_differences(self._standings(), meant, read_at, of_story_only=of_story_only),
            "health": health_differences(
                {each.account: each for each in scores}, meant, read_at, of_story_only=of_story_only
            ),
            "scores": unsound_scores(scores),
        }
        if not of_story_only:
            found["rollups"] = rollup_differences(self._company_days(), meant.clocks.values())
        return found

    def _clocks(self, meant: Meant, *, of_story_only: bool) -> Differences:
        said = {row["id"]: _clock_in(row) for row in self.ask(CLOCKS)}
        found: Differences = [("no row", name) for name in sorted(meant.clocks.keys() - said.keys())]
        if not of_story_only:
            found += [("nobody's row", name) for name in sorted(said.keys() - meant.clocks.keys())]
        return found + clock_differences(said, meant.clocks)

    def _outcomes(self, meant: Meant, *, of_story_only: bool) -> Differences:
        said = {row["id"]: (bool(row["kept"]), row["decided_at_us"]) for row in self.ask(OUTCOMES)}
        must = {
            name: (clock.outcome == "met", clock.decided_at)
            for name, clock in meant.clocks.items()
            if clock.decided_at is not None
        }
        names = must.keys() | said.keys() if not of_story_only else meant.clocks.keys()
        return [(name, said.get(name), must.get(name)) for name in sorted(names) if said.get(name) != must.get(name)]

    def _facts(self, meant: Meant) -> Differences:
        """The last fact of each clock: its instants and figures, where something was decided."""
        said = {row["id"]: _clock_in(row) for row in self.ask(FACTS)}
        found: Differences = []
        for name, clock in sorted(meant.clocks.items()):
            told, must = said.get(name), told_of(clock)
            is_decided = clock.outcome in {"met", "breached", "satisfied_late"}
            if told is None or told.outcome != must.outcome or (is_decided and told != must):
                found.append((name, told, must))
        return found

    def _standings(self) -> dict[tuple[str, str], ToldStandings]:
        return {
            (row["account_id"], row["metric"]): ToldStandings(row["as_of_us"], by_scope(_standings_in(row)))
            for row in self.ask(ADHERENCE)
        }

    def _company_days(self) -> Counter[tuple[int, str]]:
        counts: Counter[tuple[int, str]] = Counter()
        for row in self.ask(ROLLUPS):
            day = row["begins_at_us"] // DAY
            counts.update({(day, name): n for name, n in row["counts"].items() if "/" in name and _is_decided(name)})
        return +counts


def _is_decided(measure: str) -> bool:
    return measure.startswith(("met/", "breached/"))


def _clock_in(row: Mapping[str, Any]) -> ToldClock:
    return ToldClock(
        account=row["account_id"],
        policy=row["policy"],
        priority=row["priority"],
        outcome=row["outcome"],
        started_at=row["started_at_us"],
        due_at=row["due_at_us"],
        breached_at=row["breached_at_us"],
        satisfied_at=row["satisfied_at_us"],
        elapsed_us=elapsed_us(row["outcome"], row["elapsed_seconds"]),
    )


def _standings_in(row: Mapping[str, Any]) -> Iterator[PlainStanding]:
    lists = [row[name] for name in ("scope", "value", "met", "breached", "ratio", "open", "overdue", "at_risk")]
    for scope, value, met, breached, ratio, *counts in zip(*lists, strict=True):
        ratios = tuple(None if each is None else float(each) for each in ratio)
        yield PlainStanding(scope, value, tuple(met), tuple(breached), ratios, *counts)


def _score_in(row: Mapping[str, Any]) -> ToldScore:
    lists = [row[name] for name in ("component", "signal", "value", "sub_score", "weight", "points")]
    return ToldScore(
        row["id"],
        row["account_id"],
        row["as_of_us"],
        _decimal(row["score"]),
        row["band"] or None,
        Decimal(row["coverage"]),
        {
            (component, signal): ToldPart(_decimal(value), _decimal(sub), Decimal(weight), Decimal(points))
            for component, signal, value, sub, weight, points in zip(*lists, strict=True)
        },
    )


def _decimal(number: Any) -> Decimal | None:
    return None if number is None else Decimal(number)
