"""Targets, warnings and objectives that promise less than they seem to: too long, too short, or for nobody.

Used by `policy_lint`, calendar arithmetic by `agents.domain.calendar`.
"""

from collections.abc import Iterator, Mapping, Sequence

from agents.domain.calendar import Calendar, CalendarNeverOpens
from agents.domain.clock_rules import BUILT_IN, EVENT_KEYS
from agents.domain.instant import SECOND_US, Instant
from agents.domain.natural_start import RESOLVED_STATUSES
from agents.domain.occurrences import RESOLVED
from schemas.policy import ALWAYS, PRIORITIES, Condition, DeclaredClock, Duration, MetricTarget, Policy, PolicyFile
from streams.policy_files.clock_lint import pause_doubts
from streams.policy_files.condition_logic import can_hold, keys_of
from streams.policy_files.doubt import Doubt, Path

TEXT_CHANNELS = frozenset({"email", "slack", "teams", "discord", "chat", "form", "forum", "social", "sms", "survey"})
"""Channels that nobody calls on."""
METRICS_OF_CALLS = frozenset({"speed_of_answer"})


def target_doubts(
    policy_file: PolicyFile, index: int, calendars: Mapping[str, Calendar], start: Instant
) -> Iterator[Doubt]:
    """Everything doubtful about the targets of one policy of a file, from an instant on."""
    policy, path = policy_file.policies[index], ("policies", index)
    for metric, target in policy.targets.items():
        here: Path = (*path, "targets", metric)
        if target.pause_when is not None and target.pause_when != Condition():
            yield from pause_doubts((*here, "pause_when"), policy, target.pause_when)
            yield from _paused_when_over((*here, "pause_when"), metric, target.pause_when)
        yield from _never_started(here, policy, metric, policy_file.clocks)
        yield from _priorities(here, policy, target, policy_file.policies[:index])
        yield from _out_of_reach(here, target, calendars[target.calendar or policy.calendar], start)
    yield from _warnings(path, policy)


def _paused_when_over(path: Path, metric: str, pause: Condition) -> Iterator[Doubt]:
    """A pause for statuses that satisfy the very clock: it has ended by then."""
    rule = BUILT_IN.get(metric)
    over = [word for word in pause.any_of.get("status", ()) if word in RESOLVED_STATUSES]
    if rule is not None and rule.satisfied_by & RESOLVED and over:
        message = f"{metric} never pauses while the conversation is {' or '.join(over)}: that satisfies it"
        yield Doubt((*path, "status"), message, f"take {' and '.join(over)} out of it")


def _never_started(path: Path, policy: Policy, metric: str, clocks: Mapping[str, DeclaredClock]) -> Iterator[Doubt]:
    clock = clocks.get(metric)
    start = None if clock is None else _of_the_conversation(clock.start)
    if start is not None and can_hold(start) and can_hold(policy.when) and not can_hold(start, policy.when):
        message = f"nothing can start {metric} here: policy {policy.id!r} is for other conversations than its `start`"
        yield Doubt(path, message, "compare the `start` of the clock with the `when` of the policy")
    if metric in METRICS_OF_CALLS and not any(
        can_hold(policy.when, Condition({"channel": (channel,)})) for channel in _channels_of_calls(policy.when)
    ):
        message = f"nothing can start {metric} here: nobody calls on the channels of policy {policy.id!r}"
        yield Doubt(path, message, "promise it in a policy for channel phone")


def _of_the_conversation(condition: Condition) -> Condition:
    """A condition of a clock in the words of `when`, where `type` is not that of an event."""
    return Condition(
        {f"event {key}" if key in EVENT_KEYS else key: words for key, words in condition.any_of.items()},
        None if condition.negated is None else _of_the_conversation(condition.negated),
    )


def _channels_of_calls(condition: Condition) -> list[str]:
    """Channels that a condition may mean on which somebody may call: those it names, and one that it does not."""
    return ["phone", *(channel for channel in condition.any_of.get("channel", ()) if channel not in TEXT_CHANNELS)]


