"""A log stays readable: repetitions are counted instead of written, and nothing of our own is ever left out."""

import logging

import pytest

from streams.repeated_lines import EVERY_SECONDS, RepeatedLines


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.filter = RepeatedLines("aiokafka", clock=lambda: self.now)

    def says(self, text: str, *, name: str = "aiokafka.conn") -> str | None:
        record = logging.LogRecord(name, logging.ERROR, __file__, 1, text, (), None)
        return record.getMessage() if self.filter.filter(record) else None


def test_the_same_complaint_is_said_once_in_a_while_with_what_was_left_out() -> None:
    scene = Scene()

    assert scene.says("node 1 refused") == "node 1 refused"
    assert [scene.says(f"node {number} refused") for number in range(5)] == [None] * 5
    scene.now = EVERY_SECONDS
    assert scene.says("node 7 refused") == "node 7 refused (5 more like it meanwhile)"


@pytest.mark.parametrize("name", ["careline.work", "aiokafkas"])
def test_others_are_never_left_out(name: str) -> None:
    scene = Scene()

    assert [scene.says("the same", name=name) for _ in range(3)] == ["the same"] * 3


def test_another_complaint_is_another_line() -> None:
    scene = Scene()

    assert scene.says("refused") == "refused"
    assert scene.says("timed out") == "timed out"
