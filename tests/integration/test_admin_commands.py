"""The commands that look after a deployment, on a real Kafka: topics, dead letters, doctor."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from typer.testing import CliRunner, Result

from agents.conversation_agent import LEDGER_KEY
from schemas.codec import decode, encode, headers_of
from schemas.control import Control
from schemas.conversation_state import PartitionLedger
from schemas.rejection import Origin, Rejection
from schemas.topics import CONVERSATION_STATE, HEALTH, INTERACTIONS, REJECTED, TOPICS
from streams.cli.main import app
from streams.dead_letters import REDRIVEN_OF
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from streams.lane.changelog import to_value
from streams.lane.partition_states import Remembered
from streams.topic_reader import StoredRecord, topic_reader
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PARTITIONS = 2
POISON = b'{"conversation_id": "c1", \xff'

Careline = Callable[..., Result]


@pytest.fixture
def careline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Careline:
    variables = {
        "CARELINE_KAFKA": kafka.bootstrap,
        "CARELINE_TOPIC_PREFIX": topic_prefix,
        "CARELINE_PARTITIONS": str(PARTITIONS),
        "CARELINE_CLICKHOUSE": "chdb://",
        "CARELINE_DATA_DIR": str(tmp_path / "none"),
        "CARELINE_SQL_ADDRESS": "127.0.0.1:1",
    }

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments), env=variables)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return run


@pytest.fixture
def send(kafka: EmbeddedKafka, topic_prefix: str) -> Callable[..., None]:
    """Puts records into a topic, each given as keyword arguments of the producer."""

    def send(topic: str, *records: dict[str, Any]) -> None:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
        try:
            for record in records:
                producer.send(topic_prefix + topic, **record).get(timeout=20)
        finally:
            producer.close(timeout=5)

    return send


def stored(kafka: EmbeddedKafka, topic: str) -> list[StoredRecord]:
    with topic_reader(KafkaConnection(kafka.bootstrap)) as reader:
        return list(reader.records(topic))


def dead_letter(**changes: Any) -> dict[str, Any]:
    """A rejection as a worker writes it: a record of the interactions that is no UTF-8."""
    rejection = msgspec.structs.replace(
        Rejection(
            id="careline.interactions.v1/1/0",
            reason="not_utf8",
            detail="invalid start byte \x1b[2J",
            origin=Origin(topic=INTERACTIONS.name, partition=1, offset=0),
            rejected_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
            key=b"c1",
            value=POISON,
            headers=(("traceparent", b"00-1-2-01"), (REDRIVEN_OF, b"an older one")),
        ),
        **changes,
    )
    headers = headers_of(rejection, "careline/work", rejection.id, rejection.rejected_at)
    return {"key": rejection.key, "value": encode(rejection), "headers": headers}


A_REQUEST = dead_letter(
    id="zendesk/7",
    reason="malformed_payload",
    origin=Origin(connector="zendesk"),
    rejected_at=datetime(2026, 3, 2, 13, tzinfo=UTC),
)


def test_topics_are_missing_then_created_then_as_declared(careline: Careline) -> None:
    before = careline("topics", "list", "--json")
    created = careline("topics", "create", "--json")
    again = careline("topics", "create", "--json")
    after = careline("topics", "list", "--json")

    assert (before.exit_code, created.exit_code, again.exit_code, after.exit_code) == (1, 0, 0, 0)
    assert {topic["differences"][0] for topic in json.loads(before.output)} == {"is missing"}
    assert {topic["status"] for topic in json.loads(created.output)} == {"created"}
    assert {topic["status"] for topic in json.loads(again.output)} == {"exists"}
    assert len(json.loads(after.output)) == len(TOPICS)
    assert "latest per key" in careline("topics", "list").output


def test_a_topic_with_other_partitions_is_told_and_not_changed(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS + 1)

    for command in (["topics", "list"], ["topics", "create"], ["topics", "describe", "interactions"]):
        result = careline(*command)
        assert result.exit_code == 1
        assert "has 3 partitions, should have 2" in result.output


def test_dead_letters_are_listed_newest_first_and_shown_whole(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    # The same dead letter twice, as an interrupted writer may leave it, and something that is none at all.
    send(REJECTED.name, dead_letter(), dead_letter(), A_REQUEST, {"key": b"x", "value": b"nonsense"})

    listed = json.loads(careline("rejected", "list", "--json").output)
    table = careline("rejected", "list", "--reason", "not_utf8").output
    shown = careline("rejected", "show", "careline.interactions.v1/1/0").output

    assert [one["id"] for one in listed] == ["zendesk/7", "careline.interactions.v1/1/0"]
    assert "1 dead letters: 1 not_utf8" in table
    assert "\x1b[2J" not in table + shown
    assert f"hex {POISON.hex(' ')}" in shown
    assert "00-1-2-01" in shown
    assert careline("rejected", "show", "nobody").exit_code == 1


def test_redriving_sends_the_original_bytes_to_their_partition_and_leaves_requests(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    send(REJECTED.name, dead_letter(), A_REQUEST)
    interactions = topic_prefix + INTERACTIONS.name

    rehearsed = careline("rejected", "redrive", "--all", "--reason", "not_utf8", "--dry-run")
    assert (rehearsed.exit_code, stored(kafka, interactions)) == (0, [])
    assert "1 would be sent again" in rehearsed.output

    both = careline("rejected", "redrive", "careline.interactions.v1/1/0", "zendesk/7")

    assert both.exit_code == 1
    assert "1 sent again, 1 left" in both.output
    assert "have the sender deliver it again" in both.output
    (record,) = stored(kafka, interactions)
    assert (record.partition, record.key, record.value) == (1, b"c1", POISON)
    assert record.headers == (("traceparent", b"00-1-2-01"), (REDRIVEN_OF, b"careline.interactions.v1/1/0"))
    assert len(json.loads(careline("rejected", "list", "--json").output)) == 2


def test_what_fails_again_is_not_doubled_by_sending_everything_again(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    mark = ((REDRIVEN_OF, b"careline.interactions.v1/1/0"),)
    again = dead_letter(id="careline.interactions.v1/1/5", reason="not_json", headers=mark)
    send(REJECTED.name, dead_letter(headers=()), again)

    first = careline("rejected", "redrive", "--all", "--reason", "not_utf8", "--json")
    second = careline("rejected", "redrive", "--all", "--reason", "not_json", "--json")

    assert json.loads(first.output)["sent"] == []
    assert json.loads(second.output)["sent"] == ["careline.interactions.v1/1/5"]
    (record,) = stored(kafka, topic_prefix + INTERACTIONS.name)
    assert record.headers == ((REDRIVEN_OF, b"careline.interactions.v1/1/5"),)


def ledger(**counts: Any) -> dict[str, Any]:
    value = to_value(Remembered(msgspec.msgpack.encode(PartitionLedger(**counts)), None))
    return {"key": LEDGER_KEY.encode(), "value": value, "partition": 0}


def verdicts(result: Result) -> dict[str, dict[str, str]]:
    return {finding["check"]: finding for finding in json.loads(result.output)}


def test_the_doctor_tells_what_is_missing_and_the_way_out(careline: Careline) -> None:
    result = careline("doctor", "--json")

    found = verdicts(result)
    assert result.exit_code == 1
    assert (found["kafka"]["verdict"], found["topics"]["verdict"]) == ("ok", "fail")
    assert "careline topics create" in found["topics"]["advice"]


def test_the_doctor_finds_a_fresh_deployment_without_fault(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    policy = tmp_path / "p.yaml"
    policy.write_text("version: v1\npolicies:\n  - {id: everyone, targets: {first_response: 4h}}\n", encoding="utf-8")
    assert careline("policy", "publish", str(policy)).exit_code == 0
    # An old ledger, then more keys than one step back holds, then the ledger that counts, then another key.
    others = [{"key": b"c%d" % number, "value": b"", "partition": 0} for number in range(20)]
    counted = ledger(applied=5, duplicate=2, late=1, rejected=1, controls=1, next_offset=10)
    send(CONVERSATION_STATE.name, ledger(applied=1, next_offset=1), *others, counted, *others[:1])

    result = careline("doctor", "--json")

    found = verdicts(result)
    assert result.exit_code == 0, result.output
    assert found["policies"]["detail"].startswith("v1 is in force")
    assert found["workers"]["verdict"] == "warn"  # nobody works
    assert f"{PARTITIONS} records behind" in found["workers"]["detail"]
    assert found["enrich"]["verdict"] == "warn"
    assert f"{topic_prefix}careline-enrich, {PARTITIONS} records behind" in found["enrich"]["detail"]
    assert "start `careline enrich`" in found["enrich"]["advice"]
    assert found["ledgers"] == {
        "check": "ledgers",
        "verdict": "ok",
        "detail": "9 events accepted: 5 applied, 2 duplicate, 1 late, 1 rejected; nothing lost, nothing doubled",
        "advice": "",
    }
    assert found["clickhouse"]["verdict"] == "warn"


def test_the_doctor_sees_what_was_doubled(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    send(CONVERSATION_STATE.name, ledger(applied=9, controls=1, next_offset=8))

    assert verdicts(careline("doctor", "--json"))["ledgers"]["verdict"] == "fail"


def test_marks_of_transactions_are_no_loss_as_long_as_the_log_is_whole(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    topic = topic_prefix + INTERACTIONS.name
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"{topic_prefix}handover")
    try:
        producer.init_transactions()
        for _ in range(2):
            producer.begin_transaction()
            producer.send(topic, key=b"c1", value=b"handed over", partition=0)
            producer.commit_transaction()
    finally:
        producer.close(timeout=5)
    send(CONVERSATION_STATE.name, ledger(applied=2, next_offset=4))

    whole = verdicts(careline("doctor", "--json"))["ledgers"]
    assert (whole["verdict"], whole["advice"]) == ("ok", "")
    assert "; 2 offsets are marks of transactions; nothing lost" in whole["detail"]

    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        admin.delete_records({TopicPartition(topic, 0): 2})  # as retention does
    finally:
        admin.close()
    begun_later = verdicts(careline("doctor", "--json"))["ledgers"]
    assert begun_later["verdict"] == "warn"
    assert "2 offsets are not accounted for, in partition 0" in begun_later["detail"]
    assert "careline doctor --audit" in begun_later["advice"]


def test_the_doctor_does_not_take_a_log_for_whole_that_ends_before_what_was_read(
    careline: Careline, kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None]
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    send(CONVERSATION_STATE.name, ledger(applied=9, controls=1, next_offset=12))

    assert verdicts(careline("doctor", "--json"))["ledgers"]["verdict"] == "warn"


def test_the_last_record_of_a_key_is_found_however_far_back(
    kafka: EmbeddedKafka, topic_prefix: str, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.topic_reader._FIRST_STEP", 2)
    make_topics(kafka, topic_prefix, PARTITIONS)
    records = [{"key": b"other", "value": b"%d" % number, "partition": 0} for number in range(40)]
    send(CONVERSATION_STATE.name, *records[:3], {"key": b"mine", "value": b"yes", "partition": 0}, *records)

    with topic_reader(KafkaConnection(kafka.bootstrap)) as reader:
        found = reader.latest(topic_prefix + CONVERSATION_STATE.name, b"mine")

    assert {number: (record.offset, record.value) for number, record in found.items()} == {0: (3, b"yes")}


def test_accounts_are_imported_shown_and_their_provisional_ones_linked(
    kafka: EmbeddedKafka, topic_prefix: str, careline: Careline, send: Callable[..., None], tmp_path: Path
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    send(HEALTH.name, {"key": b"domain:acme.example", "value": b"{}"}, {"key": b"globex", "value": b"{}"})
    listed = tmp_path / "accounts.csv"
    listed.write_text("id,name,identity:domain\nacme,Acme,acme.example\nglobex,Globex,globex.example\n")

    planned = json.loads(careline("accounts", "import", str(listed), "--dry-run", "--json").output)
    assert careline("accounts", "show").output.startswith("the directory is empty")
    done = json.loads(careline("accounts", "import", str(listed), "--json").output)
    again = json.loads(careline("accounts", "import", str(listed), "--json").output)

    link = [{"account_id": "domain:acme.example", "into": "acme"}]
    assert planned == {"accounts": 2, "new": 2, "changed": 0, "linked": link, "dry_run": True}
    assert done == planned | {"dry_run": False}
    assert (again["new"], again["changed"]) == (0, 0)
    assert json.loads(careline("accounts", "show", "Joe@ACME.example", "--json").output)["id"] == "acme"
    assert careline("accounts", "show", "nobody").exit_code == 1
    controls = [decode(Control, each.value or b"") for each in stored(kafka, topic_prefix + INTERACTIONS.name)]
    assert {(each.kind, each.account_id, each.into) for each in controls} == {
        ("account_linked", "domain:acme.example", "acme")
    }
    assert len(controls) == 2 * PARTITIONS


def test_an_identity_changes_hands_only_when_told_so(
    kafka: EmbeddedKafka, topic_prefix: str, careline: Careline, tmp_path: Path
) -> None:
    make_topics(kafka, topic_prefix, PARTITIONS)
    listed = tmp_path / "accounts.csv"
    listed.write_text("id,identity:domain\nold,acme.example\n")
    careline("accounts", "import", str(listed))
    listed.write_text("id,identity:domain\nacme,acme.example\n")

    refused = careline("accounts", "import", str(listed))
    moved = json.loads(careline("accounts", "import", str(listed), "--move-identities", "--json").output)

    assert (refused.exit_code, "belongs to 'old' now" in refused.output) == (2, True)
    assert (moved["new"], moved["changed"]) == (1, 1)
    assert json.loads(careline("accounts", "show", "domain:acme.example", "--json").output)["id"] == "acme"
