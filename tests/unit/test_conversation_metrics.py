"""The metrics beside responses and first resolution, and clocks of one's own: the rules of `docs/sla.md` as tables."""

from typing import Any

import pytest

from schemas.interaction import Author
from schemas.policy import Condition, DeclaredClock, PolicyFile
from tests.conversation_stories import OFFICE, Desk, activation, event, moment, policy, target

Story = list[tuple[Any, ...]]
AGENT, BOT = Author("agent"), Author("bot")
WAITING, THIRD, HOLD = "waiting_on_customer", "waiting_on_third_party", "on_hold"


def told(story: Story) -> list[Any]:
    return [event(at, what, *(rest[:1] or [None]), **(rest[1] if len(rest) > 1 else {})) for at, what, *rest in story]


def judged(metric: str, story: Story, now: str = "22:00", allowed: str = "4:00", **more: Any) -> list[str]:
    desk = Desk(policy([target(metric, allowed, **more)])).take(*told(story)).until(now)
    return only(metric, desk)


def only(metric: str, desk: Desk) -> list[str]:
    return [line.removeprefix(f"{metric}/") for line in desk.clocks() if line.startswith(f"{metric}/")]


UPDATES = [
    pytest.param([("09:00", "customer"), ("10:00", "note"), ("10:01", "auto-reply")], [], id="nothing before we write"),
    pytest.param(
        [("09:00", "agent"), ("10:00", "agent"), ("10:30", "customer"), ("16:00", "agent"), ("17:00", "agent")],
        [
            "1 met due 14:00 used 1:00",
            "2 satisfied_late due 15:00 used 5:00",
            "3 met due tue 11:00 used 1:00",
            "4 open due tue 12:00 used 0:00",
        ],
        id="from each of our messages to the next, whoever writes between",
    ),
    pytest.param(
        [("09:00", "agent"), ("10:00", "status", "resolved"), ("10:30", "agent")],
        ["1 cancelled due 14:00 used 1:00"],
        id="what is resolved needs no update, not even after another message",
    ),
    pytest.param(
        [("09:00", "agent"), ("10:00", "status", "closed"), ("11:00", "customer"), ("12:00", "agent")],
        ["1 cancelled due 14:00 used 1:00", "2 open due 17:00 used 0:00"],
        id="reopened it is owed from our next message on",
    ),
]


@pytest.mark.parametrize(("story", "expected"), UPDATES)
def test_periodic_update(story: Story, expected: list[str]) -> None:
    assert judged("periodic_update", story, "17:00") == expected


def test_a_periodic_update_runs_while_waiting_and_a_pausable_one_does_not() -> None:
    story = [("09:00", "agent"), ("10:00", "status", WAITING), ("14:00", "status", "open"), ("16:00", "agent")]
    assert judged("periodic_update", story, "16:00")[0] == "1 satisfied_late due 14:00 used 6:00"
    assert judged("pausable_update", story, "16:00")[0] == "1 met due 17:00 used 3:00"


def test_a_pausable_update_that_begins_while_waiting_is_paused_from_its_start() -> None:
    story = [("09:00", "status", WAITING), ("09:30", "agent"), ("11:00", "customer")]
    assert judged("pausable_update", story, "11:30") == ["1 open due 16:00 used 0:00"]


PARTITIONED: Story = [
    ("09:00", "customer"),
    ("10:00", "status", WAITING),
    ("11:00", "status", THIRD),
    ("13:30", "status", HOLD),
    ("14:30", "status", "open"),
    ("15:00", "status", "resolved"),
]


@pytest.mark.parametrize(
    ("metric", "used"),
    [
        pytest.param("requester_wait", "4:00", id="the requester waits while anybody but themselves is to act"),
        pytest.param("agent_work", "1:30", id="we work while nobody else is to act"),
        pytest.param("total_resolution", "1:30", id="so does a resolution"),
    ],
)
def test_who_is_to_act(metric: str, used: str) -> None:
    (line,) = judged(metric, PARTITIONED, allowed="8:00")
    assert line.endswith(f"used {used}")


REOPENED: Story = [
    ("09:00", "customer"),
    ("10:00", "status", "resolved"),
    ("11:00", "status", "open"),
    ("12:00", "status", "closed"),
    ("15:00", "customer"),
    ("16:00", "status", "closed"),
]


