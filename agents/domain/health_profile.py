"""Health profiles: which signals make up the score, what they are worth, and how a raw value becomes 0..100.

`agents.domain.scoring` calculates with a profile, `agents.domain.account_health` supplies the raw values. The numbers
of the default are judgements, each with its reason beside it; a company that knows better changes data, not code.
"""

from typing import Literal

from msgspec import Struct

SignalName = Literal["adherence_7d", "overdue_clocks", "contact_volume", "csat"]
Curve = tuple[tuple[int, int], ...]
"""Points (raw value, hundredths of 0..100) with ascending raw values; straight lines between them, level beyond the
ends."""

MILLION = 1_000_000
"""Ratios are raw values in millionths."""


class SignalRule(Struct, frozen=True, kw_only=True):
    """One signal. `raw_unit` is how many raw units make one of the published `value`; `label` names it in sentences."""

    name: SignalName
    label: str
    weight: int
    curve: Curve
    raw_unit: int = 1


class ComponentRule(Struct, frozen=True, kw_only=True):
    """Signals that say the same kind of thing. Weights count among the signals of the component."""

    name: str
    weight: int
    signals: tuple[SignalRule, ...]


class HealthProfile(Struct, frozen=True, kw_only=True):
    """A whole profile. Scores are hundredths: amber begins at `amber_from`, green at `green_from`."""

    name: str
    version: str
    components: tuple[ComponentRule, ...]
    # 40 and 70 are the edges that customer success platforms ship with most often.
    amber_from: int = 40_00
    green_from: int = 70_00
    # One answer or one breach moves a score by about three points: less is noise at an edge.
    hysteresis: int = 3_00
    # A tenth of a point is the least that a board shows.
    publish_step: int = 10

    @property
    def signals(self) -> tuple[tuple[ComponentRule, SignalRule], ...]:
        """All signals in order, each with its component."""
        return tuple((component, signal) for component in self.components for signal in component.signals)


DEFAULT_PROFILE = HealthProfile(
    name="default",
    version="1",
    components=(
        ComponentRule(
            name="service",
            # What we promised is what we can be held to, and what is known soonest: more than half of the whole.
            weight=60,
            signals=(
                SignalRule(
                    name="adherence_7d",
                    label="adherence over 7 days",
                    weight=60,
                    # 95 % is the common objective and just good; 80 % lies where amber turns into red; a coin toss is
                    # worth nothing.
                    curve=((500_000, 0), (800_000, 40_00), (950_000, 85_00), (1_000_000, 100_00)),
                    raw_unit=MILLION,
                ),
                SignalRule(
                    name="overdue_clocks",
                    label="overdue clocks",
                    # Weighs less than a week of adherence because it is one moment, much because someone is waiting in
                    # it.
                    weight=40,
                    # Halves of a fresh overdue clock of priority normal. One of them costs a quarter; four, or one
                    # urgent, are red; eight leave little; twelve, or one urgent that waits for more than a day,
                    # nothing.
                    curve=((0, 100_00), (2, 75_00), (8, 35_00), (16, 10_00), (24, 0)),
                    raw_unit=2,
                ),
            ),
        ),
        ComponentRule(
            name="volume",
            # Says that something changed, not whether it is bad: the lightest.
            weight=15,
            signals=(
                SignalRule(
                    name="contact_volume",
                    label="contacts against the own baseline",
                    weight=1,
                    # Up to half more or less is ordinary (the spread of a Poisson count of five to ten); three times as
                    # much is trouble, and silence of an active account is an early sign of leaving.
                    curve=((0, 20_00), (500_000, 100_00), (1_500_000, 100_00), (3_000_000, 0)),
                    raw_unit=MILLION,
                ),
            ),
        ),
        ComponentRule(
            name="voice",
            # The customer's own word: heavier than volume, lighter than service because few answer.
            weight=25,
            signals=(
                SignalRule(
                    name="csat",
                    label="satisfaction",
                    weight=1,
                    # Answers are normalised to 0..100 before.
                    curve=((0, 0), (100_00, 100_00)),
                    raw_unit=100,
                ),
            ),
        ),
    ),
)
