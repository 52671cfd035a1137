"""An explanation for people: what was promised by which policy, and then each clock, line by line, with its sums."""

from collections.abc import Iterable, Iterator, Sequence

from agents.domain.clock_diary import Move
from agents.domain.clock_intervals import Interval
from agents.domain.condition_reasons import NOT, KeyFinding
from agents.domain.explanation import ExplainedClock, Explanation, PolicyDecision
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, to_datetime
from streams.cli.admin_options import say
from streams.policy_files.clock_columns import instant_text, known_account

_MOST_INTERVALS = 24
"""More of them tell a person nothing; the ones in the middle become one line with their sums."""

_SHOWN_AT_EACH_END = 8

_KIND_WORDS = {"satisfied_late": "answered late", "reassigned": "moved to another account", "retargeted": "due anew"}

_OUTCOME_STYLES = {"met": "green", "breached": "red", "satisfied_late": "red"}


def say_explanation(explanation: Explanation) -> None:
    """Print all of it on standard output."""
    state = explanation.state
    merged = f", merged into {state.merged_into}" if state.merged_into is not None else ""
    told = f"{state.status or 'no status'}{merged}, priority {state.priority}, channel {state.channel}"
    say(f"conversation {state.id}", style="bold")
    say(f"account {known_account(state.id, state.account_id) or 'unknown'}, {told}; as of {_when(explanation.as_of)}")
    for line in _limits(explanation):
        say(line, style="yellow")
    say("")
    for decision in explanation.decisions:
        for line in _decision(decision):
            say(line)
    if not explanation.clocks:
        say("")
        say("no clocks: nothing is promised for what has happened so far")
    for explained in explanation.clocks:
        say("")
        _say_clock(explained)


def _limits(explanation: Explanation) -> Iterator[str]:
    """What cannot be told any more."""
    if explanation.known_from is not None:
        yield (
            f"events before {_when(explanation.known_from)} are folded away: of that time only sums are known, "
            "and late events can no longer change it"
        )
    for metric, number in explanation.forgotten:
        clocks = "clock" if number == 1 else "clocks"
        yield f"{number} {clocks} of {metric}, decided long ago, are no longer remembered (ClickHouse has their events)"
    for clock in explanation.stored_otherwise:
        due = f", due {_when(clock.due_at)}" if clock.due_at is not None else ""
        yield (
            f"the worker holds {clock.metric} {clock.instance} as {clock.outcome}{due}: something outside the events "
            "moved it (an account that was linked), which the story below does not have"
        )


def _decision(decision: PolicyDecision) -> Iterator[str]:
    event = f" (event {decision.event_id})" if decision.event_id is not None else ""
    when = f"{_when(decision.at)}{event}:"
    if decision.version is None:
        yield f"{when} no policy was in force"
        return
    if decision.policy is None:
        yield f"{when} no policy of version {decision.version} applies"
    else:
        yield f"{when} policy {decision.policy} of version {decision.version} applies"
    if decision.newer_version is not None:
        yield f"    version {decision.newer_version} was in force, and is for new conversations only"
    for each in decision.passed_over:
        yield f"    not {each.policy}: {_because(each.because)}"


def _say_clock(explained: ExplainedClock) -> None:
    clock = explained.clock
    name = f"{clock.metric} {clock.instance}: {clock.outcome}{' (paused)' if explained.view.paused else ''}"
    say(name, style=f"bold {_OUTCOME_STYLES.get(clock.outcome, '')}".strip())
    for line in _facts(explained):
        say(f"    {line}")
    rows = list(_interval_rows(explained.intervals))
    if explained.not_below_zero_us:
        rows.append(("", "", "", "", _long(explained.not_below_zero_us), "never less than nothing"))
    total = ("sum", "", "", _long(explained.wall_us), _long(explained.elapsed_us), "wall and elapsed time")
    _say_rows(("where", "from", "to", "long", "counted", "why"), [*rows, total])
    if explained.moves:
        _say_rows(("at", "what", "due", "by"), [_move_row(move) for move in explained.moves])


def _facts(explained: ExplainedClock) -> Iterator[str]:
    clock = explained.clock
    policy = f"policy {clock.policy} of version {clock.policy_version}" if clock.policy is not None else "no policy"
    if clock.set_by_hand:
        yield f"{policy}; its due date was set by hand, so no pause and no target moves it"
    elif explained.target is None:
        yield f"{policy} sets no target for priority {clock.priority}: it runs, and is never due"
    else:
        for_whom = f"priority {explained.target_of_priority}" if explained.target_of_priority else "every priority"
        yield f"{policy}: {explained.target} by the hours of {explained.calendar}, the target of {for_whom}"
    if clock.due_at is not None:
        moved = f", moved by {_long(explained.moved_by_pauses_us)} of pauses" if explained.moved_by_pauses_us else ""
        counted = "" if clock.set_by_hand else f": counted from {_when(explained.counts_from)}{moved}"
        yield f"due {_when(clock.due_at)}{counted}"
    elif explained.never_due is not None:
        yield f"never due: {explained.calendar} is not open for so long any more (it can still be met or cancelled)"
    elif explained.view.paused:
        yield "due when it runs again: while it is paused its deadline moves along"
    ended = explained.ended_by
    if ended is not None:
        reason = f" ({clock.reason})" if clock.reason else ""
        yield f"{_word(ended.kind)} {_when(ended.at)} by {_whom(ended)}{reason}"
    elif clock.satisfied_at is not None or clock.ended_at is not None:
        ended_at = clock.ended_at if clock.satisfied_at is None else clock.satisfied_at
        yield f"ended {_when(ended_at)}, before the horizon"
    if clock.flags:
        yield f"looks like playing with the clock: {', '.join(clock.flags)}"


