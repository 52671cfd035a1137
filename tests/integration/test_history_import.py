"""History into a real Kafka: keyed, in order, closed by a tick behind everything, and the same when sent again."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from typer.testing import CliRunner

from schemas.account_profile import AccountProfile
from schemas.codec import contract_in, decode, encode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.topics import ACCOUNTS, INTERACTIONS, SIGNALS
from streams.cli.import_command import import_history
from streams.embedded_kafka import EmbeddedKafka
from streams.settings import Settings
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

MAPPING = """\
format: csv
conversation: "{id}"
account: "{who}"
events:
  - {when: {what: ask}, at: "{at}", from: customer, text: "{text}"}
  - {when: {what: answer}, at: "{at}", from: agent}
"""
PARTITIONS = 3


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    mapping, history = tmp_path / "m.yaml", tmp_path / "h.csv"
    mapping.write_text(MAPPING)
    rows = [
        f"{case},acme,{what},2025-03-0{day}T10:00:00Z,{case}"
        for what, day in (("answer", 2), ("ask", 1))
        for case in range(40)
    ]
    history.write_text("\n".join(["id,who,what,at,text", *rows, "x,acme,ask,never,", ""]))
    return mapping, history


@pytest.fixture
def careline_import(kafka: EmbeddedKafka, topic_prefix: str, files: tuple[Path, Path]) -> Callable[..., Any]:
    def run(mapping: str = MAPPING) -> Any:
        app = typer.Typer()
        settings = Settings(kafka_servers=kafka.bootstrap, topic_prefix=topic_prefix)

        @app.callback()
        def main(context: typer.Context) -> None:
            context.obj = settings

        app.command("import")(import_history)
        path, history = files
        path.write_text(mapping)
        command = ["import", "--mapping", str(path), str(history), "--now", "2025-04-01T00:00:00Z", "--json"]
        return CliRunner().invoke(app, command)

    return run


def records_of(kafka: EmbeddedKafka, topic: str) -> dict[int, list[Any]]:
    """All records of a topic, decoded, by partition: (key, contract)."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None, isolation_level="read_committed")
    try:
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        found: dict[int, list[Any]] = defaultdict(list)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, batch in consumer.poll(timeout_ms=500).items():
                for record in batch:
                    contract = decode(contract_in(record.headers, Interaction), record.value)
                    found[partition.partition].append((record.key, contract))
    finally:
        consumer.close()
    return found


def test_an_import_stands_in_order_before_its_tick_and_its_release(
    kafka: EmbeddedKafka, topic_prefix: str, careline_import: Callable[..., Any]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    result = careline_import()
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["conversations"], summary["events"], summary["controls"]) == (40, 80, 2 * PARTITIONS)
    assert summary["rejected"] == {"unreadable_time": 1}

    by_partition = records_of(kafka, topic_prefix + INTERACTIONS.name)
    assert set(by_partition) == set(range(PARTITIONS))
    homes: dict[bytes, set[int]] = defaultdict(set)
    authors: dict[bytes, list[str]] = defaultdict(list)
    for partition, records in by_partition.items():
        *events, tick, release = records
        for key, event in events:
            assert isinstance(event, Interaction)
            assert key == event.conversation_id.encode()
            assert event.clock == event.source == summary["clock"]
            homes[key].add(partition)
            authors[key].append(event.author.kind)
        for (key, control), kind in ((tick, "tick"), (release, "clock_released")):
            assert key is None
            assert isinstance(control, Control)
            assert (control.kind, control.clock) == (kind, summary["clock"])
            assert control.as_of.isoformat() == "2025-04-01T00:00:00+00:00"
    assert len(homes) == 40
    assert all(len(partitions) == 1 for partitions in homes.values())
    assert set(map(tuple, authors.values())) == {("customer", "agent")}

    assert not records_of(kafka, topic_prefix + SIGNALS.name), "accounts hear the time from their conversations"


def test_importing_again_sends_the_same_ids_on_the_same_clock(
    kafka: EmbeddedKafka, topic_prefix: str, careline_import: Callable[..., Any]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    first, second = (json.loads(careline_import().stdout) for _ in range(2))
    assert first["clock"] == second["clock"]
    records = [record for found in records_of(kafka, topic_prefix + INTERACTIONS.name).values() for record in found]
    ids = [(event.conversation_id, event.id) for _, event in records if isinstance(event, Interaction)]
    assert len(ids) == 160
    assert len(set(ids)) == 80


def test_what_the_rows_do_not_say_of_an_account_comes_from_the_directory(
    kafka: EmbeddedKafka, topic_prefix: str, careline_import: Callable[..., Any]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    profile = AccountProfile(id="acme-inc", tier="gold", team="north", identities=("domain:acme",))
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    producer.send(topic_prefix + ACCOUNTS.name, key=b"acme-inc", value=encode(profile)).get(timeout=30)
    producer.close()
    assert careline_import(mapping=MAPPING.replace("{who}", "domain:{who}")).exit_code == 0
    records = [record for found in records_of(kafka, topic_prefix + INTERACTIONS.name).values() for record in found]
    events = [event for _, event in records if isinstance(event, Interaction)]
    assert {(e.account_id, e.account_hint, e.tier, e.team) for e in events} == {
        ("acme-inc", "domain:acme", "gold", "north")
    }


def test_a_cluster_without_the_topics_is_told_at_once_and_nothing_is_sent(
    topic_prefix: str, careline_import: Callable[..., Any]
) -> None:
    begun = time.monotonic()
    result = careline_import()
    assert time.monotonic() - begun < 5
    assert result.exit_code == 1
    assert f"has no topic {topic_prefix}{INTERACTIONS.name}" in result.stderr
    assert "`careline topics create`" in result.stderr
    assert "Traceback" not in result.output
