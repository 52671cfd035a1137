"""F27: ten minutes of work under kills, on demand (`CARELINE_FAULT_SOAK_SECONDS=600`): memory stays flat."""

import os
import random
import time

import pytest

from tests.faults.fault_story import invent
from tests.faults.house import House, SteadyLoad
from tests.faults.verdicts import Figures, assert_clean, compare, counted, wait_until_judged
from tests.process_memory import resident_mb

SECONDS = float(os.environ.get("CARELINE_FAULT_SOAK_SECONDS", "0"))
KILL_EVERY_SECONDS = 60.0
MOST_GROWTH_RATIO = 1.3
"""Of the worker that is never killed, from the first third to the end."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.faults,
    pytest.mark.skipif(SECONDS <= 0, reason="a soak runs on demand: CARELINE_FAULT_SOAK_SECONDS=600"),
]


def test_f27_soak(house: House, seed: int, now: int) -> None:
    """A steady load; one worker is killed every minute, the other one stays and must not grow."""
    story = invent(seed, int(SECONDS * 25), now)
    figures = Figures("F27 soak", seed)
    dice = random.Random(seed)
    house.publish_policy()
    lasting, mortal = house.worker(), house.worker()
    sizes: list[float] = []
    with SteadyLoad(house, story.records(), seconds=SECONDS):
        began = killed_at = time.monotonic()
        while time.monotonic() - began < SECONDS:
            time.sleep(dice.uniform(1, 3))
            sizes.append(resident_mb(lasting.pid))
            if time.monotonic() - killed_at > KILL_EVERY_SECONDS:
                killed_at = time.monotonic()
                mortal.kill()
                mortal.wait()
                mortal = house.worker()
    figures.recover_seconds = wait_until_judged(house, story.events)
    third = max(sizes[: max(1, len(sizes) // 3)])
    figures.notes["MB after a third, at the end"] = (round(third), round(sizes[-1]))

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
    assert lasting.poll() is None
    assert sizes[-1] <= MOST_GROWTH_RATIO * third
