"""Laws of the account agent: what must hold for every story, in every order and every batch."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.account_agent import LEDGER_KEY, AccountAgent
from agents.domain.account import Account
from agents.domain.health_profile import ComponentRule, HealthProfile, SignalRule
from agents.domain.instant import DAY_US, MINUTE_US
from agents.domain.scoring import Scorer
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.account_state import AccountLedger, AccountState, CellsState, decode_account_state
from schemas.adherence import SCOPES, WINDOW_NAMES, AdherenceReport
from schemas.care_state import CareMemory
from schemas.health_score import Band, HealthScore
from schemas.topics import ADHERENCE, ALERTS, HEALTH
from tests.account_recount import Counts, Place, Recount, figures_in
from tests.account_stories import ACCOUNT, END, METRICS, Event, interleaved, labels, log, sla_event, threads, tick
from tests.doubles import DictStates, ListEffects, batches

sizes = st.lists(st.integers(1, 8), max_size=8)


def run(events: list[Any], cuts: list[int] | None = None) -> tuple[DictStates, ListEffects]:
    states, effects = DictStates(), ListEffects()
    for batch in batches(log(events), cuts or []):
        AccountAgent(states, effects).process(batch, 0)
    assert effects.rejected == []
    return states, effects


def state_of(states: DictStates) -> AccountState:
    data = states.get(ACCOUNT)
    return AccountState() if data is None else decode_account_state(AccountState, data)


def without_places(state: AccountState) -> AccountState:
    """A state without what was told, which depends on when somebody looked, and without where things lie in it."""
    state.quiet = []
    for metric in state.metrics.values():
        metric.cells, metric.told, metric.objectives = CellsState(), b"", {}
        for running in metric.running.values():
            running.cell = 0
        for late in metric.overdue.values():
            late.cell = 0
    memory = replace(state.memory, verdict=None, past=[], changes_at=None)
    return replace(state, health=None, memory=memory, care=CareMemory())


def reports_of(effects: ListEffects) -> list[AdherenceReport]:
    return [report for report in effects.on(ADHERENCE) if isinstance(report, AdherenceReport)]


def figures_of(effects: ListEffects) -> dict[Place, Counts]:
    return figures_in(effects.on(ADHERENCE))


@given(st.data(), threads())
def test_order_and_batches_do_not_matter(data: st.DataObject, lives: list[list[Event]]) -> None:
    one, one_effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    other, other_effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    assert without_places(state_of(one)) == without_places(state_of(other))
    assert figures_of(one_effects) == figures_of(other_effects)
    assert one.wakes.get(ACCOUNT) == other.wakes.get(ACCOUNT)


@given(st.data(), threads())
def test_rolling_windows_equal_a_recount(data: st.DataObject, lives: list[list[Event]]) -> None:
    events = data.draw(interleaved(lives))
    states, effects = run(events, data.draw(sizes))
    assert figures_of(effects) == Recount(events).figures(state_of(states).as_of)


@given(st.data(), threads(), st.integers(0, 45 * 24 * 60))
def test_ticks_publish_exactly_what_a_recount_finds(
    data: st.DataObject, lives: list[list[Event]], minutes: int
) -> None:
    events = data.draw(interleaved(lives))
    now = END + minutes * MINUTE_US
    states, effects = DictStates(), ListEffects()
    AccountAgent(states, effects).process(log([*events, tick(now)], appended_at=now), 0)
    assert figures_of(effects) == Recount(events).figures(now)


@given(st.data(), threads(), st.floats(0, 1, exclude_max=True))
def test_until_it_wakes_nothing_changes_by_itself(data: st.DataObject, lives: list[list[Event]], share: float) -> None:
    assume(lives)
    states, _ = run(data.draw(interleaved(lives)))
    state, before = state_of(states), state_of(states)
    # A wake is a full minute: what changes in the minute before it is told at the wake.
    _, wake_at = states.wakes.get(ACCOUNT, ("wall", END + 400 * DAY_US))
    account = Account(ACCOUNT, state)
    account.wake(state.as_of + int(share * max(0, wake_at - MINUTE_US - state.as_of)), "tick")
    assert account.settle(Scorer(DEFAULT_PROFILE)) == []
    assert replace(state, as_of=0) == replace(before, as_of=0)


@given(st.data(), threads())
def test_a_ratio_is_null_exactly_where_nothing_was_decided(data: st.DataObject, lives: list[list[Event]]) -> None:
    _, effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    for figure in (figure for report in reports_of(effects) for figure in report.figures()):
        decided = figure.met + figure.breached
        assert figure.ratio == (figure.met / decided if decided else None)
        assert figure.open >= figure.at_risk


@given(st.data(), threads())
def test_the_values_of_every_scope_sum_to_the_account(data: st.DataObject, lives: list[list[Event]]) -> None:
    _, effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    for report in reports_of(effects):
        sums: dict[str, list[Counter[str]]] = {
            scope: [Counter() for _ in WINDOW_NAMES] for scope in ("account", *SCOPES)
        }
        for figure in report.figures():
            counted = {"met": figure.met, "breached": figure.breached, "open": figure.open}
            pending = {"overdue": figure.overdue, "at_risk": figure.at_risk}
            sums[figure.scope][WINDOW_NAMES.index(figure.window)].update(counted | pending)
        assert [sums[scope] for scope in SCOPES] == [sums["account"]] * len(SCOPES)
        for budget in report.budgets:
            place = ("policy", budget.policy)
            (of_policy,) = [each for each in report.standings if (each.scope, each.scope_value) == place]
            window = WINDOW_NAMES.index("30d" if budget.over == "30d" else "month")
            assert (budget.met, budget.breached) == (of_policy.met[window], of_policy.breached[window])


@given(st.data(), threads())
def test_a_report_is_told_only_when_it_says_something_new(data: st.DataObject, lives: list[list[Event]]) -> None:
    _, effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    said: dict[str, Any] = {}
    for report in reports_of(effects):
        news = (report.standings, report.budgets, report.forecast)
        assert said.get(report.metric) != news
        said[report.metric] = news


@given(st.data(), threads(), st.sampled_from(("met", "breached", "satisfied_late")))
def test_a_retraction_undoes(data: st.DataObject, lives: list[list[Event]], outcome: str) -> None:
    events = data.draw(interleaved(lives))
    at = END - data.draw(st.integers(0, 30 * 24 * 60)) * MINUTE_US
    clock = {"conversation": "undone", "metric": METRICS[0]}
    undone = [
        sla_event("activated", at - 1, **clock),
        sla_event("met" if outcome == "met" else "breached", at, **clock),
    ]
    if outcome == "satisfied_late":
        undone.append(sla_event("satisfied_late", at + 1, **clock))
    # Deadline and team may be others by now: only `previous_decided_at` tells where the outcome was put in.
    back: dict[str, Any] = {"previous_outcome": outcome, "previous_decided_at": undone[1].occurred_at}
    undone.append(sla_event("retracted", END, **clock, **back | data.draw(labels)))
    _, without = run([*events, tick(END)])
    _, with_it = run([*events, *undone, tick(END)], data.draw(sizes))
    assert figures_of(with_it) == figures_of(without)


@given(st.data(), threads())
def test_repeated_records_change_nothing(data: st.DataObject, lives: list[list[Event]]) -> None:
    records = log(data.draw(interleaved(lives)))
    states, effects = DictStates(), ListEffects()
    AccountAgent(states, effects).process(records, 0)
    before, said = dict(states.states), len(effects.emitted)
    again = records[data.draw(st.integers(0, len(records))) :]
    for batch in batches(again, data.draw(sizes)):
        AccountAgent(states, effects).process(batch, 0)
    ledgers = [decode_account_state(AccountLedger, kept.pop(LEDGER_KEY)) for kept in (before, dict(states.states))]
    assert len(effects.emitted) == said
    assert {key: state for key, state in states.states.items() if key != LEDGER_KEY} == before
    assert ledgers[1].duplicate + ledgers[1].sla_duplicate == len(again)
    assert (ledgers[1].applied, ledgers[1].sla_applied) == (ledgers[0].applied, ledgers[0].sla_applied)
    assert ledgers[1].accepted == sum(1 for record in records + again if record.topic.name.startswith("careline.sig"))


@given(st.data(), threads())
def test_a_replay_is_equal_byte_for_byte(data: st.DataObject, lives: list[list[Event]]) -> None:
    events, cuts = data.draw(interleaved(lives)), data.draw(sizes)
    assert run(events, cuts) == run(events, cuts)


@given(st.data(), threads())
def test_published_scores_add_up_and_alerts_follow_the_band(data: st.DataObject, lives: list[list[Event]]) -> None:
    _, effects = run(data.draw(interleaved(lives)), data.draw(sizes))
    band: Band | None = None
    for health in effects.on(HEALTH):
        assert isinstance(health, HealthScore)
        points = sum((Decimal(str(part.points)) for part in health.contributions), Decimal(0))
        weights = sum((Decimal(str(part.weight)) for part in health.contributions), Decimal(0))
        assert (health.score is None) == (health.coverage == 0) == (health.band is None)
        if health.score is not None:
            assert points == Decimal(str(health.score))
            assert weights == 1
            assert 0 <= health.score <= 100
        assert health.previous_band == band
        band = health.band
    red = [alert for alert in effects.on(ALERTS) if getattr(alert, "name", None) == "AccountHealthRed"]
    states = [getattr(alert, "state", None) for alert in red]
    assert states == ["firing", "resolved"] * (len(red) // 2) + ["firing"] * (len(red) % 2)
    assert (band == "red") == bool(len(red) % 2)


profiles = st.lists(
    st.tuples(st.integers(1, 1000), st.lists(st.integers(1, 1000), min_size=1, max_size=4)), min_size=1, max_size=5
).map(
    lambda drawn: HealthProfile(
        name="any",
        version="1",
        components=tuple(
            ComponentRule(
                name=f"c{index}",
                weight=weight,
                signals=tuple(
                    SignalRule(name="csat", label="x", weight=among, normalise=((0, 0), (1, 100_00)))
                    for among in signals
                ),
            )
            for index, (weight, signals) in enumerate(drawn)
        ),
    )
)


@given(st.data(), profiles)
def test_parts_sum_to_the_score_and_the_score_is_the_weighted_mean(data: st.DataObject, profile: HealthProfile) -> None:
    scorer = Scorer(profile)
    count = len(scorer.signals)
    subs = data.draw(st.lists(st.none() | st.integers(0, 100_00), min_size=count, max_size=count))
    score, points, shares = scorer.score(subs), scorer.points(subs), scorer.shares(subs)
    iterator, exact, weights = iter(subs), Fraction(0), 0
    for component in profile.components:
        known = [(rule.weight, sub) for rule in component.signals if (sub := next(iterator)) is not None]
        if known:
            mean = Fraction(sum(weight * sub for weight, sub in known), sum(weight for weight, _ in known))
            exact, weights = exact + component.weight * mean, weights + component.weight
    assert (score is None) == (not weights)
    if score is not None:
        assert sum(points) == score
        assert abs(score - exact / weights) <= Fraction(1, 2)
        assert sum(shares.published) == 10_000
        assert all(not part for part, sub in zip(points, subs, strict=True) if sub is None)


@given(st.lists(st.integers(0, 100_00), min_size=1))
def test_a_band_is_left_only_beyond_the_hysteresis(scores: list[int]) -> None:
    scorer = Scorer(DEFAULT_PROFILE)
    rank = ("red", "amber", "green")
    edges = tuple(band.begins_at for band in DEFAULT_PROFILE.bands[1:])
    band: str | None = None
    for score in scores:
        before, band = band, scorer.band(score, band)
        assert band is not None
        if before is None:
            assert band == scorer.plain_band(score)
            continue
        passed = edges[min(rank.index(before), rank.index(band)) : max(rank.index(before), rank.index(band))]
        rises = rank.index(band) > rank.index(before)
        assert all(score >= edge + 3_00 if rises else score < edge - 3_00 for edge in passed)
        inside = [abs(score - edge) < 3_00 for edge in edges]
        assert any(inside) or band == scorer.plain_band(score)
