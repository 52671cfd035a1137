"""What changes do to clocks that run: priorities, due dates by hand, warnings, accounts, late events, policies."""

from datetime import timedelta
from typing import Any

import pytest

from agents.domain.instant import DAY_US
from schemas.policy import PolicyFile
from tests.conversation_stories import Desk, activation, event, instant, moment, policy, target, warn_at

URGENT_OR_NOT = {"normal": "4:00", "urgent": "1:00", "low": "6:00"}
WAITING = "waiting_on_customer"


def desk_under(*targets: Any, **more: Any) -> Desk:
    return Desk(policy(targets, **more))


def only(metric: str, desk: Desk) -> list[str]:
    return [line.removeprefix(f"{metric}/") for line in desk.clocks() if line.startswith(metric)]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        # 09:00 start, 10:00-11:00 paused, at 14:00 low -> urgent with three hours used.
        pytest.param("retarget_from_start", "1 breached due 11:00 used 3:00", id="from the start, the pause kept"),
        pytest.param("forward", "1 open due 15:00 used 3:00", id="forward: the new target counts from the change"),
        pytest.param("reset", "1 open due 15:00 used 0:00", id="reset: everything counts from the change"),
        pytest.param("keep", "1 open due 17:00 used 1:00", id="keep: as it was promised first"),
    ],
)
def test_a_priority_change_retargets_a_running_clock(mode: str, expected: str) -> None:
    desk = desk_under(target("first_resolution", URGENT_OR_NOT), on_change=mode)
    desk.take(
        event("09:00", "customer", priority="low"),
        event("10:00", "status", "on_hold"),
        event("11:00", "status", "open"),
        event("14:00", "priority", "urgent"),
    )
    assert only("first_resolution", desk) == [expected]


def test_a_breach_by_a_change_carries_the_time_of_the_change_and_what_was_due() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT), warn_at=warn_at("75%"))
    desk.take(event("09:00", "customer"), event("11:30", "priority", "urgent"))
    assert desk.story("first_response") == [
        "09:00 activated",
        "11:30 retargeted (retarget_from_start)",
        "11:30 breached",
    ]
    breach = desk.events[-1]
    assert (breach.due_at, breach.breached_at) == (moment("10:00"), moment("11:30"))
    assert (breach.overrun_seconds, breach.lateness_seconds) == (5400, None)


def test_a_change_in_a_pause_breaches_what_has_used_too_much() -> None:
    desk = desk_under(target("first_resolution", URGENT_OR_NOT))
    desk.take(
        event("09:00", "customer"),
        event("11:00", "status", WAITING),
        event("14:00", "priority", "urgent"),
        event("15:00", "status", "closed"),
    )
    assert only("first_resolution", desk) == ["1 satisfied_late due 12:00 used 2:00"]


def test_what_was_used_before_a_forward_target_is_no_overrun() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT), on_change="forward")
    desk.take(event("09:00", "customer"), event("11:30", "priority", "urgent"), event("13:15", "agent"))
    met = desk.events[-2]
    assert (met.kind, met.due_at, met.elapsed_seconds) == ("met", moment("13:30"), 3.25 * 3600)
    assert met.overrun_seconds is None


def test_a_priority_without_a_target_takes_the_deadline_away() -> None:
    desk = desk_under(target("first_response", {"normal": "4:00"}))
    desk.take(event("09:00", "customer"), event("10:00", "priority", "low")).until("tue 12:00")
    assert only("first_response", desk) == ["1 open used 1:00"]


def test_decided_clocks_do_not_change() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT))
    desk.take(event("09:00", "customer"), event("11:00", "agent"), event("11:30", "priority", "urgent"))
    assert only("first_response", desk) == ["1 met due 14:00 used 2:00"]


# Warnings.


def test_warnings_come_in_open_time_and_in_their_order() -> None:
    desk = desk_under(target("first_response", "4:00"), warn_at=warn_at("30m", "50%", "90%"))
    desk.take(event("10:30", "customer")).until("22:00")
    assert desk.story("first_response") == [
        "10:30 activated",
        "13:30 warned 50%",
        "15:00 warned 30m",
        "15:06 warned 90%",
        "15:30 breached",
    ]


def test_a_warning_longer_than_the_target_is_never_given() -> None:
    desk = desk_under(target("first_response", "0:20"), warn_at=warn_at("30m")).take(event("09:00", "customer"))
    assert desk.until("22:00").story("first_response") == ["09:00 activated", "09:20 breached"]


def test_a_pause_moves_the_warnings_that_were_not_given() -> None:
    desk = desk_under(target("first_resolution", "4:00"), warn_at=warn_at("25%", "75%"))
    desk.take(event("09:00", "customer"), event("10:30", "status", WAITING), event("14:30", "status", "open")).until(
        "16:50"
    )
    assert desk.story("first_resolution") == [
        "09:00 activated",
        "10:00 warned 25%",
        f"10:30 paused ({WAITING})",
        "14:30 resumed (open)",
        "16:00 warned 75%",
    ]


