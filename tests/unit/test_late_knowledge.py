"""What is known only later: corrections, accounts that turn out to be others, sources that deliver with a delay."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from agents.domain.timeline import MAX_ENTRIES, decode_state
from schemas.clock_view import ClockView
from schemas.control import Control
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.policy import Condition, MetricTarget, PolicyFile
from tests.conversation_stories import MONDAY, Desk, event, instant, moment, policy, target


def only(metric: str, desk: Desk) -> list[str]:
    return [line.removeprefix(f"{metric}/") for line in desk.clocks() if line.startswith(f"{metric}/")]


def state_of(desk: Desk) -> ConversationState:
    return decode_state(desk.states.states["c1"])


# Corrections: the same id in a higher version.


def test_a_corrected_time_is_judged_anew_and_says_what_it_was() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), event("14:30", "agent", id="answer"))
    assert only("first_response", desk) == ["1 satisfied_late due 14:00 used 4:30"]
    desk.take(event("13:30", "agent", id="answer", version=1))
    assert only("first_response", desk) == ["1 met due 14:00 used 3:30"]
    (revised,) = [each for each in desk.events if each.metric == "first_response" and each.kind == "outcome_revised"]
    assert (revised.previous_outcome, revised.previous_decided_at) == ("satisfied_late", moment("14:00"))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_an_event_the_highest_version_counts_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    versions = [event(f"1{version}:00", "agent", id="answer", version=version) for version in range(3)]
    desk = Desk(policy()).take(event("09:00", "customer"), *(versions[number] for number in order))
    assert only("first_response", desk) == ["1 met due 14:00 used 3:00"]
    assert desk.take(*versions).agent.ledger.duplicate >= 3


@pytest.mark.parametrize("backwards", [False, True])
def test_a_deleted_message_was_no_answer_whichever_comes_first(backwards: bool) -> None:
    """A message that is taken back takes its conversation nowhere: only a deletion of its own id does that."""
    both = [event("10:00", "agent", id="answer"), event("10:30", "deleted", id="answer", version=1)]
    desk = Desk(policy()).take(event("09:00", "customer"), *(reversed(both) if backwards else both)).until("11:00")
    assert only("first_response", desk) in (["1 open due 14:00 used 0:00"], ["1 open due 14:00 used 1:00"])
    assert state_of(desk).status is None


# Accounts that turn out to be others.


def link(account_id: str, into: str, at: str = "12:00") -> Control:
    return Control(id=f"{account_id}={into}", kind="account_linked", as_of=moment(at), account_id=account_id, into=into)


def chosen_by_account() -> PolicyFile:
    """`big` is promised an answer in an hour, everybody else in four."""
    for_big = policy([target("first_response", "1:00")], id="big", when=Condition({"account": ("big",)}))
    return replace(policy(), policies=for_big.policies + policy().policies)


def told_accounts(desk: Desk) -> list[tuple[str, str]]:
    return [(each.account_id, each.kind) for each in desk.events if each.metric == "first_response"]


def test_a_linked_account_hands_its_promises_over_and_what_still_comes_for_it() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), link("acme", "big"), event("13:00", "agent"))
    assert told_accounts(desk) == [("acme", "activated"), ("acme", "cancelled"), ("big", "activated"), ("big", "met")]
    assert {view.account_id for view in desk.views} == {"big"}
    desk.take(event("13:10", "customer", conversation_id="c2"))
    assert {view.account_id for view in desk.views} == {"big"}


@pytest.mark.parametrize(
    "links",
    [
        pytest.param([("acme", "x"), ("x", "big")], id="a chain"),
        pytest.param([("x", "big"), ("acme", "x")], id="a chain told backwards"),
        pytest.param([("acme", "big"), ("big", "acme")], id="the other way round is not heeded"),
        pytest.param([("acme", "big"), ("acme", "big")], id="said twice"),
    ],
)
def test_links_lead_to_one_account(links: list[tuple[str, str]]) -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), event("09:05", "customer", conversation_id="c2"))
    for account_id, into in links:
        desk.take(link(account_id, into))
    desk.take(event("09:30", "agent"), event("09:40", "agent", conversation_id="c2"))
    assert {view.account_id for view in desk.views} == {"big"}
    assert len({each.id for each in desk.events}) == len(desk.events)


STORY = [event("09:00", "customer"), event("11:00", "agent"), event("11:30", "customer"), event("13:30", "note")]


@pytest.mark.parametrize("place", range(len(STORY) + 1))
def test_a_link_comes_to_the_same_wherever_it_stands(place: int) -> None:
    """From its beginning the conversation is the other account's: its policy judges, and late events change nothing."""
    log: list[Interaction | Control] = [*STORY[:place], link("acme", "big"), *STORY[place:]]
    desk = Desk(chosen_by_account()).take(*log).until("16:00")
    for _ in range(2):
        views = sorted(desk.views, key=lambda view: view.id)
        assert [(view.metric, view.account_id, view.policy, view.outcome) for view in views] == [
            ("first_resolution", "big", "big", "open"),
            ("first_response", "big", "big", "satisfied_late"),
            ("next_response", "big", "big", "breached"),
        ]
        desk.take(event("10:30", "note", id="late"))


