"""How soon and how surely planted issues are noticed, how often nothing is taken for something, and how fast.

`python -m tests.benchmark.bench_issues [STREAMS] [--desks]`. Made-up streams (`tests.message_stories`) on seeds that
nothing was tuned on: two weeks of 1,000 messages a workday; on one of the last days a theme rises for four hours, one
that is always there or one that never was. Quiet months for false alarms. Beside the detector stands what a desk can do
without one: an alarm when an hour brings more than three times the messages of the same hour on the days before.
With `--desks` smaller desks instead, and many quiet months of each size: false alarms are rare.
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant
from agents.domain.message_words import stem
from agents.domain.topic_surge import Sensitivity
from schemas.issue_state import CustomerMessage
from streams.history.message_watch import surges_in
from tests.message_stories import Story, quiet_story, story_with_issue

FIRST_SEED = 70_000
HEAD = ("planted", "found", "median", "p90", "precision", "named", "accounts", "all")
LENGTH_US = 4 * HOUR_US
GRACE_US = HOUR_US
"""An alarm shortly after the end was raised by what came before it."""
VOLUME_GROWTH = 3.0
LEAST_OF_HOUR = 10
FIRST_QUIET_SEED = 180_000


class Desk(NamedTuple):
    """A size of desk: messages a workday, days of a stream, and messages an hour of a small and of a large issue."""

    per_day: int
    days: int
    small: float
    large: float
    quiet_months: int


DESKS = (Desk(20, 30, 1.5, 3, 150), Desk(100, 21, 3, 6, 80), Desk(400, 14, 5, 10, 40))
LARGE = Desk(1_000, 14, 8, 15, 12)
"""A stream has to have a past: 20 messages a day need a month for one. Of the large desk, the slowest, half as many."""
FLOOR_PER_SECOND = 5_000
"""Far below what any machine of today does: the measurement fails when something has become quadratic."""


@dataclass(slots=True)
class Tally:
    """What came of some streams."""

    streams: int = 0
    delays: list[float] = field(default_factory=list)
    named_rightly: int = 0
    alarms: int = 0
    alarms_of_issue: int = 0
    account_precision: list[float] = field(default_factory=list)
    account_recall: list[float] = field(default_factory=list)


def volume_alarms(messages: Sequence[CustomerMessage]) -> list[Instant]:
    """The naive baseline: the first message of an hour that makes it three times as busy as it usually is."""
    by_hour: defaultdict[int, int] = defaultdict(int)
    alarms: list[Instant] = []
    for message in messages:
        hour = message.at // HOUR_US
        by_hour[hour] += 1
        past = [by_hour[hour - 24 * days] for days in range(1, 8)]
        usual = sum(past) / len(past)
        is_new = not alarms or message.at - alarms[-1] > DAY_US
        if (
            is_new
            and by_hour[hour] >= max(LEAST_OF_HOUR, VOLUME_GROWTH * usual)
            and hour * HOUR_US > messages[0].at + 7 * DAY_US
        ):
            alarms.append(message.at)
    return alarms


def judge(story: Story, tally: Tally) -> None:
    """Run the detector over a story with an issue."""
    assert story.began_at is not None
    tally.streams += 1
    surges = surges_in(story.messages, Sensitivity())
    tally.alarms += len(surges)
    of_issue = [surge for surge in surges if story.began_at <= surge.raised_at <= story.began_at + LENGTH_US + GRACE_US]
    tally.alarms_of_issue += len(of_issue)
    if not of_issue:
        return
    first = of_issue[0]
    tally.delays.append((first.raised_at - story.began_at) / MINUTE_US)
    tally.named_rightly += bool({stem(word) for word in first.topic.split()} & {stem(word) for word in story.words})
    right = len(story.planted_accounts.intersection(first.accounts))
    tally.account_precision.append(right / len(first.accounts))
    tally.account_recall.append(right / len(story.planted_accounts))


def judge_volume(story: Story, tally: Tally) -> None:
    """Run the naive baseline over a story with an issue."""
    assert story.began_at is not None
    tally.streams += 1
    alarms = volume_alarms(story.messages)
    of_issue = [at for at in alarms if story.began_at <= at <= story.began_at + LENGTH_US + GRACE_US]
    tally.alarms += len(alarms)
    tally.alarms_of_issue += len(of_issue)
    if of_issue:
        tally.delays.append((of_issue[0] - story.began_at) / MINUTE_US)


def line(name: str, tally: Tally) -> str:
    """A row of the table."""
    found = f"{len(tally.delays)}/{tally.streams}"
    if not tally.delays:
        return f"{name:<42} {found:>7}"
    p90 = statistics.quantiles(tally.delays, n=10)[-1] if len(tally.delays) > 1 else tally.delays[0]
    precision = tally.alarms_of_issue / tally.alarms
    text = f"{name:<42} {found:>7} {statistics.median(tally.delays):>8.0f} {p90:>6.0f} {precision:>10.2f}"
    if tally.account_recall:
        named = tally.named_rightly / len(tally.delays)
        right, all_of = statistics.mean(tally.account_precision), statistics.mean(tally.account_recall)
        text += f" {named:>6.0%} {right:>9.2f} {all_of:>6.2f}"
    return text


def by_desk(streams: int) -> None:
    """Measure false alarms, and how soon how many issues are noticed, over sizes of desks."""
    print(f"{'messages a workday':<20} {'quiet months':>12} {'false alarms':>12} {'a month':>8}")
    for desk in (*DESKS, LARGE):
        seeds = range(FIRST_QUIET_SEED, FIRST_QUIET_SEED + desk.quiet_months)
        months = (quiet_story(seed, per_day=desk.per_day).messages for seed in seeds)
        false = sum(len(surges_in(messages, Sensitivity())) for messages in months)
        print(f"{desk.per_day:<20,} {desk.quiet_months:>12} {false:>12} {false / desk.quiet_months:>8.2f}", flush=True)
    print("{:<42} {:>7} {:>8} {:>6} {:>10} {:>6} {:>9} {:>6}".format(*HEAD))
    for desk in (*DESKS, LARGE):
        for is_novel in (True, False):
            for per_hour in (desk.small, desk.large):
                tally = Tally()
                for seed in range(FIRST_SEED, FIRST_SEED + (streams // 2 if desk is LARGE else streams)):
                    story = story_with_issue(
                        seed, is_novel=is_novel, per_hour=per_hour, days=desk.days, per_day=desk.per_day
                    )
                    judge(story, tally)
                kind = "a new theme" if is_novel else "a known theme"
                print(line(f"{desk.per_day:,} a day: {kind}, {per_hour:g} an hour", tally), flush=True)


def main(streams: int) -> None:
    """Measure and print."""
    print("{:<42} {:>7} {:>8} {:>6} {:>10} {:>6} {:>9} {:>6}".format(*HEAD))
    for is_novel in (True, False):
        for per_hour in (30, 15, 8):
            tally, naive = Tally(), Tally()
            for seed in range(FIRST_SEED, FIRST_SEED + streams):
                story = story_with_issue(seed, is_novel=is_novel, per_hour=per_hour)
                judge(story, tally)
                judge_volume(story, naive)
            kind = "a new theme" if is_novel else "a known theme"
            print(line(f"{kind}, {per_hour} an hour", tally))
            print(line("  by volume alone", naive))
    false = naive_false = counted = 0
    seconds = 0.0
    for seed in range(FIRST_SEED, FIRST_SEED + streams):
        messages = quiet_story(seed).messages
        began = time.perf_counter()
        false += len(surges_in(messages, Sensitivity()))
        seconds += time.perf_counter() - began
        naive_false += len(volume_alarms(messages))
        counted += len(messages)
    print(f"{streams} quiet months: {false} false alarms, by volume alone {naive_false}")
    print(f"{counted / seconds:,.0f} messages per second and core")
    assert counted / seconds > FLOOR_PER_SECOND


if __name__ == "__main__":
    chosen = [int(word) for word in sys.argv[1:] if word.isdigit()]
    measure = by_desk if "--desks" in sys.argv else main
    measure(chosen[0] if chosen else 12)
