"""F1 seen from the accounts: killed among answers to surveys, and every figure in ClickHouse against the oracle."""

import signal
import time
from pathlib import Path

import pytest

from schemas.topics import SIGNALS
from streams.sinks.clickhouse_connection import open_clickhouse, read_target
from tests.faults.account_verdicts import Meant
from tests.faults.fault_story import invent, survey
from tests.faults.house import House, wait_until
from tests.faults.plain_oracle import all_clocks
from tests.faults.row_verdicts import Rows
from tests.faults.verdicts import Figures, assert_clean, compare, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

AND_THAT_WAS_ALL = """(conversation_id, metric, instance) NOT IN (
    SELECT conversation_id, metric, instance FROM sla_events WHERE kind IN ('outcome_revised', 'retracted'))"""
SPOILT = {
    "clocks": ("clocks", "due_at + INTERVAL 1 MICROSECOND AS due_at", "due_at IS NOT NULL"),
    "outcomes": ("clocks", "satisfied_at + INTERVAL 1 SECOND AS satisfied_at", "outcome = 'met'"),
    "facts": ("sla_events", "elapsed_seconds + 1 AS elapsed_seconds", f"kind = 'met' AND {AND_THAT_WAS_ALL}"),
    "adherence": ("adherence", "arrayMap(each -> arrayMap(n -> n + 1, each), standings.met) AS `standings.met`", "1"),
    "health": ("health", "score - 1 AS score", "score > 1"),
    "scores": ("health", "arrayMap(each -> each + 0.01, contributions.points) AS `contributions.points`", "score > 1"),
    "rollups": (
        "rollups",
        "mapApply((name, n) -> (name, n + 1), counts) AS counts",
        "scope = 'company' AND bucket = 'day' AND mapContains(counts, 'met/first_response')",
    ),
}
"""What is changed in one row of which table, by the difference that must then be told."""


def test_f1_killed_among_answers_and_every_row_is_right(house: House, tmp_path: Path, seed: int, now: int) -> None:
    """Twice a worker dies over its results; then one wrong figure in any table is noticed."""
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    story = invent(seed, 300, now)
    story.answers = survey(seed, 10, 200, now)
    figures = Figures("F1 killed among answers", seed)
    _, port = house.clickhouse(tmp_path / "clickhouse")
    target = read_target(f"http://127.0.0.1:{port}/careline")
    with open_clickhouse(target, create_database=True):
        pass
    house.publish_policy()
    house.start("sink", CARELINE_CLICKHOUSE=f"http://127.0.0.1:{port}/careline")
    records, answers = story.records(), story.answer_records()
    for part in (slice(None, None, 2), slice(1, None, 2)):
        worker = house.worker(CARELINE_FAULT="transaction.sent:4:kill")
        house.send(records[part])
        house.send(answers[part], SIGNALS)
        wait_until(lambda worker=worker: worker.poll() == -signal.SIGKILL, "the worker is killed")  # type: ignore[misc]
    began = time.monotonic()
    house.worker()
    wait_until_judged(house, story.events)
    figures.recover_seconds = time.monotonic() - began

    compare(house, story, figures, now)
    assert_clean(figures)
    rows, meant = Rows(port), Meant(story, all_clocks(story.conversations.values(), now))
    for what, (table, change, where) in SPOILT.items():
        with open_clickhouse(target) as client:
            spoilt = f"SELECT * REPLACE ({change}, version + 1 AS version) FROM {table} FINAL"
            client.command(f"INSERT INTO {table} {spoilt} WHERE {where} ORDER BY version DESC LIMIT 1")
        assert rows.differences(meant, of_story_only=False)[what], f"{what}: not noticed"