def _interval_rows(intervals: Sequence[Interval]) -> Iterator[tuple[str, ...]]:
    left_out = intervals[_SHOWN_AT_EACH_END:-_SHOWN_AT_EACH_END] if len(intervals) > _MOST_INTERVALS else ()
    for place, each in enumerate(intervals):
        if not left_out or place < _SHOWN_AT_EACH_END or place >= len(intervals) - _SHOWN_AT_EACH_END:
            yield (
                each.kind,
                _when(each.start),
                _when(each.end),
                _long(each.wall_us),
                _long(each.counted_us),
                _why(each),
            )
        elif place == _SHOWN_AT_EACH_END:
            wall_us, counted_us = sum(one.wall_us for one in left_out), sum(one.counted_us for one in left_out)
            told = f"{len(left_out)} intervals (--json has them)"
            yield "...", _when(left_out[0].start), _when(left_out[-1].end), _long(wall_us), _long(counted_us), told


def _why(interval: Interval) -> str:
    match interval.kind:
        case "running":
            return f"hours of {interval.calendar}"
        case "closed":
            return f"outside the hours of {interval.calendar}"
        case "paused":
            why = _held(interval.because)
        case "reopened":
            why = "from the resolution to the reopening"
        case _:
            return f"folded away: pauses took off {_long(interval.open_us)}"
    moves = f"; moves the deadline by {_long(interval.open_us)}"
    if interval.counted_us:
        moves += f" by the hours of {interval.calendar}, which were in force then"
    return why + moves


def _move_row(move: Move) -> tuple[str, ...]:
    what = _word(move.kind)
    if move.warning is not None:
        what = f"{what} ({move.warning})"
    elif move.reason is not None:
        what = f"{what} ({move.reason})"
    if move.kind == "activated" and move.target is not None:
        what = f"{what} ({move.target}, {move.policy})"
    elif move.kind == "retargeted" and move.target is not None:
        what = f"{what}: {move.target}, {move.policy} of {move.policy_version}, priority {move.priority}"
    due = _when(move.due_at) if move.due_at is not None else "-"
    if move.kind == "retargeted" and move.due_before is not None:
        due = f"{due}, was {_when(move.due_before)}"
    return _when(move.at), what, due, _whom(move)


def _whom(move: Move) -> str:
    if move.event_id is None:
        return "time"
    who = f"{move.author} {move.author_id}" if move.author_id is not None else move.author
    return f"{who}, event {move.event_id}"


def _because(findings: Iterable[KeyFinding]) -> str:
    """Why a condition does not hold."""
    told = []
    for each in findings:
        found = ", ".join(each.found) or "none"
        wanted = " or ".join(each.wanted)
        refused = each.key.count(NOT) % 2
        told.append(f"{each.key.replace(NOT, '')} is {found}, {'which it excludes' if refused else f'not {wanted}'}")
    return "; ".join(told) or "it excludes everything"


def _held(findings: Iterable[KeyFinding]) -> str:
    """What a pause is for."""
    told = (f"{each.key.replace(NOT, '')} is {', '.join(each.found) or 'none'}" for each in findings)
    return ", ".join(told) or "paused"


def _say_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be, indented below their clock."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say(f"    {'  '.join(padded)}".rstrip(), style=None if number else "dim")


def _word(kind: str) -> str:
    return _KIND_WORDS.get(kind, kind)


def _when(at: Instant | None) -> str:
    return "-" if at is None else instant_text(to_datetime(at))


def _long(duration_us: int) -> str:
    """`1d2h3m4s`, without what is zero; microseconds only where there are any."""
    if duration_us == 0:
        return "0"
    sign, left = ("-", -duration_us) if duration_us < 0 else ("", duration_us)
    parts = []
    for unit_us, letter in ((DAY_US, "d"), (HOUR_US, "h"), (MINUTE_US, "m")):
        number, left = divmod(left, unit_us)
        if number:
            parts.append(f"{number}{letter}")
    if left:
        parts.append(f"{left / SECOND_US:.6f}".rstrip("0").rstrip(".") + "s")
    return sign + "".join(parts)
