"""The load of the sink benchmark: results as workers publish them, in transactions of a few hundred records.

`python -m tests.benchmark.sink_load SERVERS FIRST RECORDS [RATE]` publishes them, all at once or so many in a second.
A process of its own, so that the sink's processor time is the sink's alone.
"""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from schemas.codec import EVENT_TYPES, decode, encode, headers_of
from schemas.topics import ADHERENCE, CLOCKS, HEALTH, SLA_EVENTS, TopicSpec

PARTITIONS = 8
ROUND = (CLOCKS, SLA_EVENTS, CLOCKS, ADHERENCE, CLOCKS, SLA_EVENTS, ADHERENCE, HEALTH)
"""What follows from three or four interactions, roughly."""
TRANSACTION_RECORDS = 400
BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)


def sink_results(numbers: range) -> Iterator[tuple[TopicSpec, Any]]:
    """Results with their topics: the examples of the contracts, told apart by id and instant."""
    folder = Path(__file__).resolve().parents[2] / "schemas" / "examples"
    examples = {
        spec: [
            decode(spec.contracts[0], path.read_bytes())
            for path in sorted((folder / EVENT_TYPES[spec.contracts[0]]).glob("*.json"))
            if path.stem != "schema"
        ]
        for spec in set(ROUND)
    }
    for number in numbers:
        spec = ROUND[number % len(ROUND)]
        example = examples[spec][number % len(examples[spec])]
        changes: dict[str, Any] = {
            key: f"{key}-{number}" for key in ("conversation_id", "account_id") if hasattr(example, key)
        }
        changes |= {
            name: BEGIN + timedelta(seconds=number) for name in ("as_of", "occurred_at") if hasattr(example, name)
        }
        yield spec, msgspec.structs.replace(example, id=f"{number}", **changes)


def main(servers: str, first: int, records: int, rate: int = 0) -> None:
    """Publish, end."""
    producer = KafkaProducer(
        bootstrap_servers=servers,
        transactional_id="bench-results",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=20,
        batch_size=200_000,
    )
    producer.init_transactions()
    results = iter(list(sink_results(range(first, first + records))))
    at_once = TRANSACTION_RECORDS if not rate else max(1, rate // 8)
    started = time.monotonic()
    for sent in range(0, records, at_once):
        if rate:
            time.sleep(max(0.0, started + sent / rate - time.monotonic()))
        producer.begin_transaction()
        for number, (spec, event) in zip(range(sent, min(sent + at_once, records)), results, strict=False):
            headers = headers_of(event, "bench", event.id, BEGIN)
            partition = number // len(ROUND) % PARTITIONS
            producer.send(spec.name, key=event.id.encode(), value=encode(event), headers=headers, partition=partition)
        producer.commit_transaction()
    producer.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
