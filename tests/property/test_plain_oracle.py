"""The oracle of the fault tests and the agents agree about any story, in any order and any batches, without Kafka."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.partition_controls import tick
from agents.ports import Record
from schemas.codec import encode
from schemas.control import Control
from schemas.policy import to_published
from schemas.sla_event import SlaEvent
from schemas.topics import ADHERENCE, CLOCKS, HEALTH, INTERACTIONS, ROLLUPS, SIGNALS, SLA_EVENTS, TopicSpec
from streams.lane.partition_states import PartitionStates
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.doubles import ListEffects, batches, record_of
from tests.faults.account_verdicts import (
    Meant,
    adherence_differences,
    company_days_in,
    health_differences,
    rollup_differences,
    score_in,
    standings_in,
    unsound_scores,
)
from tests.faults.clock_verdicts import clock_differences, clock_in
from tests.faults.fault_story import DAY, POLICY, Story, invent, survey
from tests.faults.plain_oracle import all_clocks
from tests.faults.verdicts import decimals_in

NOW = 1_772_452_800_000_000
"""2026-03-02 12:00 UTC: the month has only begun, so it is another window than thirty days."""


def activation() -> Record:
    """The policies of the stories, in force since long ago."""
    policy_file = read_policy_text(POLICY.format(version="1"), Problems("story"))
    assert policy_file is not None
    text = to_published(policy_file)
    since = Control(id="policy", kind="policy_activated", as_of=datetime(2020, 1, 1, tzinfo=UTC), policy_text=text)
    return record_of(INTERACTIONS, None, since, offset=0, appended_at=NOW)


def lived(story: Story, order: random.Random | None, size: int, now: int) -> ListEffects:
    """Let both agents live through a story; what they have told."""
    told = ListEffects()
    conversations = ConversationAgent(PartitionStates(), told)
    records = [Record(INTERACTIONS, 0, at, each.key, each.value, [], NOW) for at, each in enumerate(story.records(), 1)]
    if order is not None:
        order.shuffle(records)
        records = [each._replace(offset=offset) for offset, each in enumerate(records, 1)]
    time = record_of(INTERACTIONS, None, tick("wall", now), offset=len(records) + 1, appended_at=now)
    for batch in cut([activation(), *records, time], size):
        conversations.process(batch, now)
    accounts = AccountAgent(PartitionStates(), told)
    for batch in cut(list(for_accounts(told, story, now)), size):
        accounts.process(batch, now)
    assert not told.rejected
    return told


def for_accounts(told: ListEffects, story: Story, now: int) -> Iterator[Record]:
    """The facts, the answers among them, and time at the end."""
    facts = [each for each in told.on(SLA_EVENTS) if isinstance(each, SlaEvent)]
    answers = [Record(SIGNALS, 0, at, each.key, each.value, [], now) for at, each in enumerate(story.answer_records())]
    every = max(1, len(facts) // (len(answers) + 1))
    for offset, fact in enumerate(facts):
        yield record_of(SLA_EVENTS, fact.account_id, fact, offset=offset, appended_at=now)
        if offset % every == 0 and answers:
            yield answers.pop(0)
    yield from answers
    for number in range(3):  # a sweep tells what a tick has left
        yield record_of(SIGNALS, None, tick("wall", now), offset=10_000 + number, appended_at=now)


def cut(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    return batches(records, [size] * (len(records) // size))


def plainly(told: ListEffects, topic: TopicSpec) -> list[bytes]:
    return [encode(each) for each in told.latest(topic).values()]


# A smaller seed is no smaller story, so there is nothing to shrink.
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate))
@example(seed=9999, shuffled=True, size=7)  # what was told first came true again, of other clocks
@given(seed=st.integers(0, 10_000), shuffled=st.booleans(), size=st.sampled_from((7, 60, 5_000)))
def test_the_oracle_and_the_agents_say_the_same(seed: int, shuffled: bool, size: int) -> None:
    now = NOW + seed % (20 * DAY)
    story = invent(seed, 60, now)
    story = Story(seed, story.conversations, survey(seed, 3, 20, now))
    meant = Meant(story, all_clocks(story.conversations.values(), now))

    told = lived(story, random.Random(seed) if shuffled else None, size, now)

    views = {view["id"]: clock_in(view) for view in map(json.loads, plainly(told, CLOCKS))}
    assert views.keys() == meant.clocks.keys()
    assert clock_differences(views, meant.clocks) == []
    reports = standings_in(map(json.loads, plainly(told, ADHERENCE)))
    assert adherence_differences(reports, meant, now, of_story_only=False) == []
    scores = {each.account: each for each in map(score_in, map(decimals_in, plainly(told, HEALTH)))}
    accounts = {each.account for each in story.conversations.values()}
    scores = {account: told for account, told in scores.items() if account in accounts}  # others only answered
    assert health_differences(scores, meant, now, of_story_only=False) == []
    assert unsound_scores(map(score_in, map(decimals_in, map(encode, told.on(HEALTH))))) == []
    days = company_days_in(map(json.loads, plainly(told, ROLLUPS)))
    assert rollup_differences(days, meant.clocks.values()) == []
