"""Health under a published profile, signal by signal and move by move: tables and small stories."""

from typing import Any

import msgspec
import pytest

from agents.account_agent import LEDGER_KEY, AccountAgent
from agents.domain.health_shelf import to_published
from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from agents.domain.live_signals import observed_now, readers_of
from agents.domain.normalisation import MILLION
from agents.health_activation import MOST_AT_A_TICK
from schemas.account_state import AccountLedger, AccountState, decode_account_state, encode_account_state
from schemas.alert import Alert
from schemas.health_score import HealthScore
from schemas.signal import Signal
from schemas.topics import ALERTS, HEALTH
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.problem import Problems
from tests.account_stories import ACCOUNT, START, csat, log, sla_event, tick
from tests.doubles import DictStates, ListEffects
from tests.property.test_live_health_laws import activation, told

NOON = START + 40 * DAY_US
DAY = DAY_US


class Partition:
    """An agent with its ports, and a log that goes on."""

    def __init__(self) -> None:
        self.states, self.effects, self.offset = DictStates(), ListEffects(), 0

    def take(self, *events: Any, at: Instant = NOON) -> None:
        for event in events:  # one by one, as they come live
            AccountAgent(self.states, self.effects).process(log([event], self.offset, at), 0)
            self.offset += 1

    def state(self, account: str = ACCOUNT) -> AccountState:
        return decode_account_state(AccountState, self.states.states[account])

    def ledger(self) -> AccountLedger:
        return decode_account_state(AccountLedger, self.states.states[LEDGER_KEY])

    def scores(self) -> list[HealthScore]:
        return [score for score in self.effects.on(HEALTH) if isinstance(score, HealthScore)]

    def alerts(self, name: str) -> list[tuple[str, str]]:
        found = [alert for alert in self.effects.on(ALERTS) if isinstance(alert, Alert) and alert.name == name]
        return [(alert.state, alert.summary) for alert in found]

    def value(self, signal: str) -> float | str | None:
        state = self.state()
        found = observed_now(state, readers_of([signal])).get(signal)
        value = found[-1].value if found else None
        return value / MILLION if isinstance(value, int) else value


@pytest.fixture
def partition() -> Partition:
    return Partition()


def talk(name: str, *kinds: str, at: Instant = NOON - 3 * DAY) -> list[Any]:
    authors = {"ask": "customer", "answer": "agent"}
    return [
        sla_event("contact" if kind in authors else kind, at + turn, name, author_kind=authors.get(kind))
        for turn, kind in enumerate(kinds)
    ]


def paid(name: str, days_ago: int, value: float = 1.0) -> Signal:
    return told("subscription", name, NOON - days_ago * DAY, days_ago, value=value)


def goal(name: str, reached: float, due_in_days: int) -> Signal:
    return told("goal", name, NOON - DAY, 1, value=reached, until=to_datetime(NOON + due_in_days * DAY))