def test_a_warning_that_a_change_has_passed_is_given_once_at_the_change() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT), warn_at=warn_at("50%", "75%", "90%"))
    desk.take(event("09:00", "customer"), event("09:50", "priority", "urgent")).until("10:30")
    assert desk.story("first_response") == [
        "09:00 activated",
        "09:50 retargeted (retarget_from_start)",
        "09:50 warned 75%",
        "09:54 warned 90%",
        "10:00 breached",
    ]


def test_a_later_deadline_warns_anew() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT), warn_at=warn_at("75%"))
    desk.take(event("09:00", "customer", priority="urgent"), event("09:50", "priority", "low")).until("22:00")
    assert desk.story("first_response")[1::2] == ["09:45 warned 75%", "14:30 warned 75%"]
    assert len({each.id for each in desk.events}) == len(desk.events)


# Due dates set by hand.


def test_a_due_date_set_by_hand_wins_and_no_pause_moves_it() -> None:
    desk = desk_under()
    desk.take(
        event("09:00", "customer"),
        event("09:30", "due_set", ("first_resolution", "12:30")),
        event("10:00", "status", WAITING),
        event("11:00", "status", "open"),
        event("11:30", "priority", "urgent"),
    ).until("22:00")
    assert only("first_resolution", desk) == ["1 breached due 12:30 used 2:00"]
    assert {each.target_seconds for each in desk.events if each.due_at == moment("12:30")} == {None}


def test_a_due_date_may_come_before_its_clock_and_be_met_to_the_instant() -> None:
    desk = desk_under()
    desk.take(
        event("08:00", "due_set", ("first_response", "19:00")), event("09:00", "customer"), event("19:00", "agent")
    )
    assert only("first_response", desk) == ["1 met due 19:00 used 8:00"]


def test_a_due_date_in_the_past_breaches_when_it_is_set() -> None:
    desk = desk_under().take(event("09:00", "customer"), event("10:00", "due_set", ("first_response", "09:30")))
    assert desk.story("first_response")[-2:] == ["10:00 retargeted (due_set)", "10:00 breached"]


def test_a_due_date_without_any_policy_counts_around_the_clock_from_the_creation() -> None:
    desk = Desk(PolicyFile(version="empty"))
    desk.take(
        event("20:00", "customer"),
        event("21:00", "due_set", ("first_resolution", "23:00")),
        event("22:00", "status", "resolved"),
    )
    assert only("first_resolution", desk) == ["1 met due 23:00 used 2:00"]


# Policies in force.


def test_a_policy_judges_from_its_place_in_the_log_and_from_its_own_beginning() -> None:
    first, second = policy(), policy([target("first_response", "1:00")], "2", moment("12:00"))
    desk = Desk(first)
    desk.take(
        event("09:00", "customer", conversation_id="before"),
        event("14:00", "customer", conversation_id="not yet known"),
        activation(second, moment("15:00")),
        event("12:30", "customer", conversation_id="reached back"),
        event("11:00", "customer", conversation_id="older"),
    )
    began = {each.conversation_id: each for each in desk.events if each.metric == "first_response"}
    assert {name: (each.policy_version, each.target_seconds) for name, each in began.items()} == {
        "before": ("1", 4 * 3600),
        "not yet known": ("1", 4 * 3600),
        "reached back": ("2", 3600),
        "older": ("1", 4 * 3600),
    }


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        pytest.param("open", ["1 open due 15:00 used 0:30"], id="open conversations follow at their next event"),
        pytest.param("new", ["1 open due 14:00 used 0:00"], id="only new conversations follow"),
    ],
)
def test_whom_an_edit_of_a_policy_reaches(reach: str, expected: list[str]) -> None:
    edited = policy([target("first_response", "5:00")], "2", applies_to_changes=reach)
    desk = desk_under().take(event("09:00", "customer"), activation(edited, moment("09:15")))
    assert only("first_response", desk.take(event("09:30", "note"))) == expected


def test_finished_cycles_stay_as_they_were_judged_when_history_is_folded_again() -> None:
    strict = policy([target("first_response", "0:30")], "2", moment("08:00"))
    desk = desk_under().take(event("09:00", "customer"), event("10:00", "agent"))
    desk.take(activation(strict, moment("10:30")), event("11:00", "customer"), event("09:30", "note"))
    assert only("first_response", desk) == ["1 met due 14:00 used 1:00"]


def test_a_clock_ends_where_no_policy_promises_it_any_more() -> None:
    bare = policy(version="2", targets=[])
    without = PolicyFile(version="2", calendars=bare.calendars, policies=())
    desk = desk_under().take(event("09:00", "customer"), activation(without, moment("09:15")))
    assert only("first_response", desk.take(event("09:30", "note"))) == ["1 cancelled due 14:00 used 0:30"]


# Accounts.


