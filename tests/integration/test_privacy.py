"""Privacy through everything that runs: the redacted is nowhere, the forgotten is gone, and no secret is said."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import ACCOUNT_STATE, ADHERENCE, CLOCKS, CONVERSATION_STATE, HEALTH, ISSUE_STATE
from streams.embedded_kafka import EmbeddedKafka
from tests.connect_bench import SENDERS
from tests.installation import Installation, until, words_in
from tests.senders.own_words_senders import NEW_SECRET, sign_standard
from tests.unit.test_model_scorer import Endpoint
from tests.work_processes import Pipeline, simple_policy

pytestmark = pytest.mark.integration

ADDRESS, PHONE, TEXT = "planted.person@acme.example", "+49 151 23456789", "a planted sentence"
PLANTED = ("planted", "23456789")
REDACTION_KEY, FORM_TOKEN = "a redaction key of the test", "a token of the form"
REDACTING = """
redact: {text: drop, addresses: hash, key: REDACTION_KEY}
connectors:
  webhook: {secrets: [WEBHOOK_KEY]}
  form: {tokens: [FORM_TOKEN]}
  worded: {connector: webhook, secrets: [WEBHOOK_KEY], redact: {addresses: hash, key: REDACTION_KEY}}
"""

Begin = Callable[..., Installation]


@pytest.fixture
def begin(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Begin]:
    """Starts an installation with a connectors file and a policy; all of it ends with the test."""
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    begun: list[Installation] = []

    def start(connectors: str, **variables: str) -> Installation:
        file = tmp_path / "connectors.yaml"
        file.write_text(connectors)
        secrets = {"WEBHOOK_KEY": NEW_SECRET, "FORM_TOKEN": FORM_TOKEN, "REDACTION_KEY": REDACTION_KEY}
        known = {"CARELINE_CONNECTORS": str(file), **secrets, **variables}
        installation = Installation(kafka, topic_prefix, tmp_path, known)
        begun.append(installation)
        pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
        pipeline.activate(simple_policy(seconds=1), datetime(2026, 1, 1, tzinfo=UTC))
        pipeline.close()
        for command in ("connect", "work", "enrich", "sink"):
            installation.start(command)
        installation.wait_until_ready()
        return installation

    yield start
    for installation in begun:
        installation.stop()


def message(conversation: str, account: str, number: int, **more: Any) -> dict[str, Any]:
    """A message in our own words, a minute ago."""
    at = datetime.now(UTC) - timedelta(seconds=60 - number)
    known = {"id": f"{conversation}-{number}", "conversation": conversation, "at": at.isoformat(), "from": "customer"}
    return {**known, "account": account, "text": "It is broken", **more}


def has_rows(installation: Installation, sql: str) -> bool:
    return until(lambda: installation.rows(f"SELECT count() AS n FROM {sql}") not in ([], [{"n": 0}]))


def test_nothing_that_is_redacted_is_anywhere(begin: Begin) -> None:
    """Through connect, Kafka, workers and sink; what cannot be read, and what a worker rejects, is no exception.

    Nor is a language model: it is sent what is left of a text whose addresses are hashed, and no text that is dropped.
    """
    model = Endpoint()
    house = begin(REDACTING, CARELINE_MODEL_URL=model.url, CARELINE_MODEL="llama")
    planted = {"author": {"kind": "customer", "id": ADDRESS}, "account_hint": f"email:{ADDRESS}", "text": TEXT}
    labels = {"inbox": ADDRESS, "agent": ADDRESS, "team": PHONE, "tags": [ADDRESS], "attachments": [{"name": TEXT}]}
    rating = {"kind": "survey", "name": "csat", "value": 1, "scale": 5, "id": f"s-{ADDRESS}", "text": TEXT}
    house.tell(
        message(f"mail:{ADDRESS}", "", 1, **planted, **labels),
        message(PHONE, f"contact:{ADDRESS}", 2, **planted),
        message("future", "acme", 3, **planted, **labels) | {"at": "2099-01-01T00:00:00Z"},
        {"id": ADDRESS, "conversation": TEXT, "from": f"{TEXT} by {ADDRESS}"},
        rating | {"at": datetime.now(UTC).isoformat(), "account": "acme", "raw_reference": f"mailto:{ADDRESS}"},
    )
    worded = json.dumps(message("worded", "acme", 4, text=f"Nobody calls {PHONE} or writes to {ADDRESS}.")).encode()
    house.post("worded", worded, sign_standard(NEW_SECRET, worded, datetime.now(UTC)))
    form = f"name=Planted&email={ADDRESS}&subject={TEXT}&message={TEXT}".replace(" ", "+").encode()
    kind = {"content-type": "application/x-www-form-urlencoded", "x-careline-token": FORM_TOKEN}
    house.post("form", form, kind)

    assert has_rows(house, "alerts"), house.said("work")
    assert has_rows(house, "health")
    assert until(lambda: house.rows("SELECT uniqExact(reason) AS n FROM rejected") == [{"n": 2}])
    assert until(lambda: bool(model.asked)), house.said("enrich")
    tables = house.tables()
    house.stop()
    model.server.shutdown()
    model.server.server_close()
    (sent,) = [text for texts in model.texts() for text in texts]
    assert re.fullmatch(r"Nobody calls ~\w+ or writes to ~\w+\.?", sent)
    found = {"the model": json.dumps(model.asked, ensure_ascii=False)}
    found |= {name: words_in(records).decode(errors="replace") for name, records in house.records().items()}
    found |= tables | {command: house.said(command) for command in ("connect", "work", "enrich", "sink")}
    assert len(found) > 20
    assert all(found[name] for name in ("careline.interactions.v1", "careline.signals.v1", "sla_events", "rejected"))
    left = {name: word for name, text in found.items() for word in PLANTED if word in text.lower()}
    assert not left
    assert not [name for name, text in found.items() if REDACTION_KEY in text or "2345 6789" in text]


def test_an_account_is_forgotten_everywhere_and_others_are_not(begin: Begin) -> None:
    house = begin("connectors: {webhook: {secrets: [WEBHOOK_KEY]}}", CARELINE_LOG_LEVEL="INFO")
    house.tell(
        *(message(f"c{number}-{account}", account, number) for account in ("acme", "beta") for number in range(6)),
        message("odd", "acme", 9) | {"at": "2099-01-01T00:00:00Z"},
        {"kind": "survey", "name": "csat", "value": 1, "scale": 5, "id": "s", "account": "acme",
         "at": datetime.now(UTC).isoformat()},
    )  # fmt: skip
    mine = "WHERE account_id = 'acme'"
    told = "SELECT account_id, outcome, count() AS n FROM clocks FINAL GROUP BY ALL ORDER BY 1"
    expected = [{"account_id": account, "outcome": "breached", "n": 12} for account in ("acme", "beta")]
    assert until(lambda: house.rows(told) == expected), house.said("sink") + house.said("connect")
    assert has_rows(house, f"health {mine}")
    assert has_rows(house, "rejected")
    assert until(lambda: house.rows("SELECT count() AS n FROM enrichments FINAL") == [{"n": 12}]), house.said("enrich")
    others = {name: house.rows(f"SELECT count() AS n FROM {name} FINAL WHERE account_id = 'beta'") for name in TABLES}

    planned = json.loads(house.careline("accounts", "forget", "acme", "--dry-run", "--json").stdout)
    refused = house.careline("accounts", "forget", "acme")
    done = json.loads(house.careline("accounts", "forget", "acme", "--yes", "--json").stdout)
    again = json.loads(house.careline("accounts", "forget", "acme", "--yes", "--json").stdout)

    assert (planned["conversations"], planned["clocks"]) == (6, 12)
    assert [name for name, count in planned["rows"].items() if not count] == ["issues"]
    assert refused.returncode == 2
    assert not any(done["rows_left"].values()), done
    assert (again["conversations"], again["clocks"], again["reports"]) == (0, 0, 0)
    assert {each["until"] is None for each in done["remains"]} == {True, False}
    for name, before in others.items():
        assert house.rows(f"SELECT count() AS n FROM {name} FINAL WHERE account_id = 'beta'") == before
    books = json.loads(house.careline("doctor", "--audit", "--json").stdout)
    assert not [line for line in books if line["missing"] or line["surplus"]]
    assert [line for line in books if "of forgotten accounts" in line["note"]]
    assert {book: sum(line["applied"] for line in books if line["book"] == book) for book in JUDGED} == JUDGED
    tables = house.tables()
    assert all("beta" in tables[name] for name in TABLES)
    assert not [name for name, text in tables.items() if "acme" in text]
    house.stop()
    latest = {name: latest_of(records) for name, records in house.records().items()}
    for topic in (CLOCKS, ADHERENCE, HEALTH, CONVERSATION_STATE, ACCOUNT_STATE, ISSUE_STATE):
        assert b"beta" in b"".join(latest[topic.name].values())
        assert not [key for key, value in latest[topic.name].items() if b"acme" in key + value], topic.name


JUDGED = {"enrichments": 12, "mentions": 12}
TABLES = ("sla_events", "clocks", "adherence", "health", "enrichments", "alerts")


def latest_of(records: list[Any]) -> dict[bytes, bytes]:
    """What compaction leaves."""
    latest = {record.key: record.value for record in records if record.key is not None}
    return {key: value for key, value in latest.items() if value is not None}


def test_no_secret_is_said(begin: Begin) -> None:
    """With every connector and every kind of secret, and requests of strangers, at the level that says the most."""
    connectors, variables, secrets = every_connector()
    secrets |= {NEW_SECRET, FORM_TOKEN, REDACTION_KEY, "a-password-of-clickhouse"}
    house = begin(connectors, CARELINE_WEBHOOK_SECRET=NEW_SECRET, **variables)
    for name, sender in SENDERS.items():
        stranger = sender.headers(secret=sender.secrets[2], at=datetime.now(UTC))
        house.try_to_post(name, sender.proven(secret=sender.secrets[2]), stranger)
        house.try_to_post(name, sender.proven(), sender.headers(at=datetime.now(UTC)))
    assert until(lambda: bool(house.rows("SELECT 1 FROM sla_events LIMIT 1"))), house.said("connect")
    house.environment["CARELINE_CLICKHOUSE"] = "http://somebody:a-password-of-clickhouse@127.0.0.1:1/careline"
    house.start("sink")
    commands = ("doctor", "connect check", "sql SELECT", "migrate", "accounts forget acme --yes --wait 0")
    answers = [house.careline(*command.split(" ")) for command in commands]
    assert until(lambda: "does not answer" in house.said("sink"))
    house.stop()

    said = "".join([house.said(name) for name in ("connect", "work", "enrich", "sink")])
    assert "DEBUG" in said
    said += "".join(answer.stdout + answer.stderr for answer in answers)
    assert len(secrets) > 20
    assert not [secret for secret in secrets if secret in said or repr(secret)[1:-1] in said]


def every_connector() -> tuple[str, dict[str, str], set[str]]:
    """A connectors file with all of them, the variables that it names, and what is secret of that."""
    told: dict[str, Any] = {}
    variables: dict[str, str] = {}
    for number, (name, sender) in enumerate(sorted(SENDERS.items())):
        instance = sender.instance()
        told[name] = {"connector": instance.connector, **instance.options}
        for kind in ("secrets", "tokens"):
            named = {f"KEPT_{number}_{kind}_{place}": each for place, each in enumerate(getattr(instance, kind))}
            variables |= named
            told[name] |= {kind: list(named)} if named else {}
        told[name] |= {key: sorted(getattr(instance, key)) for key in ("own_domains", "own_ids")}
        told[name] |= {"public_url": instance.public_url} if instance.public_url else {}
    redacting = {"text": "drop", "addresses": "hash", "key": "REDACTION_KEY"}
    return json.dumps({"redact": redacting, "connectors": told}), variables, set(variables.values())
