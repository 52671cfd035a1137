"""One demo from the first step to the summary: start the house, let the company live, drain, count, end.

`careline demo` calls `DemoRun.run`. The first Ctrl-C stops the sources as the end of `--seconds` would; a second one
does without the drain.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.domain.instant import Instant
from schemas.topics import ENRICHMENTS, INTERACTIONS, MENTIONS, SIGNALS, SLA_EVENTS
from streams.demo.demo_errors import DemoFailed
from streams.demo.demo_house import DemoHouse, get_text, sum_of
from streams.demo.demo_parts import DemoParts
from streams.demo.demo_summary import DemoSummary, summarise
from streams.demo.drain import DrainWatch, Stage
from streams.demo.floor_follower import FloorFollower
from streams.demo.floor_view import FloorView
from streams.demo.live_screen import FloorStatus, LiveScreen
from streams.demo.run_ledgers import Books, Judged, read_books
from streams.embedded_kafka import FetchProgress
from streams.enrich.enrich_process import GROUP as ENRICH_GROUP
from streams.settings import Settings, split_address
from streams.simulation.floor_hours import BERLIN, working_morning
from streams.simulation.story import DEFAULT_START
from streams.sinks.clickhouse_connection import read_target
from streams.sinks.rows import TABLES
from streams.sinks.sink_process import GROUP as SINK_GROUP
from streams.sinks.sql_client import ask_table

FIRST_EVENT_SECONDS = 60.0
DRAIN_SECONDS = 90.0
"""A demo that keeps up needs about two seconds, one of which the sink waits for its batch to fill."""
LOOK_EVERY_SECONDS = 0.5
INTERRUPTED = 130
EXAMPLE_QUESTION = "SELECT account_id, score, band, reason FROM health_now ORDER BY score LIMIT 5"
EVENTS_SERIES = "careline_events_accepted_total"


def stages_of(settings: Settings) -> tuple[Stage, ...]:
    """Who reads what, in the order in which it is worked off."""
    workers = settings.topic(settings.group)
    return (
        Stage("workers", workers, (settings.topic(INTERACTIONS.name), settings.topic(SIGNALS.name))),
        Stage("enrich", settings.topic_prefix + ENRICH_GROUP, (settings.topic(INTERACTIONS.name),)),
        Stage(
            "account and issue agents",
            workers,
            tuple(settings.topic(topic.name) for topic in (SLA_EVENTS, ENRICHMENTS, MENTIONS)),
        ),
        Stage("sink", settings.topic(SINK_GROUP), tuple(settings.topic(table.topic.name) for table in TABLES)),
    )


@dataclass(slots=True)
class DemoRun:
    """One demo.

    Args:
        parts: What it consists of.
        screen: Where it is shown.
        home: The user's home, where Kafka's jars are cached.
    """

    parts: DemoParts
    screen: LiveScreen
    home: Path
    _stop: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _hurry: bool = field(init=False, default=False)
    _is_live: bool = field(init=False, default=False)
    _view: FloorView = field(init=False, default_factory=FloorView)

    async def run(self) -> DemoSummary:
        """Run it; nothing of it is left when this returns or raises.

        Raises:
            DemoFailed: a part failed, with its last words.
        """
        options = self.parts.options
        house = DemoHouse(self.parts, self.screen.say, self._progress, self.home, is_temporary=options.data is None)
        self._listen_to_signals()
        try:
            summary = await self._live(house, await house.start())
        finally:
            await asyncio.shield(house.close())
        if options.data is None:
            shutil.rmtree(self.parts.folder, ignore_errors=True)
        return summary

    def _listen_to_signals(self) -> None:
        def ended() -> None:
            if not self._is_live:
                self._leave_at_once()
            self._hurry = self._stop.is_set()
            self._stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended)

    def _leave_at_once(self) -> None:
        """Nothing has happened yet that could be lost, and a start may be in the middle of a download.

        The guards end what has started: their pipes close with this process.
        """
        self.screen.say("interrupted while starting; what had started is being stopped")
        self.screen.close()
        if self.parts.options.data is None:
            shutil.rmtree(self.parts.folder, ignore_errors=True)
        os._exit(INTERRUPTED)

    def _progress(self, progress: FetchProgress) -> None:
        done, total = progress.bytes_done / 1e6, progress.bytes_total / 1e6
        self.screen.say(
            f"first start: fetching Kafka, {progress.jars_done} of {progress.jars_total} jars, "
            f"{done:.0f} of {total:.0f} MB"
        )

    # the time between start and end

    async def _live(self, house: DemoHouse, before: Books) -> DemoSummary:
        following = asyncio.Event()
        follower = asyncio.create_task(FloorFollower(self.parts.settings, self._view).run(following))
        try:
            async with asyncio.timeout(FIRST_EVENT_SECONDS):
                await following.wait()
            starts_at = self._story_start(before)
            house.start_company(self.parts.simulate_command(starts_at))
            self._is_live = True
            async with DrainWatch(self.parts.settings.kafka) as drain:
                first_event_at = await self._first_event(house)
                await self._watch(house, drain, first_event_at)
                door = await self._end_sources(house)
                return await self._count(drain, before, door, starts_at)
        finally:
            follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follower

    def _story_start(self, before: Books) -> Instant:
        """A kept folder goes on where its story ended: on the next working morning."""
        reached_at = before.clocks.get(self.parts.options.clock)
        return DEFAULT_START if reached_at is None else working_morning(reached_at, BERLIN)

    async def _first_event(self, house: DemoHouse) -> float:
        deadline = time.monotonic() + FIRST_EVENT_SECONDS
        while not (said := _json_lines(house)):
            house.check()
            if time.monotonic() > deadline:
                raise DemoFailed(f"no event came within {FIRST_EVENT_SECONDS:.0f} s. {_words_of(house)}")
            if self._stop.is_set():
                return time.time()
            await asyncio.sleep(0.05)
        return float(said[0]["first_event_at"] or time.time())

    async def _watch(self, house: DemoHouse, drain: DrainWatch, first_event_at: float) -> None:
        """Show what happens until the company has ended by itself or somebody wants an end."""
        told_events, told_at = 0, first_event_at
        while not self._stop.is_set():
            house.check()
            if house.company is not None and house.company.status is not None:
                return
            events = await asyncio.to_thread(self._events_so_far)
            now = time.time()
            lags = [sum(b - a for a, b in (await drain.behind(stage)).values()) for stage in stages_of(self._settings)]
            self.screen.show(
                FloorStatus(
                    view=self._view,
                    events=events,
                    events_per_second=max(0, events - told_events) / max(0.001, now - told_at),
                    work_lag=lags[0],
                    sink_lag=lags[-1],
                    seconds=now - first_event_at,
                    hints=self.hints(),
                )
            )
            told_events, told_at = events, now
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_EVERY_SECONDS)

    @property
    def _settings(self) -> Settings:
        return self.parts.settings

    def _events_so_far(self) -> int:
        texts = [get_text(metrics, "/metrics") or "" for metrics in self.parts.worker_metrics]
        return round(sum(sum_of(text, EVENTS_SERIES) for text in texts))

    def hints(self) -> tuple[str, ...]:
        """What can be done beside it, in another terminal."""
        address = self._settings.sql_address
        metrics = "  ".join(f"http://{worker}/metrics" for worker in self.parts.worker_metrics)
        return (
            f"metrics  {metrics}",
            f'ask      CARELINE_SQL_ADDRESS={address} careline sql "{EXAMPLE_QUESTION}"',
        )

    # the end

    async def _end_sources(self, house: DemoHouse) -> dict[str, Any]:
        await house.end_sources()
        if house.company is not None and house.company.status != 0:
            raise DemoFailed(_words_of(house))
        self.screen.say("sources stopped, working off what is there ...")
        return _json_lines(house)[-1]

    async def _count(self, drain: DrainWatch, before: Books, door: dict[str, Any], starts_at: Instant) -> DemoSummary:
        stages = stages_of(self._settings)
        await drain.wait(stages[:1], lambda: self._hurry, DRAIN_SECONDS)
        worked_off_at = time.time()
        await drain.wait(stages[1:], lambda: self._hurry, DRAIN_SECONDS)
        after = await asyncio.to_thread(read_books, self._settings)
        in_kafka = after.judged - before.judged
        if in_kafka.accepted != door["accepted"]:
            self.screen.say(
                f"note: {door['accepted']} events went into Kafka, the workers' books hold {in_kafka.accepted}"
            )
        # What `connect` knew already or put into the dead letters was taken in as well, and never reached a worker.
        judged = in_kafka + Judged(duplicate=door["repeated"], rejected=door["rejected"])
        target = read_target(self._settings.clickhouse_url, self._settings.data_dir)
        address = split_address(self._settings.sql_address)
        seconds = worked_off_at - float(door["first_event_at"] or worked_off_at)
        return await asyncio.to_thread(
            summarise, lambda sql: ask_table(target, address, sql), judged, self.parts.options.clock, starts_at, seconds
        )


def _json_lines(house: DemoHouse) -> list[dict[str, Any]]:
    """What the company has printed so far, whole lines only."""
    if house.company is None:
        return []
    text = house.company.output.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _words_of(house: DemoHouse) -> str:
    company = house.company
    words = company.last_words() if company is not None else ""
    return f"The simulated company could not go on. Its last words:\n{words or '(none)'}"
