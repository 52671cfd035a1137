"""Conversations that become one: each lives in a partition of its own, and what one writes for another is carried."""

from typing import Any

import pytest

from agents.partition_controls import tick
from schemas.topics import INTERACTIONS
from tests.conversation_stories import Desk, event, instant, log, moment, policy
from tests.merging_stories import Partitions, said, two_policies


def test_the_survivor_keeps_the_earliest_start_and_the_oldest_unanswered_message() -> None:
    both = Partitions("a", "b")
    both.take("a", said("a", "09:00", "customer"))
    both.take("b", said("b", "10:00", "customer"))
    both.take("a", said("a", "10:30", "merged", "b"))
    assert both.clocks("a", "first_response", "first_resolution") == [
        "first_resolution/1 merged due 18:00 used 1:30",
        "first_response/1 merged due 14:00 used 1:30",
    ]
    assert both.clocks("b", "first_response", "first_resolution") == [
        "first_resolution/1 open due 18:00 used 1:30",
        "first_response/1 open due 14:00 used 1:30",
    ]


def test_what_still_comes_for_a_merged_conversation_reaches_its_survivor_once() -> None:
    both = Partitions("a", "b")
    both.take("a", said("a", "09:00", "customer"), said("a", "09:30", "merged", "b"))
    reply = said("a", "10:00", "agent")
    both.take("a", reply, reply)
    assert both.clocks("b", "first_response") == ["first_response/1 met due 14:00 used 1:00"]
    ledger = both.desks["a"].agent.ledger
    assert (ledger.applied, ledger.duplicate) == (3, 1)
    assert both.desks["b"].agent.ledger.applied == 0  # counted where they came in


def test_what_was_said_before_the_merge_and_comes_after_it_counts_in_both() -> None:
    both = Partitions("a", "b")
    both.take("b", said("b", "09:45", "customer"))
    both.take("a", said("a", "09:30", "bot"), said("a", "10:00", "merged", "b"))
    both.take("a", said("a", "09:15", "customer"))
    assert both.clocks("a", "first_response") == ["first_response/1 merged due 14:15 used 0:45"]
    assert both.clocks("b", "first_response") == ["first_response/1 open due 14:15 used 0:45"]


def test_the_status_of_a_merged_conversation_is_its_own() -> None:
    both = Partitions("a", "b")
    both.take("b", said("b", "09:00", "customer"))
    both.take(
        "a", said("a", "09:30", "customer"), said("a", "10:00", "merged", "b"), said("a", "10:01", "status", "closed")
    )
    assert both.clocks("b", "first_resolution") == ["first_resolution/1 open due 18:00 used 0:00"]


def test_a_chain_of_merges_ends_at_its_last_survivor() -> None:
    three = Partitions("a", "b", "c")
    three.take("a", said("a", "09:00", "customer"), said("a", "09:30", "merged", "b"))
    three.take("b", said("b", "10:00", "merged", "c"))
    three.take("a", said("a", "10:30", "agent"))
    assert three.clocks("c", "first_response") == ["first_response/1 met due 14:00 used 1:30"]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_a_circle_of_merges_leaves_one_survivor(names: tuple[str, ...]) -> None:
    ring = Partitions(*names)
    for number, name in enumerate(names):
        ring.take(name, said(name, f"09:0{number}", "customer"))
    for number, (name, into) in enumerate(zip(names, (*names[1:], names[0]), strict=True)):
        ring.take(name, said(name, f"10:0{number}", "merged", into))
    survivors = [name for name in names if ring.state(name).merged_into is None]
    assert survivors == [max(names)]
    ring.take(names[0], said(names[0], "11:00", "agent"))
    assert ring.clocks(names[-1], "first_response") == ["first_response/1 met due 14:00 used 2:00"]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_merges_that_cross_on_their_way_leave_one_survivor(order: tuple[str, str]) -> None:
    both = Partitions("a", "b")
    for name in ("a", "b"):
        both.desks[name].take(said(name, "09:00", "customer"))
    both.desks["a"].take(said("a", "10:00", "merged", "b"))
    both.desks["b"].take(said("b", "10:00", "merged", "a"))
    both.take(order[0])  # nothing new: what was written is carried now
    assert [name for name in ("a", "b") if both.state(name).merged_into is None] == ["b"]
    both.take("a", said("a", "11:00", "agent"))
    assert both.clocks("b", "first_response") == ["first_response/1 met due 14:00 used 2:00"]