def _priorities(path: Path, policy: Policy, target: MetricTarget, earlier: Sequence[Policy]) -> Iterator[Doubt]:
    """Priorities that have no target, and targets for priorities that the policy is not for."""
    if not can_hold(policy.when):
        return
    for priority in target.by_priority:
        if not can_hold(policy.when, Condition({"priority": (priority,)})):
            message = f"policy {policy.id!r} is not for priority {priority}, so this target is never used"
            yield Doubt((*path, "target", priority), message, "remove it, or compare it with `when`")
    if target.target is not None or target.by_priority.keys().isdisjoint(PRIORITIES):
        return
    missing = [
        priority
        for priority in PRIORITIES
        if priority not in target.by_priority
        and can_hold(policy.when, Condition({"priority": (priority,)}))
        and not _has_been_thought_of(priority, policy, earlier)
    ]
    if missing:
        message = f"{path[-1]} has no target for {_listed(missing)}: such a clock runs and is never due"
        yield Doubt(path, message, f"add `{missing[0]}:`, if that is not meant")


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _has_been_thought_of(priority: str, policy: Policy, earlier: Sequence[Policy]) -> bool:
    """Whether an earlier policy, by naming priorities, takes some of these conversations for itself."""
    asked = Condition({"priority": (priority,)})
    return any("priority" in keys_of(other.when) and can_hold(policy.when, other.when, asked) for other in earlier)


def _out_of_reach(path: Path, target: MetricTarget, calendar: Calendar, start: Instant) -> Iterator[Doubt]:
    """Targets that nobody can meet, and targets that a calendar has no time for."""
    for here, duration in _durations(path, target):
        if not duration.seconds and not duration.business_days:
            message = f"a target of {duration.text} is due at its start, or at the next opening"
            yield Doubt(here, message, "allow some time, or leave the target out")
        elif calendar.name != ALWAYS.name and not _has_time(calendar, duration, start):
            message = (
                f"calendar {calendar.name!r} is not open long enough for {duration.text}: such a clock is never due"
            )
            yield Doubt(here, message, "give it regular hours, or another calendar to this target")


def _has_time(calendar: Calendar, duration: Duration, start: Instant) -> bool:
    try:
        if duration.seconds is not None:
            calendar.after(start, duration.seconds * SECOND_US)
        else:
            calendar.after_business_days(start, duration.business_days or 0)
    except CalendarNeverOpens:
        return False
    return True


def _durations(path: Path, target: MetricTarget) -> list[tuple[Path, Duration]]:
    found: list[tuple[Path, Duration]] = [(path, target.target)] if target.target is not None else []
    found += [((*path, "target", priority), duration) for priority, duration in target.by_priority.items()]
    return found


def _warnings(path: Path, policy: Policy) -> Iterator[Doubt]:
    """Thresholds that are never reached: all targets are shorter. Business days are of no known length."""
    durations = [duration for target in policy.targets.values() for _, duration in _durations((), target)]
    lengths = [duration.seconds for duration in durations]
    longest = None if not lengths or None in lengths else max(length for length in lengths if length is not None)
    seen: set[tuple[float | None, int | None]] = set()
    for index, threshold in enumerate(policy.warn_at):
        here = (*path, "warn_at", index)
        meaning = (threshold.used_ratio, threshold.left_seconds)
        if meaning in seen:
            yield Doubt(here, f"warn_at: {threshold.text} occurs twice and warns once", "remove one of the two")
        elif longest is not None and (threshold.left_seconds or 0) > longest:
            message = f"warn_at: {threshold.text} never warns: no target of policy {policy.id!r} is that long"
            yield Doubt(here, message, "write a share of the target, for example 75%")
        elif not durations:
            message = f"warn_at: {threshold.text} never warns: policy {policy.id!r} has no target"
            yield Doubt(here, message, "add `targets:`, or leave `warn_at` out")
        seen.add(meaning)
