"""Error budgets by the published arithmetic, burn alerts that come once, forecasts, and the bounds of an account."""

from typing import Any

import msgspec
import pytest

from agents.account_agent import AccountAgent
from agents.domain.error_budget import BURN_WINDOWS, burn_rates, days_of, factor
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, from_datetime, to_datetime
from agents.domain.outcome_cells import MOST_CELLS, REMEMBERED_OUTCOMES
from agents.domain.promise_windows import KEPT_CLOCKS
from schemas.account_state import AccountState, MetricState, OutcomeBuckets, decode_account_state, encode_account_state
from schemas.adherence import BEYOND, SCOPES, WINDOW_NAMES, AdherenceReport, ErrorBudget, Standing
from schemas.alert import Alert
from schemas.topics import ADHERENCE, ALERTS
from tests.account_stories import ACCOUNT, START, log, sla_event, tick
from tests.doubles import DictStates, ListEffects

NOON = START + 12 * HOUR_US
GOLD: dict[str, Any] = {"policy": "gold", "objective_ratio": 0.9, "objective_over": "30d"}


class Desk:
    """One account, its agent a new one for each batch, and a log that goes on."""

    def __init__(self) -> None:
        self.states, self.effects = DictStates(), ListEffects()
        self.offset = 0

    def take(self, *events: Any) -> None:
        AccountAgent(self.states, self.effects).process(log(events, self.offset, NOON + 400 * DAY_US), 0)
        self.offset += len(events)
        assert self.effects.rejected == []

    def decide(self, met: int, breached: int, at: Instant, name: str, **more: Any) -> None:
        kinds = ["met"] * met + ["breached"] * breached
        self.take(*[sla_event(kind, at, f"{name}{number}", **more) for number, kind in enumerate(kinds)])

    def report(self) -> AdherenceReport:
        told = self.effects.latest(ADHERENCE)[f"{ACCOUNT}/first_response"]
        assert isinstance(told, AdherenceReport)
        return told

    def budget(self) -> ErrorBudget:
        (budget,) = self.report().budgets
        return budget

    def standing(self, scope: str, value: str | None = None) -> Standing:
        (found,) = [each for each in self.report().standings if (each.scope, each.scope_value) == (scope, value)]
        return found

    def burning(self) -> list[tuple[str | None, str]]:
        alerts = [alert for alert in self.effects.on(ALERTS) if isinstance(alert, Alert)]
        return [(alert.window, alert.state) for alert in alerts if alert.name == "ErrorBudgetBurning"]

    def state(self) -> AccountState:
        return decode_account_state(AccountState, self.states.states[ACCOUNT])


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("objective", "over", "factors"),
    [
        (999_000, "30d", (14.4, 3, 1)),  # the workbook's own numbers
        (950_000, "30d", (14.4, 3, 1)),  # 14.4 of 20: 72 % must break in the hour
        (900_000, "30d", (8, 3, 1)),  # everything broken burns at 10
        (800_000, "month", (4, 3, 1)),
        (500_000, "30d", (1.6, 1.6, 1)),
        (1_000_000, "30d", (14.4, 3, 1)),
        (990_000, "7d", (3.36, 1, 1)),  # a shorter period has less to burn
    ],
)
def test_factors_can_be_reached_by_their_objective(objective: int, over: str, factors: tuple[float, ...]) -> None:
    assert tuple(round(factor(window, over, objective), 6) for window in BURN_WINDOWS) == factors


@pytest.mark.parametrize(
    ("met", "breached", "burning"),
    [
        ((2, 2, 2, 2, 2), (8, 8, 8, 8, 8), ["1h", "24h", "7d"]),
        ((1, 1, 1, 1, 1), (8, 8, 8, 8, 8), []),  # nine outcomes are too few to say so
        ((8, 8, 8, 8, 8), (2, 2, 2, 2, 2), []),  # so are two breaches
        ((0, 7, 7, 7, 7), (0, 3, 3, 3, 3), ["24h", "7d"]),  # the night has nothing to say against it
        ((1, 7, 7, 7, 7), (0, 3, 3, 3, 3), ["7d"]),  # a good hour has
        ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), []),
    ],
)
def test_windows_burn_with_enough_outcomes(met: Any, breached: Any, burning: list[str]) -> None:
    assert [rate.window for rate in burn_rates(list(met), list(breached), "30d", 900_000) if rate.burning] == burning


@pytest.mark.parametrize(
    ("over", "days"), [("30d", 30), ("1d", 1), ("365d", 92), ("month", None), ("0d", None), ("d", None), ("", None)]
)
def test_periods_as_policies_write_them(over: str, days: int | None) -> None:
    assert days_of(over) == days


def test_a_budget_is_what_the_objective_leaves(desk: Desk) -> None:
    desk.decide(37, 3, NOON - 2 * DAY_US, "a", **GOLD)
    desk.take(sla_event("activated", NOON, "late", **GOLD), sla_event("activated", NOON, "b", policy="other"))
    budget = desk.budget()
    assert (budget.policy, budget.met, budget.breached, budget.allowed, budget.left) == ("gold", 37, 3, 4, 1)
    assert (budget.left_ratio, budget.open, budget.breaches_left) == (0.25, 1, 1)
    # (3 + 1) / (40 + 2) of what is open will break, by the rule of succession.
    assert (budget.expected_breaches, budget.forecast_ratio) == (0.095, 0.924506)


