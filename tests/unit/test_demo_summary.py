"""What the demo counts and shows: the invariants of its last line, and the view of the floor."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.health_score import HealthScore
from schemas.sla_event import Cause, SlaEvent
from streams.demo.demo_parts import POLICY_FILE, DemoOptions, DemoParts
from streams.demo.demo_summary import DemoSummary, summarise
from streams.demo.floor_view import FloorView
from streams.demo.run_ledgers import Judged
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from streams.settings import Settings
from streams.sinks.sql_client import ResultTable

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
counts = st.integers(min_value=0, max_value=10**9)
judged = st.builds(Judged, applied=counts, duplicate=counts, late=counts, rejected=counts)


@given(judged, judged)
def test_what_was_accepted_is_the_sum_of_what_became_of_it(before: Judged, more: Judged) -> None:
    events = _summary((before + more) - before).as_json()["events"]

    assert events["accepted"] == events["applied"] + events["duplicate"] + events["late"] + events["rejected"]
    assert (before + more) - before == more


def _summary(of: Judged, seconds: float = 10.0) -> DemoSummary:
    return DemoSummary(
        judged=of, met=1, breached=1, accounts=1, rows={}, lateness_p50=None, lateness_p99=None, seconds=seconds
    )


def test_a_run_without_an_event_has_no_throughput() -> None:
    assert _summary(Judged(), 0.0).as_json()["throughput_events_per_second"] == 0


def test_the_summary_asks_for_every_table_and_knows_when_there_was_no_breach() -> None:
    asked: list[str] = []

    def ask(sql: str) -> ResultTable:
        asked.append(sql)
        row: list[Any] = [float("nan"), None] if "quantile" in sql else [3, 4]
        return ResultTable(["a", "b"], ["", ""], [row])

    summary = summarise(ask, Judged(applied=5), "simulation:1", 0, 2.0).as_json()

    assert summary["clickhouse_rows"].keys() == {
        *("sla_events", "clocks", "adherence", "rollups", "health", "enrichments", "issues", "alerts", "rejected")
    }
    assert summary["breach_lateness_seconds"] == {"p50": None, "p99": None}
    assert summary["throughput_events_per_second"] == 2.5
    assert all("simulation:1" in sql for sql in asked if "FROM outcomes" in sql or "quantile" in sql)


def _event(kind: Any, minutes: float, conversation: str = "c1") -> SlaEvent:
    at = NOON + timedelta(minutes=minutes)
    return SlaEvent(
        id=f"{conversation}/{kind}",
        kind=kind,
        conversation_id=conversation,
        account_id="acme",
        occurred_at=at,
        cause=Cause(0, 0),
        source="company",
        metric="first_response",
        instance=1,
        due_at=NOON,
    )


def test_a_promise_runs_is_broken_and_is_answered_late() -> None:
    view = FloorView()
    view.take_event(_event("activated", 0))
    assert len(view.running) == 1

    view.take_event(_event("breached", 5))
    assert (len(view.running), len(view.overdue), view.adherence) == (0, 1, 0.0)
    assert view.breaches[0].account_id == "acme"

    view.take_event(_event("satisfied_late", 9))
    assert not view.overdue
    assert view.breached == 1


def test_what_a_survivor_tells_again_is_no_further_decision() -> None:
    view = FloorView()
    view.take_event(_event("met", 5))
    view.take_event(replace(_event("met", 5, "survivor"), reason="handed over"))
    view.take_event(replace(_event("breached", 6, "survivor"), reason="handed over"))
    assert (view.met, view.breached, len(view.overdue), len(view.breaches)) == (1, 0, 1, 0)


def test_adherence_is_that_of_the_last_hour() -> None:
    view = FloorView()
    view.take_event(_event("breached", 0, "old"))
    view.take_event(_event("met", 50, "new"))
    assert view.adherence == 0.5

    view.take_event(_event("activated", 61, "newest"))
    assert view.adherence == 1.0


def test_only_notable_moves_of_health_are_shown_each_account_once() -> None:
    view = FloorView()

    def score(now: float, before: float | None, change: Any = "changed") -> HealthScore:
        return HealthScore(
            id="h",
            account_id="acme",
            as_of=NOON,
            score=now,
            band="green",
            coverage=1.0,
            change=change,
            previous_score=before,
        )

    for move in (score(80, None, "initial"), score(79, 80), score(70, 79), score(69, 70, "band_changed")):
        view.take_score(move)

    assert [mover.score for mover in view.movers] == [69]


def test_the_policy_of_the_demo_is_right() -> None:
    problems = Problems(POLICY_FILE.name)

    assert read_policy_text(POLICY_FILE.read_text(encoding="utf-8"), problems) is not None
    assert problems.errors == []


def test_no_setting_of_the_user_leads_a_program_of_the_demo_into_another_house(tmp_path: Path) -> None:
    of_the_user = {"CARELINE_CLICKHOUSE": "http://warehouse:8123/live", "CARELINE_GROUP": "live", "PATH": "/bin"}
    parts = DemoParts(DemoOptions(), tmp_path, Settings(clickhouse_url="http://warehouse:8123/live"), of_the_user)

    environment = parts.environment("127.0.0.1:1")

    assert environment["CARELINE_CLICKHOUSE"] == "chdb://"
    assert "CARELINE_GROUP" not in environment
    assert environment["PATH"] == "/bin"


def test_the_secret_stands_in_no_file_and_in_no_command(tmp_path: Path) -> None:
    parts = DemoParts(DemoOptions(), tmp_path, Settings(), {})
    secret = parts.environment("127.0.0.1:1", with_secret=True)["COMPANY_WEBHOOK_SECRET"]

    commands = [*parts.connect_command(), *parts.simulate_command(), *parts.work_command(), *parts.sink_command()]

    assert secret.startswith("whsec_")
    assert secret not in " ".join(commands)
    assert secret not in (tmp_path / "connectors.yaml").read_text(encoding="utf-8")
    assert "COMPANY_WEBHOOK_SECRET" not in parts.environment("127.0.0.1:1")
