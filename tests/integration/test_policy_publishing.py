"""Publishing policies to a real Kafka: once, at the same place for all, never half, never a wrong one."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.codec import contract_in, decode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.policy import from_published
from schemas.topics import INTERACTIONS
from streams import file_publisher
from streams.embedded_kafka import EmbeddedKafka
from streams.file_kinds import POLICY, PolicyRefused
from streams.file_publisher import publish_file, published_files
from streams.partition_counts import TopicsMissing
from streams.settings import Settings
from streams.topic_reader import topic_reader
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PARTITIONS = 3
FILE_TEXT = """\
version: {version}
policies:
  - id: everyone
    targets: {{first_response: {target}}}
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 13, tzinfo=UTC)


@pytest.fixture
def settings(kafka: EmbeddedKafka, topic_prefix: str) -> Settings:
    make_topics(kafka, topic_prefix, PARTITIONS)
    return Settings(kafka_servers=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(version: str = "v1", target: str = "4h", comment: str = "") -> Path:
        path = tmp_path / "support.yaml"
        path.write_text(comment + FILE_TEXT.format(version=version, target=target), encoding="utf-8")
        return path

    return write


def at(instant: datetime) -> Callable[[], datetime]:
    return lambda: instant


def announced(settings: Settings) -> dict[int, list[Control]]:
    """The control records of each partition of the interactions."""
    found: dict[int, list[Control]] = {number: [] for number in range(PARTITIONS)}
    with topic_reader(settings.kafka) as reader:
        for record in reader.records(settings.topic(INTERACTIONS.name)):
            assert contract_in(record.headers, Interaction) is Control
            assert record.key is None
            found[record.partition].append(decode(Control, record.value))
    return found


def test_a_policy_is_announced_in_every_partition_and_kept_as_written(
    settings: Settings, write: Callable[..., Path]
) -> None:
    path = write(comment="# why four hours\n")

    outcome = publish_file(settings, POLICY, path, at(NOON))

    assert (outcome.status, outcome.version, outcome.in_force, outcome.in_force_from) == ("published", "v1", "v1", NOON)
    controls = announced(settings)
    assert [len(found) for found in controls.values()] == [1] * PARTITIONS
    assert len({found[0].id for found in controls.values()}) == 1
    control = controls[0][0]
    assert (control.kind, control.as_of, control.policy_version) == ("policy_activated", NOON, "v1")
    assert from_published(control.policy_text or "").policies[0].id == "everyone"
    kept = published_files(settings, POLICY)["v1"]
    assert kept.complete
    assert kept.text == path.read_text(encoding="utf-8")


def test_the_same_content_is_published_once_whatever_its_comments_say(
    settings: Settings, write: Callable[..., Path]
) -> None:
    publish_file(settings, POLICY, write(), at(NOON))

    outcome = publish_file(settings, POLICY, write(comment="# a new comment\n"), at(LATER))

    assert outcome.status == "unchanged"
    assert outcome.in_force_from == NOON
    assert [len(found) for found in announced(settings).values()] == [1] * PARTITIONS


def test_a_worker_with_yesterdays_file_does_not_bring_yesterdays_policy_back(
    settings: Settings, write: Callable[..., Path]
) -> None:
    publish_file(settings, POLICY, write("v1", "4h"), at(NOON))
    publish_file(settings, POLICY, write("v2", "2h"), at(LATER))

    outcome = publish_file(settings, POLICY, write("v1", "4h"))

    assert (outcome.status, outcome.in_force) == ("unchanged", "v2")
    assert "in force now: v2" in str(outcome)
    assert [found[-1].policy_version for found in announced(settings).values()] == ["v2"] * PARTITIONS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FILE_TEXT.format(version="v1", target="2h"), "give the changed file a version of its own"),
        (FILE_TEXT.format(version="v2", target="soon"), "support.yaml:4:"),
    ],
    ids=["same version, other content", "not readable"],
)
def test_a_refused_file_leaves_everything_as_it_was(
    settings: Settings, write: Callable[..., Path], text: str, says: str
) -> None:
    path = write()
    publish_file(settings, POLICY, path, at(NOON))
    before = published_files(settings, POLICY)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PolicyRefused, match=says):
        publish_file(settings, POLICY, path, at(LATER))

    assert published_files(settings, POLICY) == before
    assert [len(found) for found in announced(settings).values()] == [1] * PARTITIONS


class _PowerCut(Exception):  # noqa: N818 - what happens
    pass


@pytest.mark.parametrize("next_version", ["v1", "v2"])
def test_whoever_publishes_next_completes_what_was_interrupted(
    settings: Settings, write: Callable[..., Path], next_version: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        announce = file_publisher._announce

        def announce_and_die(*arguments: object) -> None:
            announce(*arguments)  # type: ignore[arg-type]
            raise _PowerCut

        patch.setattr(file_publisher, "_announce", announce_and_die)
        with pytest.raises(_PowerCut):
            publish_file(settings, POLICY, write("v1"), at(NOON))
    assert not published_files(settings, POLICY)["v1"].complete

    outcome = publish_file(settings, POLICY, write(next_version), at(LATER))

    assert outcome.status == ("completed" if next_version == "v1" else "published")
    assert all(policy.complete for policy in published_files(settings, POLICY).values())
    for controls in announced(settings).values():
        first, again = [control for control in controls if control.policy_version == "v1"]
        assert first == again  # the agent takes equal ones once


def test_two_who_publish_at_once_announce_the_same(
    settings: Settings, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce, path = file_publisher._announce, write()
    inner = []

    def overtaken(*arguments: object) -> None:
        monkeypatch.setattr(file_publisher, "_announce", announce)
        inner.append(publish_file(settings, POLICY, path, at(LATER)))
        announce(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(file_publisher, "_announce", overtaken)

    outer = publish_file(settings, POLICY, path, at(NOON))

    assert [inner[0].status, outer.status] == ["completed", "unchanged"]
    for controls in announced(settings).values():
        assert {control.as_of for control in controls} == {NOON}


def test_without_topics_the_way_out_is_told(kafka: EmbeddedKafka, write: Callable[..., Path]) -> None:
    with pytest.raises(TopicsMissing, match="careline topics create"):
        publish_file(Settings(kafka_servers=kafka.bootstrap, topic_prefix="absent."), POLICY, write())
