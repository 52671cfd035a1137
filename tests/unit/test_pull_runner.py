"""Connectors that fetch: cursors behind what they cover, patience, heartbeats, nothing skipped when things break."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode
from schemas.control import Control
from schemas.pull_cursor import PullCursor
from schemas.topics import CURSORS, INTERACTIONS
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.event_store import EventStore
from streams.connectors.own_words.webhook_generic import GenericWebhook
from streams.connectors.pull_runner import (
    FIRST_PAUSE_SECONDS,
    HOPELESS_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    PulledSource,
    PullRunner,
    pause_before,
)
from streams.connectors.source_contract import Deliver, PullTrouble
from streams.kafka_admin import KafkaUnavailable
from tests.connect_bench import CountingRecorder, ListPublisher
from tests.senders.own_words_senders import MESSAGE
from tests.senders.sender import NOW

INSTANCE = Instance("mailbox", "webhook")


def message(number: int) -> bytes:
    return json.dumps(MESSAGE | {"id": f"m-{number}"}).encode()


Step = Exception | tuple[int, int, datetime | None]
"""What goes wrong, or the first and last message of a delivery and how far the source has told."""


class ScriptedSource:
    """A source with numbered messages: each run does the next step of a script, and the last one waits for the end."""

    def __init__(self, *script: Step) -> None:
        self._script = list(script)
        self.asked_from: list[str | None] = []
        self.finished = asyncio.Event()

    async def run(self, position: str | None, deliver: Deliver) -> None:
        self.asked_from.append(position)
        while self._script:
            step = self._script.pop(0)
            if isinstance(step, Exception):
                raise step
            first, last, until = step
            await deliver([message(each) for each in range(first, last + 1)], str(last), until)
        self.finished.set()
        await asyncio.Event().wait()


class Scene:
    """A runner whose pauses take no time and are remembered."""

    def __init__(self, source: ScriptedSource, cursors: dict[str, PullCursor] | None = None) -> None:
        self.published, self.recorder, self.pauses = ListPublisher(), CountingRecorder(), list[float]()
        self.unanswered = 0
        self._cursors = cursors or {}
        store = EventStore(self.published, AccountsDirectory(), self.recorder)
        self._source = source
        self._runner = PullRunner(
            [PulledSource(INSTANCE, source, GenericWebhook(INSTANCE))],
            store=store.store,
            publisher=self.published,
            recorder=self.recorder,
            read_cursors=self._read,
            now=lambda: NOW,
            sleep=self._sleep,
        )

    def _read(self) -> dict[str, PullCursor]:
        if self.unanswered:
            self.unanswered -= 1
            raise KafkaUnavailable("localhost:9092", "nobody there")
        return self._cursors

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.published.broken = False
        await asyncio.sleep(0)

    async def play(self) -> "Scene":
        self._runner.start()
        async with asyncio.timeout(30):
            await self._source.finished.wait()
        await self._runner.close()
        return self

    def cursors(self) -> list[PullCursor]:
        return [decode(PullCursor, record.value) for record in self.published.on(CURSORS)]

    def topics(self) -> list[str]:
        return ["cursor" if record.topic is CURSORS else "event" for record in self.published.records]

    def heartbeats(self) -> Sequence[tuple[int | None, datetime]]:
        return [
            (record.partition, decode(Control, record.value).as_of)
            for record in self.published.on(INTERACTIONS)
            if record.partition is not None
        ]


def played(source: ScriptedSource, cursors: dict[str, PullCursor] | None = None, *, kafka_away: bool = False) -> Scene:
    async def whole() -> Scene:
        scene = Scene(source, cursors)
        scene.published.broken = kafka_away
        scene.unanswered = 1 if kafka_away else 0
        return await scene.play()

    return asyncio.run(whole())


def test_a_cursor_is_written_behind_what_it_covers() -> None:
    scene = played(ScriptedSource((1, 2, None), (3, 3, None)))

    assert scene.topics() == ["event", "event", "cursor", "event", "cursor"]
    assert [cursor.position for cursor in scene.cursors()] == ["2", "3"]


def test_fetching_goes_on_behind_the_stored_cursor() -> None:
    source = ScriptedSource((8, 9, None))
    played(source, {"mailbox": PullCursor(instance="mailbox", position="7", saved_at=NOW)})

    assert source.asked_from == ["7"]


def test_after_a_lost_connection_it_goes_on_behind_what_was_delivered() -> None:
    source = ScriptedSource((1, 4, None), PullTrouble("connection lost"), (5, 5, None))
    scene = played(source)

    assert source.asked_from == [None, "4"]
    assert scene.recorder.answers == {("mailbox", 0, "failed"): 1}


@pytest.mark.parametrize(
    ("trouble", "pause"),
    [
        (PullTrouble("too many requests", retry_after_seconds=33.0), 33.0),
        (PullTrouble("the password is wrong", hopeless=True), HOPELESS_PAUSE_SECONDS),
    ],
)
def test_a_source_says_how_long_to_wait(trouble: PullTrouble, pause: float) -> None:
    assert played(ScriptedSource(trouble, (1, 1, None))).pauses == [pause]


def test_a_bug_in_a_puller_is_survived_and_counted() -> None:
    scene = played(ScriptedSource(ZeroDivisionError(), (1, 1, None)))

    assert (scene.topics(), scene.recorder.answers) == (["event", "cursor"], {("mailbox", 0, "failed"): 1})


def test_while_kafka_is_away_nothing_is_fetched_and_nothing_is_lost() -> None:
    scene = played(ScriptedSource((1, 3, None)), kafka_away=True)

    assert [event.id for event in scene.published.interactions] == ["m-1", "m-2", "m-3"]
    assert [cursor.position for cursor in scene.cursors()] == ["3"]


def test_every_partition_hears_how_far_the_source_has_told() -> None:
    soon, later = NOW + timedelta(seconds=3), NOW + timedelta(seconds=30)
    scene = played(ScriptedSource((1, 1, NOW), (2, 2, soon), (3, 3, later)))

    # The one in between is too soon after the one before.
    assert scene.heartbeats() == [(0, NOW), (1, NOW), (0, later), (1, later)]
    assert scene.recorder.until == {"mailbox": later}


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_are_spread_and_stay_bounded(attempt: int, chance: float) -> None:
    pause = pause_before(attempt, chance)

    assert FIRST_PAUSE_SECONDS / 2 <= pause <= LONGEST_PAUSE_SECONDS
    assert pause_before(attempt + 1, chance) >= pause
