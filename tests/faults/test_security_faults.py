"""F25: over TLS with users and least rights everything goes through; whatever Kafka refuses is one clear line.

A wrong password, certificates that are expired or of nobody's authority, a port of another protocol, missing rights:
no process waits for ever, falls back to plaintext, shows a stack trace, or says a password.
"""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from schemas.topics import CLOCKS, INTERACTIONS, MENTIONS, SLA_EVENTS, TopicSpec
from tests.faults.fault_story import POLICY, invent
from tests.faults.house import House, stop, wait_until
from tests.faults.secured_broker import PASSWORD, PROCESSES, Right, SecuredBroker, documented_rights, user_of
from tests.faults.verdicts import Figures, assert_clean, compare, everything_in, wait_until_judged
from tests.senders.own_words_senders import NEW_SECRET, sign_standard

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 300
WEBHOOKS = 20
REFUSED, ENDED_SECONDS = 77, 30.0
TOPICS, DOCTOR = ("topics create", "topics", "list"), ("doctor", "doctor")
"""Commands, behind the process in whose name they come."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """One secured broker for all tests of this file; rights are given by prefix, so that they do not meet."""
    with SecuredBroker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture
def secured(broker: SecuredBroker, topic_prefix: str, tmp_path: Path) -> Iterator["SecuredHouse"]:
    """An installation whose processes come through the door of users, each with the rights that the docs give it."""
    house = SecuredHouse(broker, topic_prefix, tmp_path)
    for process in PROCESSES:
        broker.allow(process, documented_rights(process, topic_prefix))
    yield house
    house.close()


class SecuredHouse(House):
    """A house whose own book-keeping goes through the inner door."""

    def __init__(self, broker: SecuredBroker, prefix: str, folder: Path) -> None:
        super().__init__(broker.address("inside"), prefix, folder)
        self.broker = broker

    def begin(self, process: str, *command: str, **changes: str) -> "subprocess.Popen[bytes]":
        """A command in the name of a process; `changes` may spoil its settings."""
        known = {
            "CARELINE_KAFKA": self.broker.address("sasl"),
            "CARELINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "CARELINE_KAFKA_CA_FILE": str(self.broker.authority.certificate),
            "CARELINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "CARELINE_KAFKA_USER": user_of(process),
            "CARELINE_KAFKA_PASSWORD": PASSWORD,
            "CARELINE_PARTITIONS": str(self.partitions),
            "CARELINE_DATA_DIR": str(self.folder / f"data-{process.replace(' ', '-')}"),
            "CARELINE_SQL_ADDRESS": "127.0.0.1:0",
            "CARELINE_WEBHOOK_SECRET": NEW_SECRET,
        }
        return self.start(*command, **{**known, **changes})

    def door(self, **changes: str) -> tuple["subprocess.Popen[bytes]", str]:
        """A connect process, and where it receives webhooks."""
        connect = self.begin("connect", "connect", "--listen", "127.0.0.1:0", **changes)
        wait_until(lambda: "receiving http" in self.log_of(connect), "connect listens")
        return connect, re.findall(r"receiving (http://\S+)", self.log_of(connect))[0]

    def rights_without(self, process: str, *taken: Right) -> None:
        """Leave a process its rights but these operations."""
        left = []
        for right in documented_rights(process, self.prefix):
            lost = {each for other in taken if other[:2] == right[:2] for each in other.operations}
            kept = tuple(each for each in right.operations if each not in lost)
            left += [right._replace(operations=kept)] if kept else []
        self.broker.allow(process, left)

    def topic_right(self, topic: TopicSpec, *operations: ACLOperation) -> Right:
        """Operations on a topic."""
        return Right(ResourceType.TOPIC, self.prefix + topic.name, operations)


def _status(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def _post(url: str, message_id: str) -> int:
    now = datetime.now(UTC)
    message = {"id": message_id, "conversation": message_id, "at": now.isoformat(), "from": "customer", "text": "Hello"}
    body = json.dumps(message).encode()
    return _status(url, body, sign_standard(NEW_SECRET, body, now))[0]


def _ready(url: str) -> tuple[int, str]:
    return _status(url.partition("/in/")[0] + "/ready")


def _ends_refused(house: SecuredHouse, process: "subprocess.Popen[bytes]", *words: str) -> None:
    """It ends by itself, with the status of a refusal and one line that says why."""
    status = process.wait(timeout=ENDED_SECONDS)
    log = house.log_of(process)
    assert status == REFUSED, (status, log[-2_000:])
    _says(log, words)
    reasons = [line for line in log.splitlines() if "refuses" in line]
    assert len(reasons) == 1, reasons


def _says(log: str, words: Iterable[str]) -> None:
    assert all(word in log for word in words), (words, log[-2_000:])
    assert "Traceback" not in log, log[-4_000:]
    assert PASSWORD not in log


def test_f25_a_whole_story_with_least_rights(secured: SecuredHouse, seed: int, now: int, tmp_path: Path) -> None:
    """Topics, policy, webhooks, workers, enrich, sink and doctor, each by its own user with what the docs grant it."""
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    figures = Figures("F25 TLS, users, least rights", seed)
    house, story = secured, invent(seed, CONVERSATIONS, now)
    (tmp_path / "policy.yaml").write_text(POLICY.format(version="1"))
    assert house.begin("topics create", "topics", "create").wait(ENDED_SECONDS) == 0
    # What a policy judges begins with it, and a story has happened before: it is announced as in every other fault.
    house.publish_policy()
    worker = house.begin("work", "work")
    enrich = house.begin("enrich", "enrich", CARELINE_METRICS_ADDRESS="127.0.0.1:0")
    connect, url = house.door(CARELINE_KAFKA_SASL_MECHANISM="PLAIN", CARELINE_LOG_LEVEL="DEBUG")
    wait_until(lambda: _ready(url)[0] == 200, "connect is ready")
    house.send(story.records())
    assert [_post(url, f"webhook-{number}") for number in range(WEBHOOKS)] == [200] * WEBHOOKS
    figures.recover_seconds = wait_until_judged(house, story.events + WEBHOOKS)
    compare(house, story, figures, now, of_story_only=True)
    publishing = house.begin("policy publish", "policy", "publish", str(tmp_path / "policy.yaml"))
    assert publishing.wait(ENDED_SECONDS) == 0, house.log_of(publishing)

    facts = {json.loads(value)["id"] for _, value in everything_in(house, SLA_EVENTS) if value and b'"id"' in value}
    sink = house.begin("sink", "sink", CARELINE_METRICS_ADDRESS="127.0.0.1:0")
    wait_until(lambda: _written(house.metrics_of(sink), "sla_events") >= len(facts), "every fact is in ClickHouse")
    wait_until(lambda: _written(house.metrics_of(sink), "enrichments") >= WEBHOOKS, "every judgement is in ClickHouse")
    doctor = house.begin("doctor", "doctor", CARELINE_CLICKHOUSE=f"chdb://{tmp_path / 'none'}")
    doctor.wait(ENDED_SECONDS)
    told = house.log_of(doctor)
    assert f"by SASL_SSL, SCRAM-SHA-512 as {user_of('doctor')}" in told, told
    assert "nothing lost, nothing doubled" in told, told
    assert [stop(each) for each in (connect, worker, enrich, sink)] == [0, 0, 0, 0]
    for each in (connect, worker, enrich, sink, doctor):
        _says(house.log_of(each), ())
    assert_clean(figures)


def _written(metrics: str, table: str) -> float:
    found = re.findall(rf'careline_sink_rows_total{{table="{table}"}} (\S+)', metrics)
    return float(found[0]) if found else 0.0


def _wrong_password(_: SecuredBroker) -> dict[str, str]:
    return {"CARELINE_KAFKA_PASSWORD": "another password"}


def _expired(broker: SecuredBroker) -> dict[str, str]:
    return {"CARELINE_KAFKA": broker.address("expired")}


def _unknown_authority(broker: SecuredBroker) -> dict[str, str]:
    return {"CARELINE_KAFKA": broker.address("strange")}


def _plaintext_at_tls(_: SecuredBroker) -> dict[str, str]:
    unset = ("CA_FILE", "SASL_MECHANISM", "USER", "PASSWORD")
    return {"CARELINE_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"} | {f"CARELINE_KAFKA_{name}": "" for name in unset}


REFUSALS = {
    "wrong password": (_wrong_password, TOPICS, ("password is wrong", "CARELINE_KAFKA_PASSWORD")),
    "expired certificate": (
        _expired,
        DOCTOR,
        ("certificate has expired", "Have the certificate of the broker renewed"),
    ),
    "unknown authority": (_unknown_authority, TOPICS, ("signed by nobody whom we trust", "CARELINE_KAFKA_CA_FILE")),
    "plaintext at a port with TLS": (
        _plaintext_at_tls,
        DOCTOR,
        ("speaks TLS", "CARELINE_KAFKA_SECURITY_PROTOCOL=PLAINTEXT"),
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_f25_what_is_not_let_in_ends_with_its_reason(secured: SecuredHouse, seed: int, refusal: str) -> None:
    """Worker, enrich, sink and a command end; connect stays, answers 503, and says why."""
    spoil, command, words = REFUSALS[refusal]
    changes = spoil(secured.broker)
    began = time.monotonic()
    kinds = (("work", "work"), ("enrich", "enrich"), ("sink", "sink"), command)
    processes = [secured.begin(*each, **changes) for each in kinds]
    connect, url = secured.door(**changes)
    for process in processes:
        _ends_refused(secured, process, *words)
    wait_until(lambda: words[0] in _ready(url)[1], "connect knows why")
    assert _ready(url)[0] == 503
    assert _post(url, "refused") == 503
    assert stop(connect) == 0
    _says(secured.log_of(connect), (*words, "Webhooks are answered 503"))
    figures = Figures(f"F25 {refusal}", seed, recover_seconds=time.monotonic() - began)
    figures.lost += len(everything_in(secured, INTERACTIONS))  # nothing may have come in by another way
    assert_clean(figures)


def test_f25_a_missing_right_ends_with_its_name(secured: SecuredHouse, seed: int) -> None:
    """On a group, a topic, a transactional id; for connect, that it may not write."""
    house, prefix = secured, secured.prefix
    group = Right(ResourceType.GROUP, f"{prefix}careline", (ACLOperation.READ,))
    ids = Right(ResourceType.TRANSACTIONAL_ID, f"{prefix}careline-account-", (ACLOperation.WRITE,))
    writes = house.topic_right(SLA_EVENTS, ACLOperation.WRITE)
    began = time.monotonic()
    for taken, words in (
        (group, f"may not READ the group {prefix}careline"),
        (writes, f"may not WRITE the topic {prefix}{SLA_EVENTS.name}"),
        (ids, f"may not use the transactional id {prefix}careline-account-"),
    ):
        house.rights_without("work", taken)
        _ends_refused(house, house.begin("work", "work"), words, user_of("work"), "docs/kafka-security.md")

    mentions = house.topic_right(MENTIONS, ACLOperation.WRITE)
    judging = Right(ResourceType.GROUP, f"{prefix}careline-enrich", (ACLOperation.READ,))
    house.rights_without("enrich", mentions)
    _ends_refused(house, house.begin("enrich", "enrich"), f"may not WRITE the topic {prefix}{MENTIONS.name}")
    house.rights_without("enrich", judging)
    _ends_refused(house, house.begin("enrich", "enrich"), f"may not READ the group {prefix}careline-enrich")
    house.rights_without("sink", house.topic_right(CLOCKS, ACLOperation.READ))
    house.rights_without("doctor", Right(ResourceType.TOPIC, f"{prefix}careline.", (ACLOperation.DESCRIBE,)))
    house.rights_without("connect", house.topic_right(INTERACTIONS, ACLOperation.WRITE))
    sink, doctor = house.begin("sink", "sink"), house.begin("doctor", "doctor")
    connect, url = house.door()
    _ends_refused(house, sink, f"may not READ the topic {prefix}{CLOCKS.name}")
    _ends_refused(house, doctor, f"may not use the topic {prefix}careline.")
    wait_until(lambda: f"may not WRITE the topic {prefix}{INTERACTIONS.name}" in _ready(url)[1], "connect knows why")
    assert _post(url, "refused") == 503
    assert stop(connect) == 0
    assert_clean(Figures("F25 missing rights", seed, recover_seconds=time.monotonic() - began))


def test_f25_rights_that_are_taken_away_meanwhile(secured: SecuredHouse, seed: int, now: int) -> None:
    """A worker that loses a topic, then one that loses its group, end at once; with the rights back nothing is lost."""
    house, story = secured, invent(seed, CONVERSATIONS, now)
    records, figures = story.records(), Figures("F25 rights taken away", seed)
    third = len(records) // 3
    house.publish_policy()
    house.send(records[:third])
    for number, taken in enumerate(
        (
            house.topic_right(SLA_EVENTS, ACLOperation.WRITE),
            Right(ResourceType.GROUP, f"{house.prefix}careline", (ACLOperation.READ,)),
        ),
        start=1,
    ):
        worker = house.begin("work", "work")
        wait_until_judged(house, third * number)
        house.rights_without("work", taken)
        house.send(records[third * number : third * (number + 1)])
        _ends_refused(house, worker, "may not use the")
        house.broker.allow("work", documented_rights("work", house.prefix))
    house.send(records[3 * third :])
    house.begin("work", "work")
    figures.recover_seconds = wait_until_judged(house, story.events)
    compare(house, story, figures, now)
    assert_clean(figures)


def test_f25_a_password_that_is_changed_meanwhile(secured: SecuredHouse, seed: int) -> None:
    """Idle or not, nobody waits for ever to be let in again."""
    house = secured
    worker, sink = house.begin("work", "work"), house.begin("sink", "sink")
    wait_until(lambda: "account: partitions" in house.log_of(worker), "the worker works")
    wait_until(lambda: "writing" in house.log_of(sink), "the sink writes")
    house.broker.let_in("work", "sink", password="a new one")
    began = time.monotonic()
    try:
        for process in (worker, sink):
            _ends_refused(house, process, "password is wrong", "CARELINE_KAFKA_PASSWORD")
    finally:
        house.broker.let_in("work", "sink")
    assert_clean(Figures("F25 password changed", seed, recover_seconds=time.monotonic() - began))


def test_f25_client_certificates(secured: SecuredHouse, seed: int) -> None:
    """One of the brokers' authority is enough, one of another is refused, an expired one is not even shown."""
    house, broker = secured, secured.broker
    issued = {
        "good": broker.authority.issue(user_of("topics create")),
        "alien": broker.other_authority.issue("alien"),
        "expired": broker.authority.issue("expired-client", days=-1),
    }
    began = time.monotonic()
    ended = {}
    for name, identity in issued.items():
        certificate = {
            "CARELINE_KAFKA_CERTIFICATE_FILE": str(identity.certificate),
            "CARELINE_KAFKA_KEY_FILE": str(identity.private_key),
            "CARELINE_KAFKA_CA_FILE": str(broker.authority.certificate),
            "CARELINE_KAFKA_SECURITY_PROTOCOL": "SSL",
            "CARELINE_KAFKA": broker.address("tls"),
        }
        ended[name] = house.begin("topics create", "topics", "list", **_plaintext_at_tls(broker) | certificate)
    assert ended["good"].wait(ENDED_SECONDS) == 0, house.log_of(ended["good"])
    _ends_refused(house, ended["alien"], "do not accept our side of TLS", "CARELINE_KAFKA_CERTIFICATE_FILE")
    assert ended["expired"].wait(ENDED_SECONDS) == 2
    _says(house.log_of(ended["expired"]), ("CARELINE_KAFKA_CERTIFICATE_FILE", "has expired"))
    assert_clean(Figures("F25 client certificates", seed, recover_seconds=time.monotonic() - began))
