"""The worker process.

Faust, three agents, their lanes, ticks and metrics, put together. The composition root of `careline work`.

Reads like the picture in `ARCHITECTURE.md`: interactions feed the conversation lanes; SLA events, signals and
enrichments feed the account lanes; mentions feed the one lane of issues; every lane commits its own transactions; a
watchdog ends the process when it cannot go on.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import faust
from aiokafka.errors import KafkaError, ProducerFenced
from typing_extensions import override

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.domain.instant import Instant
from agents.issue_agent import IssueAgent
from schemas.topics import (
    ACCOUNT_STATE,
    CONVERSATION_STATE,
    ENRICHMENTS,
    INTERACTIONS,
    ISSUE_STATE,
    MENTIONS,
    POLICIES,
    SIGNALS,
    SLA_EVENTS,
    TOPICS,
)
from streams.access_watch import AccessWatch
from streams.calm_collector import calm_the_collector
from streams.fault_points import planted
from streams.faust_app.batch_consumer import transport_for
from streams.faust_app.batch_schema import BatchSchema
from streams.faust_app.broker_credentials import faust_options
from streams.kafka_refusal import REFUSED_STATUS, KafkaRefused, refusal_in
from streams.kafka_rights import Operation
from streams.lag_report import LagReport
from streams.lane.changelog import ChangelogDamaged
from streams.lane.lane import LaneKind
from streams.lane.lanes import Lanes, LaneSurroundings
from streams.lane.log_clock import LogClock
from streams.lane.ticks import TickWriter
from streams.partition_counts import shared_partitions
from streams.settings import Settings
from streams.sinks.recorder import Recorder
from streams.stuck_watch import LOOK_EVERY_SECONDS, StuckWatch
from streams.work_watch import WorkWatch

log = logging.getLogger("careline.work")

MOST_RECORDS_PER_FETCH = 4_000
STOP_WITHIN_SECONDS = 20.0
LEAVE_WITHIN_SECONDS = 60.0
"""From the first step of leaving to the end of the process: whatever hangs then, hangs for ever."""

KAFKA_WENT_AWAY = 75
"""EX_TEMPFAIL of sysexits: nothing is wrong here, trying again may help. What was in flight is not to be trusted."""


def wall_clock() -> Instant:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1000


@dataclass
class Worker:
    """One worker process. `run` returns its exit status."""

    settings: Settings
    recorder: Recorder
    clock: Callable[[], Instant] = wall_clock
    agents: frozenset[str] = frozenset({"conversation", "account", "issue"})
    """Which of the agents work here: all, unless one is to be scaled by itself."""
    end: Callable[[int], object] = os._exit
    """Ends the process with a status, where it does not come to an end by itself."""
    _failure: BaseException | None = field(default=None, init=False)

    async def run(self) -> int:
        """Work until told to stop (0), Kafka goes away (`KAFKA_WENT_AWAY`), or going on would be wrong (1).

        Where Kafka answers and refuses, the status is `REFUSED_STATUS`.
        """
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        self._stopping = stopping
        lanes = self._lanes()
        stuck_watch = StuckWatch(self.settings.stuck_after_seconds, lanes.progress, leave=self.end)
        stuck_watch.start()
        beating = asyncio.create_task(_beat(stuck_watch), name="beat")
        try:
            lanes.partitions = await shared_partitions(self.settings.kafka, self.settings.topic)
            app = create_app(self.settings, lanes, self._kinds())
            await app.start()
        except (KafkaError, OSError) as error:
            self._fail(error)  # it answered a moment ago, when it was waited for
            stuck_watch.leaving(self._leave_within_seconds(), self._status)
            return self._status()
        ticks = TickWriter(
            self._connection(), lanes, self.settings.topic, self._log_clock, self.recorder, at_place=self._at_place
        )
        calm_the_collector()
        access = AccessWatch(self.settings.kafka, lambda refused: loop.call_soon_threadsafe(self._fail, refused))
        access.start()
        ticking = asyncio.create_task(ticks.run(), name="ticks")
        lag = LagReport(
            app, lanes, self.recorder, self._watch.tell_holdings, stuck_watch, connection=self._connection()
        )
        lagging = asyncio.create_task(lag.run(), name="lag")
        crashed = asyncio.create_task(app.wait_until_stopped(), name="faust")
        await asyncio.wait({asyncio.create_task(stopping.wait()), crashed}, return_when=asyncio.FIRST_COMPLETED)
        if self._failure is None and not stopping.is_set():
            self._fail(app.crash_reason or ConnectionError("Faust stopped by itself"))
        stuck_watch.leaving(self._leave_within_seconds(), self._status)
        self._at_place("worker.leaving")
        ticking.cancel()
        lagging.cancel()
        beating.cancel()
        access.stop()
        await self._stop(app, lanes)
        if self._failure is None and app.crash_reason is not None:
            self._fail(app.crash_reason)
        return self._status()

    def _leave_within_seconds(self) -> float:
        return min(LEAVE_WITHIN_SECONDS, self.settings.stuck_after_seconds)

    def leave(self) -> None:
        """Stop as if asked to by SIGTERM."""
        self._stopping.set()

    def _lanes(self) -> Lanes:
        self._at_place = planted(self.settings.fault)
        self._log_clock = LogClock(self.clock)
        watch = self._watch = WorkWatch(self.recorder, self.settings.rejected_limit_ratio, self._fail, self._at_place)
        surroundings = LaneSurroundings(
            connection=self._connection(),
            group=self.settings.topic(self.settings.group),
            topic_name=self.settings.topic,
            clock=self._log_clock,
            on_committed=watch.committed,
            on_recovering=self.recorder.state_recovering,
            on_recovered=self._recovered,
            on_failed=self._fail,
            at_place=self._at_place,
        )
        lanes = Lanes(self._kinds(), surroundings)
        watch.lanes = lanes
        return lanes

    def _kinds(self) -> tuple[LaneKind, ...]:
        return tuple(kind for kind in lane_kinds(self.settings) if kind.agent in self.agents)

    def _connection(self) -> dict[str, object]:
        return {**self.settings.kafka.for_aiokafka(), "client_id": "careline-work"}

    def _recovered(self, agent: str, _keys: int, seconds: float) -> None:
        self.recorder.state_recovered(agent, seconds)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            refused = refusal_in(error, self.settings.kafka)
            if refused is not None:
                self._failure = refused
                log.error("%s", refused)
                # What clients complain of on their way out would hide that line.
                logging.getLogger("asyncio").setLevel(logging.CRITICAL)
            elif isinstance(error, ProducerFenced):
                log.error("another worker took over a partition of this one while it was away; leaving")
            elif isinstance(error, ChangelogDamaged):
                log.error("the memory cannot be read: %s", error)
            elif _may_pass(error):
                log.error("Kafka does not answer: %r", error)
            else:
                log.error("cannot go on: %s: %s", type(error).__name__, error, exc_info=error)
        self._stopping.set()

    async def _stop(self, app: faust.App, lanes: Lanes) -> None:
        if self._failure is not None:
            lanes.abandon()
        # Not `wait_for`: it waits on for what does not let itself be cancelled, as parts of Faust do not.
        _, unstopped = await asyncio.wait({asyncio.create_task(app.stop())}, timeout=STOP_WITHIN_SECONDS)
        if unstopped:
            log.warning(
                "did not stop within %.0f s; what was in flight is read again by the next owner", STOP_WITHIN_SECONDS
            )
        await lanes.let_go()

    def _status(self) -> int:
        if self._failure is None:
            return 0
        if isinstance(self._failure, KafkaRefused):
            return REFUSED_STATUS
        return KAFKA_WENT_AWAY if _may_pass(self._failure) else 1


async def _beat(stuck_watch: StuckWatch) -> None:
    while True:
        stuck_watch.beat()
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _may_pass(error: BaseException) -> bool:
    """Whether this is Kafka not answering, and not something wrong with the data, the memory or the program.

    aiokafka wraps a lost connection into a bare `KafkaError`, so causes count as well.
    """
    passing = (
        bool(error.retriable) if isinstance(error, KafkaError) else isinstance(error, TimeoutError | ConnectionError)
    )
    return passing or (type(error) is KafkaError and error.__cause__ is not None and _may_pass(error.__cause__))


def lane_kinds(settings: Settings) -> tuple[LaneKind, ...]:
    """The agents: what each reads, where its ticks go, where its memory lies."""
    account_agent = partial(AccountAgent, agent_figures=settings.agent_figures, team_figures=settings.team_figures)
    return (
        LaneKind("conversation", (INTERACTIONS,), INTERACTIONS, CONVERSATION_STATE, ConversationAgent),
        LaneKind("account", (SLA_EVENTS, SIGNALS, ENRICHMENTS), SIGNALS, ACCOUNT_STATE, account_agent),
        LaneKind("issue", (MENTIONS,), MENTIONS, ISSUE_STATE, IssueAgent),
    )


def needed_topics(kinds: Iterable[LaneKind]) -> dict[Operation, list[str]]:
    """The topics that a worker reads, and those that it writes."""
    reads = {topic.name for kind in kinds for topic in (*kind.sources, kind.memory)}
    # A policy file is published by whoever starts with one, with a check of its own.
    writes = {topic.name for topic in TOPICS if "work" in topic.producers and topic is not POLICIES}
    return {"READ": sorted(reads), "WRITE": sorted(writes)}


class LaneApp(faust.App):
    """A Faust app that makes no folder: nothing of ours is kept on a worker's disk."""

    @override
    def _create_directories(self) -> None:
        """Faust would make `<app id>-data` where the program was started, for tables that we do not have."""


def create_app(settings: Settings, lanes: Lanes, kinds: Iterable[LaneKind]) -> faust.App:
    """A Faust app whose agents hand each batch to its lane.

    Nothing of it outlives the call's owner; two may live in one process.
    """
    app = LaneApp(
        settings.topic(settings.group),
        **faust_options(settings.kafka),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=min(3.0, settings.session_timeout_seconds / 4),
        broker_request_timeout=max(90.0, settings.session_timeout_seconds + 30),
        broker_max_poll_records=MOST_RECORDS_PER_FETCH,
        broker_commit_interval=5.0,
        producer_request_timeout=30.0,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
    )
    app.transport = transport_for(lanes)(app.conf.broker_consumer, app)
    for kind in kinds:
        names = [settings.topic(topic.name) for topic in kind.sources]
        topic = app.topic(*names, schema=BatchSchema(), value_type=bytes, value_serializer="raw")
        app.agent(topic, name=kind.agent)(_dispatch(lanes))
    return app


def _dispatch(lanes: Lanes) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def dispatch(stream: "faust.Stream[Any]") -> None:
        async for event in stream.noack().events():
            message = event.message
            lanes.offer(message.topic, message.partition, event.value, event.ack)

    return dispatch