@pytest.mark.parametrize(
    ("events", "signal", "value"),
    [
        (talk("a", "ask", "answer", "resolved"), "first_contact_resolution", 1),
        (talk("a", "ask", "answer", "answer", "resolved"), "first_contact_resolution", 0),
        (talk("a", "ask", "answer", "resolved", "reopened"), "first_contact_resolution", 0),
        (talk("a", "ask", "answer", "resolved", "reopened", "answer", "resolved"), "first_contact_resolution", 0),
        (talk("a", "ask", "resolved"), "first_contact_resolution", None),  # nobody has answered
        (talk("a", "resolved", "reopened") + talk("b", "resolved"), "reopen_rate", 0.5),
        (talk("a", "resolved", at=NOON - 31 * DAY) + talk("b", "ask", at=NOON), "reopen_rate", None),
        (talk("a", "escalated", "escalated"), "escalations_30d", 2),
        (talk("a", "ask"), "escalations_30d", 0),
        (talk("a", "ask"), "days_since_contact", None),  # they have spoken, we have not
        ([*talk("a", "ask", "answer", at=NOON - 5 * DAY), *talk("b", "ask", at=NOON)], "days_since_contact", 5),
        ([told("survey", "nps", NOON, 1, value=9.0)], "nps", 9),
        ([told("survey", "nps", NOON, 1, value=90.0, scale=100.0)], "nps", 9),
        ([told("survey", "ces", NOON, 1, value=3.0, scale=5.0)], "ces", 4),
        ([csat(4, NOON)], "csat", 75),
        ([told("sentiment", "sentiment", NOON, 1, value=-0.5)], "sentiment", -0.5),
        ([told("advocacy", "review", NOON - n * DAY, n) for n in (0, 2, 89, 90)], "advocacy_90d", 3),
        ([told("subscription", "plan", NOON, 1, text="Team")], "plan", "Team"),
        ([told("usage", "champion_left", NOON, 1)], "champion_left", 1),
        ([paid("payment_succeeded", 40), paid("payment_failed", 9), paid("payment_overdue", 5), paid("x", 0)],
         "payment_overdue_days", 9),
        ([paid("payment_failed", 9), paid("payment_succeeded", 3)], "payment_overdue_days", 0),
        ([paid("mrr", 100, 200.0), paid("mrr", 1, 300.0), paid("x", 0)], "revenue_trend", 1.5),
        ([paid("mrr", 10, 200.0), paid("mrr", 1, 300.0)], "revenue_trend", None),
        ([paid("started", 40), paid("cancelled", 3)], "subscription_cancelled", 1),
        ([paid("cancelled", 3), paid("resumed", 1)], "subscription_cancelled", 0),
        ([paid("x", 0), paid("renewal_at", 1, (NOON + 30 * DAY) / 1e6)], "days_to_renewal", 30),
        ([goal("live", 1.0, -1), goal("train", 0.5, -1), goal("grow", 0.0, 9), paid("x", 0)], "goals_overdue", 1),
        ([goal("live", 1.0, -1), goal("train", 0.5, -1)], "goals_reached", 0.75),
        ([told("usage", "page", NOON - n * DAY, n) for n in range(35)], "usage_trend", 1),
        ([sla_event("breached", NOON, priority="urgent")], "overdue_urgent", 1),
        ([sla_event("activated", NOON - HOUR_US, due_at=to_datetime(NOON + HOUR_US))], "open_clocks", 1),
        ([sla_event("activated", NOON - HOUR_US, due_at=to_datetime(NOON + HOUR_US))], "predicted_breaches", 0.5),
        ([sla_event("met", NOON), sla_event("breached", NOON, "c2", metric="next_response")],
         "first_response_adherence_7d", 1),
        ([sla_event("met", NOON), sla_event("breached", NOON, "c2", metric="next_response")], "adherence_7d", 0.5),
    ],
)  # fmt: skip
def test_what_is_known_of_a_signal(partition: Partition, events: list[Any], signal: str, value: Any) -> None:
    partition.take(*sorted(events, key=lambda event: event.occurred_at), at=NOON + DAY)
    assert partition.value(signal) == (None if value is None else pytest.approx(value) if signal != "plan" else value)


def test_a_corrected_act_of_a_day_with_several_is_still_one_act(partition: Partition) -> None:
    first, second = (told("advocacy", "review", NOON - hours * HOUR_US, hours) for hours in (2, 1))
    partition.take(first, second, msgspec.structs.replace(first, version=1))
    assert partition.value("advocacy_90d") == 2


@pytest.mark.parametrize(
    "signal",
    [
        told("survey", "nps", NOON, 1, value=11.0),
        told("survey", "ces", NOON, 1),
        told("usage", "logins", NOON, 1, value=1e300),
        told("override", "override", NOON, 1, value=101.0),
    ],
)
def test_an_impossible_value_is_rejected_and_its_neighbours_are_not(partition: Partition, signal: Signal) -> None:
    partition.take(told("pulse", "pulse", NOON, 0, value=50.0), signal)
    assert [reason for _, reason, _ in partition.effects.rejected] == ["contract_violation"]
    assert partition.value("pulse") == 50


def test_a_corrected_answer_replaces_what_it_was(partition: Partition) -> None:
    partition.take(
        told("survey", "nps", NOON, 1, value=2.0),
        told("survey", "nps", NOON, 1, value=9.0, version=2),
        told("survey", "nps", NOON, 1, value=5.0, version=1),
    )
    assert [value for _, _, value in partition.state().memory.told["nps"].heard] == [9 * MILLION]


def test_who_is_not_on_a_profile_yet_is_judged_by_the_built_in_one(partition: Partition) -> None:
    partition.take(csat(5, NOON))
    assert [score.profile for score in partition.scores()] == ["default"]
    partition.take(activation(at=NOON + HOUR_US), at=NOON + HOUR_US)
    partition.take(tick(NOON + HOUR_US), at=NOON + HOUR_US)
    last = partition.scores()[-1]
    assert (last.profile, last.profile_version, last.band, last.previous_band) == ("everyone", "v1", "good", "green")