def test_a_late_event_after_a_link_is_told_to_the_other_account() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), link("acme", "big"), event("15:00", "note"))
    before = len(desk.events)
    desk.take(event("10:00", "agent", id="late answer"))
    assert {each.account_id for each in desk.events[before:]} == {"big"}
    assert only("first_response", desk) == ["1 met due 14:00 used 1:00"]


def test_a_link_finds_what_was_folded_away_and_what_has_shrunk() -> None:
    desk = Desk(chosen_by_account())
    for number in range(MAX_ENTRIES + 10):
        desk.take(event(MONDAY + timedelta(minutes=600 + number), "customer", id=f"m{number}"))
    assert state_of(desk).base is not None
    shrunk = event("09:00", "customer", conversation_id="old")
    desk.take(shrunk, event("09:10", "status", "closed", conversation_id="old"))
    desk.until(instant("09:10") + 30 * 86_400 * 10**6)
    desk.take(link("acme", "big"), event("15:00", "note"), event("15:10", "agent", conversation_id="old"))
    assert {view.account_id for view in desk.views} == {"big"}
    assert {each.policy for each in desk.events if each.kind == "satisfied_late"} <= {"big", "gold"}


def test_a_conversation_of_a_story_is_linked_in_its_own_time() -> None:
    """A link stands on the wall; what it does to a conversation that lives in another time happens in that time."""
    far = event(MONDAY + timedelta(days=-365), "customer", clock="simulation:7")
    desk = Desk(policy()).take(far, link("acme", "big"))
    moved = [each for each in desk.events if each.reason == "reassigned"]
    assert {each.occurred_at for each in moved} == {far.occurred_at}


# Sources that deliver with a delay.


def control(kind: str, at: str, **more: Any) -> Control:
    return Control(id=f"{kind}/{at}", kind=kind, as_of=moment(at), source="test", **more)  # type: ignore[arg-type]


def response(desk: Desk) -> ClockView:
    return next(view for view in desk.views if view.metric == "first_response")


def test_a_source_that_delivers_with_a_delay_is_judged_no_further_than_its_last_heartbeat() -> None:
    desk = Desk(policy()).take(control("heartbeat", "09:30"), event("09:00", "customer")).until("20:00")
    assert response(desk).outcome == "open"
    desk.take(control("heartbeat", "14:00")).until("20:00")
    assert response(desk).outcome == "open"
    desk.take(control("heartbeat", "14:01"))
    assert (response(desk).outcome, response(desk).breached_at) == ("breached", moment("14:00"))


def test_an_answer_that_was_on_its_way_prevents_the_breach() -> None:
    desk = Desk(policy()).take(control("heartbeat", "09:30"), event("09:00", "customer")).until("20:00")
    desk.take(event("13:59", "agent"), control("heartbeat", "20:00"))
    assert [kind for _, kind in told_accounts(desk)] == ["activated", "met"]