@pytest.mark.parametrize(
    ("reopen", "expected"),
    [
        pytest.param(
            "continue",
            ["1 met due 13:30 used 1:00", "2 met due 14:30 used 2:00", "3 met due 16:30 used 3:00"],
            id="goes on with the time used, closed time is free",
        ),
        pytest.param(
            "new_cycle",
            ["1 met due 13:30 used 1:00", "2 met due 15:30 used 1:00", "3 met due tue 09:30 used 1:00"],
            id="begins anew",
        ),
    ],
)
@pytest.mark.parametrize("metric", ["total_resolution", "requester_wait", "agent_work"])
def test_a_reopening(metric: str, reopen: str, expected: list[str]) -> None:
    assert judged(metric, REOPENED, allowed="3:30", reopen=reopen) == expected


def test_a_reopening_with_nothing_left_is_due_at_once_and_keeps_the_outcome_of_before() -> None:
    story = [("09:00", "customer"), ("14:00", "status", "resolved"), ("16:00", "customer")]
    assert judged("total_resolution", story) == ["1 met due 14:00 used 4:00", "2 breached due 16:00 used 4:00"]


def test_a_reopening_by_hand_in_the_past_keeps_the_date_that_was_set() -> None:
    story: Story = [
        ("09:00", "customer"),
        ("10:00", "status", "resolved"),
        ("10:30", "due_set", ("total_resolution", "10:45")),
        ("11:00", "status", "open"),
    ]
    assert judged("total_resolution", story, "12:00") == ["1 met due 14:00 used 1:00", "2 breached due 10:45 used 1:00"]


EMEA, APAC = ("assigned", {"team": "emea"}), ("assigned", {"team": "apac"})
OWNERSHIPS = [
    pytest.param(
        [("09:00", "customer", None, {"team": "emea"}), ("10:00", *APAC), ("11:00", "status", "resolved")],
        ["1 met due 14:00 used 1:00", "2 met due 15:00 used 1:00"],
        id="each team has its own time, until it gives away or resolves",
    ),
    pytest.param([("09:00", "customer"), ("10:00", "agent")], [], id="nobody owns what no team has"),
    pytest.param(
        [("09:00", "customer"), ("10:00", *EMEA), ("10:30", *EMEA)],
        ["1 open due 15:00 used 0:00"],
        id="given to itself",
    ),
    pytest.param(
        [("09:00", "customer", None, {"team": "emea"}), ("10:00", "status", "closed"), ("11:00", *APAC)],
        ["1 met due 14:00 used 1:00"],
        id="nobody owes anything for what is closed",
    ),
    pytest.param(
        [
            ("09:00", "customer", None, {"team": "emea"}),
            ("10:00", "status", "closed"),
            ("10:30", *APAC),
            ("11:00", "customer"),
        ],
        ["1 met due 14:00 used 1:00", "2 open due 16:00 used 0:00"],
        id="reopened it is the time of the team that has it then",
    ),
]


@pytest.mark.parametrize(("story", "expected"), OWNERSHIPS)
def test_group_ownership(story: Story, expected: list[str]) -> None:
    assert judged("group_ownership", story, "12:00") == expected


CALLS = [
    pytest.param(
        [("09:00", "call_started"), ("09:02", "call_answered", None, {"author": AGENT})],
        ["1 met due 14:00 used 0:02"],
        id="somebody of ours takes it",
    ),
    pytest.param(
        [("09:00", "call_started"), ("09:02", "call_ended")], ["1 cancelled due 14:00 used 0:02"], id="given up"
    ),
    pytest.param(
        [("09:00", "call_started"), ("09:01", "call_answered", None, {"author": BOT}), ("16:00", "call_ended")],
        ["1 cancelled due 14:00 used 6:00"],
        id="a machine takes it",
    ),
    pytest.param([("09:00", "call_started", None, {"author": AGENT})], [], id="a call of ours"),
    pytest.param([("09:00", "call_started", None, {"author": BOT})], [], id="a call of our machine"),
    pytest.param(
        [
            ("09:00", "call_started"),
            ("09:01", "call_answered", None, {"author": AGENT}),
            ("09:09", "call_ended"),
            ("10:00", "call_started"),
            ("10:05", "call_answered", None, {"author": AGENT}),
        ],
        ["1 met due 14:00 used 0:01", "2 met due 15:00 used 0:05"],
        id="each call is an instance",
    ),
]


@pytest.mark.parametrize(("story", "expected"), CALLS)
def test_speed_of_answer(story: Story, expected: list[str]) -> None:
    assert judged("speed_of_answer", story) == expected


def survey(at: str, score: float, kind: str = "csat", scale: float | None = None) -> tuple[Any, ...]:
    return (at, "survey_response", None, {"score": score, "kind": kind, "scale": scale})


