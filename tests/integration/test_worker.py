"""Workers on a real Kafka.

Nothing lost or doubled through kills and rebalances, breaches without events, poison beside good.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.sla_event import SlaEvent
from schemas.topics import REJECTED, SLA_EVENTS
from streams.embedded_kafka import EmbeddedKafka
from tests.fixtures_kafka import make_topics
from tests.work_processes import Pipeline, a_message, simple_policy, stop

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of this test's own; whatever it starts is ended."""
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def conversations(count: int, began: datetime) -> list[Interaction]:
    """Question and answer, interleaved over all conversations, in order of time."""
    questions = [a_message(f"c{n}", 1, began + timedelta(milliseconds=n)) for n in range(count)]
    answers = [a_message(f"c{n}", 2, began + timedelta(minutes=5, milliseconds=n), "agent") for n in range(count)]
    return questions + answers


def expected_of(count: int) -> Counter[str]:
    """Every event that these conversations cause, once each."""
    ids: Counter[str] = Counter()
    for n in range(count):
        ids.update([f"c{n}/opened", f"c{n}/contact/c{n}-1", f"c{n}/contact/c{n}-2"])
        ids.update([f"c{n}/first_response/1/activated", f"c{n}/first_response/1/met"])
        ids.update([f"c{n}/first_resolution/1/activated"])
    return ids


def told(pipeline: Pipeline, enough: int) -> Counter[str]:
    """The ids of all committed SLA events."""
    return Counter(event.id for event in pipeline.read(SLA_EVENTS, SlaEvent, enough))


def test_a_worker_killed_in_mid_batch_loses_and_doubles_nothing(pipeline: Pipeline) -> None:
    """SIGKILL while transactions are open; the next worker goes on from what is committed."""
    count = 6_000
    pipeline.activate(simple_policy(), LONG_AGO)
    pipeline.send(conversations(count, datetime.now(UTC) - timedelta(minutes=6)))
    first = pipeline.start_worker()
    pipeline.read(SLA_EVENTS, SlaEvent, enough=100)
    first.kill()
    first.wait()
    pipeline.start_worker()

    ledger = pipeline.wait_until_applied(2 * count)

    assert {"applied": 2 * count} == dict(+ledger)
    assert expected_of(count) == told(pipeline, sum(expected_of(count).values()))
    assert Counter(applied=sum(expected_of(count).values())) == +pipeline.wait_until_accounted(6 * count)


def test_two_workers_share_the_partitions_and_hand_them_over(pipeline: Pipeline) -> None:
    """A second worker joins while the first works; the first then leaves; every event is said once."""
    count = 4_000
    pipeline.activate(simple_policy(), LONG_AGO)
    first_half, second_half = _halves(conversations(count, datetime.now(UTC) - timedelta(minutes=6)))
    pipeline.send(first_half)
    first = pipeline.start_worker()
    pipeline.read(SLA_EVENTS, SlaEvent, enough=100)
    second = pipeline.start_worker()
    pipeline.wait_until_applied(len(first_half))
    pipeline.send(second_half)

    assert stop(first) == 0

    ledger = pipeline.wait_until_applied(2 * count)

    assert {"applied": 2 * count} == dict(+ledger)
    assert expected_of(count) == told(pipeline, sum(expected_of(count).values()))
    assert Counter(applied=sum(expected_of(count).values())) == +pipeline.wait_until_accounted(6 * count)
    assert stop(second) == 0


def test_a_breach_is_raised_at_its_deadline_without_any_further_event(pipeline: Pipeline) -> None:
    """One question, no answer, nothing else happens: the tick finds the breach."""
    pipeline.activate(simple_policy(seconds=3), LONG_AGO)
    pipeline.start_worker()
    asked_at = datetime.now(UTC)
    pipeline.send([a_message("lonely", 1, asked_at)])

    events = pipeline.read(SLA_EVENTS, SlaEvent, enough=6)

    breach = next(event for event in events if event.id == "lonely/first_response/1/breached")
    assert breach.occurred_at == breach.due_at == asked_at + timedelta(seconds=3)
    assert breach.lateness_seconds is not None
    assert breach.detected_at is not None
    assert breach.detected_at > breach.occurred_at


def test_poison_goes_to_the_dead_letters_and_its_neighbours_are_unharmed(pipeline: Pipeline) -> None:
    """Undecodable, impossible and foreign records between good ones."""
    now = datetime.now(UTC)
    pipeline.activate(simple_policy(), LONG_AGO)
    pipeline.send([a_message("before", 1, now)])
    poison = {
        "not_json": (b"k", b"{"),
        "contract_violation": (b"k", b'{"id": 1}'),
        "tombstone": (b"k", None),
        "missing_key": (None, b'{"id":"1","source":"s","conversation_id":"c","occurred_at":"2026-03-02T08:00:00Z"}'),
        "key_mismatch": (b"k", b'{"id":"1","source":"s","conversation_id":"c","occurred_at":"2026-03-02T08:00:00Z"}'),
        "from_the_future": (
            b"c",
            b'{"id":"1","source":"s","conversation_id":"c","occurred_at":"2999-03-02T08:00:00Z"}',
        ),
    }
    for key, value in poison.values():
        pipeline.send_raw(key, value)
    pipeline.send([a_message("before", 2, now, "agent"), a_message("after", 1, now)])
    worker = pipeline.start_worker()

    rejections = pipeline.read(REJECTED, Rejection, enough=len(poison))

    assert sorted(poison) == sorted(rejection.reason for rejection in rejections)
    assert all((rejection.key, rejection.value) == poison[rejection.reason] for rejection in rejections)
    assert {"before/first_response/1/met", "after/first_response/1/activated"} <= told(pipeline, 9).keys()
    assert stop(worker) == 0


def _halves(events: list[Interaction]) -> tuple[list[Interaction], list[Interaction]]:
    return events[: len(events) // 2], events[len(events) // 2 :]


def test_metrics_are_served_and_tell_what_was_done(pipeline: Pipeline) -> None:
    """A scrape as Prometheus does it: judged events, committed batches, and a lag that falls to nothing."""
    pipeline.activate(simple_policy(), LONG_AGO)
    pipeline.send(conversations(20, datetime.now(UTC) - timedelta(minutes=6)))
    pipeline.start_worker()
    pipeline.wait_until_applied(40)

    metrics = pipeline.metrics_once(
        lambda text: "careline_consumer_lag_records{" in text and _lag(text) == 0 and _held(text)
    )

    assert _value(metrics, 'careline_events_judged_total{result="applied",stage="conversation"}') == 40
    assert _value(metrics, 'careline_clocks_open{metric="first_resolution",stage="running"}') == 20
    assert _value(metrics, 'careline_clocks_open{metric="first_response"') == 0
    assert _value(metrics, 'careline_batch_records_count{stage="conversation"}') > 0


def _held(metrics: str) -> bool:
    return _value(metrics, 'careline_clocks_open{metric="first_resolution",stage="running"}') > 0


def _lag(metrics: str) -> float:
    return _value(metrics, 'careline_consumer_lag_records{consumer="work"')


def _value(metrics: str, series: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(series))