def test_a_conversation_cannot_be_merged_into_itself() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"), event("10:00", "merged", "c1"))
    assert [reason for _, reason, _ in desk.effects.rejected] == ["contract_violation"]
    assert desk.agent.ledger.applied == 1


def test_merges_do_not_depend_on_batches() -> None:
    events = [said("a", "09:00", "customer"), said("a", "09:30", "merged", "b"), said("a", "10:00", "agent")]
    at_once, singly = Desk(policy()), Desk(policy())
    at_once.take(*events, tick("wall", instant("tue 12:00")))
    for each in log([*events, tick("wall", instant("tue 12:00"))], singly.offset):
        singly.take_records([each])
    assert at_once.effects.on(INTERACTIONS) == singly.effects.on(INTERACTIONS)
    assert at_once.states.states["a"] == singly.states.states["a"]


def only_counted(both: Partitions, *conversations: str) -> list[str]:
    """Clocks that are in the ratio, with the conversation that has them."""
    return [
        f"{name} {line}"
        for name in conversations
        for line in both.desks[name].clocks()
        if line.split()[1] in {"met", "breached", "satisfied_late"}
    ]


def test_what_was_decided_before_a_merge_counts_with_the_survivor_alone() -> None:
    both = Partitions("a", "b")
    both.take("b", said("b", "09:10", "customer"))
    both.take("a", said("a", "09:00", "customer"), said("a", "09:30", "agent"), said("a", "10:00", "customer"))
    both.take("a", said("a", "10:20", "agent"), said("a", "10:30", "merged", "b"))
    assert only_counted(both, "a", "b") == [
        "b first_response/1 met due 14:00 used 0:30",
        "b next_response/1 met due 12:00 used 0:20",
    ]
    taken_along = [each for each in both.desks["a"].events if each.kind == "merged" and each.previous_decided_at]
    assert [(each.metric, each.previous_outcome, each.previous_decided_at) for each in taken_along] == [
        ("first_response", "met", moment("09:30")),
        ("next_response", "met", moment("10:20")),
    ]


def test_what_a_status_has_decided_the_survivor_takes_over_as_it_was() -> None:
    both = Partitions("a", "b")
    both.take("b", said("b", "09:10", "customer"))
    both.take("a", said("a", "09:00", "customer"), said("a", "09:40", "status", "closed"))
    both.take("a", said("a", "10:00", "merged", "b"))
    assert both.clocks("b", "first_resolution") == [
        "first_resolution/1 open due 18:00 used 1:00",
        "first_resolution/2 met due 18:00 used 0:40",
    ]
    assert both.clocks("a", "first_resolution") == ["first_resolution/1 merged due 18:00 used 0:40"]


def between(channel: str, other: str, **more: Any) -> Partitions:
    """`a` comes by one channel and `b` by another, which `two_policies` promise different things to."""
    both = Partitions("a", "b", policy_file=two_policies())
    for name, by in (("b", other), ("a", channel)):
        both.take(name, event("09:00", "customer", conversation_id=name, channel=by, **more))
    return both


def test_a_survivor_takes_over_what_its_policy_does_not_promise() -> None:
    both = between("email", "phone")
    both.take("a", said("a", "12:00", "agent"), said("a", "13:00", "merged", "b"))
    assert both.clocks("b", "first_response") == ["first_response/1 satisfied_late due 11:00 used 3:00"]
    unanswered = between("email", "phone").take("a", said("a", "13:00", "merged", "b"))
    assert unanswered.clocks("b", "first_response") == ["first_response/1 cancelled due 11:00 used 3:00"]
    assert [each for each in unanswered.desks["b"].story("first_response") if "activated" not in each] == [
        "11:00 breached (handed over)",
        "13:00 cancelled (from a)",
    ]


def test_a_broken_promise_stays_broken_where_the_survivor_would_have_had_more_time() -> None:
    both = between("email", "chat")
    both.take("a", said("a", "09:30", "agent"), said("a", "10:00", "customer"), said("a", "11:30", "merged", "b"))
    assert both.clocks("b", "next_response") == ["next_response/1 breached due 11:00 used 1:30"]
    both.take("b", said("b", "11:40", "agent"))
    assert both.clocks("b", "next_response") == ["next_response/1 satisfied_late due 11:00 used 1:40"]