FOLLOW_UPS = [
    pytest.param([survey("09:00", 2), ("10:00", "agent")], ["1 met due 14:00 used 1:00"], id="we write to them"),
    pytest.param([survey("09:00", 2), ("10:00", "note"), ("10:01", "bot"), ("10:02", "auto-reply")],
                 ["1 breached due 14:00 used 4:00"], id="nobody does"),
    pytest.param([survey("09:00", 2), ("10:00", "call_answered", None, {"author": AGENT})],
                 ["1 met due 14:00 used 1:00"], id="we speak with them"),
    pytest.param([survey("09:00", 3)], [], id="the middle of the scale is no complaint"),
    pytest.param([survey("09:00", 6, "nps")], ["1 breached due 14:00 used 4:00"], id="a detractor"),
    pytest.param([survey("09:00", 7, "nps")], [], id="no detractor"),
    pytest.param([survey("09:00", 3, "ces")], ["1 breached due 14:00 used 4:00"], id="hard for the customer"),
    pytest.param([survey("09:00", 0, "csat", 1)], ["1 breached due 14:00 used 4:00"], id="thumb down"),
    pytest.param([survey("09:00", 1, "csat", 1)], [], id="thumb up"),
    pytest.param([survey("09:00", 49, "csat", 100)], ["1 breached due 14:00 used 4:00"], id="less than half of it"),
    pytest.param([survey("09:00", 50, "csat", 100)], [], id="half of a hundred"),
    pytest.param([("08:00", "status", "closed"), survey("09:00", 1), ("10:00", "agent")],
                 ["1 met due 14:00 used 1:00"], id="closed conversations are followed up too"),
]  # fmt: skip


@pytest.mark.parametrize(("story", "expected"), FOLLOW_UPS)
def test_follow_up(story: Story, expected: list[str]) -> None:
    assert judged("follow_up", [("07:00", "system"), *story]) == expected


# Clocks that a file declares itself.


def declared(story: Story, **conditions: Any) -> list[str]:
    clock = DeclaredClock(name="own", **conditions)
    promised = policy([target("own", "4:00")]).policies
    file = PolicyFile(version="1", calendars={"office": OFFICE}, policies=promised, clocks={"own": clock})
    return only("own", Desk(file).take(*told(story)).until("11:30"))


def when(**keys: str) -> Condition:
    return Condition({("from" if key == "who" else key): tuple(value.split("|")) for key, value in keys.items()})


DECLARED = [
    pytest.param(
        {"start": when(team="second"), "satisfy": when(type="message", who="agent")},
        [("09:00", "customer"), ("10:00", "assigned", {"team": "second"}), ("10:30", "note"), ("11:00", "agent")],
        ["1 met due 15:00 used 0:30"],
        id="attributes alone hold when they become true; a message of an agent may be a note",
    ),
    pytest.param(
        {"start": when(team="second"), "satisfy": when(type="message", who="agent", public="true")},
        [("09:00", "customer"), ("10:00", "assigned", {"team": "second"}), ("10:30", "note"), ("11:00", "agent")],
        ["1 met due 15:00 used 1:00"],
        id="unless it must be public",
    ),
    pytest.param(
        {"start": when(status="open"), "satisfy": when(type="message", who="agent")},
        [("09:00", "status", "open"), ("10:00", "agent"), ("10:30", "customer"), ("11:00", "status", "open")],
        ["1 met due 14:00 used 1:00"],
        id="what was true already does not start again",
    ),
    pytest.param(
        {"start": when(status="new"), "satisfy": when(status="open")},
        [("09:00", "customer"), ("10:00", "status", "open")],
        ["1 met due 14:00 used 1:00"],
        id="a conversation that says no status is new",
    ),
    pytest.param(
        {"start": when(who="customer"), "satisfy": when(who="agent"), "cancel": when(type="message", who="agent")},
        [("09:00", "customer"), ("10:00", "agent")],
        ["1 cancelled due 14:00 used 1:00"],
        id="cancel comes before satisfy",
    ),
    pytest.param(
        {"start": when(who="customer"), "satisfy": when(who="agent"), "cancel": when(who="customer")},
        [("09:00", "customer"), ("10:00", "customer")],
        [],
        id="cancel comes before start",
    ),
    pytest.param(
        {"start": when(who="agent"), "satisfy": when(who="agent")},
        [("09:00", "agent"), ("10:00", "agent")],
        ["1 met due 14:00 used 1:00", "2 open due 15:00 used 0:00"],
        id="one event may end an instance and begin the next",
    ),
    pytest.param(
        {"start": when(who="customer"), "satisfy": when(status="resolved"), "pause": when(type="message", who="agent")},
        [("09:00", "customer"), ("10:00", "agent"), ("10:15", "customer")],
        ["1 open due 14:15 used 1:00"],
        id="a pause that asks the event holds until the next one",
    ),
    pytest.param(
        {"start": when(type="survey_response", kind="nps"), "satisfy": when(tag="called")},
        [("09:00", "customer"), survey("09:30", 9), survey("10:00", 9, "nps"), ("10:20", "tagged", ("called",))],
        ["1 met due 15:00 used 0:20"],
        id="which kind of survey, and a tag",
    ),
    pytest.param(
        {"start": when(type="message", automated="true"), "satisfy": when(who="agent", automated="false")},
        [("09:00", "auto-reply"), ("09:40", "agent")],
        ["1 met due 14:00 used 0:40"],
        id="what a machine wrote",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "story", "expected"), DECLARED)
