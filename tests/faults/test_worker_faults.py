"""F1 to F4, F21 to F23: workers that are killed, paused, stopped, stuck and late."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest

from schemas.topics import SLA_EVENTS
from tests.faults.fault_story import MINUTE, SECOND, Conversation, Said, Story, invent
from tests.faults.house import SESSION_SECONDS, House, SteadyLoad, stop, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 1_200

quick = pytest.mark.quick


@pytest.mark.parametrize(
    "place",
    [
        "batch.decided",
        pytest.param("transaction.sent", marks=quick),
        "transaction.committed",
    ],
)
def test_f1_killed_between_two_steps_of_a_batch(house: House, seed: int, now: int, place: str) -> None:
    """SIGKILL exactly between deciding, sending, committing and acknowledging; the next worker goes on."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures(f"F1 killed at {place}", seed)
    house.publish_policy()
    house.send(story.records())
    first = house.worker(CARELINE_FAULT=f"{place}:3:kill")
    assert first.wait(timeout=60) == -signal.SIGKILL
    began = time.monotonic()
    house.worker()
    wait_until_judged(house, story.events)
    figures.recover_seconds = time.monotonic() - began

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
    assert figures.recover_seconds < SESSION_SECONDS + 30


def test_f2_killed_in_rotation(house: House, seed: int, now: int) -> None:
    """Three workers; every few seconds one is killed and another begins."""
    story = invent(seed, 3 * CONVERSATIONS, now)
    figures = Figures("F2 rotating kills", seed)
    dice = random.Random(seed)
    house.publish_policy()
    workers = [house.worker() for _ in range(3)]
    kills = 0
    with SteadyLoad(house, story.records(), seconds=20):
        began = time.monotonic()
        while time.monotonic() - began < 20:
            time.sleep(dice.uniform(2, 4))
            victim = dice.randrange(3)
            workers[victim].kill()
            workers[victim].wait()
            workers[victim] = house.worker()
            kills += 1
    figures.recover_seconds = wait_until_judged(house, story.events)
    figures.notes["kills"] = kills

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}


@quick
def test_f3_rebalance_with_a_zombie(house: House, seed: int, now: int) -> None:
    """A worker is frozen in mid batch and another takes over; thawed, it is fenced and exits."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F3 rebalance with a zombie", seed)
    house.publish_policy()
    zombie = house.worker(CARELINE_FAULT="transaction.sent:3:stop")
    house.send(records[: len(records) // 2])
    wait_until(lambda: "a planted fault" in house.log_of(zombie), "the worker freezes in mid batch")
    heir = house.worker()
    house.send(records[len(records) // 2 :])
    began = time.monotonic()
    wait_until_judged(house, story.events)
    figures.recover_seconds = time.monotonic() - began
    zombie.send_signal(signal.SIGCONT)

    # Its transaction is refused, mostly. Frozen for longer than a step may take, it finds its time-out first; and the
    # group may take the partition from it before the transaction's answer is here. Each time its memory is dropped.
    ends = ("another worker took over", "starting over", " ready, ")
    wait_until(lambda: any(words in _since_the_fault(house, zombie) for words in ends), "the zombie notices")
    if ends[0] in house.log_of(zombie):
        assert zombie.wait(timeout=60) == 1
    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
    assert heir.poll() is None


def _since_the_fault(house: House, worker: subprocess.Popen[bytes]) -> str:
    return house.log_of(worker).partition("a planted fault")[2]


@quick
def test_f4_told_to_stop_under_load(house: House, seed: int, now: int) -> None:
    """SIGTERM five times while events come: status 0 in time, and nothing is judged twice."""
    story = invent(seed, 2 * CONVERSATIONS, now)
    figures = Figures("F4 SIGTERM under load", seed)
    house.publish_policy()
    slowest = 0.0
    with SteadyLoad(house, story.records(), seconds=20):
        for _ in range(5):
            worker = house.worker()
            wait_until(partial(_is_ready, house, worker), "the worker works")
            time.sleep(1)
            began = time.monotonic()
            assert stop(worker) == 0, house.log_of(worker)[-2000:]
            slowest = max(slowest, time.monotonic() - began)
    house.worker()
    figures.recover_seconds = wait_until_judged(house, story.events)
    figures.notes["slowest stop, seconds"] = round(slowest, 1)

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}


@quick
def test_f21_a_stuck_batch_moves_on(house: House, seed: int, now: int) -> None:
    """A batch that is never finished: the worker notices, leaves with a status that says so, and another goes on."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F21 stuck", seed)
    house.publish_policy()
    house.send(story.records())
    stuck = house.worker(CARELINE_FAULT="batch.decided:3:hang", CARELINE_STUCK_AFTER_SECONDS="5")
    wait_until(lambda: "a planted fault" in house.log_of(stuck), "the worker gets stuck")
    house.worker()
    began = time.monotonic()

    assert stuck.wait(timeout=60) == 1
    assert "stuck: " in house.log_of(stuck)
    wait_until_judged(house, story.events)
    figures.recover_seconds = time.monotonic() - began
    compare(house, story, figures, now)
    assert_clean(figures)