def test_what_is_known_only_after_a_merge_changes_what_was_handed_over() -> None:
    three = Partitions("a", "b", "c")
    for name in ("a", "b", "c"):
        three.take(name, said(name, "09:00", "customer"))
    three.take("a", said("a", "10:00", "merged", "b"))
    three.take("b", said("b", "10:30", "merged", "c"))
    three.take("a", said("a", "09:40", "status", "closed"))
    assert three.clocks("b", "first_resolution")[1:] == ["first_resolution/2 merged due 18:00 used 0:40"]
    assert three.clocks("c", "first_resolution") == [
        "first_resolution/1 open due 18:00 used 0:00",
        "first_resolution/2 met due 18:00 used 0:40",
    ]


def test_who_is_merged_already_is_not_merged_again() -> None:
    three = Partitions("a", "b", "c")
    three.take(
        "a", said("a", "09:00", "customer"), said("a", "09:30", "merged", "b"), said("a", "09:40", "merged", "c")
    )
    assert "c" not in three.desks["c"].states.states
    assert three.state("a").merged_into == "b"


def test_a_promise_that_comes_home_in_a_circle_is_no_second_one() -> None:
    ring = Partitions("a", "b", "c", policy_file=two_policies())
    ring.take("a", event("08:00", "customer", conversation_id="a", channel="phone"))
    ring.take("c", event("09:00", "assigned", {"team": "billing"}, conversation_id="c", channel="email"))
    ring.take("c", said("c", "10:00", "assigned", {"team": "sales"}), said("c", "12:00", "merged", "a"))
    assert ring.clocks("a", "group_ownership") == ["group_ownership/1 met due 11:00 used 1:00"]
    ring.take("a", said("a", "13:00", "merged", "b"))
    ring.take("b", said("b", "13:10", "merged", "c"))
    assert ring.state("c").merged_into is None
    kept = [line for line in only_counted(ring, "a", "b", "c") if "ownership" in line and " met " in line]
    assert kept == ["c group_ownership/1 met due 11:00 used 1:00"]


def test_a_survivor_known_from_the_merge_alone_states_the_promise_of_its_team_once() -> None:
    both = Partitions("a", "b", policy_file=two_policies())
    both.take("a", event("09:00", "assigned", {"team": "billing"}, conversation_id="a", channel="email"))
    both.take("a", said("a", "12:00", "merged", "b"))
    assert both.clocks("b", "group_ownership") == ["group_ownership/1 breached due 11:00 used 3:00"]


@pytest.mark.parametrize("merged_at", ["09:30", "10:30"])
def test_a_survivor_is_described_by_its_own_first_event_also_where_the_merge_is_known_before(merged_at: str) -> None:
    both = Partitions("a", "b", policy_file=two_policies())
    both.take("a", event("09:00", "customer", conversation_id="a", channel="email", account_id="old"))
    both.take("a", said("a", merged_at, "merged", "b"))
    both.take("b", event("10:00", "customer", conversation_id="b", channel="chat", account_id="new"))
    state = both.state("b")
    assert (state.account_id, state.channel, state.policy) == ("new", "chat", "chat")
    assert {view.account_id for view in both.desks["b"].views if view.outcome == "open"} == {"new"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_a_conversation_becomes_after_its_merge_is_not_handed_over(order: tuple[int, int]) -> None:
    both = Partitions("a", "b", policy_file=two_policies())
    told = (said("a", "09:00", "merged", "b"), said("a", "09:01", "assigned", {"team": "billing"}))
    both.take("a", *(told[place] for place in order))
    assert both.state("b").team is None


def test_a_beginning_that_is_known_only_after_the_merge_reaches_the_survivor_also_where_nothing_was_promised() -> None:
    both = Partitions("a", "b", policy_file=two_policies())
    both.take("a", event("10:30", "merged", "b", conversation_id="a", channel="phone"))
    both.take("b", event("13:00", "customer", conversation_id="b", channel="email"))
    both.take("a", event("09:55", "status", "closed", conversation_id="a", channel="phone"))
    assert both.state("b").created_at == both.state("a").created_at