def test_another_account_takes_the_promises_over() -> None:
    desk = desk_under().take(
        event("09:00", "customer"),
        event("09:30", "agent"),
        event("10:00", "account_id", "beta", tier="gold"),
        event("11:00", "status", "closed"),
    )
    moved = [
        (each.account_id, each.metric, each.kind)
        for each in desk.events
        if each.metric is not None and each.reason == "reassigned"
    ]
    assert moved == [
        ("acme", "first_resolution", "cancelled"),
        ("acme", "first_response", "retracted"),
        ("beta", "first_resolution", "activated"),
        ("beta", "first_response", "activated"),
        ("beta", "first_response", "met"),
    ]
    back = next(each for each in desk.events if each.kind == "retracted")
    assert (back.previous_outcome, back.previous_decided_at) == ("met", moment("09:30"))
    assert {view.account_id for view in desk.views} == {"beta"}
    assert only("first_resolution", desk) == ["1 met due 18:00 used 2:00"]


def test_labels_of_clocks_follow_the_conversation() -> None:
    desk = desk_under().take(event("09:00", "customer"), event("09:30", "assigned", {"team": "emea"}))
    assert {view.team for view in desk.views} == {"emea"}


# Late events.


def test_a_late_answer_revises_the_breach_and_says_from_what_to_what() -> None:
    desk = desk_under(target("first_response", "1:00")).take(event("09:00", "customer")).until("11:00")
    desk.take(event("09:30", "agent"))
    assert desk.story("first_response") == ["09:00 activated", "10:00 breached", "09:30 outcome_revised (late event)"]
    revised = next(each for each in desk.events if each.kind == "outcome_revised")
    assert (revised.previous_outcome, revised.previous_decided_at) == ("breached", moment("10:00"))
    assert (revised.outcome, revised.satisfied_at, revised.elapsed_seconds) == ("met", moment("09:30"), 1800)
    assert desk.events[-1].kind == "outcome_revised"
    assert [each.kind for each in desk.events if each.cause.event_id == revised.cause.event_id] == [
        "contact",
        "outcome_revised",
    ]


def test_a_late_event_that_comes_first_describes_the_conversation() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT))
    desk.take(event("09:30", "customer", priority="low"), event("09:00", "customer", priority="urgent", tier="gold"))
    assert only("first_response", desk) == ["1 open due 10:00 used 0:30"]
    assert {view.tier for view in desk.views} == {"gold"}


def test_a_late_change_of_account_moves_what_was_told() -> None:
    desk = desk_under().take(event("09:00", "customer"), event("10:00", "agent"))
    desk.take(event("09:30", "account_id", "beta"))
    assert {view.account_id for view in desk.views} == {"beta"}
    retracted = [(each.account_id, each.metric) for each in desk.events if each.kind == "retracted"]
    met = [(each.account_id, each.metric) for each in desk.events if each.kind == "met"]
    assert (retracted, met[-1]) == ([("acme", "first_response")], ("beta", "first_response"))


def test_no_id_ever_means_two_things_when_a_clock_breaches_again() -> None:
    desk = desk_under(target("first_response", URGENT_OR_NOT)).take(event("09:00", "customer", priority="urgent"))
    desk.until("10:30").take(event("09:30", "priority", "low")).until("22:00")
    assert [each.kind for each in desk.events if each.metric == "first_response"] == [
        "activated",
        "breached",
        "outcome_revised",
        "breached",
    ]
    assert len({each.id for each in desk.events}) == len(desk.events)


def test_what_is_older_than_a_week_changes_nothing() -> None:
    desk = desk_under().take(event("sun 09:00", "customer"))
    late = event(moment("09:00").replace(month=2, day=20), "agent")
    assert desk.take(late).agent.ledger.late == 1
    assert desk.take(late).agent.ledger.duplicate == 1
    assert only("first_response", desk)[0].startswith("1 open")


def test_a_long_finished_conversation_shrinks_and_still_counts_on() -> None:
    desk = desk_under().take(
        event("09:00", "customer"),
        event("09:10", "agent"),
        event("09:20", "customer"),
        event("09:30", "status", "closed"),
    )
    before = len(desk.states.states["c1"])
    desk.until(instant("09:30") + 8 * DAY_US)
    assert len(desk.states.states["c1"]) < before
    desk.take(event(moment("10:00") + timedelta(days=10), "customer"))
    assert only("next_response", desk) == ["1 cancelled due 11:20 used 0:10", "2 open due 2026-03-12 12:00 used 0:00"]
    assert desk.take(event("09:10", "agent")).agent.ledger.duplicate == 1


def test_a_new_version_and_a_due_date_at_once_are_two_moves_of_two_names() -> None:
    edited = policy([target("first_response", "3:00")], "2")
    desk = Desk(policy()).take(event("09:00", "customer"), activation(edited, moment("09:10")))
    desk.take(event("09:30", "due_set", ("first_response", "11:00")))
    assert desk.story("first_response")[1:] == ["09:30 retargeted (retarget_from_start)", "09:30 retargeted (due_set)"]
    assert len({each.id for each in desk.events}) == len(desk.events)