def test_f21_a_worker_that_gets_stuck_while_it_leaves(house: House) -> None:
    worker = house.worker(CARELINE_FAULT="worker.leaving:1:hang", CARELINE_STUCK_AFTER_SECONDS="5")
    wait_until(lambda: "ready" in house.log_of(worker), "the worker works")
    worker.terminate()

    assert worker.wait(timeout=60) == 0
    assert "stuck: leaving" in house.log_of(worker)


@pytest.mark.parametrize(("place", "part"), [("tick.due", "ticks"), ("batch.counted", "metrics")])
def test_f22_a_timer_or_a_sensor_raises(house: House, seed: int, now: int, place: str, part: str) -> None:
    """The worker lives on, and a metric says that it happened."""
    story = invent(seed, 200, now)
    figures = Figures(f"F22 {part} raise", seed)
    house.publish_policy()
    worker = house.worker(CARELINE_FAULT=f"{place}:2:raise")
    house.send(story.records())
    wait_until_judged(house, story.events)

    counter = f'careline_survived_errors_total{{part="{part}"}} 1.0'
    wait_until(lambda: counter in house.metrics_of(worker), "the error is counted")
    compare(house, story, figures, now)
    assert_clean(figures)
    assert worker.poll() is None


def test_f23_a_breach_while_nobody_works(house: House, seed: int, now: int) -> None:
    """Deadlines pass while no worker lives; two workers own the conversations in turn; each breach is told once."""
    figures = Figures("F23 breach while down", seed)
    conversations = [
        Conversation(
            f"due-{n}", "account-1", "urgent", "email", (Said(f"due-{n}-0", now - 30 * MINUTE + (5 + n) * SECOND),)
        )
        for n in range(20)
    ]
    story = Story(seed, {each.id: each for each in conversations})
    house.publish_policy()
    house.send(story.records())
    first = house.worker()
    wait_until_judged(house, story.events)
    assert stop(first) == 0
    time.sleep(max(0.0, (now + 27 * SECOND) / SECOND - time.time()))
    began = time.monotonic()
    house.worker()
    house.worker()
    wait_until(lambda: len(_breaches(house)) >= len(conversations), "every breach is told")
    figures.recover_seconds = time.monotonic() - began

    compare(house, story, figures, time.time_ns() // 1000)
    assert_clean(figures)
    assert Counter(event["id"] for event in _breaches(house)).most_common(1)[0][1] == 1
    late = [event["lateness_seconds"] for event in _breaches(house)]
    figures.notes["lateness, seconds"] = (round(min(late), 1), round(max(late), 1))
    assert all(event["occurred_at"] == event["due_at"] for event in _breaches(house))


def _is_ready(house: House, worker: "subprocess.Popen[bytes]") -> bool:
    return "ready" in house.log_of(worker)


def _breaches(house: House) -> list[dict[str, Any]]:
    events = (json.loads(value) for _, value in everything_in(house, SLA_EVENTS) if value)
    return [event for event in events if event["kind"] == "breached"]
