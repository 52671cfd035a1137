"""F8: errors of ClickHouse are waited for where they can be mended there, and end the sink with a reason where not."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest

from streams.kafka_refusal import REFUSED_STATUS
from tests.faults.fault_story import Record, invent
from tests.faults.house import PATIENCE_SECONDS, House, stop, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, wait_until_judged
from tests.faults.warehouse import Warehouse, compare_tables

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 240


class Mended(NamedTuple):
    """An error that somebody brings about and takes away by hand, and what the sink must say meanwhile."""

    broken: str
    mended: str
    said: str


MENDED = (
    Mended(  # code 60
        "RENAME TABLE clocks TO clocks_elsewhere", "RENAME TABLE clocks_elsewhere TO clocks", "run `careline migrate`"
    ),
    Mended(  # code 252; one part in a month's partition is one too many
        "ALTER TABLE sla_events MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 0",
        "ALTER TABLE sla_events RESET SETTING parts_to_throw_insert, parts_to_delay_insert",
        "more parts than it can merge",
    ),
    Mended(  # code 16
        "ALTER TABLE health RENAME COLUMN tier TO tiers",
        "ALTER TABLE health RENAME COLUMN tiers TO tier",
        "the table health has not the columns of this release",
    ),
)
TRIES = 4
"""After 0.5, 1 and 2 s: enough to see that the pauses grow."""


def test_f8_what_is_mended_at_clickhouse_is_waited_for(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """A table that is gone, too many parts, a column of another name: said once, tried in growing pauses, gone on."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F8 mended at ClickHouse", seed)
    house.publish_policy()
    house.worker()
    sink = _sink(house, warehouse)
    slices = _slices(story.records(), len(MENDED) + 1)
    sent = house.send(slices[0])
    wait_until_judged(house, sent)
    wait_until(lambda: _rows(warehouse, "sla_events") > 0, "the sink writes")
    for fault, records in zip(MENDED, slices[1:], strict=True):
        tried = _retries(house, sink)
        warehouse.change(fault.broken)
        sent += house.send(records)
        wait_until(lambda tried=tried: _retries(house, sink) >= tried + TRIES, f"it tries again: {fault.said}")  # type: ignore[misc]
        assert fault.said in house.log_of(sink)
        warehouse.change(fault.mended)
        wait_until_judged(house, sent)
        wait_until(lambda: house.log_of(sink).count("answers again") >= MENDED.index(fault) + 1, "it goes on")  # noqa: B023

    compare_tables(house, warehouse, figures)
    compare(house, story, figures, now)
    lines = house.log_of(sink).count("\n")
    figures.notes |= {"log lines": lines, "tries": _retries(house, sink)}
    assert_clean(figures)
    assert "Traceback" not in house.log_of(sink)
    assert lines < 30
    assert _retries(house, sink) < 12 * len(MENDED), "pauses that do not grow"
    assert stop(sink) == 0


@contextmanager
def _may_only_read(warehouse: Warehouse) -> Iterator[None]:
    """Code 164."""
    with warehouse.read_only():
        yield


@contextmanager
def _takes_no_text(warehouse: Warehouse) -> Iterator[None]:
    """A column that somebody has made anew with another type: what we write does not fit."""
    warehouse.change("ALTER TABLE clocks DROP COLUMN team", "ALTER TABLE clocks ADD COLUMN team UInt8")
    yield
    warehouse.change("ALTER TABLE clocks DROP COLUMN team", "ALTER TABLE clocks ADD COLUMN team LowCardinality(String)")


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        pytest.param(_may_only_read, REFUSED_STATUS, "our user may not do this", id="read-only"),
        pytest.param(_takes_no_text, 1, "a row does not fit into the table clocks", id="wrong type"),
    ],
)
def test_f8_what_no_waiting_mends_ends_the_sink(
    house: House,
    warehouse: Warehouse,
    seed: int,
    now: int,
    fault: Callable[[Warehouse], AbstractContextManager[None]],
    status: int,
    said: str,
) -> None:
    """It leaves with a reason and a status of its own, nothing is passed over, and the next sink goes on from there."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures(f"F8 {said[-20:]}", seed)
    first, second = _slices(story.records(), 2)
    house.publish_policy()
    house.worker()
    sink = _sink(house, warehouse)
    house.send(first)
    wait_until_judged(house, len(first))
    wait_until(lambda: _rows(warehouse, "clocks") > 0, "the sink writes")
    with fault(warehouse):
        house.send(second)
        assert sink.wait(timeout=PATIENCE_SECONDS) == status, house.log_of(sink)[-2000:]
        told = house.log_of(sink)
        wait_until_judged(house, story.events)
    assert said in told
    assert "Traceback" not in told
    _sink(house, warehouse)

    compare_tables(house, warehouse, figures)
    compare(house, story, figures, now)
    assert_clean(figures)


def _sink(house: House, warehouse: Warehouse) -> subprocess.Popen[bytes]:
    sink = house.start("sink", CARELINE_CLICKHOUSE=warehouse.url())
    wait_until(lambda: "writing" in house.log_of(sink), "the sink writes")
    return sink


def _slices(records: list[Record], count: int) -> list[list[Record]]:
    return [records[number * len(records) // count : (number + 1) * len(records) // count] for number in range(count)]


def _retries(house: House, sink: subprocess.Popen[bytes]) -> int:
    found = re.search(r"^careline_sink_retries_total (\S+)", house.metrics_of(sink), re.MULTILINE)
    return 0 if found is None else int(float(found[1]))


def _rows(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.ask(f"SELECT count() FROM {table}")[0][0])
