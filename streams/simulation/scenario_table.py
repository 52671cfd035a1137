"""What may happen to a simulated company, as data: each scenario is a few phases that change how people behave.

`conversation_script` and `story` ask for the circumstances at an instant of the story; `careline simulate --scenario`
names one.
"""

from dataclasses import dataclass

DAY_HOURS = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How people behave.

    Attributes:
        volume: How many conversations begin, relative to an ordinary day.
        slowness: How long answers take, relative to an ordinary day.
        urgency: Share of new conversations that are urgent whatever they are about.
        unanswered: Share of conversations that nobody ever answers.
        gaming: Share of answers that say nothing and only stop the clock.
        valued_volume: How many conversations the most valued customers begin, relative to an ordinary day.
        discontent: What a survey loses whatever the waiting, in points of five.
        surveyed: Share of conversations whose survey is answered.
    """

    volume: float = 1.0
    slowness: float = 1.0
    urgency: float = 0.0
    unanswered: float = 0.015
    gaming: float = 0.0
    valued_volume: float = 1.0
    discontent: float = 0.0
    surveyed: float = 0.4


ORDINARY = Circumstances()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Circumstances between two moments, in hours since the story began. A daily one comes back every 24 hours."""

    begins_hours: float
    ends_hours: float
    circumstances: Circumstances
    daily: bool = True

    def covers(self, hours: float) -> bool:
        """Whether the phase is on, so many hours into the story."""
        return self.begins_hours <= (hours % DAY_HOURS if self.daily else hours) < self.ends_hours


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, what it shows, and its phases; the first that covers a moment holds."""

    name: str
    meaning: str
    phases: tuple[Phase, ...] = ()

    def at(self, hours: float) -> Circumstances:
        """The circumstances so many hours into the story."""
        return next((phase.circumstances for phase in self.phases if phase.covers(hours)), ORDINARY)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", "an ordinary day"),
        Scenario(
            "incident-hour",
            "something breaks: for an hour four times as many people write, and answers take three times as long",
            (
                Phase(
                    begins_hours=1.0,
                    ends_hours=2.0,
                    circumstances=Circumstances(volume=4.0, slowness=3.0, urgency=0.25, unanswered=0.05),
                ),
                # What piled up is answered late for two more hours.
                Phase(begins_hours=2.0, ends_hours=4.0, circumstances=Circumstances(slowness=1.8)),
            ),
        ),
        Scenario(
            "silent-vip",
            "after the first hour the most valued customers stop writing",
            (
                Phase(
                    begins_hours=1.0,
                    ends_hours=float("inf"),
                    circumstances=Circumstances(valued_volume=0.0),
                    daily=False,
                ),
            ),
        ),
        Scenario(
            "backlog-storm",
            "half of the team is away in the morning, and everything waits",
            (
                Phase(begins_hours=0.0, ends_hours=3.0, circumstances=Circumstances(slowness=6.0, unanswered=0.08)),
                Phase(begins_hours=3.0, ends_hours=5.0, circumstances=Circumstances(slowness=0.5)),
            ),
        ),
        Scenario(
            "clock-gaming",
            "answers that say nothing arrive just in time, tickets are closed early and come back",
            (Phase(begins_hours=0.0, ends_hours=DAY_HOURS, circumstances=Circumstances(gaming=0.6, slowness=2.0)),),
        ),
    )
}