def test_a_clock_of_ones_own(conditions: dict[str, Any], story: Story, expected: list[str]) -> None:
    assert declared(story, **conditions) == expected


# What several rules say about one event.


def test_a_thank_you_of_the_same_instant_takes_no_question_back() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), event("09:10", "agent"), event("10:00", "customer"))
    desk.take(event("10:00", "customer", id="thanks", text="Thank you!")).until("10:30")
    assert only("next_response", desk) == ["1 open due 12:00 used 0:00"]


def test_a_thank_you_opens_an_instance_that_ends_at_once_and_says_why() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), event("09:10", "agent"))
    desk.take(event("10:00", "customer", text="Merci beaucoup !")).take(event("11:00", "customer", text="And now?"))
    assert desk.story("next_response") == ["10:00 activated", "10:00 cancelled (thanks)", "11:00 activated"]


def test_thanks_do_not_reopen_what_is_resolved_but_end_a_wait() -> None:
    story = [("09:00", "customer"), ("09:10", "agent"), ("10:00", "status", "resolved")]
    desk = Desk(policy([target("total_resolution", "4:00")])).take(*told(story))
    desk.take(event("11:00", "customer", text="thanks a lot"))
    assert only("total_resolution", desk) == ["1 met due 14:00 used 1:00"]
    waiting = Desk(policy()).take(*told([*story[:2], ("10:00", "status", WAITING)]))
    assert "11:00 resumed (open)" in waiting.take(event("11:00", "customer", text="thanks")).story("first_resolution")


def test_an_absorbed_conversation_promises_nothing_whatever_still_happens_to_it() -> None:
    desk = Desk(policy([target("total_resolution", "4:00"), target("group_ownership", "4:00")]))
    desk.take(event("09:00", "customer"), event("10:00", "merged", "c2"))
    desk.take(event("10:01", "status", "open"), event("10:02", "assigned", {"team": "emea"})).until("22:00")
    assert only("total_resolution", desk) == ["1 merged due 14:00 used 1:00"]
    assert only("group_ownership", desk) == []


def test_a_new_version_and_a_new_priority_at_once_are_one_new_target() -> None:
    """The two together moved the deadline once: two events of one name would be counted as one."""
    edited = policy([target("first_response", {"normal": "3:00", "urgent": "1:00"})], "2")
    desk = Desk(policy()).take(event("09:00", "customer"), activation(edited, moment("09:10")))
    desk.take(event("09:30", "priority", "urgent"))
    assert desk.story("first_response")[1:] == ["09:30 retargeted (retarget_from_start)"]
    assert only("first_response", desk) == ["1 open due 10:00 used 0:30"]


# What looks like playing with the clock.


def flags(metric: str, *events: Any, targets: Any = ()) -> list[tuple[str, ...]]:
    desk = Desk(policy(targets)).take(*events)
    return [view.flags for view in sorted(desk.views, key=lambda view: view.id) if view.metric == metric]


def test_a_pause_right_after_a_question_is_marked_and_one_after_an_answer_is_not() -> None:
    asked, paused = event("10:00", "customer"), event("10:05", "status", WAITING)
    assert flags("first_resolution", asked, paused) == [("paused_after_reply",)]
    assert flags("first_resolution", asked, event("10:06", "status", WAITING)) == [()]
    assert flags("first_resolution", asked, event("10:04", "agent"), paused) == [()]


def test_a_holding_reply_satisfies_and_is_marked() -> None:
    asked = event("10:00", "customer")
    assert flags("first_response", asked, event("10:01", "agent", text="Hi Anna, we are looking into it.")) == [
        ("holding_reply",)
    ]
    assert flags("first_response", asked, event("10:01", "agent", text="Please restart the router.")) == [()]


def test_to_and_fro_between_teams_within_a_day_is_marked() -> None:
    owned = (target("group_ownership", "4:00"),)
    first = event("09:00", "customer", team="emea")
    given = event("10:00", *APAC)
    assert flags("group_ownership", first, given, event("11:00", *EMEA), targets=owned) == [
        (),
        ("reassigned_back",),
        (),
    ]
    assert flags("group_ownership", first, given, event("wed 11:00", *EMEA), targets=owned) == [(), (), ()]
