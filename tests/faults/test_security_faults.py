"""F25: over TLS with users and least rights everything goes through; whatever Kafka refuses is one clear line.

A wrong password, certificates that are expired or of nobody's authority, a port of another protocol, missing rights:
no process waits for ever, falls back to plaintext, shows a stack trace, or says a password.
"""

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from schemas.topics import SLA_EVENTS, TopicSpec
from tests.faults.fault_story import POLICY, invent
from tests.faults.house import House, stop, wait_until
from tests.faults.secured_broker import PASSWORD, PROCESSES, Right, SecuredBroker, documented_rights, user_of
from tests.faults.verdicts import Figures, assert_clean, compare, everything_in, wait_until_judged
from tests.senders.own_words_senders import NEW_SECRET, sign_standard

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 300
WEBHOOKS = 20
REFUSED, ENDED_SECONDS = 77, 30.0
COMMANDS = {"work": ("work",), "sink": ("sink",), "topics create": ("topics", "list"), "doctor": ("doctor",)}
"""What is started to see it refused, by the process in whose name it comes."""


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
    message = {"id": message_id, "conversation": message_id, "at": now.isoformat(), "from": "customer"}
    body = json.dumps(message).encode()
    return _status(url, body, sign_standard(NEW_SECRET, body, now))[0]


def _ready(url: str) -> tuple[int, str]:
    return _status(url.partition("/in/")[0] + "/ready")


def _ends_refused(house: SecuredHouse, process: "subprocess.Popen[bytes]", *words: str) -> None:
    """It ends by itself with the status of a refusal and one line that says why, and says nothing that it should not."""
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
    """Topics, policy, webhooks, workers, sink and doctor, each by its own user with what the docs grant it."""
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    figures = Figures("F25 TLS, users, least rights", seed)
    house, story = secured, invent(seed, CONVERSATIONS, now)
    (tmp_path / "policy.yaml").write_text(POLICY.format(version="1"))
    assert house.begin("topics create", "topics", "create").wait(ENDED_SECONDS) == 0
    # What a policy judges begins with it, and a story has happened before: it is announced as in every other fault.
    house.publish_policy()
    worker = house.begin("work", "work")
    connect, url = house.door()
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
    doctor = house.begin("doctor", "doctor", CARELINE_CLICKHOUSE=f"chdb://{tmp_path / 'none'}")
    doctor.wait(ENDED_SECONDS)
    told = house.log_of(doctor)
    assert f"by SASL_SSL, SCRAM-SHA-512 as {user_of('doctor')}" in told, told
    assert "nothing lost, nothing doubled" in told, told
    assert [stop(each) for each in (connect, worker, sink)] == [0, 0, 0]
    for each in (connect, worker, sink, doctor):
        _says(house.log_of(each), ())
    assert_clean(figures)


def _written(metrics: str, table: str) -> float:
    found = re.findall(rf'careline_sink_rows_total{{table="{table}"}} (\S+)', metrics)
    return float(found[0]) if found else 0.0
