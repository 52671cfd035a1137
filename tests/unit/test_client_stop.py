"""A client of aiokafka that lets its own cancellation out ends nobody but itself."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from streams.faust_app.batch_consumer import BatchConsumer
from streams.lane.client_stop import stop_client


class Client:
    """Waits for a task of its own that it has cancelled, as aiokafka's fetcher does."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end

    async def stop(self) -> None:
        self._end()


def cancelled() -> None:
    raise asyncio.CancelledError


def broken() -> None:
    raise ConnectionError("gone")


@pytest.mark.parametrize("end", [cancelled, broken])
def test_whoever_stops_a_client_goes_on(end: Callable[[], object]) -> None:
    asyncio.run(stop_client(Client(end)))


class Opening:
    """Lanes that are opened by something, and hear of a failure."""

    def __init__(self, open_: Callable[[], Any]) -> None:
        self._open = open_
        self.failures: list[BaseException] = []

    async def open(self, _assigned: object) -> None:
        await self._open()

    def fail(self, error: BaseException) -> None:
        self.failures.append(error)


def consumer_of(lanes: Opening) -> Any:
    consumer: Any = BatchConsumer.__new__(BatchConsumer)
    consumer.lanes = lanes
    consumer.assignment = set
    return SimpleNamespace(perform_seek=lambda: BatchConsumer.perform_seek(consumer))


def test_a_cancellation_from_within_ends_the_worker_and_not_only_the_task_that_opens_lanes() -> None:
    async def breaks_off() -> None:
        raise asyncio.CancelledError

    lanes = Opening(breaks_off)

    asyncio.run(consumer_of(lanes).perform_seek())

    assert [type(error) for error in lanes.failures] == [ConnectionError]


def test_another_rebalance_may_break_off_the_opening_of_lanes() -> None:
    async def play() -> None:
        seeking = asyncio.ensure_future(consumer_of(lanes).perform_seek())
        await begun.wait()
        seeking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await seeking

    async def takes_long() -> None:
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    lanes = Opening(takes_long)

    asyncio.run(play())

    assert not lanes.failures
