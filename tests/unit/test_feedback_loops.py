"""An unhappy answer to a survey, told as a signal, starts the clock of a follow-up in its conversation, once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.domain.instant import from_datetime
from agents.partition_controls import tick
from schemas.control import Control
from schemas.health_score import HealthScore
from schemas.interaction import Author, Interaction
from schemas.policy import to_published
from schemas.rollup import Rollup
from schemas.signal import Signal
from schemas.sla_event import SlaEvent
from schemas.topics import HEALTH, INTERACTIONS, ROLLUPS, SIGNALS, SLA_EVENTS, TopicSpec
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.doubles import DictStates, ListEffects, record_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
POLICY = """
version: 1
effective_from: 2020-01-01T00:00:00Z
policies: [{id: everyone, targets: {follow_up: 4h, first_response: 1h, first_resolution: 1d, total_resolution: 1d}}]
"""


class House:
    """Both agents, each hearing what the other says to it, as over the log."""

    def __init__(self) -> None:
        policies = read_policy_text(POLICY, Problems("policy"))
        assert policies is not None
        self.conversation_states, self.account_states = DictStates(), DictStates()
        self.by_conversations, self.by_accounts = ListEffects(), ListEffects()
        self._offsets = {INTERACTIONS.name: 0, SIGNALS.name: 0, SLA_EVENTS.name: 0}
        self._heard = [0, 0, 0]
        active = Control(id="p", kind="policy_activated", as_of=NOON, policy_text=to_published(policies))
        self._conversation([(None, active)])

    def _records(self, topic: TopicSpec, events: list[tuple[str | None, Any]]) -> list[Any]:
        records = []
        for key, event in events:
            at = from_datetime(NOON + timedelta(days=9))
            records.append(record_of(topic, key, event, offset=self._offsets[topic.name], appended_at=at))
            self._offsets[topic.name] += 1
        return records

    def _conversation(self, events: list[tuple[str | None, Any]]) -> None:
        agent = ConversationAgent(self.conversation_states, self.by_conversations)
        agent.process(self._records(INTERACTIONS, events), from_datetime(NOON))

    def _account(self, topic: TopicSpec, events: list[tuple[str | None, Any]]) -> None:
        agent = AccountAgent(self.account_states, self.by_accounts)
        agent.process(self._records(topic, events), from_datetime(NOON))

    def happens(self, *events: Interaction | Signal) -> "House":
        """One batch for each, and everything that follows from it."""
        for event in events:
            if isinstance(event, Signal):
                self._account(SIGNALS, [(event.account_id, event)])
            else:
                self._conversation([(event.conversation_id, event)])
            self._pass_on()
        return self

    def learns(self, control: Control) -> None:
        """The accounts alone hear of something."""
        self._account(SIGNALS, [(None, control)])

    def passes(self, hours: float) -> "House":
        self._conversation([(None, tick("wall", from_datetime(NOON + timedelta(hours=hours))))])
        self._pass_on()
        self._account(SIGNALS, [(None, tick("wall", from_datetime(NOON + timedelta(hours=hours))))])
        return self

    def _pass_on(self) -> None:
        while True:
            told = [(event.account_id, event) for event in self.by_conversations.on(SLA_EVENTS)[self._heard[0] :]]  # type: ignore[attr-defined]
            self._heard[0] += len(told)
            if told:
                self._account(SLA_EVENTS, told)
            answers = [(each.account_id, each) for each in self.by_conversations.on(SIGNALS)[self._heard[2] :]]  # type: ignore[attr-defined]
            self._heard[2] += len(answers)
            if answers:
                self._account(SIGNALS, answers)
            said = [(each.conversation_id, each) for each in self.by_accounts.on(INTERACTIONS)[self._heard[1] :]]  # type: ignore[attr-defined]
            self._heard[1] += len(said)
            if not said:
                return
            self._conversation(said)

    def clocks(self, metric: str = "follow_up") -> list[tuple[str, str]]:
        events = [each for each in self.by_conversations.on(SLA_EVENTS) if isinstance(each, SlaEvent)]
        return [(each.conversation_id, each.kind) for each in events if each.metric == metric]

    def counted(self, measure: str, scope: str = "company") -> int:
        """Of the values of a scope: the latest part of each bucket."""
        found = self.by_accounts.latest(ROLLUPS).values()
        return sum(
            each.counts.get(measure, 0)
            for each in found
            if isinstance(each, Rollup) and each.scope == scope and each.bucket == "hour"
        )

    def books(self) -> tuple[int, int, int, int]:
        """What the accounts' partition has done with signals from outside."""
        ledger = AccountAgent(self.account_states, ListEffects()).ledger
        return ledger.applied, ledger.duplicate, ledger.late, ledger.rejected


