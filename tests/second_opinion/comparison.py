"""Asks the product and the second opinion the same and tells where they differ.

Calendars go through `compile_calendars`, stories through the engine: a policy file in a `PolicyBook`, judged by
`judge_conversation`. Every so often the file is written out and read back, so the reader is asked too.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from agents.domain.calendar import compile_calendars
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_conversation
from schemas.clock_view import ClockView
from schemas.interaction import Author, Interaction
from schemas.policy import (
    CalendarSpec,
    Condition,
    Duration,
    MetricTarget,
    Policy,
    PolicyFile,
    RegionHolidays,
    WallInterval,
)
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.second_opinion.plain_calendar import Ends, NoAnswer, Plain, microseconds, moment_of
from tests.second_opinion.plain_clock import Ending, Promise, due, ending_of
from tests.second_opinion.random_cases import Case, pauses_of

READ_EVERY = 100
"""Reading YAML takes longer than all the rest of a case."""
_WEEKDAYS = ("", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Difference(NamedTuple):
    """One question with two answers."""

    seed: int
    question: str
    product: object
    second_opinion: object


class Answers(NamedTuple):
    """What came of some cases."""

    differences: list[Difference]
    questions: int
    unanswered: int
    """Cases whose deadline lies beyond what the second opinion looks at."""
    endings: tuple[str, ...]
    """The outcomes of the clocks, and what was special about them."""


def compare(case: Case) -> Answers:
    """Every question of a case."""
    differences, questions, unanswered = [], 0, 0
    endings: tuple[str, ...] = ()
    for question, product, second in _questions(case):
        if second is NoAnswer:
            unanswered += 1
            continue
        questions += 1
        if isinstance(second, Ending):
            endings = (second.outcome,)
        if product != second:
            differences.append(Difference(case.seed, question, product, second))
    return Answers(differences, questions, unanswered, endings)


def _questions(case: Case) -> Iterator[tuple[str, object, object]]:
    specs = specs_of(case.calendar)
    calendar, plain = compile_calendars(specs)["c"], case.calendar
    start, *others = case.instants
    for at in others:
        one, other = min(start, at), max(start, at)
        yield f"open_between {one} {other}", calendar.open_between(one, other), plain.open_time(one, other)
        yield f"is_open {at}", calendar.is_open(at), plain.is_open(at)
    for edge in ("close", "next_open"):
        promise = Promise(plain, edge, case.target_us)
        second = _or_none(lambda promise=promise: due(promise, start, ()))
        if second is NoAnswer:
            yield f"after {edge}", None, NoAnswer
            return
        yield f"after {start} {case.target_us} {edge}", calendar.after(start, case.target_us, edge), second
    yield f"next_opening {start}", calendar.next_opening(start), plain.next_open(start)
    in_days = _or_none(lambda: plain.business_days_later(start, case.business_days))
    if in_days is not NoAnswer:
        yield (
            f"business days {start} {case.business_days}",
            calendar.after_business_days(start, case.business_days),
            in_days,
        )
    second = _second_clock(case)
    if second is NoAnswer:
        yield "clock", None, NoAnswer
        return
    yield "clock", _product_clock(case, specs), second


def _or_none(ask: Any) -> Any:
    try:
        return ask()
    except NoAnswer:
        return NoAnswer


def _second_clock(case: Case) -> Any:
    story = case.story
    promise = Promise(
        case.calendar,
        case.edge,  # type: ignore[arg-type]  # one of the two
        None if case.in_days else case.target_us,
        case.business_days if case.in_days else None,
    )
    return _or_none(lambda: ending_of(promise, story.began, pauses_of(story), story.answered_at, story.now))


def _product_clock(case: Case, specs: dict[str, CalendarSpec]) -> object:
    """The clock as the second opinion would put it; all clocks when there is not exactly one that began in time."""
    file = policy_file(case, specs)
    if case.seed % READ_EVERY == 0:
        file = read_back(file)
    views = judge_conversation(PolicyBook.of(file), interactions(case), case.story.now)
    if len(views) != 1 or views[0].started_at != moment_of(case.story.began):
        return views
    return _ending(views[0])


def _ending(view: ClockView) -> Ending:
    return Ending(
        outcome=view.outcome,
        due_at=None if view.due_at is None else microseconds(view.due_at),
        breached_at=None if view.breached_at is None else microseconds(view.breached_at),
        elapsed_us=round((view.elapsed_seconds or 0) * 1_000_000),
    )


def interactions(case: Case) -> list[Interaction]:
    """The events of a story, as a connector would send them."""
    story = case.story
    found: list[Interaction] = []

    def happened(at: int, kind: str, author: str = "system", **more: Any) -> None:
        found.append(
            Interaction(
                id=f"e{len(found)}",
                source="test",
                conversation_id="c",
                occurred_at=moment_of(at),
                type=kind,  # type: ignore[arg-type]
                author=Author(author),  # type: ignore[arg-type]
                **more,
            )
        )

    is_response = story.metric == "first_response"
    if story.status_before is not None:
        happened(story.began - 3_600_000_000 * is_response, "status_changed", status=story.status_before)
    if is_response or story.status_before is None:
        happened(story.began, "message", "customer")
    for at, status in story.statuses:
        happened(at, "status_changed", status=status)
    if story.answered_at is not None and is_response:
        happened(story.answered_at, "message", "agent")
    elif story.answered_at is not None:
        happened(story.answered_at, "status_changed", status="resolved")
    return found


def policy_file(case: Case, specs: dict[str, CalendarSpec]) -> PolicyFile:
    """The promise of a case as a policy file."""
    seconds = case.target_us // 1_000_000
    duration = (
        Duration(business_days=case.business_days, text=f"{case.business_days} business_days")
        if case.in_days
        else Duration(seconds=seconds, text=f"{seconds}s")
    )
    held = Condition({"status": tuple(sorted(case.story.held_by))}) if case.story.held_by else Condition()
    target = MetricTarget(metric=case.story.metric, target=duration, pause_when=held)
    policy = Policy(id="p", calendar="c", edge=case.edge, targets={case.story.metric: target})  # type: ignore[arg-type]
    return PolicyFile(version="1", calendars=specs, policies=(policy,))


def specs_of(plain: Plain) -> dict[str, CalendarSpec]:
    """The same calendar as the product declares it; its name is `c`, members have longer ones."""
    found: dict[str, CalendarSpec] = {}
    _declare(plain, "c", found)
    return found


def read_back(file: PolicyFile) -> PolicyFile:
    """The file as its reader understands it, written as somebody would; itself where the reader refuses a member."""
    policy = file.policies[0]
    ((metric, target),) = policy.targets.items()
    duration, held = target.target, target.pause_when
    text = json.dumps(
        {
            "version": file.version,
            "calendars": {name: _written(spec) for name, spec in file.calendars.items()},
            "policies": [
                {
                    "id": policy.id,
                    "calendar": policy.calendar,
                    "edge": policy.edge,
                    "targets": {
                        metric: {
                            "target": "" if duration is None else duration.text,
                            "pause_when": {} if held is None else held.any_of,
                        }
                    },
                }
            ],
        }
    )
    problems = Problems("case.yaml")
    read = read_policy_text(text, problems)
    refused = [problem for problem in problems.errors if "never opens" not in problem.message]
    if refused:
        raise RuntimeError(f"refused: {refused[0].as_line()}\n{text}")
    return file if read is None else read


def _written(spec: CalendarSpec) -> dict[str, Any]:
    if spec.union or spec.intersection:
        return {"union" if spec.union else "intersection": spec.union or spec.intersection}
    regions = [{"country": region.country, "subdivision": region.subdivision} for region in spec.region_holidays]
    return {
        "time_zone": spec.time_zone,
        "weekly": {_WEEKDAYS[day]: [_shown(interval) for interval in hours] for day, hours in spec.weekly.items()},
        "holidays": [
            *(day.isoformat() for day in spec.holidays),
            *({key: code for key, code in region.items() if code} for region in regions),
        ],
        "exceptions": {day.isoformat(): [_shown(one) for one in hours] for day, hours in spec.exceptions.items()},
        "breaks": {day.isoformat(): [_shown(one) for one in hours] for day, hours in spec.breaks.items()},
    }


def _shown(interval: WallInterval) -> str:
    closes = interval.closes_seconds
    ends = (interval.opens_seconds, closes if closes <= 86_400 else closes - 86_400)
    return "-".join(f"{end // 3600:02}:{end // 60 % 60:02}:{end % 60:02}" for end in ends)


def _declare(plain: Plain, name: str, found: dict[str, CalendarSpec]) -> str:
    members = tuple(
        _declare(member, f"{name}{index}", found) for index, member in enumerate(plain.any_of or plain.all_of)
    )
    found[name] = CalendarSpec(
        name=name,
        time_zone=plain.zone,
        weekly={weekday: _intervals(hours) for weekday, hours in plain.weekly.items()},
        holidays=plain.holidays,
        region_holidays=tuple(RegionHolidays(*region) for region in plain.regions),
        exceptions={day: _intervals(hours) for day, hours in plain.exceptions.items()},
        breaks={day: _intervals(hours) for day, hours in plain.breaks.items()},
        union=members if plain.any_of else (),
        intersection=members if plain.all_of else (),
    )
    return name


def _intervals(hours: tuple[Ends, ...]) -> tuple[WallInterval, ...]:
    return tuple(WallInterval(*ends) for ends in sorted(hours))
