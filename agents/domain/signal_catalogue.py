"""The signals that Careline knows by itself, and the profile that it ships with.

The numbers are judgements, each with its reason beside it; a company that knows better changes its profile file, not
code. `agents.account_agent` scores by `DEFAULT_PROFILE`; `streams.health_files` lets a file use and override every
signal, and `careline health signals` lists them.
"""

from msgspec import Struct
from msgspec.structs import replace

from agents.domain.clock_rules import BUILT_IN as METRICS
from agents.domain.health_profile import ComponentRule, HealthFile, HealthProfile, SignalRule
from agents.domain.instant import DAY_US
from agents.domain.live_signals import FOUND
from agents.domain.normalisation import MILLION, Curve, Normalisation, Steps
from agents.domain.told_signals import SENTIMENT


class BuiltInSignal(Struct, frozen=True, kw_only=True):
    """A signal with what it means and its unit. `live` tells whether the account agent finds it out by itself."""

    rule: SignalRule
    meaning: str
    unit: str
    live: bool = False


def _points(*points: tuple[float, float]) -> Curve:
    """A curve from values and scores as people write them."""
    return tuple((round(value * MILLION), round(score * 100)) for value, score in points)


def _told(  # noqa: PLR0917 - a row of the table below
    name: str, meaning: str, unit: str, normalise: Normalisation, half_life_days: int | None, ttl_days: int
) -> BuiltInSignal:
    """A signal that connectors or files tell, in millionths."""
    rule = SignalRule(
        name=name,
        label=name.replace("_", " "),
        normalise=normalise,
        raw_unit=MILLION,
        half_life_us=None if half_life_days is None else half_life_days * DAY_US,
        ttl_us=ttl_days * DAY_US,
        counts=unit == "count",
    )
    return BuiltInSignal(rule=rule, meaning=meaning, unit=unit)


# What the account agent finds out itself is always of now; the times to live are for those who take it from a file.
_LIVE = (
    BuiltInSignal(
        rule=SignalRule(
            name="adherence_7d",
            label="adherence over 7 days",
            # 95 % is the common objective and just good; 80 % lies where amber turns into red; a coin toss is worth
            # nothing.
            normalise=((500_000, 0), (800_000, 40_00), (950_000, 85_00), (1_000_000, 100_00)),
            raw_unit=MILLION,
            ttl_us=7 * DAY_US,
        ),
        meaning="share of the promises decided in the last 7 days that were kept, over all metrics",
        unit="ratio, 0 to 1",
        live=True,
    ),
    BuiltInSignal(
        rule=SignalRule(
            name="overdue_clocks",
            label="overdue clocks",
            # Halves of a fresh overdue clock of priority normal. One of them costs a quarter; four, or one urgent, are
            # red; eight leave little; twelve, or one urgent that waits for more than a day, nothing.
            normalise=((0, 100_00), (2, 75_00), (8, 35_00), (16, 10_00), (24, 0)),
            raw_unit=2,
            ttl_us=DAY_US,
        ),
        meaning="promises past due and unanswered now, weighted by priority and by how long they have waited",
        unit="fresh overdue clocks of priority normal",
        live=True,
    ),
    BuiltInSignal(
        rule=SignalRule(
            name="contact_volume",
            label="contacts against the own baseline",
            # Up to half more or less is ordinary (the spread of a Poisson count of five to ten); three times as much is
            # trouble, and silence of an active account is an early sign of leaving.
            normalise=((0, 20_00), (500_000, 100_00), (1_500_000, 100_00), (3_000_000, 0)),
            raw_unit=MILLION,
            ttl_us=7 * DAY_US,
        ),
        meaning="messages of the last 7 days against the account's own 28 days before",
        unit="ratio, 1 is as usual",
        live=True,
    ),
    BuiltInSignal(
        rule=SignalRule(
            name="csat",
            label="satisfaction",
            # Answers are normalised to 0..100 before, and forgotten as `agents.domain.satisfaction` says.
            normalise=((0, 0), (100_00, 100_00)),
            raw_unit=100,
            half_life_us=30 * DAY_US,
            ttl_us=90 * DAY_US,
        ),
        meaning="answers to satisfaction surveys, whatever their scale",
        unit="0 to 100",
        live=True,
    ),
)