def test_a_new_version_reaches_idle_accounts_some_with_each_tick(partition: Partition) -> None:
    count = MOST_AT_A_TICK + 5
    answers = [csat(1 + number % 5, NOON, f"s{number}", account_id=f"a{number:05d}") for number in range(count)]
    AccountAgent(partition.states, partition.effects).process(log(answers, 0, NOON), 0)
    partition.offset = count
    partition.effects.emitted.clear()
    partition.take(activation(at=NOON))
    judged = []
    while LEDGER_KEY in partition.states.wakes:
        partition.take(tick(NOON + HOUR_US), at=NOON + HOUR_US)
        judged.append(len({score.account_id for score in partition.scores()}))
    assert judged == [MOST_AT_A_TICK, count]
    assert {score.profile for score in partition.scores()} == {"everyone"}


def test_said_again_a_version_changes_nothing_and_its_name_stays_its_own(partition: Partition) -> None:
    partition.take(activation("v1"), activation("v1"))
    assert [active.version for active in partition.ledger().profiles] == ["v1"]
    partition.take(activation("v1", "worst"))
    assert [detail for _, _, detail in partition.effects.rejected] == [
        "profile file: profile version v1 stands for other content already"
    ]
    broken = msgspec.structs.replace(activation("v2"), policy_text='{"version": "v2"}')
    partition.take(broken)
    assert len(partition.effects.rejected) == 2
    assert [active.version for active in partition.ledger().profiles] == ["v1"]


def test_an_override_has_its_end_with_and_without_a_profile(partition: Partition) -> None:
    until = to_datetime(NOON + DAY)
    for begin in ((), (activation(at=NOON - DAY),)):
        partition = Partition()
        partition.take(*begin, csat(5, NOON))
        partition.take(told("override", "override", NOON, 1, value=10.0, text="they leave", until=until))
        low = partition.scores()[-1]
        assert (low.score, low.contributions[-1].component, low.contributions[-1].because) == (
            10,
            "override",
            "they leave",
        )
        assert low.contributions[-1].source == "crm"
        assert [state for state, _ in partition.alerts("AccountHealthRed")] == ["firing"]
        partition.take(tick(NOON + DAY), at=NOON + DAY)
        after = partition.scores()[-1]
        assert (after.score, after.previous_score) == (100, 10)
        assert [state for state, _ in partition.alerts("AccountHealthRed")] == ["firing", "resolved"]
        partition.take(
            told("override", "override", NOON + DAY, 2, value=30.0, text="still"),
            told("override", "override", NOON + DAY + 1, 3),
            at=NOON + DAY + 1,
        )
        assert [score.score for score in partition.scores()[-2:]] == [30, 100]


def test_one_action_of_a_play_is_open_until_it_is_done_and_opens_anew_when_it_fits_anew(partition: Partition) -> None:
    partition.take(activation(), told("survey", "nps", NOON, 1, value=9.0))
    (action,) = partition.scores()[-1].actions
    assert (action.play, action.reason) == ("ask", "nps is 9")
    partition.take(told("survey", "nps", NOON + 1, 2, value=10.0))
    assert [found.id for found in partition.scores()[-1].actions] == [action.id]
    partition.take(told("action", "ask", NOON + 2, 3, text="done", raw_reference=action.id))
    assert partition.scores()[-1].actions == ()
    partition.take(told("survey", "nps", NOON + HOUR_US, 4, value=10.0), at=NOON + DAY)
    assert partition.scores()[-1].actions == ()
    days = [told("survey", "nps", NOON + HOUR_US + turn, turn, value=0.0) for turn in range(5, 9)]
    partition.take(*days, at=NOON + DAY)
    back = [told("survey", "nps", NOON + DAY + turn, turn, value=10.0) for turn in range(9, 99)]
    partition.take(*back, at=NOON + 2 * DAY)
    assert partition.scores()[-1].actions[0].id != action.id
    asked = [state for state, summary in partition.alerts("NextAction") if summary.startswith("Ask")]
    assert asked == ["firing", "resolved", "firing"]


def test_a_score_fades_without_any_event(partition: Partition) -> None:
    partition.take(activation(missing="worst"), tick(NOON - 1), told("usage", "logins", NOON, 1, value=20.0))
    first = partition.scores()[-1]
    assert first.score is not None
    for _ in range(40):
        _, wake_at = partition.states.wakes[ACCOUNT]
        partition.take(tick(wake_at), at=wake_at)
    faded = partition.scores()[-1]
    assert faded.score is not None
    assert faded.score < first.score
    assert faded.churn is not None
    assert first.churn is not None
    assert faded.churn.recency > first.churn.recency
    (logins,) = [part for part in faded.contributions if part.signal == "logins"]
    assert (logins.event_ids, logins.source, logins.observed_at) == (("logins-1",), "crm", to_datetime(NOON))


