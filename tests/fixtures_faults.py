"""What the faults share: a house on the session's broker, a seed, and the table at the end of a run."""

import json
import os
import random
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streams.embedded_kafka import EmbeddedKafka
from tests.faults.house import House
from tests.faults.warehouse import Warehouse

SEED_VARIABLE = "CARELINE_FAULT_SEED"
FIGURES_VARIABLE = "CARELINE_FAULT_FIGURES"


def pytest_configure(config: pytest.Config) -> None:
    """The figures of a run are gathered in a file, also over worker processes of the test runner."""
    if FIGURES_VARIABLE not in os.environ:
        path = Path(str(config.rootpath)) / ".pytest_cache" / f"fault-figures-{os.getpid()}.ndjson"
        path.parent.mkdir(exist_ok=True)
        os.environ[FIGURES_VARIABLE] = str(path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Fault by fault: what was lost, doubled, wrongly accused, and how long it took to recover."""
    path = Path(os.environ.get(FIGURES_VARIABLE, "none"))
    if not path.is_file():
        return
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    terminalreporter.section("faults")
    row = "{fault:<34} {seed:>8} {events:>8} {lost:>5} {doubled:>8} {false_breaches:>15} {wrong:>6} {recover:>12}"
    heads = {each: each.replace("_", " ") for each in ("fault", "seed", "events", "lost", "doubled", "false_breaches")}
    terminalreporter.write_line(row.format(**heads, wrong="wrong", recover="recovered in"))
    for run in runs:
        seconds = run["recover_seconds"]
        terminalreporter.write_line(row.format(**run, recover="-" if seconds is None else f"{seconds:.1f} s"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what each of its processes said last: nobody can ask them afterwards."""
    report = yield
    if report.failed and call.when == "call":
        for name, one in getattr(item, "funcargs", {}).items():
            if isinstance(one, House):
                report.sections += [(f"{name}: {log}", told) for log, told in one.last_words()]
    return report


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run: CARELINE_FAULT_SEED to repeat one; in CI always the same."""
    chosen = os.environ.get(SEED_VARIABLE)
    if chosen:
        return int(chosen)
    return 1 if os.environ.get("CI") else random.SystemRandom().randrange(1, 1_000_000)


@pytest.fixture
def now() -> int:
    """The time of the test, in microseconds since 1970: no deadline of a story lies near it."""
    return time.time_ns() // 1000


@pytest.fixture
def house(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """An installation of this test's own on the shared broker."""
    with closing(House(kafka.bootstrap, topic_prefix, tmp_path)) as house:
        yield house


@pytest.fixture
def other_house(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """A second installation beside the first."""
    folder = tmp_path / "other"
    folder.mkdir()
    with closing(House(kafka.bootstrap, f"{topic_prefix}other.", folder)) as house:
        yield house


@pytest.fixture
def warehouse(house: House, tmp_path: Path) -> Iterator[Warehouse]:
    """A ClickHouse server of this test's own."""
    with closing(Warehouse(house, tmp_path)) as warehouse:
        yield warehouse
