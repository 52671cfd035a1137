"""What happens to the clocks of a conversation, as a table: the rules of `docs/sla.md`, one row each."""

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.policy import CalendarSpec, Condition, PolicyFile, WallInterval
from tests.conversation_stories import Desk, event, policy, target, warn_at

Story = list[tuple[Any, ...]]
WAITING = "waiting_on_customer"


def judged(story: Story, now: str, *targets: Any, **more: Any) -> list[str]:
    desk = Desk(policy(targets, **more))
    for each in story:
        desk.take(event(*each))
    return desk.until(now).clocks()


def only(metric: str, lines: list[str]) -> list[str]:
    return [line.removeprefix(f"{metric}/") for line in lines if line.startswith(f"{metric}/")]


FIRST_RESPONSES = [
    pytest.param([("09:30", "customer"), ("11:00", "agent")], ["1 met due 14:30 used 1:30"], id="an answer in time"),
    pytest.param([("09:30", "customer"), ("14:30", "agent")], ["1 met due 14:30 used 4:00"], id="an answer when due"),
    pytest.param(
        [("09:30", "customer"), ("14:31", "agent")],
        ["1 satisfied_late due 14:30 used 4:01"],
        id="an answer after it was due stays a breach",
    ),
    pytest.param([("09:30", "customer")], ["1 breached due 14:30 used 4:00"], id="nobody answers"),
    pytest.param([("tue 16:00", "customer")], ["1 open due wed 11:00 used 0:00"], id="not due yet"),
    pytest.param(
        [("07:00", "customer"), ("09:10", "agent")], ["1 met due 14:00 used 0:10"], id="it begins outside the hours"
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "note"), ("10:01", "bot"), ("10:02", "system"), ("10:03", "auto-reply")],
        ["1 breached due 14:30 used 4:00"],
        id="notes, bots, the system and auto-replies never answer",
    ),
    pytest.param(
        [
            ("09:00", "auto-reply"),
            ("09:01", "bot"),
            ("09:02", "note"),
            ("09:03", "out-of-office"),
            ("10:00", "customer"),
        ],
        ["1 breached due 15:00 used 4:00"],
        id="what no person of the customer wrote opens nothing",
    ),
    pytest.param(
        [("09:30", "customer"), ("10:30", "customer"), ("11:00", "agent")],
        ["1 met due 14:30 used 1:30"],
        id="it counts from the oldest message",
    ),
    pytest.param([("09:00", "agent"), ("09:30", "customer")], [], id="there is none when our side opens"),
    pytest.param(
        [("09:30", "customer"), ("10:00", "no_reply_needed")],
        ["1 cancelled due 14:30 used 0:30"],
        id="no reply is needed",
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "status", "closed")],
        ["1 breached due 14:30 used 4:00"],
        id="closing is no answer",
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "status", "spam")], ["1 cancelled due 14:30 used 0:30"], id="spam cancels"
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "agent"), ("10:30", "deleted")],
        ["1 retracted due 14:30 used 0:30"],
        id="a deleted conversation gives its outcome back",
    ),
    pytest.param(
        [("09:30", "customer"), ("15:00", "status", "spam")],
        ["1 retracted due 14:30 used 4:30"],
        id="spam gives a breach back",
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "merged", "c2")],
        ["1 merged due 14:30 used 0:30"],
        id="the absorbed conversation ends as merged",
    ),
    pytest.param(
        [("09:00", "status", "spam"), ("09:30", "customer")], [], id="nothing is promised to what is spam already"
    ),
    pytest.param(
        [("09:30", "customer"), ("10:00", "agent"), ("11:00", "status", "closed"), ("tue 09:00", "customer")],
        ["1 met due 14:30 used 0:30"],
        id="reopening never touches what is decided",
    ),
]


@pytest.mark.parametrize(("story", "expected"), FIRST_RESPONSES)
def test_first_response(story: Story, expected: list[str]) -> None:
    assert only("first_response", judged(story, "tue 16:01" if "tue 16:00" in story[0] else "mon 22:00")) == expected