STEADY = """\
version: steady
signals: {mood: {normalise: {linear: {from: 0, to: 100}}, ttl: 10d}}
profiles:
  - id: everyone
    components: {bond: {weight: 1, signals: {pulse: 1, mood: 1}}}
    caps:
      - {when: {champion_left: 1}, at_most: 50, because: our champion has left}
      - {when: {escalations_30d: ">= 1"}, at_most: 50, because: something was escalated}
"""


def steady() -> Any:
    file = read_profile_text(STEADY, Problems("steady.yaml"))
    assert file is not None
    return msgspec.structs.replace(activation(), policy_text=to_published(file))


def test_coverage_is_told_when_it_moves_although_the_score_stays(partition: Partition) -> None:
    partition.take(steady(), told("pulse", "pulse", NOON, 1, value=80.0), told("usage", "mood", NOON, 2, value=80.0))
    first = partition.scores()[-1]
    assert (first.score, round(first.coverage, 2)) == (80, 1)
    partition.take(tick(NOON + 10 * DAY), at=NOON + 10 * DAY)
    last = partition.scores()[-1]
    assert (last.score, last.change, round(last.coverage, 2)) == (80, "unchanged", 0.43)
    assert last.reason == "As before, 80.00; 43 % of what counts is known now, 100 % before."
    count = len(partition.scores())
    partition.take(tick(NOON + 10 * DAY + HOUR_US), at=NOON + 10 * DAY + HOUR_US)
    assert len(partition.scores()) == count  # less than a step


def test_another_reason_for_the_same_score_is_told(partition: Partition) -> None:
    partition.take(steady(), told("pulse", "pulse", NOON, 1, value=80.0))
    partition.take(told("usage", "champion_left", NOON, 2, value=1.0))
    assert [part.because for part in partition.scores()[-1].contributions][-1] == "our champion has left"
    partition.take(sla_event("escalated", NOON, "x"))
    later = NOON + 2 * HOUR_US
    partition.take(told("usage", "champion_left", later, 3, value=0.0), tick(later), at=later)
    last = partition.scores()[-1]
    assert (last.score, last.change) == (50, "unchanged")
    assert last.reason == "As before, 50.00; now held by the cap (something was escalated)."


def test_the_built_in_profile_tells_its_coverage_too(partition: Partition) -> None:
    partition.take(sla_event("met", NOON - DAY), csat(5, NOON))
    before = partition.scores()[-1]
    assert before.score == 100
    partition.take(tick(NOON + 12 * DAY), at=NOON + 12 * DAY)  # adherence of a week is of nothing now
    last = partition.scores()[-1]
    assert (last.score, last.change) == (100, "unchanged")
    assert last.coverage < before.coverage
    assert last.reason is not None
    assert last.reason.startswith("As before, 100.00; ")


LIGHT = """\
version: light
profiles:
  - id: everyone
    missing: neutral
    components: {voice: {weight: 1, signals: {nps: 1000000, pulse: 1}}}
    bands: {poor: 0, good: 50}
"""


def test_what_stands_in_for_a_signal_is_told_however_little_it_weighs(partition: Partition) -> None:
    file = read_profile_text(LIGHT, Problems("light.yaml"))
    assert file is not None
    partition.take(msgspec.structs.replace(activation(), policy_text=to_published(file)))
    partition.take(told("survey", "nps", NOON, 1, value=9.0))
    parts = partition.scores()[-1].contributions
    assert [(part.signal, part.value, part.sub_score, part.weight) for part in parts] == [
        ("nps", 9.0, 100.0, 1.0),
        ("pulse", None, 50.0, 0.0),
    ]


def test_state_of_the_last_release_is_read(partition: Partition) -> None:
    """It has fewer fields: the memory of the account, and the profiles of the partition, are appended ones."""
    partition.take(sla_event("met", NOON - DAY), csat(3, NOON))
    for key, appended in ((ACCOUNT, 1), (LEDGER_KEY, 2)):
        written = partition.states.states[key]
        fewer = msgspec.msgpack.decode(written[1:])[:-appended]
        partition.states.states[key] = written[:1] + msgspec.msgpack.encode(fewer)
    assert partition.value("csat") == 50
    partition.take(activation(at=NOON), csat(5, NOON + HOUR_US, "s2"), at=NOON + HOUR_US)
    last = partition.scores()[-1]
    assert (last.profile, last.previous_band) == ("everyone", "green")
    assert encode_account_state(partition.state()) == partition.states.states[ACCOUNT]
