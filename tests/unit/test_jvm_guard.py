"""The guard, with shells in the place of a JVM: whatever becomes of the owner, nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.embedded_kafka.guarded_jvm import GuardedJvm, GuardSettings

SHELL = "/bin/sh"
# Says that it is ready, ends in order when asked to, and has a child of its own.
POLITE = "trap 'echo bye; exit 143' TERM; sleep 1000 & echo $! > child; echo ready > ready; wait"
STUBBORN = "trap '' TERM; echo ready > ready; while :; do sleep 0.2; done"
OWNER = """
import sys, signal
from pathlib import Path
from streams.embedded_kafka.guarded_jvm import GuardedJvm, GuardSettings
jvm = GuardedJvm(["/bin/sh", "-c", sys.argv[2]], Path(sys.argv[1]), GuardSettings(grace=0.5, remove_folder=True))
signal.pause()
"""


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether the condition comes true in time; the state of other processes cannot be waited for otherwise."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def started(folder: Path, script: str, grace: float = 5.0) -> GuardedJvm:
    jvm = GuardedJvm([SHELL, "-c", script], folder, GuardSettings(grace=grace))
    assert eventually((folder / "ready").exists)
    return jvm


def process_id(folder: Path, name: str = "broker.pid") -> int:
    assert eventually(lambda: (folder / name).exists() and (folder / name).read_text().endswith("\n"))
    return int((folder / name).read_text())


def test_stopping_asks_first_and_leaves_no_child_behind(tmp_path: Path) -> None:
    jvm = started(tmp_path, POLITE)
    jvm.stop(patience=10)
    assert (jvm.status, jvm.log_tail()) == (143, "bye")
    assert not alive(process_id(tmp_path))
    assert eventually(lambda: not alive(process_id(tmp_path, "child")))


def test_who_does_not_end_is_ended(tmp_path: Path) -> None:
    jvm = started(tmp_path, STUBBORN, grace=0.2)
    jvm.stop(patience=0.2)
    assert jvm.status == 128 + signal.SIGKILL
    assert not alive(process_id(tmp_path))


def test_an_end_of_its_own_is_told_and_keeps_the_folder(tmp_path: Path) -> None:
    jvm = GuardedJvm([SHELL, "-c", "echo broken >&2; exit 3"], tmp_path, GuardSettings(remove_folder=True))
    assert eventually(lambda: not jvm.running)
    assert (jvm.status, jvm.log_tail()) == (3, "broken")
    jvm.stop(patience=1)


def test_a_program_that_cannot_be_started_ends_with_status_127(tmp_path: Path) -> None:
    jvm = GuardedJvm([str(tmp_path / "absent")], tmp_path, GuardSettings())
    assert eventually(lambda: not jvm.running)
    assert jvm.status == 127
    jvm.stop(patience=1)


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        jvm = pool.submit(started, tmp_path, POLITE).result()
    assert alive(process_id(tmp_path, "child"))  # the thread is gone: its end was waited for
    jvm.stop(patience=10)
    assert jvm.status == 143  # it ended because it was asked to, and had not been killed before


@pytest.mark.parametrize("script", [POLITE, STUBBORN], ids=["polite", "stubborn"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_the_death_of_the_owner_ends_it_and_removes_its_folder(
    tmp_path: Path, project_root: Path, script: str, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    command = [sys.executable, "-c", OWNER, str(folder), script]
    with subprocess.Popen(command, cwd=project_root, env={"PYTHONPATH": str(project_root)}) as owner:
        guarded = process_id(folder)
        assert eventually((folder / "ready").exists)
        owner.send_signal(number)
    assert eventually(lambda: not alive(guarded))
    assert eventually(lambda: not folder.exists())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of the death of its parent")
def test_the_death_of_the_guard_itself_ends_it_on_linux(tmp_path: Path) -> None:
    jvm = started(tmp_path, STUBBORN)
    jvm._guard.kill()
    assert eventually(lambda: not alive(process_id(tmp_path)))
    jvm.stop(patience=1)
