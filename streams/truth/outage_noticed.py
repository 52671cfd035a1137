"""How soon the outage of a life is noticed, and how often one is told of an outage that is none.

By the detector of `careline issues run`, and by counting: a message more than three times what the same hour of the
week usually brings.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agents.domain.instant import HOUR_US, MINUTE_US, Instant, from_datetime
from agents.domain.topic_surge import Sensitivity
from schemas.interaction import Interaction
from schemas.issue_state import CustomerMessage
from streams.history.message_watch import surges_in
from streams.simulation.conversation_script import Timed
from streams.simulation.hidden_truth import Outage

DETECTOR, VOLUME = "topic surges", "messages of the hour"

AFTERWARDS_US = 6 * HOUR_US
"""An alarm so long after the end is of no use any more, and counts as false."""

TIMES_USUAL, LEAST_IN_HOUR = 3, 5
WEEKS_BACK, HOURS_OF_WEEK = 4, 168
ONE_ALARM_HOURS = 24


class Noticed(NamedTuple):
    """What one way of watching makes of a life: minutes until it notices the outage, null if never; false alarms."""

    delay_minutes: float | None
    false_alarms: int


def customer_messages(events: Sequence[Timed]) -> list[CustomerMessage]:
    """What customers wrote, in order."""
    return [
        CustomerMessage(id=event.id, at=at, account=event.account_id or "", text=event.text)
        for at, event in events
        if isinstance(event, Interaction) and event.author.kind == "customer" and event.text is not None
    ]


def noticed_by_topic(events: Sequence[Timed], outage: Outage) -> Noticed:
    """By surges: right is one that began in the outage and of whose first messages half tell of it."""
    told_in = set(outage.conversations)
    texts = {each.text for _, each in events if isinstance(each, Interaction) and each.conversation_id in told_in}
    alarms = [
        (surge.raised_at, 2 * sum(text in texts for text in surge.messages) >= len(surge.messages))
        for surge in surges_in(customer_messages(events), Sensitivity())
    ]
    return _noticed(alarms, outage)


def noticed_by_volume(events: Sequence[Timed], outage: Outage) -> Noticed:
    """By counting messages, whatever they say."""
    return _noticed([(at, True) for at in _loud_hours(customer_messages(events))], outage)


def _loud_hours(messages: Sequence[CustomerMessage]) -> Iterator[Instant]:
    counts: Counter[int] = Counter()
    alarmed_in: int | None = None
    first = messages[0].at // HOUR_US if messages else 0
    for message in messages:
        hour = message.at // HOUR_US
        counts[hour] += 1
        if hour - first < WEEKS_BACK * HOURS_OF_WEEK:
            continue
        usual = sum(counts[hour - week * HOURS_OF_WEEK] for week in range(1, WEEKS_BACK + 1)) / WEEKS_BACK
        is_loud = counts[hour] >= max(LEAST_IN_HOUR, TIMES_USUAL * usual)
        if is_loud and (alarmed_in is None or hour - alarmed_in >= ONE_ALARM_HOURS):
            alarmed_in = hour
            yield message.at


def _noticed(alarms: Sequence[tuple[Instant, bool]], outage: Outage) -> Noticed:
    begins_at, ends_at = from_datetime(outage.begins_at), from_datetime(outage.ends_at)
    right = [at for at, is_of_it in alarms if is_of_it and begins_at <= at < ends_at + AFTERWARDS_US]
    delay = (min(right) - begins_at) / MINUTE_US if right else None
    return Noticed(delay, len(alarms) - len(right))
