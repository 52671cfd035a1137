"""Figures of topics: what the members of a surge come to, what stays of the forgotten, and what goes with a clock.

That batches and restarts change nothing of them is a law beside (`tests.property.test_issue_laws`).
"""

import msgspec
import pytest

from agents.domain.care_metrics import care_of, figures_of, merge
from agents.domain.instant import DAY_US, to_datetime
from agents.issue_memory import MOST_CLOCKS, IssueMemory
from agents.ports import LEDGER_PREFIX
from schemas.control import Control
from schemas.rollup import Rollup
from schemas.topics import ROLLUPS
from tests.unit.test_issue_agent import STORY, Partition, mention


def topic_parts(partition: Partition, bucket: str = "day") -> list[Rollup]:
    parts = partition.effects.latest(ROLLUPS).values()
    return [each for each in parts if isinstance(each, Rollup) and (each.scope, each.bucket) == ("topic", bucket)]


def test_a_topic_has_figures_of_its_messages_accounts_and_tone() -> None:
    """They equal a count over the members of the surge, in hours as in days, and are told by its end."""
    partition = Partition()
    found = [
        msgspec.structs.replace(mention(message), sentiment=(-1, -0.5, None)[number % 3])
        for number, message in enumerate(STORY.messages)
    ]
    partition.take(*found)
    (surge,) = IssueMemory(partition.states).watch("wall").state.surges.surges
    in_order = sorted(zip(STORY.messages, found, strict=True), key=lambda each: (each[0].at, each[0].id))
    tones = [in_order[number][1].sentiment for number in surge.members]
    while (wake_at := partition.wake_at()) is not None:
        partition.tick(wake_at)
    partition.tick(STORY.messages[-1].at + 3 * DAY_US)

    opened = partition.issues()[0]
    judged = [tone for tone in tones if tone is not None]
    for bucket in ("hour", "day"):
        parts = topic_parts(partition, bucket)
        assert {part.scope_value for part in parts} == {opened.topic_id}
        counts = merge(parts).counts
        assert counts["mentions"] == len(tones)
        assert counts["issue_accounts"] == partition.issues()[-1].account_count
        assert (counts["issues_opened"], counts["issues_closed"]) == (1, 1)
        assert (counts["sentiment"], counts["sentiment_score"]) == (
            len(judged),
            sum(round((tone + 1) * 5000) for tone in judged),
        )
    figures = figures_of(care_of(topic_parts(partition), "30d", STORY.messages[-1].at + 3 * DAY_US))
    known = {each.name: each.value for each in figures if each.population}
    assert known.keys() == {"mentions", "issue_accounts", "issues_opened", "issues_closed", "sentiment_mean"}
    assert known["sentiment_mean"] == pytest.approx(sum(judged) / len(judged))


def test_what_is_forgotten_stays_in_the_sums_of_a_topic() -> None:
    partition = Partition()
    partition.story(STORY)
    (surge,) = IssueMemory(partition.states).watch("wall").state.surges.surges
    forgotten = Control(
        id="f", kind="account_forgotten", as_of=to_datetime(STORY.messages[-1].at), account_id=surge.accounts[0]
    )
    partition.take(forgotten)
    partition.tick(STORY.messages[-1].at + 3 * DAY_US)
    assert merge(topic_parts(partition)).counts["issue_accounts"] == len(surge.accounts)
    sums = [state for key, state in partition.states.states.items() if key.startswith(f"{LEDGER_PREFIX}care")]
    assert sums
    assert not [state for state in sums if surge.accounts[0].encode() in state]


def test_a_clock_that_is_not_remembered_leaves_no_figures_of_topics() -> None:
    partition = Partition()
    for number in range(MOST_CLOCKS + 1):
        partition.story(STORY, f"simulation:{number}")
    keys = partition.states.states
    assert not [key for key in keys if "simulation:0" in key]
    assert [key for key in keys if "simulation:1" in key and "care" in key]
