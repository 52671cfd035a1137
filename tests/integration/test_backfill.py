"""A backfill into a real Kafka: stopped in the middle, gone on with, closed behind everything that it sent."""

from collections import Counter

import pytest
import typer
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from schemas.codec import contract_in, decode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.signal import Signal
from schemas.topics import INTERACTIONS, SIGNALS
from streams.cli.backfill_command import connect_backfill
from streams.connectors.accounts_topic import known_profiles
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from streams.settings import Settings
from tests.fake_zendesk import TOKEN, FakeZendesk, broken
from tests.fixtures_kafka import make_topics
from tests.unit.test_backfill_command import serving
from tests.unit.test_zendesk_backfill import tickets
from tests.zendesk_facts import REQUESTER, TicketFacts, Update

pytestmark = pytest.mark.integration

PARTITIONS = 2
HAPPY = TicketFacts(77, [Update(0, REQUESTER, "Hello"), Update(60, REQUESTER, changes={"satisfaction_score": "good"})])


def contracts(kafka: EmbeddedKafka, topic: str) -> list[list[Interaction | Signal | Control]]:
    """Everything in a topic, by partition."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)
    try:
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[list[Interaction | Signal | Control]] = [[] for _ in partitions]
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, batch in consumer.poll(timeout_ms=500).items():
                found[partition.partition] += [
                    decode(contract_in(each.headers, Interaction), each.value) for each in batch
                ]
    finally:
        consumer.close()
    return found


def backfill(kafka: EmbeddedKafka, prefix: str, address: str) -> Result:
    app = typer.Typer()

    @app.callback()
    def main(context: typer.Context) -> None:
        context.obj = Settings(kafka_servers=kafka.bootstrap, topic_prefix=prefix)

    app.command("backfill")(connect_backfill)
    return CliRunner().invoke(app, ["backfill", "zendesk", "--base-url", address, "--since", "2026-01-01"])


def test_stopped_and_gone_on_with(kafka: EmbeddedKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    monkeypatch.setenv("ZENDESK_API_TOKEN", TOKEN)
    provider = FakeZendesk([*tickets(5), HAPPY], troubles={12: broken(403)})
    with serving(provider) as address:
        first = backfill(kafka, topic_prefix, address)
        second = backfill(kafka, topic_prefix, address)
        third = backfill(kafka, topic_prefix, address)
    assert (first.exit_code, second.exit_code, third.exit_code) == (1, 0, 0), (first.output, second.output)
    assert "403" in first.output
    assert "going on behind 2 conversations" in second.output
    assert "going on" not in third.output
    told = contracts(kafka, topic_prefix + INTERACTIONS.name)
    for partition in told:
        clocks = [each.clock for each in partition if isinstance(each, Interaction | Control)]
        assert len(dict.fromkeys(clocks)) == 2  # the third run began anew, on a clock of its own
        of_first = [each for each in partition if isinstance(each, Interaction | Control) and each.clock == clocks[0]]
        assert [each.kind for each in of_first[-2:]] == ["tick", "clock_released"]
        assert all(isinstance(each, Interaction) for each in of_first[:-2])
    events = [each for partition in told for each in partition if isinstance(each, Interaction)]
    times = Counter((each.conversation_id, each.id) for each in events)
    assert len(times) == 5 * 9 + 1
    assert set(times.values()) == {2}  # once by the first two runs together, once by the third
    assert {each.account_id for each in events} == {"zendesk_org:9"}
    ratings = [each for partition in contracts(kafka, topic_prefix + SIGNALS.name) for each in partition]
    assert {(each.name, each.value) for each in ratings if isinstance(each, Signal)} == {("csat", 1.0)}
    (company,) = known_profiles(KafkaConnection(kafka.bootstrap), topic_prefix).values()
    assert (company.id, company.name) == ("zendesk_org:9", "Acme")
