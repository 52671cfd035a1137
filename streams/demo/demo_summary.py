"""What came out of a demo: the workers' own books beside what ClickHouse has, in one object.

`careline demo --json` prints it as its last line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.domain.instant import Instant, to_datetime
from streams.demo.run_ledgers import Judged
from streams.sinks.rows import TABLES
from streams.sinks.sql_client import ResultTable

Ask = Callable[[str], ResultTable]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSummary:
    """The figures of one run.

    Attributes:
        judged: What became of the events; those repeated or refused at the door included.
        met: Promises kept.
        breached: Promises broken, those answered late included.
        accounts: Accounts that something is known about.
        rows: Rows by table of ClickHouse, replaced ones left out.
        lateness_p50, lateness_p99: Seconds from the due instant of a breach to its detection, in the story's time
            divided by the warp; null without a breach.
        seconds: From the first event to the last one worked off.
    """

    judged: Judged
    met: int
    breached: int
    accounts: int
    rows: dict[str, int]
    lateness_p50: float | None
    lateness_p99: float | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The object that is printed."""
        judged = self.judged
        return {
            "events": {
                "accepted": judged.accepted,
                "applied": judged.applied,
                "duplicate": judged.duplicate,
                "late": judged.late,
                "rejected": judged.rejected,
            },
            "outcomes": {"met": self.met, "breached": self.breached},
            "accounts": self.accounts,
            "clickhouse_rows": self.rows,
            "breach_lateness_seconds": {"p50": self.lateness_p50, "p99": self.lateness_p99},
            "throughput_events_per_second": round(judged.accepted / self.seconds, 1) if self.seconds > 0 else 0.0,
        }


def summarise(ask: Ask, judged: Judged, clock: str, starts_at: Instant, seconds: float) -> DemoSummary:
    """Ask ClickHouse for its part.

    Args:
        ask: Puts a question and has the answer as a table.
        judged: The books of the run.
        clock: Of the story.
        starts_at: Where the story began: a data folder may hold an earlier one.
        seconds: How long the run took.
    """
    begin = f"toDateTime64('{to_datetime(starts_at):%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"
    met, breached = ask(
        # A promise has a due instant; a clock without a target measures and promises nothing.
        f"SELECT countIf(kept), countIf(NOT kept) FROM outcomes"  # noqa: S608 - all parts are ours
        f" WHERE clock = '{clock}' AND due_at IS NOT NULL AND decided_at >= {begin}"
    ).rows[0]
    p50, p99 = ask(
        f"SELECT quantileExactInclusive(0.5)(lateness_seconds), quantileExactInclusive(0.99)(lateness_seconds)"  # noqa: S608
        f" FROM sla_events FINAL WHERE kind = 'breached' AND clock = '{clock}' AND occurred_at >= {begin}"
    ).rows[0]
    accounts = ask(
        f"SELECT uniqExact(account_id) FROM (SELECT account_id FROM health WHERE clock = '{clock}'"  # noqa: S608
        f" UNION ALL SELECT account_id FROM sla_events WHERE clock = '{clock}')"
    ).rows[0][0]
    return DemoSummary(
        judged=judged,
        met=int(met),
        breached=int(breached),
        accounts=int(accounts),
        rows={table.name: _rows_of(ask, table.name) for table in TABLES},
        lateness_p50=_rounded(p50),
        lateness_p99=_rounded(p99),
        seconds=seconds,
    )


def _rows_of(ask: Ask, table: str) -> int:
    return int(ask(f"SELECT count() FROM {table} FINAL").rows[0][0])  # noqa: S608 - the name is ours


def _rounded(seconds: float | None) -> float | None:
    # ClickHouse writes the quantile of nothing as null or nan.
    return None if seconds is None or seconds != seconds else round(seconds, 4)  # noqa: PLR0124