ANSWERED = [("09:00", "customer"), ("09:10", "agent")]
NEXT_RESPONSES = [
    pytest.param([("10:00", "customer"), ("10:30", "agent")], ["1 met due 12:00 used 0:30"], id="an answer in time"),
    pytest.param(
        [("10:00", "customer"), ("10:20", "customer"), ("10:40", "customer"), ("11:00", "agent")],
        ["1 met due 12:00 used 1:00"],
        id="several messages are one turn, from the oldest",
    ),
    pytest.param(
        [("10:00", "customer"), ("10:30", "agent"), ("10:40", "agent"), ("11:00", "customer")],
        ["1 met due 12:00 used 0:30", "2 breached due 14:00 used 2:00"],
        id="each turn of the customer is an instance of its own",
    ),
    pytest.param(
        [("10:00", "customer"), ("10:30", "note"), ("10:31", "bot"), ("10:32", "auto-reply")],
        ["1 breached due 12:00 used 2:00"],
        id="notes, bots and auto-replies answer nothing",
    ),
    pytest.param([("10:00", "bot"), ("10:01", "out-of-office")], [], id="no turn begins with what no person wrote"),
    pytest.param(
        [("10:00", "customer"), ("10:30", "status", "resolved")],
        ["1 cancelled due 12:00 used 0:30"],
        id="resolving ends it without an outcome",
    ),
    pytest.param(
        [("10:00", "customer"), ("10:30", "no_reply_needed"), ("11:00", "customer"), ("11:10", "agent")],
        ["1 cancelled due 12:00 used 0:30", "2 met due 14:00 used 0:10"],
        id="no reply is needed to a thank-you, and the next question counts again",
    ),
    pytest.param(
        [("10:00", "customer"), ("10:05", "status", WAITING), ("10:30", "agent")],
        ["1 met due 12:00 used 0:30"],
        id="response clocks do not pause by themselves",
    ),
]


@pytest.mark.parametrize(("story", "expected"), NEXT_RESPONSES)
def test_next_response(story: Story, expected: list[str]) -> None:
    assert only("next_response", judged([*ANSWERED, *story], "22:00")) == expected


def test_the_first_turn_is_no_next_response_until_it_is_answered() -> None:
    story = [("09:00", "customer"), ("09:10", "customer"), ("09:20", "bot")]
    assert only("next_response", judged(story, "22:00")) == []


def test_when_our_side_opens_the_first_turn_of_the_customer_is_a_next_response() -> None:
    assert only("next_response", judged([("09:00", "agent"), ("09:30", "customer")], "09:31")) == [
        "1 open due 11:30 used 0:00"
    ]


RESOLUTIONS = [
    pytest.param([("16:00", "status", "resolved")], ["1 met due 18:00 used 6:00"], id="resolved in time"),
    pytest.param([("tue 10:00", "status", "closed")], ["1 satisfied_late due 18:00 used 9:00"], id="closed too late"),
    pytest.param(
        [("10:00", "status", WAITING), ("14:00", "status", "open"), ("16:00", "status", "resolved")],
        ["1 met due tue 12:00 used 3:00"],
        id="only the open time inside a pause moves the deadline",
    ),
    pytest.param(
        [("10:00", "status", WAITING), ("14:00", "customer"), ("16:00", "status", "resolved")],
        ["1 met due tue 12:00 used 3:00"],
        id="a reply of the customer ends the wait",
    ),
    pytest.param(
        [("10:00", "status", WAITING), ("14:00", "out-of-office"), ("16:00", "status", "resolved")],
        ["1 met due tue 15:00 used 1:00"],
        id="an auto-reply of the customer does not end the wait",
    ),
    pytest.param(
        [
            ("10:00", "status", "on_hold"),
            ("11:00", "customer"),
            ("14:00", "status", "open"),
            ("14:30", "status", "closed"),
        ],
        ["1 met due tue 12:00 used 1:30"],
        id="a reply does not end a wait for somebody else",
    ),
    pytest.param(
        [("10:00", "status", WAITING), ("11:00", "status", "on_hold"), ("14:00", "status", "open")],
        ["1 open due tue 12:00 used 1:00"],
        id="one pause that turns into another is one pause",
    ),
    pytest.param(
        [("10:00", "status", WAITING), ("wed 10:00", "status", "closed")],
        ["1 met due wed 18:00 used 1:00"],
        id="closed straight from a pause",
    ),
    pytest.param([("10:00", "status", WAITING)], ["1 open paused used 1:00"], id="a paused clock has no deadline"),
    pytest.param(
        [("10:00", "status", "closed"), ("11:00", "customer"), ("15:00", "status", "closed")],
        ["1 met due 18:00 used 1:00"],
        id="it starts once, reopened or not",
    ),
    pytest.param(
        [("19:00", "customer"), ("19:30", "status", "closed")],
        ["1 satisfied_late due 18:00 used 8:00"],
        id="after hours the deadline has passed, and no more time is used",
    ),
]


