"""Starts the parts of a demo in order and as much at once as can be, watches over them, and ends them in order.

`demo_parts` says what is started. Whatever happens on the way, `close` leaves nothing running.
"""

import asyncio
import contextlib
import http.client
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kafka.admin import KafkaAdminClient

from schemas.topics import TOPICS
from streams.demo.demo_errors import DemoFailed
from streams.demo.demo_parts import HOST, POLICY_FILE, DemoParts
from streams.demo.guarded_child import GuardedChild
from streams.demo.run_ledgers import Books, read_books
from streams.embedded_kafka import ArchiveBuilder, EmbeddedKafka, FetchProgress, KafkaRuntime
from streams.file_kinds import POLICY
from streams.file_publisher import publish_file
from streams.kafka_admin import create_topics, wait_for_kafka
from streams.settings import split_address, without_security

READY_SECONDS = 90.0
"""Until every part answers: four seconds on an idle machine, half a minute on a very busy one."""
LOOK_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 25.0
"""How long a worker or a sink may take to finish what it has in hand."""
RECOVERED = "careline_recovery_seconds_count"
STAGES = ("conversation", "account")
"""Agents with lanes on every worker; that of issues has one lane in all."""

Say = Callable[[str], None]


@dataclass(slots=True)
class DemoHouse:
    """The running parts.

    Args:
        parts: What is to be started.
        say: Told each step, for people.
        on_progress: Told about jars that have to be fetched at the first start.
        home: The user's home, where the jars are cached.
        is_temporary: Whether the folder goes when this process is suddenly gone.
    """

    parts: DemoParts
    say: Say
    on_progress: Callable[[FetchProgress], None]
    home: Path
    is_temporary: bool
    kafka: EmbeddedKafka | None = None
    connect: GuardedChild | None = None
    sink: GuardedChild | None = None
    enrich: GuardedChild | None = None
    company: GuardedChild | None = None
    workers: list[GuardedChild] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _removes_topics: bool = False

    @property
    def children(self) -> list[GuardedChild]:
        """All programs that have been started, in the order in which they are ended."""
        children = (self.company, self.connect, self.enrich, *self.workers, self.sink)
        return [child for child in children if child is not None]

    # start

    async def start(self) -> Books:
        """Start everything but the company; returns when all of it is ready, with the books as they were before.

        Raises:
            DemoFailed: a part did not start; EmbeddedKafkaError, KafkaUnavailable and others in their own words.
        """
        await self._start_kafka()
        settings = self.parts.settings
        parts = self.parts
        await asyncio.to_thread(
            create_topics,
            settings.kafka,
            settings.topic_prefix,
            settings.partitions,
            settings.replication_factor,
        )
        self.say(f"topics      {len(TOPICS)} with {settings.partitions} partitions")
        self.connect = self._child("connect", parts.connect_command(), parts.connect_metrics, with_secret=True)
        self.sink = self._child("sink", parts.sink_command(), parts.sink_metrics, remove=self.is_temporary)
        self.workers = [
            self._child(f"worker-{number}", parts.work_command(), metrics)
            for number, metrics in enumerate(parts.worker_metrics, start=1)
        ]
        self.enrich = self._child("enrich", parts.enrich_command(), parts.enrich_metrics)
        books = await asyncio.to_thread(read_books, settings)
        outcome = await asyncio.to_thread(publish_file, settings, POLICY, POLICY_FILE)
        self.say(f"promises    {outcome}")
        await self._until_ready()
        return books

    def start_company(self, command: list[str]) -> GuardedChild:
        """Let the simulated company live."""
        self.company = self._child("company", command, self.parts.connect_metrics, with_secret=True)
        return self.company

    async def _start_kafka(self) -> None:
        wanted = self.parts.options.kafka
        if wanted is not None:
            reached = replace(self.parts.settings, kafka_servers=wanted)
            await asyncio.to_thread(wait_for_kafka, reached.kafka, 10.0)
            prefix = self.parts.settings.topic_prefix
            if not prefix:
                # Somebody else's Kafka may hold somebody's real topics: a demo has its own, and takes them away again.
                prefix = f"careline-demo-{os.getpid()}."
                self._removes_topics = True
            self.parts.settings = replace(reached, topic_prefix=prefix)
            self.say(f"Kafka       {wanted}, topics begin with {prefix}")
            return
        runtime = KafkaRuntime.from_environment(self.parts.variables, self.home)
        data = None if self.parts.options.data is None else self.parts.folder / "kafka"
        self.kafka = EmbeddedKafka(runtime, data, on_progress=self.on_progress)
        await asyncio.to_thread(self.kafka.start)
        self.parts.settings = without_security(replace(self.parts.settings, kafka_servers=self.kafka.bootstrap))
        self.say(f"Kafka       {self.kafka.bootstrap} (Apache Kafka, started for this demo)")
        # While people look, the archive that makes the next start fast is written with what nobody else wants.
        self._stack.enter_context(ArchiveBuilder(runtime))

    def _child(
        self, name: str, command: list[str], metrics: str, *, with_secret: bool = False, remove: bool = False
    ) -> GuardedChild:
        environment = self.parts.environment(metrics, with_secret=with_secret)
        folder = self.parts.folder / "run" / name
        return GuardedChild(name, command, folder, environment, self.parts.folder if remove else None)

    async def _until_ready(self) -> None:
        parts = self.parts
        signs = [
            partial(answers, parts.connect_address, "/ready"),
            partial(answers, parts.settings.sql_address, "/ping"),
            partial(answers, parts.enrich_metrics, "/metrics"),
            *(partial(has_recovered, metrics) for metrics in parts.worker_metrics),
        ]
        try:
            async with asyncio.timeout(READY_SECONDS):
                await asyncio.gather(*(self._until(sign) for sign in signs))
        except TimeoutError:
            logs = "\n".join(f"{child.name}: {child.last_words()[-600:]}" for child in self.children)
            raise DemoFailed(f"not everything was ready within {READY_SECONDS:.0f} s. Last words:\n{logs}") from None
        self.say(f"connect     http://{parts.connect_address}/in/company  (signed webhooks)")
        for number, metrics in enumerate(parts.worker_metrics, start=1):
            self.say(f"worker {number}    http://{metrics}/metrics")
        self.say(f"enrich      language and sentiment by rules, offline; http://{parts.enrich_metrics}/metrics")
        self.say(
            f"ClickHouse  embedded, answers SQL at {parts.settings.sql_address}; metrics http://{parts.sink_metrics}/metrics"
        )
        self.say(f'ask         CARELINE_SQL_ADDRESS={parts.settings.sql_address} careline sql "SHOW TABLES"')

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(is_so):
            self.check()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    # watch

    def check(self) -> None:
        """Look whether all parts live.

        Raises:
            DemoFailed: one has ended that was not asked to.
        """
        for child in self.children:
            if child.status is not None and not child.is_ending and not (child is self.company and child.status == 0):
                raise DemoFailed(
                    f"{child.name} ended with exit status {child.status}. Its last words, from {child.log}:\n"
                    f"{child.last_words() or '(none)'}"
                )
        if self.kafka is not None and not self.kafka.running:
            raise DemoFailed("Kafka has ended; its log is broker.log in its folder")

    # end

    async def end_sources(self) -> None:
        """End the company, then connect: nothing new comes in."""
        if self.company is not None:
            await self._end([self.company])
        if self.connect is not None:
            await self._end([self.connect])

    async def close(self) -> None:
        """End everything that still runs: sources, workers, sink, Kafka."""
        await self.end_sources()
        await self._end([child for child in (self.enrich, *self.workers) if child is not None])
        if self.sink is not None:
            await self._end([self.sink])
        await asyncio.to_thread(self._stack.close)
        if self._removes_topics:
            await asyncio.to_thread(self._remove_topics)
        if self.kafka is not None:
            await asyncio.to_thread(self.kafka.stop)

    async def _end(self, children: list[GuardedChild]) -> None:
        ended = await asyncio.gather(*(asyncio.to_thread(child.end, PATIENCE_SECONDS) for child in children))
        for child, willingly in zip(children, ended, strict=True):
            if not willingly:
                self.say(f"{child.name} did not end within {PATIENCE_SECONDS:.0f} s and was killed")

    def _remove_topics(self) -> None:
        settings = self.parts.settings
        with contextlib.suppress(
            Exception
        ):  # a Kafka that has gone meanwhile keeps them; the demo is over all the same
            admin = KafkaAdminClient(**settings.kafka.for_kafka_python())
            try:
                admin.delete_topics([settings.topic(topic.name) for topic in TOPICS])
            finally:
                admin.close()


def answers(address: str, path: str) -> bool:
    """Whether a path is served."""
    return get_text(address, path) is not None


def has_recovered(metrics: str) -> bool:
    """Whether a worker has its partitions and their state, for the agents of which each has some."""
    text = get_text(metrics, "/metrics") or ""
    return all(sum_of(text, f'{RECOVERED}{{stage="{stage}"}}') >= 1 for stage in STAGES)


def get_text(address: str, path: str) -> str | None:
    """What is served at an address of this machine; null while it does not answer with 200."""
    connection = http.client.HTTPConnection(HOST, split_address(address)[1], timeout=3)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == http.client.OK else None


def sum_of(exposition: str, series: str) -> float:
    """The sum of all samples of a Prometheus text whose name and labels begin so."""
    samples = (line.rpartition(" ") for line in exposition.splitlines() if line.startswith(series))
    return sum(float(value) for _, _, value in samples)
