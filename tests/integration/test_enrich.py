"""`careline enrich` on a real Kafka: each message judged once through a kill, issues and the tone of accounts."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from agents.domain.instant import from_datetime, to_datetime
from schemas.alert import Alert
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.health_score import HealthScore
from schemas.interaction import Author, Interaction
from schemas.issue import Issue
from schemas.mention import Mention
from schemas.topics import ALERTS, ENRICHMENTS, HEALTH, ISSUES, MENTIONS
from streams.embedded_kafka import EmbeddedKafka
from streams.file_kinds import HEALTH_PROFILES, ISSUE_RULES
from streams.file_publisher import publish_file
from streams.settings import Settings
from tests.fixtures_kafka import make_topics
from tests.message_stories import story_with_issue
from tests.unit.test_model_scorer import Endpoint
from tests.work_processes import Pipeline, a_message, stop

pytestmark = pytest.mark.integration


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of this test's own; whatever it starts is ended."""
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def written(conversation: str, number: int, text: str | None, by: str = "customer") -> Interaction:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return msgspec.structs.replace(a_message(conversation, number, at, by), text=text)


def test_each_message_is_judged_once_although_a_process_is_killed_and_two_take_its_place(pipeline: Pipeline) -> None:
    count = 3_000
    pipeline.send(written(f"c{n % 50}", n, f"This is really terrible, number {n}.") for n in range(count))
    pipeline.send([written("c1", count, "We are terribly sorry.", "agent"), written("c1", count + 1, None)])
    pipeline.send_raw(b"k", b"{")
    first = pipeline.start_worker("enrich")
    pipeline.read(ENRICHMENTS, Enrichment, enough=1)
    first.kill()
    first.wait()
    second, third = pipeline.start_worker("enrich"), pipeline.start_worker("enrich")

    pipeline.broadcast(
        Control(id="f", kind="account_forgotten", as_of=datetime.now(UTC), account_id="account-2", also_known_as=("a",))
    )
    found = pipeline.read(ENRICHMENTS, Enrichment, enough=count)
    mentions = pipeline.read(MENTIONS, Mention, enough=count + 1)

    assert Counter(each.interaction_id for each in found) == Counter(f"c{n % 50}-{n}" for n in range(count))
    assert {each.mood for each in found} == {"negative"}
    assert Counter(each.id for each in mentions) == Counter(
        [*(f"c{n % 50}/c{n % 50}-{n}" for n in range(count)), f"c1/c1-{count + 1}"]
    )
    # Each partition of interactions passes it on, into each partition of what was published.
    assert len(pipeline.read(ENRICHMENTS, Control, enough=4)) == 4
    assert [control.also_known_as for control in pipeline.read(MENTIONS, Control, enough=2)] == [("a",), ("a",)]
    assert [stop(second), stop(third)] == [0, 0]


PROFILE = """
version: tone
profiles:
  - id: everyone
    when: {}
    components: {voice: {weight: 1, signals: {sentiment: 1}}}
    bands: {red: 0, amber: 40, green: 70}
"""
RULES = "version: r1\nowners:\n  - owner: product\n"


def test_a_surge_raises_one_alert_and_the_tone_moves_health_although_everything_is_killed(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    story = story_with_issue(31, is_novel=True, per_hour=30, days=6, per_day=300)
    settings = Settings(kafka_servers=pipeline.servers, topic_prefix=pipeline.prefix)
    (tmp_path / "profile.yaml").write_text(PROFILE)
    (tmp_path / "rules.yaml").write_text(RULES)
    publish_file(settings, HEALTH_PROFILES, tmp_path / "profile.yaml", lambda: datetime(2020, 1, 1, tzinfo=UTC))
    publish_file(settings, ISSUE_RULES, tmp_path / "rules.yaml")
    shift = from_datetime(datetime.now(UTC)) - story.messages[-1].at
    pipeline.send(
        Interaction(
            id=message.id,
            source="test",
            conversation_id=f"c/{message.id}",
            occurred_at=to_datetime(message.at + shift),
            account_id=message.account,
            author=Author("customer"),
            text=f"This is terrible. {message.text}",
        )
        for message in story.messages
    )
    first = [pipeline.start_worker("enrich"), pipeline.start_worker()]
    pipeline.read(MENTIONS, Mention, enough=400)
    for process in first:
        process.kill()
        process.wait()
    pipeline.start_worker("enrich")
    middle = pipeline.start_worker()
    pipeline.read(ISSUES, Issue, enough=1)
    middle.kill()
    middle.wait()
    pipeline.start_worker()

    issues = pipeline.read(ISSUES, Issue, enough=2)
    # What was judged before the profile was read in its own topic is of the built-in one.
    scores = pipeline.read(
        HEALTH, HealthScore, enough=100, such=lambda score: score.profile == "everyone" and score.score is not None
    )
    told = pipeline.read(ALERTS, Alert, enough=1, such=lambda alert: alert.name == "IssueSurge")

    firing = [alert for alert in told if alert.state == "firing"]
    assert [alert.owner for alert in firing] == ["product"]
    assert len({alert.id for alert in told}) == len(told)
    assert set(firing[0].summary.replace(":", " ").split()) & story.words
    assert len({issue.id for issue in issues}) == len(issues)
    assert {part.source for score in scores for part in score.contributions} == {"careline-rules"}
    assert len(scores) > 10
    assert sum(score.score or 0 for score in scores) < 40 * len(scores)


def test_what_a_model_may_cost_in_a_day_survives_a_restart(pipeline: Pipeline) -> None:
    endpoint = Endpoint()
    model = {
        "CARELINE_MODEL_URL": endpoint.url,
        "CARELINE_MODEL": "llama",
        "CARELINE_MODEL_BATCH": "4",
        "CARELINE_MODEL_CALLS_PER_DAY": "2",
    }
    pipeline.send(written("c1", n, f"Where is number {n}?") for n in range(12))
    first = pipeline.start_worker("enrich", **model)
    before = pipeline.read(ENRICHMENTS, Enrichment, enough=12)
    assert stop(first) == 0
    pipeline.start_worker("enrich", **model)
    pipeline.send(written("c1", n, f"Where is number {n}?") for n in range(12, 16))

    after = pipeline.read(ENRICHMENTS, Enrichment, enough=16)
    endpoint.server.shutdown()

    assert Counter((each.scorer, each.fallback) for each in before) == {
        ("llama", None): 8,
        ("careline-rules", "budget"): 4,
    }
    assert sum(each.tokens for each in before) == 200
    assert Counter((each.scorer, each.fallback) for each in after) == {
        ("llama", None): 8,
        ("careline-rules", "budget"): 8,
    }
    assert len(endpoint.asked) == 2
