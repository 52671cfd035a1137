"""The clock of a worker: right by what the log proves, whatever the wall clock does."""

from hypothesis import given
from hypothesis import strategies as st

from agents.domain.instant import HOUR_US, SECOND_US
from streams.lane.log_clock import STEP_US, LogClock

NOW = 1_800_000_000 * SECOND_US


class Machine:
    """True time, a wall clock that is wrong, and a steady one."""

    def __init__(self, wrong_us: int) -> None:
        self.time_us = NOW
        self.wrong_us = wrong_us
        self.clock = LogClock(lambda: self.time_us + self.wrong_us, lambda: (self.time_us - NOW) / SECOND_US)

    def append(self) -> None:
        """Send a record; the log stamps it in milliseconds, a while later."""
        sent_at = self.clock.now()
        self.time_us += 3_000
        self.clock.appended(sent_at, self.time_us // 1000 * 1000)


wrong = st.integers(-10 * 365 * 24 * HOUR_US, 10 * 365 * 24 * HOUR_US)


@given(wrong)
def test_one_record_of_its_own_puts_a_fast_clock_right(wrong_us: int) -> None:
    """It is then behind by no more than sending takes, and never ahead; a slow one learns from what it reads."""
    machine = Machine(wrong_us)
    machine.append()
    machine.clock.heard(machine.time_us // 1000 * 1000)

    assert -4_000 <= machine.clock.now() - machine.time_us <= 3_000


@given(wrong, wrong)
def test_a_clock_that_is_set_while_it_runs(before: int, after: int) -> None:
    """Set back it goes on as if nothing had happened; set forward it is put right by the next record."""
    machine = Machine(before)
    machine.append()
    machine.clock.heard(machine.time_us)
    machine.clock.now()
    machine.time_us += 5 * SECOND_US
    machine.wrong_us = after
    if after > before:
        machine.append()

    assert abs(machine.clock.now() - machine.time_us) <= STEP_US + 10_000


def test_a_clock_that_is_right_is_left_alone() -> None:
    """Records that are read, sent and stamped in the order of time prove nothing against it."""
    machine = Machine(0)
    for _ in range(3):
        machine.clock.heard(machine.time_us - HOUR_US)
        machine.append()
        machine.time_us += SECOND_US

    assert machine.clock.now() == machine.time_us
