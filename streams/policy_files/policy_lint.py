"""What is allowed and still looks like a mistake: warnings about a policy file that has no errors.

Called by `policy_reader` at the end. Each check is a generator of (path in the file, message, suggestion).
"""

from collections.abc import Iterator
from typing import NamedTuple

from agents.domain.calendar import CalendarNeverOpens, compile_calendars
from agents.domain.instant import SECOND_US, from_datetime
from schemas.policy import ALWAYS, Condition, Duration, MetricTarget, Policy, PolicyFile
from streams.policy_files.condition_reader import STATUSES
from streams.policy_files.located_yaml import Node, place_at
from streams.policy_files.policy_overlap import contradicts_itself
from streams.policy_files.problem import Problems

COMPUTED_METRICS = frozenset({"first_response", "next_response", "first_resolution"})
"""Metrics that `agents.domain.conversation` starts clocks for; the others are accepted and promise nothing yet."""

_CHANGING_KEYS = frozenset({"status", "priority", "tag", "team", "inbox"})
"""What changes while a conversation lives, and so can end a pause; an account's tier hardly does."""
_ACTIVE_STATUSES = frozenset({"new", "open"})


class Doubt(NamedTuple):
    """Something to look at. `path` leads to its place in the file."""

    path: tuple[str | int, ...]
    message: str
    suggestion: str | None = None


def lint(policy_file: PolicyFile, root: Node, problems: Problems) -> None:
    """Add a warning for everything that looks like a mistake."""
    for doubt in _doubts(policy_file):
        problems.warning(place_at(root, *doubt.path), doubt.message, doubt.suggestion)


def _doubts(policy_file: PolicyFile) -> Iterator[Doubt]:
    yield from _unused_calendars(policy_file)
    yield from (
        Doubt(("clocks", name), "clocks of your own are not computed yet by this version")
        for name in policy_file.clocks
    )
    for index, policy in enumerate(policy_file.policies):
        yield from _policy_doubts(("policies", index), policy)
        for metric, target in policy.targets.items():
            path = ("policies", index, "targets", metric)
            if metric not in COMPUTED_METRICS:
                yield Doubt(
                    path, f"{metric} is not computed yet by this version", "the rest of the file works without it"
                )
            yield from _pause_doubts((*path, "pause_when"), target)
    yield from _targets_out_of_reach(policy_file)
    last = policy_file.policies[-1]
    if last.when != Condition():
        message = "no policy is for everyone else: conversations that match none have no promise"
        yield Doubt(("policies", len(policy_file.policies) - 1), message, "end with a policy without `when`")


def _unused_calendars(policy_file: PolicyFile) -> Iterator[Doubt]:
    used = {policy.calendar for policy in policy_file.policies}
    used |= {target.calendar or "" for policy in policy_file.policies for target in policy.targets.values()}
    used |= {member for spec in policy_file.calendars.values() for member in (*spec.union, *spec.intersection)}
    for name in policy_file.calendars:
        if name not in used:
            yield Doubt(("calendars", name), f"no policy uses the calendar {name!r}")


def _policy_doubts(path: tuple[str | int, ...], policy: Policy) -> Iterator[Doubt]:
    if contradicts_itself(policy.when):
        message = f"policy {policy.id!r} can never match: its `not` forbids what its other keys ask for"
        yield Doubt((*path, "when"), message)
    if not policy.targets:
        yield Doubt(path, f"policy {policy.id!r} promises nothing", "add `targets:`")
    if policy.objective is not None and policy.objective.ratio == 1:
        yield Doubt(
            (*path, "objective", "ratio"), "an objective of 100 % leaves no error budget: the first breach ends it"
        )


def _pause_doubts(path: tuple[str | int, ...], target: MetricTarget) -> Iterator[Doubt]:
    condition = target.pause_when
    if condition is None or condition == Condition():
        return
    if not _keys(condition) & _CHANGING_KEYS:
        yield Doubt(path, "this pause can never end: nothing that it asks for changes", "pause by `status`")
    elif set(condition.any_of) == {"status"} and condition.negated is None:
        words = set(condition.any_of["status"])
        if words >= set(STATUSES):
            yield Doubt(path, "this pause can never end: it holds in every status")
        elif words & _ACTIVE_STATUSES:
            named = " and ".join(sorted(words & _ACTIVE_STATUSES))
            yield Doubt(path, f"the clock pauses while the conversation is {named}, when somebody should be working")


def _keys(condition: Condition) -> set[str]:
    return set(condition.any_of) | (_keys(condition.negated) if condition.negated else set())


def _targets_out_of_reach(policy_file: PolicyFile) -> Iterator[Doubt]:
    """Targets that nobody can meet, and targets that a calendar has no time for."""
    calendars = compile_calendars(policy_file.calendars)
    start = from_datetime(policy_file.effective_from) if policy_file.effective_from else 0
    for index, policy in enumerate(policy_file.policies):
        for metric, target in policy.targets.items():
            path = ("policies", index, "targets", metric)
            calendar = calendars[target.calendar or policy.calendar]
            for duration in _durations(target):
                if not duration.seconds and not duration.business_days:
                    yield Doubt(path, f"a target of {duration.text} can never be met")
                elif calendar.name != ALWAYS.name:
                    try:
                        if duration.seconds is not None:
                            calendar.after(start, duration.seconds * SECOND_US)
                        else:
                            calendar.after_business_days(start, duration.business_days or 0)
                    except CalendarNeverOpens:
                        yield Doubt(path, f"calendar {calendar.name!r} is not open long enough for {duration.text}")


def _durations(target: MetricTarget) -> list[Duration]:
    return [*([target.target] if target.target else []), *target.by_priority.values()]
