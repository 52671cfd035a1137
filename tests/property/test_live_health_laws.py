"""Laws of health under a published profile: order, batches and replays do not matter, parts sum, idle accounts move."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.account_agent import AccountAgent
from agents.domain.account import Account
from agents.domain.churn_risk import risk_of
from agents.domain.health_shelf import HealthShelf, to_published
from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from agents.domain.normalisation import BEST
from agents.domain.scoring import Scorer
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.account_state import AccountState, ActiveProfile, decode_account_state
from schemas.control import Control
from schemas.health_memory import HealthMemory
from schemas.health_score import HealthScore
from schemas.signal import Signal
from schemas.topics import HEALTH
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.problem import Problems
from tests.account_stories import ACCOUNT, END, START, csat, instants, interleaved, log, sla_event, tick
from tests.doubles import DictStates, ListEffects, batches

PROFILE = """\
version: {version}
signals:
  logins: {{normalise: {{linear: {{from: 0, to: 20}}}}, half_life: 7d, ttl: 30d}}
  seats: {{normalise: {{trajectory: {{from: 0, to: 100, over: 10d}}}}}}
  plan: {{normalise: {{tiers: {{team: 70, trial: 30}}}}}}
profiles:
  - id: everyone
    missing: {missing}
    components:
      service: {{weight: 3, signals: {{reopen_rate: 1, first_contact_resolution: 1, escalations_30d: 1}}}}
      usage: {{weight: 2, signals: {{logins: 2, seats: 1, usage_trend: 1}}}}
      voice: {{weight: 2, signals: {{csat: 1, nps: 1, ces: 1, pulse: 1}}}}
      bond: {{weight: 1, signals: {{plan: 1, goals_overdue: 1, payment_overdue_days: 1, days_since_contact: 1}}}}
    bands: {{poor: 0, fair: 40, good: 70}}
    hysteresis: 0
    caps: [{{when: {{escalations_30d: ">= 2"}}, at_most: 60, because: they escalate}}]
plays:
  - {{id: call, when: {{band: poor}}, action: "Call {{account}}"}}
  - {{id: ask, when: {{nps: ">= 9"}}, action: "Ask {{account}}"}}