_TOLD = (
    # One urgent promise that is overdue is an emergency, whatever else is well.
    _told(
        "overdue_urgent",
        "urgent promises past due and unanswered now",
        "count",
        Steps(_points((0, 100), (1, 0))),
        None,
        1,
    ),
    # The halves of Bain's scale: detractors to 6, passives 7 and 8, promoters from 9 on. Asked twice a year.
    _told(
        "nps",
        "answer to how likely they are to recommend us",
        "0 to 10",
        Steps(_points((0, 0), (7, 50), (9, 100))),
        90,
        180,
    ),
    # CES 2.0 asks for agreement on seven steps; the middle says nothing either way.
    _told("ces", "answer to how easy we made it", "1 to 7, 7 is easiest", _points((1, 0), (7, 100)), 30, 90),
    # Below half of what they used is a habit that ends; somewhat more or less is the season.
    _told(
        "usage_trend",
        "uses of the last 7 days against the account's own 28 days before",
        "ratio, 1 is as usual",
        _points((0, 0), (0.8, 80), (1, 100)),
        None,
        7,
    ),
    _told(SENTIMENT, "tone of the customer's messages", "-1 to 1", _points((-1, 0), (1, 100)), 14, 60),
    # A third reopened means that answers do not hold; below one in twenty is ordinary.
    _told(
        "reopen_rate",
        "share of resolved conversations that came back",
        "ratio, 0 to 1",
        _points((0.05, 100), (0.3, 0)),
        None,
        30,
    ),
    # Seven in ten solved at once is what service desks count as good.
    _told(
        "first_contact_resolution",
        "share of the answered conversations that one answer resolved for good, over 30 days",
        "ratio, 0 to 1",
        _points((0.3, 0), (0.7, 80), (0.9, 100)),
        None,
        30,
    ),
    # What runs late soon is not yet broken: it weighs as overdue clocks do, one step later.
    _told(
        "predicted_breaches",
        "promises running now that will be broken at the rate of the last 30 days",
        "expected number",
        _points((0, 100), (1, 75), (4, 35), (8, 0)),
        None,
        1,
    ),
    _told(
        "clocks_at_risk",
        "promises warned of, or in the last fifth of their time",
        "count",
        _points((0, 100), (2, 75), (8, 0)),
        None,
        1,
    ),
    _told("open_clocks", "promises running now", "count", _points((5, 100), (50, 0)), None, 1),
    _told("escalations_30d", "escalations in 30 days", "count", Steps(_points((0, 100), (1, 50), (3, 0))), None, 30),
    # Weekly contact is lively, two months of silence is not (Tenzo caps after four weeks).
    _told(
        "days_since_contact", "days since we last heard from each other", "days", _points((7, 100), (60, 0)), None, 7
    ),
    _told(
        "onboarding", "share of the onboarding milestones reached", "ratio, 0 to 1", _points((0, 0), (1, 100)), None, 90
    ),
    # Having spoken for us once is the strongest word there is; not having done so says nothing.
    _told(
        "advocacy_90d",
        "references, reviews and referrals in 90 days",
        "count",
        Steps(_points((0, 50), (1, 100))),
        None,
        90,
    ),
    _told("payment_overdue_days", "days since an unpaid invoice was due", "days", _points((0, 100), (30, 0)), None, 45),
    # Three months before a renewal there is time for everything, in the last weeks for nothing.
    _told("days_to_renewal", "days until the subscription renews", "days", _points((0, 50), (90, 100)), None, 1),
    _told(
        "revenue_trend",
        "recurring revenue against a quarter before",
        "ratio, above 1 is expansion",
        _points((0.5, 0), (1, 70), (1.2, 100)),
        None,
        90,
    ),
    _told(
        "subscription_cancelled",
        "whether the subscription has been cancelled or has ended",
        "0 or 1",
        Steps(_points((0, 100), (1, 0))),
        None,
        90,
    ),
    # Goals are what the customer has bought us for.
    _told(
        "goals_reached",
        "how much of the customer's goals is reached",
        "ratio, 0 to 1",
        _points((0, 0), (1, 100)),
        None,
        90,
    ),
    _told(
        "goals_overdue",
        "customer's goals past their date and not reached",
        "count",
        Steps(_points((0, 100), (1, 40), (3, 0))),
        None,
        90,
    ),
    # Whoever brought us in has left: the relationship begins again.
    _told("champion_left", "whether our champion has left", "0 or 1", Steps(_points((0, 100), (1, 0))), None, 90),
    # A judgement older than a quarter is about another customer (Zudo drops it after 90 days).
    _told("pulse", "a person's own judgement of the account", "0 to 100", _points((0, 0), (100, 100)), 45, 90),
)


def _per_metric(metric: str) -> BuiltInSignal:
    everything = _LIVE[0]
    name = f"{metric}_adherence_7d"
    rule = replace(everything.rule, name=name, label=f"adherence of {metric} over 7 days")
    return replace(everything, rule=rule, meaning=f"the same of {metric} alone")


BUILT_IN: dict[str, BuiltInSignal] = {
    signal.rule.name: signal
    for signal in (
        *_LIVE,
        *(replace(signal, live=signal.rule.name in FOUND or signal.rule.name == SENTIMENT) for signal in _TOLD),
        *(_per_metric(metric) for metric in METRICS),
    )
}
"""By name, those that are found out live first; the adherence of each metric last."""


def built_in_rules() -> dict[str, SignalRule]:
    """The signals that need no declaration, by name, with raw values in millionths."""
    return {name: _in_millionths(signal.rule) for name, signal in BUILT_IN.items()}


def _in_millionths(rule: SignalRule) -> SignalRule:
    factor = MILLION // rule.raw_unit
    if not isinstance(rule.normalise, tuple):
        return rule
    curve = tuple((value * factor, score) for value, score in rule.normalise)
    return replace(rule, normalise=curve, raw_unit=MILLION)


def _weighing(name: str, weight: int) -> SignalRule:
    return replace(BUILT_IN[name].rule, weight=weight)


DEFAULT_PROFILE = HealthProfile(
    name="default",
    version="1",
    components=(
        # What we promised is what we can be held to, and what is known soonest: more than half of the whole. What is
        # overdue weighs less than a week of adherence because it is one moment, much because someone is waiting in it.
        ComponentRule(
            name="service", weight=60, signals=(_weighing("adherence_7d", 60), _weighing("overdue_clocks", 40))
        ),
        # Says that something changed, not whether it is bad: the lightest.
        ComponentRule(name="volume", weight=15, signals=(_weighing("contact_volume", 1),)),
        # The customer's own word: heavier than volume, lighter than service because few answer.
        ComponentRule(name="voice", weight=25, signals=(_weighing("csat", 1),)),
    ),
)


def default_file() -> HealthFile:
    """The profile that Careline ships with as a profile file, with raw values in millionths."""
    components = tuple(
        replace(component, signals=tuple(_in_millionths(rule) for rule in component.signals))
        for component in DEFAULT_PROFILE.components
    )
    profile = replace(DEFAULT_PROFILE, components=components)
    return HealthFile(version=DEFAULT_PROFILE.version, profiles=(profile,), signals=built_in_rules())