def message(conversation: str, hours: float, author: str = "customer", id: str = "") -> Interaction:  # noqa: A002
    return Interaction(
        id=id or f"{author}@{hours}",
        source="desk",
        conversation_id=conversation,
        account_id="acme",
        occurred_at=NOON + timedelta(hours=hours),
        author=Author(author),  # type: ignore[arg-type]
        text="words",
    )


def survey(value: float, hours: float = 1, conversation: str | None = "desk:1", **more: Any) -> Signal:
    fields: dict[str, Any] = {"id": "s1", "name": "csat", "scale": 5.0} | more
    return Signal(
        source="typeform",
        account_id="acme",
        occurred_at=NOON + timedelta(hours=hours),
        kind="survey",
        value=value,
        conversation_id=conversation,
        **fields,
    )


def test_an_unhappy_answer_is_followed_up_in_its_conversation() -> None:
    house = House().happens(message("desk:1", 0), message("desk:1", 0.5, "agent"), survey(2.0))
    house.happens(message("desk:1", 3, "agent")).passes(24)

    assert house.clocks() == [("desk:1", "activated"), ("desk:1", "met")]
    assert (house.counted("feedback_opened"), house.counted("feedback_closed")) == (1, 1)
    assert house.by_conversations.rejected == house.by_accounts.rejected == []


def test_nobody_comes_back() -> None:
    house = House().happens(message("desk:1", 0), survey(1.0)).passes(6)

    assert house.clocks() == [("desk:1", "activated"), ("desk:1", "breached")]
    assert (house.counted("feedback_opened"), house.counted("feedback_closed")) == (1, 0)


@pytest.mark.parametrize(
    "content",
    [
        survey(3.0),
        survey(7.0, name="nps", scale=10.0),
        survey(0.0, name="mood", scale=None),  # of a survey of one's own nobody knows what is low
        survey(1.0, clock="import:old"),
    ],
)
def test_who_is_content_or_asked_long_ago_starts_nothing(content: Signal) -> None:
    assert House().happens(message("desk:1", 0), content).by_accounts.on(INTERACTIONS) == []


def test_an_answer_that_comes_after_the_end_of_its_import_starts_nothing_either() -> None:
    """It goes its own way into the log, and the account lives by the clock on the wall by then."""
    house = House().happens(message("desk:1", 0))
    house.learns(Control(id="r", kind="clock_released", as_of=NOON, clock="import:old"))

    house.happens(survey(1.0, hours=-24 * 20, clock="import:old")).passes(1)

    assert house.by_accounts.on(INTERACTIONS) == []
    assert house.clocks() == []


def test_the_same_answer_again_changes_nothing() -> None:
    house = House().happens(message("desk:1", 0), survey(2.0), survey(2.0))

    assert house.clocks() == [("desk:1", "activated")]


def test_a_corrected_answer_takes_the_follow_up_back() -> None:
    house = House().happens(message("desk:1", 0), survey(2.0), survey(5.0, version=1)).passes(24)

    assert [kind for _, kind in house.clocks()] == ["activated", "cancelled"]
    assert house.counted("feedback_opened") == 0


def test_a_loop_whose_end_turns_out_wrong_is_counted_again() -> None:
    spam = Interaction(
        id="s",
        source="desk",
        conversation_id="desk:1",
        account_id="acme",
        occurred_at=NOON + timedelta(hours=2),
        type="status_changed",
        status="spam",
    )
    house = House().happens(message("desk:1", 0), message("desk:1", 0.5, "agent"), survey(2.0), spam).passes(2.1)
    assert house.counted("feedback_opened") == 0
    house.happens(replace(spam, status="open", version=1), message("desk:1", 3, "agent")).passes(4)
    assert (house.counted("feedback_opened"), house.counted("feedback_closed")) == (1, 1)


