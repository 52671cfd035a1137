"""How many messages usually come: an average for each hour of the week, and a clock that runs by it.

The clock shows how many messages would usually have come. It hardly moves at night and runs fast on Monday morning, so
a span of it means the same at every hour. `topic_surge` and `silent_accounts` measure with it.
"""

from agents.domain.instant import HOUR_US, Instant
from schemas.issue_state import HOURS_OF_WEEK, VolumeRhythm

HOURS_OF_DAY = 24
_MOST_WEEKS = 8
"""An average over the last two months or so: seasons change."""
_LONGEST_GAP_HOURS = 4 * HOURS_OF_WEEK
"""Beyond four weeks without any message the source was off, and nothing is learned from that."""


def count(rhythm: VolumeRhythm, at: Instant) -> None:
    """Count a message at an instant that is not before those of earlier calls."""
    advance(rhythm, at)
    rhythm.count += 1


def advance(rhythm: VolumeRhythm, at: Instant) -> None:
    """Let time pass: finished hours enter their averages, and the clock runs on."""
    hour = at // HOUR_US
    if rhythm.hour is None:
        rhythm.hour, rhythm.clock_at = hour, at
    if hour - rhythm.hour > _LONGEST_GAP_HOURS:
        rhythm.hour, rhythm.count, rhythm.clock_at = hour, 0, at
    while rhythm.hour < hour:
        _run_to(rhythm, (rhythm.hour + 1) * HOUR_US)
        place = rhythm.hour % HOURS_OF_WEEK
        seen = rhythm.seen[place] = min(rhythm.seen[place] + 1, _MOST_WEEKS)
        rhythm.usual[place] += (rhythm.count - rhythm.usual[place]) / seen
        rhythm.hour += 1
        rhythm.count = 0
        rhythm.rate = _usual_in_hour(rhythm)
    if at > rhythm.clock_at:
        _run_to(rhythm, at)


def messages_an_hour(rhythm: VolumeRhythm) -> float:
    """How many messages an hour has brought in the mean, over all hours of the last two months or so."""
    hours = sum(rhythm.seen)
    if not hours:
        return float(rhythm.count)
    return sum(map(float.__mul__, rhythm.usual, map(float, rhythm.seen))) / hours


def _run_to(rhythm: VolumeRhythm, at: Instant) -> None:
    rhythm.clock += rhythm.rate * (at - rhythm.clock_at) / HOUR_US
    rhythm.clock_at = at


def _usual_in_hour(rhythm: VolumeRhythm) -> float:
    """Messages that the running hour usually brings: of this hour of the week, as far as it is known well enough.

    What one week says is mixed with what the same hour of the other days says, and that with the average of all.
    """
    place = (rhythm.hour or 0) % HOURS_OF_WEEK
    same_hour = range(place % HOURS_OF_DAY, HOURS_OF_WEEK, HOURS_OF_DAY)
    daily_seen = sum(rhythm.seen[one] for one in same_hour)
    daily = sum(rhythm.usual[one] * rhythm.seen[one] for one in same_hour)
    if not any(rhythm.seen):
        return 0.0
    daily = (daily + messages_an_hour(rhythm)) / (daily_seen + 1)
    return (rhythm.usual[place] * rhythm.seen[place] + 2 * daily) / (rhythm.seen[place] + 2)
