"""Enrichments at an account: told apart, judged anew; what they come to in health and in the care figures."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.account_agent import LEDGER_KEY, AccountAgent
from agents.domain.care_metrics import merge
from agents.domain.health_shelf import to_published
from agents.domain.instant import DAY_US, HOUR_US, SECOND_US, Instant, to_datetime
from agents.domain.message_enrichment import mood_of
from agents.domain.told_signals import KEPT_VALUES
from schemas.account_state import AccountLedger, AccountState, decode_account_state
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.health_score import HealthScore
from schemas.rollup import Rollup
from schemas.topics import ENRICHMENTS, HEALTH, ROLLUPS, SIGNALS, SLA_EVENTS
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.problem import Problems
from tests.account_stories import ACCOUNT, START, tick
from tests.doubles import DictStates, ListEffects, batches, record_of

PROFILE = """
version: tone
profiles:
  - id: everyone
    when: {}
    components: {voice: {weight: 1, signals: {sentiment: 1}}}
    bands: {red: 0, amber: 40, green: 70}
"""


def enrichment(number: int, sentiment: float | None, at: Instant = START, **more: Any) -> Enrichment:
    scorer = more.pop("scorer", "careline-rules")
    return Enrichment(
        id=f"c/{number}/{scorer}/1",
        interaction_id=str(number),
        conversation_id="c",
        account_id=ACCOUNT,
        occurred_at=to_datetime(at),
        scorer=scorer,
        scorer_version="1",
        channel="email",
        sentiment=sentiment,
        mood=mood_of(sentiment),
        **more,
    )


class Partition:
    """An agent with its ports."""

    def __init__(self) -> None:
        self.states, self.effects, self.offset = DictStates(), ListEffects(), 0

    def take(self, *found: Enrichment | Control, cut: tuple[int, ...] = ()) -> None:
        records = [
            record_of(
                ENRICHMENTS,
                each.account_id if isinstance(each, Enrichment) else None,
                each,
                offset=self.offset + place,
                appended_at=START + 90 * DAY_US,
            )
            for place, each in enumerate(found)
        ]
        self.offset += len(records)
        for batch in batches(records, cut):
            AccountAgent(self.states, self.effects).process(batch, 0)

    def heard(self) -> list[int | str]:
        told = decode_account_state(AccountState, self.states.states[ACCOUNT]).memory.told.get("sentiment")
        return [] if told is None else [value for _, _, value in told.heard]

    def books(self) -> tuple[int, int, int, int]:
        book = decode_account_state(AccountLedger, self.states.states[LEDGER_KEY])
        return book.enrichment_applied, book.enrichment_duplicate, book.enrichment_late, book.enrichment_rejected

    def counts(self, scope: str = "company") -> dict[str, int]:
        agent = AccountAgent(self.states, self.effects)
        at = START + 60 * DAY_US
        agent.process([record_of(SLA_EVENTS, None, tick(at), offset=10_000, appended_at=at)], 0)
        parts = [part for part in self.effects.latest(ROLLUPS).values() if isinstance(part, Rollup)]
        return merge(part for part in parts if part.scope == scope and part.bucket in {"day", "month"}).counts


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_a_repetition_counts_once_and_a_later_judgement_takes_the_place_of_the_earlier(partition: Partition) -> None:
    angry = enrichment(1, -0.5)
    partition.take(angry, angry, enrichment(2, 0.5), enrichment(1, 0.25, scorer="llama"))

    assert partition.heard() == [250_000, 500_000]
    assert partition.books() == (3, 1, 0, 0)
    for scope in ("company", "channel", "account"):
        counts = partition.counts(scope)
        assert (counts["sentiment"], counts["sentiment_score"]) == (2, 62_50 + 75_00)


def test_a_message_that_says_nothing_changes_nothing(partition: Partition) -> None:
    partition.take(enrichment(1, None), enrichment(2, 0.5), enrichment(2, None, scorer="llama"))

    assert partition.heard() == []
    assert +sum(partition.counts().values()) == 0


def test_what_lies_before_all_that_is_remembered_is_late(partition: Partition) -> None:
    partition.take(*(enrichment(n, 0.5, START + n * SECOND_US) for n in range(1, KEPT_VALUES + 1)))
    partition.take(enrichment(0, 0.5, START), enrichment(1, 0.5, START - DAY_US))

    assert partition.books() == (KEPT_VALUES, 1, 1, 0)


def test_poison_is_put_aside_and_a_forgetting_passed_over(partition: Partition) -> None:
    control = Control(id="f", kind="account_forgotten", as_of=to_datetime(START), account_id=ACCOUNT)
    partition.take(enrichment(1, 0.5), control, replace(enrichment(2, 0.5), account_id=""), enrichment(3, 0.5))

    assert partition.books() == (2, 0, 0, 1)
    assert [reason for _, reason, _ in partition.effects.rejected] == ["contract_violation"]


def test_the_tone_moves_the_health_of_a_profile_that_asks_for_it(partition: Partition) -> None:
    file = read_profile_text(PROFILE, Problems("profile.yaml"))
    assert file is not None
    control = Control(
        id="health/tone", kind="health_activated", as_of=to_datetime(START - DAY_US), policy_text=to_published(file)
    )
    AccountAgent(partition.states, partition.effects).process(
        [record_of(SIGNALS, None, control, offset=0, appended_at=START)], 0
    )
    partition.take(enrichment(1, 0.8, START + HOUR_US), enrichment(2, -0.9, START + 2 * HOUR_US))

    score = [each for each in partition.effects.on(HEALTH) if isinstance(each, HealthScore)][-1]

    assert score.contributions[0].signal == "sentiment"
    assert score.contributions[0].source == "careline-rules"
    assert score.contributions[0].event_ids == ("c/1", "c/2")
    assert score.cause_id == "c/2/careline-rules/1"
    assert score.score is not None
    assert 40 < score.score < 55  # the mean of 0.8 and -0.9 is a little below the middle


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(12)), st.lists(st.integers(1, 5), max_size=4))
def test_order_and_batches_do_not_matter(order: list[int], cut: list[int]) -> None:
    found = [enrichment(n % 8, (n % 8 - 4) / 4, START + n % 8 * HOUR_US) for n in range(12)]
    whole, other = Partition(), Partition()
    whole.take(*found)
    other.take(*(found[place] for place in order), cut=tuple(cut))

    assert other.heard() == whole.heard()
    assert other.books() == whole.books()
    assert other.counts() == whole.counts()


def test_the_other_events_of_an_account_are_unharmed_by_a_judgement_that_breaks(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition.take(enrichment(1, 0.5))

    def broken(*_: object) -> None:
        raise ArithmeticError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("agents.domain.told_signals.take_sentiment", broken)
        partition.take(enrichment(2, 0.5))

    assert partition.heard() == [500_000]
    assert partition.books() == (1, 0, 0, 1)