def test_an_answer_without_a_conversation_is_followed_up_by_the_next_word_to_the_account() -> None:
    house = House().happens(survey(3.0, hours=1, conversation=None, name="nps", scale=10.0, id="n1"))
    house.happens(message("desk:7", 0.5, "agent", "before"), message("desk:7", 2, "agent", "after")).passes(24)

    (own,) = {conversation for conversation, _ in house.clocks()}
    assert own == "survey:typeform:n1"
    assert house.clocks() == [(own, "activated"), (own, "met")]
    assert (house.counted("feedback_opened"), house.counted("feedback_closed")) == (1, 1)
    assert house.counted("begun_by_us") == 1  # the word itself, and not what it says to the survey


def test_an_answer_is_nothing_that_could_be_resolved() -> None:
    house = House().happens(survey(1.0, conversation=None), survey(1.0, conversation="desk:unseen", id="s2")).passes(48)

    assert house.clocks("first_resolution") == house.clocks("total_resolution") == house.clocks("first_response") == []
    assert [kind for _, kind in house.clocks()].count("breached") == 2


def answered(score: float, hours: float = 1, version: int = 0, **more: Any) -> Interaction:
    """The answer as an event of its conversation: from an import, or from a company's own system."""
    known = replace(message("desk:1", hours, id="answer"), text=None, type="survey_response", score=score)
    return replace(known, version=version, channel="chat", team="billing", **more)


def test_an_answer_that_is_an_event_of_its_conversation_counts_once_for_its_account() -> None:
    house = House().happens(replace(message("desk:1", 0), channel="chat", team="billing"), answered(2.0), answered(2.0))
    house.passes(2)
    assert house.clocks() == [("desk:1", "activated")]
    assert (house.counted("csat"), house.counted("csat", "team"), house.counted("csat", "channel")) == (1, 1, 1)
    (told,) = house.by_conversations.on(SIGNALS)
    assert isinstance(told, Signal)
    assert (told.id, told.account_id, told.name, told.value) == ("answer/desk:1/answer", "acme", "csat", 2.0)

    house.happens(answered(5.0, version=1)).passes(24)
    assert (house.counted("csat"), house.counted("csat_satisfied"), house.counted("csat_score")) == (1, 1, 10_000)
    assert [kind for _, kind in house.clocks()] == ["activated", "cancelled"]
    health = house.by_accounts.latest(HEALTH)["acme"]
    assert isinstance(health, HealthScore)
    assert [each.value for each in health.contributions if each.signal == "csat"] == [100.0]
    assert house.books() == (0, 0, 0, 0)  # nobody outside has told a signal


def test_a_customer_who_is_sent_to_another_channel_is_seen() -> None:
    house = House().happens(
        replace(message("desk:1", 0), channel="chat"),
        replace(message("desk:1", 0.5, "agent"), channel="email"),
        replace(message("desk:1", 1), channel="email"),
    )
    contacts = [each for each in house.by_conversations.on(SLA_EVENTS) if isinstance(each, SlaEvent)]
    assert [(each.channel, each.by_channel) for each in contacts if each.kind == "contact"] == [
        ("chat", None),
        ("chat", "email"),
        ("chat", "email"),
    ]
    assert house.passes(2).counted("forced_switches") == 1


def test_the_answers_of_an_absorbed_conversation_count_once() -> None:
    merge = replace(message("desk:2", 2, "agent", "m"), text=None, type="merged", into="desk:1")
    answer = replace(answered(7.0, hours=1.0, kind="nps"), conversation_id="desk:2")
    house = House().happens(message("desk:1", 0), message("desk:2", 0.5), answer, merge)
    for told in house.by_conversations.on(INTERACTIONS):
        assert isinstance(told, Interaction)
        house.happens(told)
    house.happens(replace(answer, id="another", score=3.0, occurred_at=NOON + timedelta(hours=3))).passes(24)
    for told in house.by_conversations.on(INTERACTIONS):
        assert isinstance(told, Interaction)
        house.happens(told)
    assert (house.counted("nps"), house.counted("nps_detractors")) == (2, 1)


@given(
    st.permutations([survey(2.0), message("desk:1", 0), message("desk:1", 0.5, "agent"), message("desk:1", 3, "agent")])
)
def test_the_order_of_arrival_does_not_matter(order: list[Interaction | Signal]) -> None:
    house = House().happens(*order).passes(24)

    outcome = {metric: house.clocks(metric)[-1][1] for metric in ("follow_up",)}
    assert outcome == {"follow_up": "met"}
    assert (house.counted("feedback_opened"), house.counted("feedback_closed")) == (1, 1)