@pytest.mark.parametrize(("story", "expected"), RESOLUTIONS)
def test_first_resolution(story: Story, expected: list[str]) -> None:
    now = "14:00" if "open" in expected[0] else "wed 22:00"
    assert only("first_resolution", judged([("09:00", "customer"), *story], now)) == expected


BEGINNINGS = [
    pytest.param(
        [("09:00", "status", WAITING), ("10:00", "status", "open"), ("11:00", "status", "closed")],
        ["1 met due tue 10:00 used 1:00"],
        id="created paused",
    ),
    pytest.param([("09:00", "status", "closed")], ["1 met due 18:00 used 0:00"], id="created closed"),
    pytest.param(
        [("09:00", "bot"), ("10:00", "status", "closed")], ["1 met due 18:00 used 1:00"], id="created by a bot"
    ),
    pytest.param(
        [("09:00", "agent"), ("10:00", "status", "closed")], ["1 met due 18:00 used 1:00"], id="created by us"
    ),
]


@pytest.mark.parametrize(("story", "expected"), BEGINNINGS)
def test_a_resolution_clock_begins_with_the_conversation(story: Story, expected: list[str]) -> None:
    assert only("first_resolution", judged(story, "wed 22:00")) == expected


TARGETS = [
    pytest.param({"allowed": "3 days"}, ["1 open due thu 10:00 used 0:00"], id="business days keep the time of day"),
    pytest.param({"allowed": "0:00"}, ["1 breached due 10:00 used 0:00"], id="no time at all is due at once"),
    pytest.param({"allowed": None}, ["1 open used 0:00"], id="no target, no deadline"),
    pytest.param({"allowed": {"urgent": "1:00"}}, ["1 open used 0:00"], id="no target for this priority"),
    pytest.param({"allowed": {"normal": "1:00"}}, ["1 open due 11:00 used 0:00"], id="no priority counts as normal"),
    pytest.param({"allowed": "7:00"}, ["1 open due 18:00 used 0:00"], id="a deadline on closing time is the closing"),
    pytest.param(
        {"allowed": "7:00", "edge": "next_open"},
        ["1 open due tue 09:00 used 0:00"],
        id="a deadline on closing time can be the next opening",
    ),
]


@pytest.mark.parametrize(("how", "expected"), TARGETS)
def test_how_targets_become_deadlines(how: dict[str, Any], expected: list[str]) -> None:
    promise = target("first_response", how.pop("allowed"))
    assert only("first_response", judged([("10:00", "customer")], "10:00", promise, **how)) in (
        expected,
        # What is due at the very instant is not broken yet.
        [line.replace("breached", "open") for line in expected],
    )


