"""What is promised only in the middle of a conversation counts from where it would have begun (`docs/sla.md`)."""

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.interaction import Interaction
from schemas.policy import Condition, PolicyFile
from tests.conversation_stories import Desk, activation, event, moment, policy, target

WAITING = "waiting_on_customer"
METRICS = ("first_response", "next_response", "periodic_update", "first_resolution", "total_resolution")


def under_gold_when_tagged(allowed: str = "4:00", metrics: tuple[str, ...] = METRICS, **more: Any) -> PolicyFile:
    """`gold` promises these to whoever is tagged `vip`; everybody else is promised nothing."""
    gold = policy(when=Condition({"tag": ("vip",)}), **more).policies[0]
    nothing = replace(policy().policies[0], id="everyone", targets={})
    promised = replace(gold, targets={metric: target(metric, allowed) for metric in metrics})
    return replace(policy(), policies=(promised, nothing))


def judged(file: PolicyFile, *events: Interaction, until: str = "12:00") -> Desk:
    return Desk(file).take(*events, event("12:00", "tagged", ("vip",))).until(until)


def only(metric: str, desk: Desk) -> list[str]:
    return [line.removeprefix(f"{metric}/") for line in desk.clocks() if line.startswith(f"{metric}/")]


STORIES = [
    pytest.param("first_response", [("09:00", "customer")], ["1 open due 14:00 used 3:00"], id="nobody has answered"),
    pytest.param("first_response", [("09:00", "customer"), ("10:00", "agent")], [], id="somebody has answered"),
    pytest.param("first_response", [("09:00", "agent")], [], id="we have opened it"),
    pytest.param("first_response", [("09:00", "customer"), ("10:00", "no_reply_needed")], [], id="nothing to answer"),
    pytest.param(
        "next_response",
        [("09:00", "customer"), ("09:10", "agent"), ("10:00", "customer"), ("10:30", "customer")],
        ["1 open due 15:00 used 2:00"],
        id="from the oldest message of the turn",
    ),
    pytest.param(
        "next_response",
        [("09:00", "customer"), ("09:10", "agent"), ("10:00", "customer"), ("10:30", "status", "closed")],
        [],
        id="resolving has ended the turn",
    ),
    pytest.param(
        "periodic_update",
        [("09:00", "customer"), ("10:00", "agent"), ("10:30", "customer")],
        ["1 open due 15:00 used 2:00"],
        id="from our latest message",
    ),
    pytest.param(
        "first_resolution",
        [("09:00", "customer"), ("10:00", "status", WAITING), ("11:00", "customer")],
        ["1 open due 15:00 used 2:00"],
        id="pauses are kept",
    ),
    pytest.param(
        "first_resolution",
        [("09:00", "customer"), ("10:00", "status", WAITING)],
        ["1 open paused used 1:00"],
        id="also the one that runs",
    ),
    pytest.param("first_resolution", [("09:00", "customer"), ("10:00", "status", "closed")], [], id="it is resolved"),
    pytest.param(
        "first_resolution",
        [("09:00", "customer"), ("10:00", "status", "closed"), ("11:00", "customer")],
        [],
        id="it was resolved once",
    ),
    pytest.param(
        "total_resolution",
        [("09:00", "customer"), ("10:00", "status", "closed"), ("11:00", "customer")],
        ["1 open due 15:00 used 2:00"],
        id="closed time is free",
    ),
]


@pytest.mark.parametrize(("metric", "story", "expected"), STORIES)
def test_a_promise_made_afterwards(metric: str, story: list[tuple[Any, ...]], expected: list[str]) -> None:
    assert only(metric, judged(under_gold_when_tagged(), *(event(*each) for each in story))) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("retarget_from_start", ["12:00 breached"]),
        ("forward", []),
        ("reset", []),
        ("keep", []),
    ],
)
def test_what_is_overdue_by_the_change_breaks_at_the_change(mode: str, expected: list[str]) -> None:
    desk = judged(under_gold_when_tagged("2:00", on_change=mode), event("09:00", "customer"))
    assert [each for each in desk.story("first_response") if "breached" in each] == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("retarget_from_start", ["1 breached due 11:00 used 3:00"]),
        ("forward", ["1 breached due 15:00 used 5:00"]),
        ("reset", ["1 breached due 15:00 used 2:00"]),
        ("keep", []),
    ],
)
def test_from_where_the_target_counts_is_what_the_mode_says(mode: str, expected: list[str]) -> None:
    file = under_gold_when_tagged("2:00", on_change=mode)
    assert only("first_response", judged(file, event("09:00", "customer"), until="16:00")) == expected


def test_a_new_version_can_promise_what_the_one_before_did_not() -> None:
    first = under_gold_when_tagged(metrics=("first_response",))
    second = replace(under_gold_when_tagged(), version="2")
    desk = Desk(first).take(event("09:00", "customer", tags=("vip",)), activation(second, moment("09:30")))
    assert only("total_resolution", desk.take(event("10:00", "note"))) == ["1 open due 14:00 used 1:00"]


@pytest.mark.parametrize(
    ("in_force_from", "expected"),
    [
        pytest.param(None, [], id="what began before any promise was promised nothing"),
        pytest.param(moment("08:00"), ["1 open due 14:00 used 1:00"], id="unless the first version reaches back"),
    ],
)
def test_the_first_version_of_all(in_force_from: Any, expected: list[str]) -> None:
    first = policy(effective_from=in_force_from)
    desk = Desk().take(event("09:00", "customer"), activation(first, moment("09:30")), event("10:00", "note"))
    assert only("first_response", desk) == expected


def test_a_team_that_brings_a_promise_about_has_its_own_time_once() -> None:
    gold = policy([target("group_ownership", "4:00")], when=Condition({"team": ("second",)}))
    desk = Desk(gold).take(event("09:00", "customer", team="first"), event("10:00", "assigned", {"team": "second"}))
    assert only("group_ownership", desk) == ["1 open due 15:00 used 0:00"]


def test_a_promise_that_comes_back_is_a_new_instance_from_the_old_beginning() -> None:
    desk = Desk(under_gold_when_tagged()).take(event("09:00", "customer", tags=("vip",)))
    desk.take(event("10:00", "tagged", ()), event("11:00", "tagged", ("vip",)))
    assert only("first_response", desk) == ["1 cancelled due 14:00 used 1:00", "2 open due 14:00 used 2:00"]


def test_what_was_no_spam_is_owed_again_and_the_time_as_spam_is_free() -> None:
    desk = Desk(policy()).take(
        event("09:00", "customer"), event("10:00", "status", "spam"), event("11:00", "status", "open")
    )
    assert only("first_response", desk) == ["1 cancelled due 14:00 used 1:00", "2 open due 15:00 used 1:00"]
    assert only("first_resolution", desk) == ["1 cancelled due 18:00 used 1:00", "2 open due tue 10:00 used 1:00"]


def test_a_due_date_starts_what_nobody_promised_from_where_it_began() -> None:
    desk = Desk(under_gold_when_tagged()).take(
        event("09:00", "customer"), event("10:00", "due_set", ("first_response", "11:00")), event("10:30", "agent")
    )
    assert only("first_response", desk) == ["1 met due 11:00 used 1:30"]