@pytest.mark.parametrize(("over", "counted"), [("month", 1), ("30d", 3), ("7d", 1), ("14d", 2), ("60d", 4)])
def test_a_budget_counts_in_the_period_of_its_objective(desk: Desk, over: str, counted: int) -> None:
    first = from_datetime(to_datetime(NOON).replace(month=4, day=1, hour=0, minute=0, second=0))
    for days in (50, 20, 10, 0):
        desk.decide(1, 0, first - days * DAY_US, f"d{days}", **GOLD | {"objective_over": over})
    assert desk.budget().met == counted


def test_a_period_goes_on_by_itself(desk: Desk) -> None:
    desk.decide(1, 0, NOON, "a", **GOLD | {"objective_over": "2d"})
    desk.take(tick(NOON + 2 * DAY_US - 1))
    assert desk.budget().met == 1
    desk.take(tick(NOON + 2 * DAY_US))
    assert (desk.budget().met, desk.budget().forecast_ratio) == (0, None)


def test_an_objective_that_is_set_later_counts_what_is_there(desk: Desk) -> None:
    desk.decide(3, 0, NOON - 36 * HOUR_US, "a", policy="gold", team="billing")
    desk.take(tick(NOON))
    desk.decide(1, 0, NOON, "b", team="support", **GOLD | {"objective_over": "2d"})
    assert desk.budget().met == 4
    desk.take(tick(NOON + 12 * HOUR_US - 1))
    assert desk.states.wakes[ACCOUNT] == ("wall", NOON + 12 * HOUR_US)
    desk.take(tick(NOON + 12 * HOUR_US))
    assert desk.budget().met == 1


def test_a_month_begins_at_its_first_instant_in_utc(desk: Desk) -> None:
    april = from_datetime(to_datetime(START).replace(month=4, day=1))
    desk.decide(1, 0, april - 1, "march", **GOLD | {"objective_over": "month"})
    assert desk.standing("account").met == (1, 1, 1, 1, 1)
    assert desk.budget().met == 1
    desk.take(tick(april))
    assert desk.standing("account").met == (1, 1, 1, 1, 0)
    assert desk.budget().met == 0
    desk.decide(0, 1, april, "april")
    assert (desk.standing("account").met[-1], desk.standing("account").breached[-1]) == (0, 1)


def test_what_falls_due_after_the_month_is_no_part_of_it(desk: Desk) -> None:
    april = from_datetime(to_datetime(START).replace(month=4, day=1))
    for name, due_at in (("before", april - 1), ("after", april)):
        desk.take(
            sla_event("activated", NOON, name, **GOLD | {"objective_over": "month", "due_at": to_datetime(due_at)})
        )
    assert desk.budget().open == 1


def test_a_burning_budget_is_an_alert_that_comes_once_and_ends_by_itself(desk: Desk) -> None:
    desk.decide(90, 0, NOON - 3 * DAY_US, "good", **GOLD)
    desk.decide(0, 10, NOON, "bad", **GOLD)
    assert desk.burning() == [("1h", "firing"), ("24h", "firing"), ("7d", "firing")]
    desk.decide(0, 1, NOON, "worse", **GOLD)  # another worker goes on with it
    desk.take(tick(NOON + HOUR_US - 1))
    assert len(desk.burning()) == 3
    desk.take(tick(NOON + HOUR_US))
    assert desk.burning()[3:] == [("1h", "resolved")]
    desk.take(tick(NOON + 40 * DAY_US))
    assert desk.burning()[4:] == [("24h", "resolved"), ("7d", "resolved")]
    first = next(alert for alert in desk.effects.on(ALERTS) if getattr(alert, "window", None) == "1h")
    assert isinstance(first, Alert)
    assert (first.severity, first.policy, first.metric) == ("critical", "gold", "first_response")
    assert first.cause_id == "bad9/first_response/breached/1772452800000000"
    assert "(90 % over 30d) burns at 10.0 in 1h, where 8.0 is too much; 0.0 of 10.0" in first.summary


