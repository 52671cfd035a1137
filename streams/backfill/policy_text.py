"""Calendars and policies as a policy file that people go on with: comments say where it came from and what is missing.

Pure. The format is that of `docs/policy-format.md`; `careline policy check` reads what comes out without an error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from textwrap import wrap

from schemas.policy import Condition
from streams.backfill.zendesk_policies import ALWAYS, NEVER_PAUSED, PolicyDraft, TargetDraft
from streams.backfill.zendesk_schedules import CalendarDraft, Interval
from streams.policy_files.hours_reader import WEEKDAYS

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_NOT_PLAIN = frozenset({"null", "true", "false", "not"})

EVERYONE = """
  # Nothing could be taken over as it is, and a file has at least one policy: this one promises nothing.
  - id: nothing-promised
    targets: {}"""


def policy_text(
    policies: Sequence[PolicyDraft],
    calendars: Mapping[str, CalendarDraft],
    *,
    origin: str,
    version: str,
    effective_from: datetime | None,
) -> str:
    """A whole file. Business hours are those of the first calendar that ever opens."""
    usable = [each for each in calendars.values() if each.weekly]
    office = usable[0].name if usable else None
    lines = [
        *_comment(f"Taken over from {origin}. Look at every comment before you publish it.", 0),
        *_comment(
            "A policy with a condition that cannot be said here stands as a comment: without that condition it would "
            "promise something to others. What it was for falls to the policies behind it.",
            0,
        ),
        *_comment("A ticket without a priority has no target at Zendesk; here it counts as normal.", 0),
        f"version: {_quoted(version)}",
    ]
    if effective_from is not None:
        lines.append(f"effective_from: {effective_from:%Y-%m-%dT%H:%M:%SZ}  # as far back as the history goes")
    if office is None and any(target.business for policy in policies for target in policy.targets):
        lines += _comment(
            "There are no business hours at Zendesk that ever open: all targets count around the clock.", 0
        )
    if calendars:
        lines += ["", *(["calendars:"] if usable else [])]
        for calendar in calendars.values():
            lines += _calendar(calendar)
    if len(usable) > 1:
        lines += _comment(
            f"Which schedule a ticket has is set by triggers at Zendesk. Here all policies count those of {office}: "
            "give them another calendar where they need one.",
            0,
        )
    lines += ["", "policies:  # the first that matches counts"]
    for policy in policies:
        lines += _policy(policy, office or ALWAYS)
    if all(policy.unsaid for policy in policies):
        lines += EVERYONE.splitlines()
    return "\n".join(lines) + "\n"


def _calendar(calendar: CalendarDraft) -> Iterator[str]:
    yield from _comment(calendar.title, 2)
    for note in calendar.notes:
        yield from _comment(note, 2)
    if not calendar.weekly:
        yield from _comment("left out: it never opens", 2)
        return
    yield f"  {calendar.name}:"
    yield f"    time_zone: {calendar.time_zone}"
    yield "    weekly:"
    for hours, days in groupby(calendar.weekly, key=lambda day: tuple(calendar.weekly[day])):
        for run in _runs(list(days)):
            yield f"      {run}: [{', '.join(map(_interval, hours))}]"
    if calendar.holidays:
        yield "    holidays:"
        for day, name in calendar.holidays.items():
            yield f"      - {day.isoformat()}  # {_one_line(name)}"


def _runs(days: Sequence[str]) -> Iterator[str]:
    """Days that follow each other as `mon-fri`."""
    numbered = [(WEEKDAYS.index(day), day) for day in days]
    for _, group in groupby(enumerate(numbered), key=lambda each: each[1][0] - each[0]):
        run = [day for _, (_, day) in group]
        yield run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}"


def _interval(interval: Interval) -> str:
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in interval)


def _policy(policy: PolicyDraft, office: str) -> Iterator[str]:
    yield ""
    yield from _comment(policy.title, 2)
    for note in policy.notes:
        yield from _comment(note, 2)
    for reason in policy.unsaid:
        yield from _comment(f"LEFT OUT, and with it this policy: {reason}", 2)
    lines = list(_policy_lines(policy, office))
    yield from (f"  # {line}" for line in lines) if policy.unsaid else (f"  {line}" for line in lines)


def _policy_lines(policy: PolicyDraft, office: str) -> Iterator[str]:
    yield f"- id: {policy.name}"
    if policy.when.any_of or policy.when.negated:
        yield f"  when: {_condition(policy.when)}"
    if not policy.targets:
        return
    own = office if policy.business else ALWAYS
    yield f"  calendar: {own}"
    yield "  targets:"
    for target in policy.targets:
        hours = office if target.business else ALWAYS
        yield from _target(target, hours if hours != own else None)


def _target(target: TargetDraft, calendar: str | None) -> Iterator[str]:
    allowed = ", ".join(f"{priority}: {_duration(seconds)}" for priority, seconds in target.seconds.items())
    if calendar is None and target.metric not in NEVER_PAUSED:
        yield f"    {target.metric}: {{{allowed}}}"
        return
    yield f"    {target.metric}:"
    yield f"      target: {{{allowed}}}"
    if calendar is not None:
        yield f"      calendar: {calendar}"
    if target.metric in NEVER_PAUSED:
        yield "      pause_when: {}"


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    said = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + (f"{rest}s" if rest else "")
    return said or "0s"


def _condition(condition: Condition) -> str:
    parts = [f"{key}: {_words(words)}" for key, words in condition.any_of.items()]
    if condition.negated is not None:
        parts.append(f"not: {_condition(condition.negated)}")
    return "{" + ", ".join(parts) + "}"


def _words(words: Iterable[str]) -> str:
    said = [_quoted(each) for each in words]
    return said[0] if len(said) == 1 else "[" + ", ".join(said) + "]"


def _quoted(said: str) -> str:
    """A scalar of YAML, in quotes where it could be read as anything else."""
    if _PLAIN.fullmatch(said) and said.lower() not in _NOT_PLAIN:
        return said
    escaped = "".join(each if each.isprintable() and each not in '\\"' else f"\\U{ord(each):08X}" for each in said)
    return f'"{escaped}"'


def _comment(said: str, indent: int) -> Iterator[str]:
    beginning = " " * indent + "# "
    yield from wrap(_one_line(said), 118, initial_indent=beginning, subsequent_indent=beginning)


def _one_line(said: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in said).split())
