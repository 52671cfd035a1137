"""A worker under measurement: runs until so many interactions are committed, then prints when each batch was.

With `count` in place of agents it does what `stock_faust` does, and no more.
"""

import asyncio
import json
import os
import resource
import sys
import time

import uvloop
from typing_extensions import override

from schemas.topics import CONVERSATION_STATE, INTERACTIONS
from streams.lane.lane import LaneKind
from streams.settings import Settings
from streams.sinks.recorder import Recorder
from streams.worker import Worker
from tests.benchmark.counting_agent import CountingAgent


class _Watch(Recorder):
    def __init__(self, stage: str, enough: int) -> None:
        self.stage = stage
        self.enough = enough
        self.records = 0
        self.began: float | None = None
        self.ended = 0.0
        self.transactions: list[float] = []
        self.worker: Worker | None = None

    @override
    def batch_committed(self, stage: str, records: int, seconds: float) -> None:
        if stage != self.stage:
            return
        if self.began is None:
            self.began = time.perf_counter() - seconds
        self.records += records
        self.ended = time.perf_counter()
        if self.records >= self.enough and self.worker is not None:
            self.worker.leave()

    @override
    def transaction_committed(self, stage: str, seconds: float) -> None:
        if stage == self.stage:
            self.transactions.append(seconds)


class _CountingWorker(Worker):
    @override
    def _kinds(self) -> tuple[LaneKind, ...]:
        return (LaneKind("conversation", (INTERACTIONS,), INTERACTIONS, CONVERSATION_STATE, CountingAgent),)


def main(servers: str, prefix: str, agents: str, enough: int) -> None:
    """Work, then print one line of JSON."""
    settings = Settings(kafka_servers=servers, topic_prefix=prefix)
    if agents == "count":
        watch = _Watch("conversation", enough)
        worker: Worker = _CountingWorker(settings, watch)
    else:
        watch = _Watch(agents.split(",", maxsplit=1)[0], enough)
        worker = Worker(settings, watch, agents=frozenset(agents.split(",")))
    watch.worker = worker
    cpu = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(worker.run())
    seconds = watch.ended - (watch.began or watch.ended)
    report = {
        "records": watch.records,
        "seconds": seconds,
        "events_per_second": watch.records / seconds,
        "cpu_seconds": time.process_time() - cpu,
        "transactions": len(watch.transactions),
        "transaction_p50_ms": sorted(watch.transactions)[len(watch.transactions) // 2] * 1000,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
