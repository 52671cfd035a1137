"""What counts as stuck, and what does not: waiting, being full, and getting on slowly are all fine."""

import threading

import pytest

from streams.fault_points import planted
from streams.stuck_watch import STUCK, LaneProgress, StuckWatch


class Scene:
    """A watch that is asked by hand, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.lanes: list[LaneProgress] = []
        self.watch = StuckWatch(60, lambda: self.lanes, clock=lambda: self.now)

    def after(self, seconds: float, *, beating: bool = True) -> str:
        self.now += seconds
        if beating:
            self.watch.beat()
        return self.watch.trouble() or ""


def test_an_idle_worker_is_not_stuck() -> None:
    scene = Scene()
    scene.lanes = [LaneProgress("conversation-0", None)]

    assert scene.after(3_600) == ""


def test_an_event_loop_that_stands_is_noticed() -> None:
    assert "event loop" in Scene().after(61, beating=False)


def test_a_batch_that_is_never_decided_is_noticed_and_a_slow_one_is_not() -> None:
    scene = Scene()
    scene.lanes = [LaneProgress("conversation-0", scene.now)]

    assert scene.after(59) == ""
    assert "conversation-0" in scene.after(2)


def test_a_fetch_that_sleeps_is_noticed_while_more_is_there() -> None:
    scene = Scene()
    scene.watch.behind("t[0]", 5, position=7)
    scene.after(40)
    scene.watch.behind("t[0]", 9, position=7)

    assert "t[0]@7" in scene.after(21)


@pytest.mark.parametrize("change", ["read on", "caught up", "given away"])
def test_a_fetch_that_gets_on_is_not_stuck(change: str) -> None:
    scene = Scene()
    scene.watch.behind("t[0]", 5, position=7)
    scene.after(40)
    if change == "given away":
        scene.watch.released("t[0]")
    else:
        scene.watch.behind("t[0]", 5 if change == "read on" else 0, position=8)

    assert scene.after(21) == ""


def test_leaving_that_does_not_come_to_an_end_is_noticed_whatever_else_stands_still() -> None:
    scene = Scene()
    scene.lanes = [LaneProgress("conversation-0", scene.now)]
    scene.watch.leaving(100, lambda: 0)

    assert scene.after(99, beating=False) == ""
    assert "leaving" in scene.after(2)


@pytest.mark.parametrize("is_leaving", [False, True])
def test_a_stuck_worker_leaves_with_a_status_that_says_so(*, is_leaving: bool) -> None:
    left: list[int] = []
    gone = threading.Event()

    def leave(status: int) -> None:
        left.append(status)
        gone.set()

    watch = StuckWatch(0.0, lambda: [LaneProgress("account-1", 0.0)], leave=leave)
    if is_leaving:
        watch.leaving(0.0, lambda: 75)
    watch.start()

    assert gone.wait(30)
    assert left == [75 if is_leaving else STUCK]


@pytest.mark.parametrize("text", ["transaction.sent", "transaction.sent:0:kill", "nowhere:1:kill", "tick.due:1:dance"])
def test_a_fault_that_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not PLACE:COUNT:ACTION"):
        planted(text)


def test_a_fault_breaks_at_its_turn_and_nowhere_else() -> None:
    at_place = planted("tick.due:2:raise")
    at_place("tick.due")
    at_place("batch.taken")

    with pytest.raises(RuntimeError, match=r"at tick\.due"):
        at_place("tick.due")
    at_place("tick.due")