def test_the_next_clocks_are_named_and_come_to_be_at_risk_with_time(desk: Desk) -> None:
    def runs(name: str, hours: int) -> Any:
        return sla_event(
            "activated", NOON, name, due_at=to_datetime(NOON + hours * HOUR_US), started_at=to_datetime(NOON)
        )

    desk.take(runs("b", 10), runs("a/1", 5), sla_event("activated", NOON, "bare", due_at=None, target_seconds=None))
    forecast = desk.report().forecast
    assert forecast is not None
    assert [(due.conversation_id, due.due_at, due.at_risk) for due in forecast.due] == [
        ("a/1", to_datetime(NOON + 5 * HOUR_US), False),
        ("b", to_datetime(NOON + 10 * HOUR_US), False),
    ]
    assert forecast.breach_ratio == 0.5
    assert desk.states.wakes[ACCOUNT] == ("wall", NOON + 4 * HOUR_US)
    desk.take(tick(NOON + 4 * HOUR_US))
    assert (desk.standing("account").open, desk.standing("account").at_risk) == (3, 1)
    desk.take(sla_event("warned", NOON + 5 * HOUR_US, "b", due_at=to_datetime(NOON + 10 * HOUR_US)))
    assert desk.standing("account").at_risk == 2
    desk.take(sla_event("paused", NOON + 5 * HOUR_US, "a/1", due_at=None))
    forecast = desk.report().forecast
    assert forecast is not None
    assert [due.conversation_id for due in forecast.due] == ["b"]
    assert desk.standing("account").at_risk == 1


def test_a_retraction_leaves_the_scopes_that_the_outcome_was_put_into(desk: Desk) -> None:
    """Two alike in the same minute: only what is remembered tells which of them it was."""
    for name, team in (("a", "billing"), ("b", "support")):
        desk.take(sla_event("met", NOON, name, team=team))
    back: dict[str, Any] = {"previous_outcome": "met", "previous_decided_at": to_datetime(NOON)}
    desk.take(sla_event("retracted", NOON + MINUTE_US, "a", team="support", **back))
    assert desk.standing("team", "support").met == (1, 1, 1, 1, 1)
    assert {standing.scope_value for standing in desk.report().standings if standing.scope == "team"} == {"support"}
    desk.take(
        sla_event(
            "retracted",
            NOON + MINUTE_US,
            "never_counted",
            team="sales",
            **back | {"previous_decided_at": to_datetime(NOON - DAY_US)},
        )
    )
    assert desk.standing("account").met == (1, 1, 1, 1, 1)


def test_an_account_does_not_grow_without_limit(desk: Desk) -> None:
    for number in range(MOST_CELLS + 40):
        desk.decide(2, 1, NOON + number * MINUTE_US, f"t{number}-", team=f"team {number}")
    sums = dict.fromkeys(("account", *SCOPES), 0)
    for standing in desk.report().standings:
        sums[standing.scope] += standing.met[-1] + standing.breached[-1]
    assert set(sums.values()) == {3 * (MOST_CELLS + 40)}
    assert desk.standing("team", BEYOND).met[-1] == 2 * 40
    assert desk.standing("channel", BEYOND).met[-1] == 2 * 40
    cells = desk.state().metrics["first_response"].cells
    assert len(cells.labels) == MOST_CELLS + 1
    desk.take(
        tick(NOON + 32 * DAY_US), *[sla_event("satisfied_late", NOON + 32 * DAY_US, f"t{n}-2") for n in range(200)]
    )
    assert ACCOUNT in desk.states.states
    assert desk.state().metrics == {}


def test_what_is_beyond_the_bounds_of_clocks_is_counted(desk: Desk) -> None:
    events = [sla_event("activated", NOON, f"c{number}") for number in range(KEPT_CLOCKS + 5)]
    desk.take(*events)
    assert (desk.standing("account").open, desk.standing("channel", BEYOND).open) == (KEPT_CLOCKS + 5, 5)
    desk.take(*[sla_event("met", NOON, f"c{number}") for number in range(KEPT_CLOCKS + 5)])
    assert (desk.standing("account").open, desk.standing("account").met[0]) == (0, KEPT_CLOCKS + 5)
    state = desk.state().metrics["first_response"].cells
    assert len(state.placed) <= REMEMBERED_OUTCOMES * 6


def test_a_state_without_scopes_goes_on() -> None:
    """What releases before scopes remembered is counted on, without labels, and leaves the windows in its time."""
    desk = Desk()
    hour, minute = NOON // HOUR_US, NOON // MINUTE_US
    old = MetricState(
        minutes=OutcomeBuckets([minute - 90, minute - 5], [2, 1], [0, 1]),
        hours=OutcomeBuckets([hour - 200, hour - 1], [7, 3], [1, 1]),
        open=1,
        expires_at=NOON,
    )
    state = AccountState(as_of=NOON, metrics={"first_response": old})
    desk.states.put(ACCOUNT, encode_account_state(state), "wall", NOON)
    desk.take(tick(NOON))
    assert desk.standing("account").met == (1, 3, 3, 10, 10 if to_datetime(NOON).day > 9 else 3)
    assert desk.standing("team", BEYOND).breached[:4] == (1, 1, 1, 2)
    assert desk.standing("account").open == 1
    desk.take(tick(NOON + 31 * DAY_US))
    assert desk.standing("account").met == (0, 0, 0, 0, 0)


def test_a_report_is_as_small_as_what_it_says(desk: Desk) -> None:
    desk.decide(3, 1, NOON, "a", channel="email", priority="high", tier="gold", team="support", **GOLD)
    assert len(msgspec.json.encode(desk.report())) < 2_000
    assert [len(standing.met) for standing in desk.report().standings] == [len(WINDOW_NAMES)] * 6