"""


def profile(version: str = "v1", missing: str = "exclude") -> str:
    """A profile file as it travels; without hysteresis, so that the band is a function of the score."""
    problems = Problems("profile.yaml")
    file = read_profile_text(PROFILE.format(version=version, missing=missing), problems)
    assert file is not None, problems.errors
    return to_published(file)


def activation(version: str = "v1", missing: str = "exclude", at: Instant = START - DAY_US) -> Control:
    text = profile(version, missing)
    return Control(id=f"health/{version}", kind="health_activated", as_of=to_datetime(at), policy_text=text)


def told(kind: str, name: str, at: Instant, number: int, **more: Any) -> Signal:
    signal: dict[str, Any] = {"id": f"{name}-{number}", "source": "crm", "account_id": ACCOUNT} | more
    return Signal(kind=kind, name=name, occurred_at=to_datetime(at), **signal)  # type: ignore[arg-type]


WORDS = ("Team", "trial", "odd")
Maker = Callable[[st.DrawFn, Instant, int, float], Signal]
MAKERS: dict[str, Maker] = {
    **{
        name: lambda _, at, number, value, name=name: told("usage", name, at, number, value=value)  # type: ignore[misc]
        for name in ("logins", "seats", "page")
    },
    "nps": lambda _, at, number, value: told("survey", "nps", at, number, value=value),
    "ces": lambda _, at, number, value: told("survey", "ces", at, number, value=min(7.0, value)),
    "csat": lambda _, at, number, value: csat(value / 2, at, f"csat-{number}"),
    "pulse": lambda _, at, number, value: told("pulse", "pulse", at, number, value=10 * value),
    "plan": lambda _, at, number, value: told("subscription", "plan", at, number, text=WORDS[int(value) % 3]),
    "goal": lambda draw, at, number, value: told(
        "goal", f"g{number % 2}", at, number, value=value / 10, until=to_datetime(draw(instants))
    ),
    "unpaid": lambda _, at, number, value: told("subscription", "payment_failed", at, number, value=value),
    "paid": lambda _, at, number, value: told("subscription", "payment_succeeded", at, number, value=value),
}


@st.composite
def signals(draw: st.DrawFn) -> list[list[Any]]:
    """Threads: a signal of any kind each, or the facts of a conversation, which keep their order."""
    threads: list[list[Any]] = []
    for number, at in enumerate(draw(st.lists(instants, min_size=1, max_size=14, unique=True))):
        kind = draw(st.sampled_from((*MAKERS, "talk")))
        if kind == "talk":
            threads.append(_talk(draw, at, number))
        else:
            threads.append([MAKERS[kind](draw, at, number, float(draw(st.integers(0, 10))))])
    return threads


def _talk(draw: st.DrawFn, at: Instant, number: int) -> list[Any]:
    name = f"t{number}"
    kinds = draw(st.lists(st.sampled_from(("ask", "answer", "resolved", "reopened", "escalated")), max_size=6))
    found = []
    for turn, kind in enumerate(kinds):
        author = {"ask": "customer", "answer": "agent"}.get(kind)
        fact = "contact" if author is not None else kind
        found.append(sla_event(fact, min(END, at + turn), name, author_kind=author))
    return found or [sla_event("opened", at, name)]


sizes = st.lists(st.integers(1, 8), max_size=8)


def run(events: Sequence[Any], cuts: list[int] | None = None) -> tuple[DictStates, ListEffects]:
    states, effects = DictStates(), ListEffects()
    for batch in batches(log(events), cuts or []):
        AccountAgent(states, effects).process(batch, 0)
    assert effects.rejected == []
    return states, effects


def state_of(states: DictStates) -> AccountState:
    return decode_account_state(AccountState, states.states[ACCOUNT])


def kept(state: AccountState) -> tuple[Any, ...]:
    """What is remembered, without what was told, which depends on when somebody looked."""
    memory: HealthMemory = replace(state.memory, verdict=None, past=[], changes_at=None, actions={}, days_since=0)
    return (state.as_of, memory, state.contacts, state.answers)


def looked_at(states: DictStates, missing: str) -> tuple[Any, ...]:
    """What a score says of one instant, without what it is compared with."""
    state = state_of(states)
    state.health, state.memory.verdict = None, None
    account = Account(ACCOUNT, state)
    account.wake(END + DAY_US, "look")
    shelf = HealthShelf((ActiveProfile("v1", START - DAY_US, profile(missing=missing)),))
    (score,) = [news.event for news in account.settle(Scorer(DEFAULT_PROFILE), shelf) if news.topic is HEALTH]
    assert isinstance(score, HealthScore)
    return (score.score, score.band, score.coverage, score.reason, score.contributions)


@given(st.data(), signals(), st.sampled_from(("exclude", "neutral", "worst")))
def test_order_and_batches_do_not_matter(data: st.DataObject, lives: list[list[Any]], missing: str) -> None:
    one, _ = run([activation(), *data.draw(interleaved(lives))], data.draw(sizes))
    other, _ = run([activation(), *data.draw(interleaved(lives))], data.draw(sizes))
    assert kept(state_of(one)) == kept(state_of(other))
    assert looked_at(one, missing) == looked_at(other, missing)


@given(st.data(), signals())
def test_a_replay_of_the_same_batches_says_the_same_byte_for_byte(data: st.DataObject, lives: list[list[Any]]) -> None:
    middle = activation("v2", "worst", START + 10 * DAY_US)
    events = [activation(), *data.draw(interleaved(lives)), middle, tick(END), tick(END + 30 * DAY_US)]
    cuts = data.draw(sizes)
    one, one_told = run(events, cuts)
    other, other_told = run(events, cuts)
    assert one.states == other.states
    assert one_told.emitted == other_told.emitted


@given(st.data(), signals(), st.lists(st.integers(1, 40 * 24), max_size=10))
def test_parts_sum_to_the_score_and_one_action_of_a_play_is_open(
    data: st.DataObject, lives: list[list[Any]], hours: list[int]
) -> None:
    ticks = [tick(END + sum(hours[: place + 1]) * HOUR_US) for place in range(len(hours))]
    _, effects = run([activation(missing="worst"), *data.draw(interleaved(lives)), *ticks], data.draw(sizes))
    band: str | None = None
    for score in effects.on(HEALTH):
        assert isinstance(score, HealthScore)
        points = sum(Decimal(str(part.points)) for part in score.contributions)
        assert (score.score is None) == (score.coverage == 0) == (score.band is None) == (score.churn is None)
        if score.score is not None:
            assert points == Decimal(str(score.score))
            assert 0 <= score.score <= 100
            assert score.band == ("poor" if score.score < 40 else "fair" if score.score < 70 else "good")
        assert score.previous_band == band
        band = score.band
        plays = [action.play for action in score.actions]
        assert sorted(set(plays)) == plays
        assert ("call" in plays) == (band == "poor")
        if score.churn is not None:
            parts = (score.churn.level, score.churn.trend or 0.0, score.churn.recency)
            assert sum(Decimal(str(part)) for part in parts) == Decimal(str(score.churn.index))


@given(st.data(), signals(), st.floats(0, 1))
def test_until_it_wakes_nobody_looks(data: st.DataObject, lives: list[list[Any]], share: float) -> None:
    states, _ = run([activation(), tick(START), *data.draw(interleaved(lives))])
    _, wake_at = states.wakes.get(ACCOUNT, ("wall", END + 400 * DAY_US))
    before = states.states[ACCOUNT]
    as_of = state_of(states).as_of
    at = as_of + int(share * max(0, wake_at - 1 - as_of))
    effects = ListEffects()
    AccountAgent(states, effects).process(log([tick(at)], 900, at), 0)
    assert effects.emitted == []
    assert states.states[ACCOUNT] == before


hundredths = st.integers(0, BEST)


@given(hundredths, hundredths, st.none() | hundredths, st.integers(0, 100 * DAY_US), st.integers(0, 100 * DAY_US))
def test_churn_risk_is_monotone_and_its_parts_sum(
    score: int, other: int, before: int | None, silent: int, longer: int
) -> None:
    low, high = sorted((score, other))
    short, long = sorted((silent, longer))
    curve = ((0, 900_000), (50_00, 300_000), (BEST, 10_000))
    calm, worried = risk_of(high, before, short, curve), risk_of(low, before, long, curve)
    assert calm.total <= worried.total
    assert (calm.probability or 0) <= (worried.probability or 0)
    for risk in (calm, worried):
        assert risk.level + (risk.trend or 0) + risk.recency == risk.total
        assert 0 <= risk.total <= BEST
    if before is not None:
        rises = [risk_of(score, level, silent).total for level in (before, min(BEST, before + 10_00))]
        assert all(one <= two for one, two in pairwise(rises))
