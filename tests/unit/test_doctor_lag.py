"""What `careline doctor` says of workers: how many there are, and how far they are behind what Kafka holds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from streams import deployment_check
from streams.settings import Settings

TOPIC = "careline.interactions.v1"


class Ends:
    """A reader that knows how long the topic is, and nothing else."""

    def ends(self, _topic: str) -> Mapping[int, int]:
        return {0: 10, 1: 10}


def test_workers_that_go_on_while_they_are_asked_after_are_not_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ends are told first and the commits later: one partition has gone on, the other one is three behind."""

    @contextmanager
    def reader(_kafka: object) -> Iterator[Ends]:
        yield Ends()

    monkeypatch.setattr(deployment_check, "topic_reader", reader)
    monkeypatch.setattr(deployment_check, "group_offsets", lambda *_: (2, {(TOPIC, 0): 12, (TOPIC, 1): 7}))

    found = deployment_check._check_workers(Settings(), datetime.now(UTC))

    assert (found.verdict, found.detail) == ("ok", "2 in group careline, 3 records behind")
