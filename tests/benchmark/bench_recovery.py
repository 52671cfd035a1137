"""How long a worker that remembers nothing needs for a million open conversations, and what that costs in memory.

The changelog is written as a lane writes it, onto a real Kafka; then a fresh process recovers it as a worker does when
partitions are assigned to it, and says when it is done. Stock Faust recovers about 5,000 keys a second here.
"""

import asyncio
import gc
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from agents.conversation_agent import ConversationAgent
from schemas.topics import CONVERSATION_STATE
from streams.embedded_kafka import THROUGHPUT, EmbeddedKafka, KafkaRuntime
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from streams.lane.changelog import Recovery, to_value
from streams.lane.outbox import Outbox
from streams.lane.partition_states import PartitionStates, Remembered, Wake
from streams.record_batch import NO_HEADERS
from tests.benchmark.bench_sweep import Counter, fill, say
from tests.process_memory import resident_mb

CONVERSATIONS = 1_000_000
PARTITIONS = 4
PATTERNS = 2_000
"""Different states; the million repeats them under other keys."""
AT_MOST_SECONDS = 30.0
AT_MOST_MEMORY_RATIO = 1.5


def main() -> None:
    """Write, recover, compare."""
    if sys.argv[1:]:
        asyncio.run(_recover(sys.argv[1]))
        return
    with EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home()), profile=THROUGHPUT) as kafka:
        create_topics(KafkaConnection(kafka.bootstrap), "", PARTITIONS, 1)
        written = asyncio.run(_write(kafka.bootstrap))
        say(f"{CONVERSATIONS:,} conversations in {PARTITIONS} partitions, {written / CONVERSATIONS:,.0f} bytes each")
        told = subprocess.run(
            [sys.executable, "-m", "tests.benchmark.bench_recovery", kafka.bootstrap],
            check=True,
            stdout=subprocess.PIPE,
        )
    found = json.loads(told.stdout)
    say(
        f"recovered {found['keys']:,} keys in {found['seconds']:.1f} s ({found['keys'] / found['seconds']:,.0f}/s); "
        f"{found['steady_mb']:,.0f} MB afterwards, {found['peak_mb']:,.0f} MB at most, "
        f"{found['peak_mb'] / found['steady_mb']:.2f} times as much"
    )
    if found["keys"] != CONVERSATIONS:
        raise SystemExit("not everything was recovered")
    if found["seconds"] > AT_MOST_SECONDS or found["peak_mb"] > AT_MOST_MEMORY_RATIO * found["steady_mb"]:
        raise SystemExit(f"more than {AT_MOST_SECONDS:.0f} s, or than {AT_MOST_MEMORY_RATIO} times the memory")


async def _write(servers: str) -> int:
    states, chance = PartitionStates(), random.Random(1)
    fill(ConversationAgent(states, Counter()), time.time_ns() // 1000, PATTERNS)
    patterns = [state for state in (states.get(f"c{number}") for number in range(PATTERNS)) if state is not None]
    producer = AIOKafkaProducer(bootstrap_servers=servers.split(","), transactional_id="bench", acks="all")
    await producer.start()
    written = 0
    for begin in range(0, CONVERSATIONS, 50_000):
        outbox = Outbox()
        for number in range(begin, begin + 50_000):
            state = patterns[number % len(patterns)]
            wake = Wake("wall", time.time_ns() // 1000 + chance.randrange(10**12))
            value = to_value(Remembered(state, wake))
            written += len(value)
            place = (CONVERSATION_STATE.name, number % PARTITIONS)
            outbox.put(place, f"zendesk:{number:08}".encode(), value, *NO_HEADERS)
        outbox.finish()
        await producer.begin_transaction()
        sent = [await producer.send_batch(batch, topic, partition=partition) for (topic, partition), batch in outbox]
        await asyncio.gather(*sent)
        await producer.commit_transaction()
    await producer.stop()
    return written


async def _recover(servers: str) -> None:
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    began = time.perf_counter()
    recovery = Recovery({"bootstrap_servers": servers.split(",")}, lambda _: None)
    memories = await recovery.read(CONVERSATION_STATE.name, range(PARTITIONS))
    seconds = time.perf_counter() - began
    keys = sum(len(states) for states, _ in memories.values())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gc.collect()
    say(json.dumps({"keys": keys, "seconds": seconds, "peak_mb": peak_mb, "steady_mb": resident_mb()}))


if __name__ == "__main__":
    main()