def test_a_zero_length_target_outside_hours_is_due_at_the_next_opening() -> None:
    promise = target("first_response", "0:00")
    story = [("08:00", "customer"), ("09:00", "agent")]
    assert only("first_response", judged(story, "22:00", promise)) == ["1 met due 09:00 used 0:00"]
    assert only("first_response", judged([("08:00", "customer"), ("09:01", "agent")], "22:00", promise)) == [
        "1 satisfied_late due 09:00 used 0:01"
    ]


def test_a_clock_without_a_target_is_met_outside_the_ratio() -> None:
    desk = Desk(policy([target("first_response", None)])).take(event("09:00", "customer"), event("tue 17:00", "agent"))
    met = next(each for each in desk.events if each.kind == "met")
    assert (met.target_seconds, met.due_at, met.outcome) == (None, None, "met")


def test_pauses_are_what_the_policy_says_they_are() -> None:
    on_hold = target("first_response", "4:00", pause_when=Condition({"status": ("on_hold",)}))
    never = target("first_resolution", "8:00", pause_when=Condition())
    story = [("09:00", "customer"), ("10:00", "status", "on_hold"), ("11:00", "status", "open"), ("11:30", "agent")]
    assert judged(story, "11:30", on_hold, never) == [
        "first_resolution/1 open due 18:00 used 0:00",
        "first_response/1 met due 15:00 used 1:30",
    ]


def test_nothing_is_left_when_a_clock_stops_on_its_deadline() -> None:
    """Two hours are used up when the pause begins; the resumption is the deadline, and answering in it is in time."""
    promise = target("first_response", "2:00", pause_when=Condition({"status": ("on_hold",)}))
    story = [("16:00", "customer"), ("18:00", "status", "on_hold"), ("20:00", "status", "open"), ("20:00", "agent")]
    assert only("first_response", judged(story, "22:00", promise)) == ["1 met due 20:00 used 2:00"]


FAIR = CalendarSpec(
    name="office", exceptions={date(2026, 3, 2): (WallInterval(9 * 3600, 12 * 3600),), date(2026, 3, 3): ()}
)
"""Open on Monday morning, and never again."""


def fair(metric: str, allowed: str, **more: Any) -> PolicyFile:
    return replace(
        policy([target("first_response", None), target(metric, allowed)], **more), calendars={"office": FAIR}
    )


@pytest.mark.parametrize("allowed", ["4:00", "3 days"])
def test_a_target_that_its_calendar_has_no_time_for_is_met_or_cancelled_and_never_due(allowed: str) -> None:
    promised = fair("first_resolution", allowed, warn_at=warn_at("75%", "30m"))
    desk = Desk(promised).take(event("10:00", "customer"), event("10:30", "status", "on_hold"))
    desk.take(event("11:00", "status", "open")).until("sat 09:00").take(event("sat 10:00", "status", "resolved"))
    assert desk.effects.rejected == []
    assert desk.story("first_resolution") == [
        "10:00 activated (calendar runs out)",
        "10:30 paused (on_hold)",
        "11:00 resumed (open)",
        "sat 10:00 met",
    ]
    assert "first_resolution/1 met used 1:30" in desk.clocks()


def test_a_pause_can_make_a_deadline_fall_behind_the_last_opening() -> None:
    desk = Desk(fair("first_resolution", "1:30"))
    desk.take(event("10:00", "customer"), event("10:30", "status", "on_hold"), event("11:45", "status", "open"))
    assert desk.clocks()[0] == "first_resolution/1 open used 0:30"
    desk.until("sat 09:00").take(event("sat 10:00", "status", "spam"))
    assert desk.clocks()[0] == "first_resolution/1 cancelled used 0:45"
    assert desk.effects.rejected == []


def test_a_due_date_by_hand_behind_the_last_opening_warns_at_its_end() -> None:
    desk = Desk(fair("first_resolution", "1:00", warn_at=warn_at("50%")))
    desk.take(event("tue 09:00", "customer"), event("tue 09:30", "due_set", ("first_resolution", "tue 18:00")))
    desk.until("wed 09:00")
    assert desk.effects.rejected == []
    assert desk.story("first_resolution")[-1] == "tue 18:00 breached"