def test_a_first_heartbeat_takes_over_what_waits_on_the_wall() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), control("heartbeat", "09:30")).until("20:00")
    assert response(desk).outcome == "open"
    assert response(desk.take(control("heartbeat", "14:01"))).outcome == "breached"


def test_a_heartbeat_goes_neither_back_nor_beyond_the_broker() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), control("heartbeat", "13:00"))
    desk.take(control("heartbeat", "20:00"), appended_at=instant("13:30")).until("20:00")
    assert response(desk).outcome == "open"
    assert response(desk.take(control("heartbeat", "12:00"))).outcome == "open"


def test_a_breach_waits_until_deliveries_have_settled() -> None:
    desk = Desk(policy()).take(control("source_declared", "08:00", settle_seconds=60), event("09:00", "customer"))
    assert response(desk.until("14:01")).outcome == "open"
    desk.until(instant("14:01") + 1)
    assert (response(desk).outcome, response(desk).breached_at) == ("breached", moment("14:00"))


def test_silence_of_one_source_holds_up_no_other() -> None:
    desk = Desk(policy()).take(control("heartbeat", "09:30"))
    desk.take(event("09:00", "customer"), event("09:00", "customer", conversation_id="c2", source="other"))
    desk.until("20:00")
    assert {view.conversation_id: view.outcome for view in desk.views if view.metric == "first_response"} == {
        "c1": "open",
        "c2": "breached",
    }


# Times that cannot be.


@pytest.mark.parametrize(
    ("year", "reason"),
    [
        pytest.param(1970, "impossible_time", id="a field that nobody filled in"),
        pytest.param(2200, "from_the_future", id="milliseconds taken for seconds"),
        pytest.param(9999, "from_the_future", id="never"),
    ],
)
def test_impossible_times_are_put_aside_and_spoil_nothing(year: int, reason: str) -> None:
    desk = Desk(policy()).take(event("09:00", "customer"))
    desk.take(event(MONDAY.replace(year=year), "agent", id="impossible"), event("09:30", "agent"))
    assert [(found, len(desk.effects.rejected)) for _, found, _ in desk.effects.rejected] == [(reason, 1)]
    assert only("first_response", desk) == ["1 met due 14:00 used 0:30"]


@pytest.mark.parametrize("year", [1970, 2299, 9999])
def test_an_impossible_due_date_spoils_nothing(year: int) -> None:
    desk = Desk(policy()).take(event("09:00", "customer"))
    due = {"type": "due_set", "metric": "first_response", "due_at": MONDAY.replace(year=year)}
    desk.take(event("09:10", "due_set", ("first_response", "10:00"), **due), event("09:30", "agent"))
    assert response(desk).outcome == ("satisfied_late" if year == 1970 else "met")


# Merging into what was finished long ago.


def test_a_survivor_that_has_shrunk_goes_on_with_its_own_life() -> None:
    promised: list[MetricTarget] = [target("total_resolution", "8:00")]
    desk = Desk(policy(promised)).take(
        event("09:00", "customer"), event("09:10", "agent"), event("10:00", "status", "closed")
    )
    desk.until(instant("10:00") + 30 * 86_400 * 10**6)
    late = MONDAY + timedelta(days=35, hours=10)
    absorbed = Desk(policy(promised)).take(event(late, "customer", conversation_id="a"))
    absorbed.take(event(late + timedelta(minutes=5), "merged", "c1", conversation_id="a"))
    handover = next(each for _, _, each in absorbed.effects.emitted if getattr(each, "type", "") == "handover")
    desk.take(handover)  # type: ignore[arg-type]
    state = state_of(desk)
    assert state.instances == {"first_response": 1, "first_resolution": 1, "total_resolution": 2, "next_response": 1}
    assert len({each.id for each in desk.events}) == len(desk.events)
