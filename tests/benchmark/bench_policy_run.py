"""How many events a second `careline policy run` judges, everything included: the program's start, CSV, printing.

`python -m tests.benchmark.bench_policy_run [ROWS]`. Two files made from a seed, in the shapes of `examples/helpdesk`
(a row per event) and `examples/boston311` (a row per conversation, three events); the command as a process of its own,
with one job and with one per core; then the parts in this process. What comes out is checked against what was written.
"""

import csv
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from agents.domain.instant import from_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_conversation
from streams.history.clock_lines import clock_line
from streams.history.conversation_history import HistoryTeller
from streams.history.conversations import read_history
from streams.history.judging_processes import cores
from streams.policy_files.mapping_reader import read_mapping
from streams.policy_files.policy_reader import read_policy_file
from streams.policy_files.problem import Problems

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
START = datetime(2022, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
HELPDESK_HEADER = (
    "Case ID,Activity,Resource,Complete Timestamp,Variant,Variant index,Variant,seriousness,customer,product,"
    "responsible_section,seriousness_2,service_level,service_type,support_section,workgroup"
)
BOSTON_HEADER = (
    "case_enquiry_id,open_dt,target_dt,closed_dt,ontime,case_status,closure_reason,case_title,subject,reason,type,"
    "queue,department,neighborhood,source"
)
Outcomes = Counter[tuple[str, str]]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Story:
    """A shape of file: its example, how many events a full row has, and how rows and expected outcomes are made."""

    example: str
    header: str
    rows: Callable[[random.Random, int, Outcomes], Iterator[list[Any]]]


def ticket_rows(chance: random.Random, rows: int, expected: Outcomes) -> Iterator[list[Any]]:
    """A row per event; every ticket is answered once or more and then resolved."""
    written = ticket = 0
    while written < rows:
        ticket += 1
        answers = min(chance.randrange(1, 4), (rows - written - 3) // 2 + 1)
        activities = ["Assign seriousness", "Take in charge ticket"] * max(1, answers) + ["Resolve ticket"]
        at = begun = last = START + timedelta(seconds=chance.randrange(365 * DAY_SECONDS))
        customer, product = f"Value {chance.randrange(400)}", f"Value {chance.randrange(20)}"
        urgency = f"Value {chance.randrange(1, 5)}"
        for place, activity in enumerate(activities):
            if place == 1:
                expected["first_response", "met" if at - begun <= timedelta(days=1) else "satisfied_late"] += 1
            text = f"{at:%Y/%m/%d %H:%M:%S}.000"
            about = [customer, product, "Value 1", urgency, "Value 1", "Value 1", "Value 1", "Value 1"]
            yield [f"Case {ticket}", activity, "Value 1", text, "Variant 12", 12, "Variant 12", "Value 1", *about]
            last, at = at, at + timedelta(seconds=chance.randrange(60, 2 * DAY_SECONDS))
        expected["first_resolution", "met" if last - begun <= timedelta(days=7) else "satisfied_late"] += 1
        written += len(activities)


def request_rows(chance: random.Random, rows: int, expected: Outcomes) -> Iterator[list[Any]]:
    """A row per request; one in ten has no target, one in ten is not closed."""
    for number in range(rows // 3):
        opened = START.replace(tzinfo=None) + timedelta(seconds=chance.randrange(365 * DAY_SECONDS))
        target = opened + timedelta(seconds=chance.randrange(3600, 10 * DAY_SECONDS)) if chance.random() < 0.9 else None
        closed = opened + timedelta(seconds=chance.randrange(3600, 12 * DAY_SECONDS)) if chance.random() < 0.9 else None
        if closed is None:
            outcome = "open" if target is None else "breached"
        else:
            outcome = "met" if target is None or closed <= target else "satisfied_late"
        expected["first_resolution", outcome] += 1
        times = ["" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (opened, target, closed)]
        kind = chance.randrange(50)
        queue = f"queue {kind % 30}"
        source = chance.choice(["Constituent Call", "Citizens Connect App", "Self Service"])
        words = [f"type {kind}", queue, f"department {kind % 9}", f"neighborhood {chance.randrange(20)}", source]
        yield [101_004_000_000 + number, *times, "ONTIME", "Closed", 'Noted, "done"', "title", "one", "two", *words]


STORIES = {
    "a row per event": Story("helpdesk", HELPDESK_HEADER, ticket_rows),
    "a row per conversation": Story("boston311", BOSTON_HEADER, request_rows),
}


def write(story: Story, rows: int, path: Path) -> Outcomes:
    """Write the file; what must come out."""
    expected: Outcomes = Counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(story.header + "\n")
        csv.writer(file).writerows(story.rows(random.Random(7), rows, expected))
    return expected


def run(story: Story, history: Path, jobs: int, out: Path) -> tuple[float, float, float]:
    """Run the command; wall and processor seconds, and the megabytes of its first process."""
    example = EXAMPLES / story.example
    words = ["--policies", example / "policy.yaml", "--mapping", example / "mapping.yaml", "--now", NOW.isoformat()]
    command = [sys.executable, "-m", "streams", "policy", "run", *words, "--jobs", jobs, history]
    began = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen([str(word) for word in command], stdout=file, stderr=subprocess.PIPE)
        with process:
            told = process.stderr.read() if process.stderr is not None else b""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(told.decode())
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return took, usage.ru_utime + usage.ru_stime, kilobytes / 1024


def check(out: Path, expected: Outcomes) -> None:
    """Every clock is there, with the outcome that the story gave it."""
    with out.open("rb") as lines:
        found = Counter((clock["metric"], clock["outcome"]) for clock in map(json.loads, lines))
    if found != expected:
        raise RuntimeError(f"the outcomes are wrong: {found - expected} too many, {expected - found} too few")


def parts(story: Story, history: Path) -> tuple[int, dict[str, float]]:
    """The events of a file, and the processor seconds that reading, telling, judging and printing take."""
    example = EXAMPLES / story.example
    mapping = read_mapping(example / "mapping.yaml", Problems("mapping"))
    policies = read_policy_file(example / "policy.yaml", Problems("policy"))
    if mapping is None or policies is None:
        raise RuntimeError(f"the example {story.example} is broken")
    book, now, teller = PolicyBook.of(policies), from_datetime(NOW), HistoryTeller("file")
    seconds: dict[str, float] = {}

    def timed(name: str, make: Callable[[], Made]) -> Made:
        began = time.process_time()
        made = make()
        seconds[name] = time.process_time() - began
        return made

    gc.disable()  # what is kept here between the parts is the benchmark's
    read = timed("read, map", lambda: read_history(mapping, [history]))
    told = timed("tell", lambda: [teller.interactions(*gathered) for gathered in read.gathered()])
    views = timed("judge", lambda: [view for events in told for view in judge_conversation(book, events, now)])
    timed("print", lambda: [clock_line(view) for view in views])
    gc.enable()
    return sum(map(len, told)), seconds


def main(rows: int) -> None:
    """Print the tables."""
    with TemporaryDirectory() as folder:
        histories = {name: Path(folder, f"{story.example}.csv") for name, story in STORIES.items()}
        expected = {name: write(story, rows, histories[name]) for name, story in STORIES.items()}
        out = Path(folder, "clocks.ndjson")
        measured = {}
        for name, story in STORIES.items():
            for jobs in sorted({1, cores()}):
                # Before anything else is in memory here: a process begins with the high-water mark of who started it.
                measured[name, jobs] = min(run(story, histories[name], jobs, out) for _ in range(3))
                check(out, expected[name])
        for name, story in STORIES.items():
            events, seconds = parts(story, histories[name])
            megabytes = histories[name].stat().st_size / 1e6
            print(f"{name}: {events:,} events, {expected[name].total():,} clocks, {megabytes:,.0f} MB of CSV")
            for jobs in sorted({1, cores()}):
                wall, cpu, megabytes = measured[name, jobs]
                print(
                    f"  --jobs {jobs}: {wall:5.1f} s, {events / wall:8,.0f} events/s; processor {cpu:5.1f} s, "
                    f"{cpu / events * 1e6:5.1f} us per event; {megabytes:,.0f} MB"
                )
            print("  us per event:", ", ".join(f"{part} {took / events * 1e6:.1f}" for part, took in seconds.items()))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
