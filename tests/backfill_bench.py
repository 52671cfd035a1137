"""A backfill without Kafka: runs one after the other against the fake of a provider, into a list."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from schemas.account_profile import AccountProfile
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.signal import Signal
from streams.backfill.backfill_position import BackfillPosition, FilePositions
from streams.backfill.backfill_run import Backfill
from streams.backfill.directory_writing import DirectoryInMemory
from streams.backfill.history_api import HistoryApi
from streams.backfill.history_source import HistorySource
from streams.backfill.story_teller import StoryTeller
from streams.connectors.connector_contract import Instance
from streams.history.history_sender import ImportFailed

TOKEN = "t0ken"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = datetime(2026, 4, 1, tzinfo=UTC)


class Fake(Protocol):
    """The API of a provider on loopback."""

    def served(self) -> AbstractAsyncContextManager[str]:
        """Its address while it runs."""


class ListSink:
    """Keeps what it is given; fails as Kafka does at the page of one's choice."""

    def __init__(self) -> None:
        self.pages: list[list[Interaction | Signal | Rejection]] = []
        self.closed: list[tuple[str, datetime]] = []
        self.fail_at: int | None = None

    def put(self, records: Iterable[Interaction | Signal | Rejection]) -> None:
        if len(self.pages) == self.fail_at:
            self.fail_at = None
            raise ImportFailed("Kafka did not take an event", "again")
        self.pages.append(list(records))

    def close_story(self, clock: str, until: datetime) -> None:
        self.closed.append((clock, until))

    @property
    def events(self) -> list[Interaction | Signal]:
        return [each for page in self.pages for each in page if not isinstance(each, Rejection)]

    @property
    def keys(self) -> list[tuple[str | None, str]]:
        return [(each.conversation_id, each.id) for each in self.events]


class Scene:
    """Runs of one backfill, one after the other, with one sink and one file of state."""

    def __init__(
        self, folder: Path, provider: Fake, source: Callable[[HistoryApi, Instance], HistorySource], kind: str
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.provider = provider
        self._source = source
        self._kind = kind
        self.sink = ListSink()
        self.store = FilePositions(folder / "state.json")
        self.directory = DirectoryInMemory()
        self.learned: list[AccountProfile] = []
        self.pauses: list[float] = []

    def run(self, *, token: str = TOKEN, until: datetime = UNTIL, stop_when: asyncio.Event | None = None) -> Backfill:
        return asyncio.run(self._run(token, until, stop_when))

    async def _run(self, token: str, until: datetime, stop_when: asyncio.Event | None) -> Backfill:
        async with (
            self.provider.served() as address,
            HistoryApi(address, {"Authorization": f"Bearer {token}"}, sleep=self._sleep) as api,
        ):
            position = self.store.load() or BackfillPosition(clock="import:backfill-1", since=SINCE, until=until)
            instance = Instance(self._kind, self._kind, clock=position.clock)
            stop = asyncio.Event()
            backfill = Backfill(
                source=self._source(api, instance),
                teller=StoryTeller(instance, self.directory.directory, position.until),
                sink=self.sink,
                positions=self.store,
                position=position,
                stop=stop,
                learn_accounts=self._learn,
            )
            running = asyncio.ensure_future(backfill.run())
            if stop_when is not None:
                await stop_when.wait()
                stop.set()
            await running
            return backfill

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _learn(self, found: Sequence[AccountProfile]) -> int:
        self.learned += found
        return self.directory.learn(found)
