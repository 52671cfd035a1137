"""A Careline process whose wall clock is wrong: `python -m tests.faults.wrong_clock FILE COMMAND...`.

FILE says by how many seconds, and may change while the process runs: a step of the clock. What Python's clock says is
what everything in the process goes by; only timers, which are steady, are right.
"""

import runpy
import sys
import time
from pathlib import Path

LOOK_EVERY_SECONDS = 0.2


def spoil(file: Path) -> None:
    """From now on the wall clock is wrong by what the file says."""
    true_ns, steady = time.time_ns, time.monotonic
    wrong_ns, looked_at = 0, -LOOK_EVERY_SECONDS

    def wrong_time_ns() -> int:
        nonlocal wrong_ns, looked_at
        if steady() - looked_at >= LOOK_EVERY_SECONDS:
            wrong_ns, looked_at = round(float(file.read_text()) * 1e9), steady()
        return true_ns() + wrong_ns

    time.time_ns = wrong_time_ns
    time.time = lambda: wrong_time_ns() / 1e9


if __name__ == "__main__":
    spoil(Path(sys.argv[1]))
    del sys.argv[1]
    runpy.run_module("streams", run_name="__main__", alter_sys=True)
