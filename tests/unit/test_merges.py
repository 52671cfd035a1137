"""Conversations that become one: each lives in a partition of its own, and what one writes for another is carried."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.domain.clock import is_running
from agents.domain.instant import optional_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import decode_state
from agents.domain.verdict import judge_together
from agents.partition_controls import tick
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.topics import INTERACTIONS
from tests.conversation_stories import MONDAY, Desk, event, instant, log, policy, target

TARGETS = (target("first_resolution", "8:00"), target("total_resolution", "8:00"))


class Partitions:
    """A desk for each conversation; what is written into the interactions goes to its conversation's desk."""

    def __init__(self, *conversations: str) -> None:
        self.desks = {name: Desk(policy(TARGETS)) for name in conversations}
        self._carried = dict.fromkeys(conversations, 0)
        self.carried = 0

    def take(self, conversation: str, *events: Interaction) -> "Partitions":
        self.desks[conversation].take(*events)
        while self._carry():
            assert self.carried < 50, "a record goes round for ever"
        return self

    def _carry(self) -> bool:
        moved = False
        for name, desk in list(self.desks.items()):
            written = [each for each in desk.effects.on(INTERACTIONS) if isinstance(each, Interaction)]
            for each in written[self._carried[name] :]:
                self._carried[name] += 1
                self.carried += 1
                self.desks[each.conversation_id].take(each)
                moved = True
        return moved

    def clocks(self, conversation: str, *metrics: str) -> list[str]:
        return [line for line in self.desks[conversation].clocks() if line.split("/")[0] in metrics]

    def state(self, conversation: str) -> ConversationState:
        return decode_state(self.desks[conversation].states.states[conversation])


def said(conversation: str, at: str, what: str, value: str | None = None) -> Interaction:
    return event(at, what, value, conversation_id=conversation)


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


NAMES = ("a", "b", "c", "d")
END = instant("tue 12:00")


@st.composite
def merging_stories(draw: st.DrawFn) -> list[Interaction]:
    """Some conversations in which things are said, held and closed, and that are merged in chains, circles and anew."""
    told = []
    for minute in sorted(draw(st.lists(st.integers(540, 1080), min_size=2, max_size=14, unique=True))):
        name = draw(st.sampled_from(NAMES))
        what, value = draw(
            st.sampled_from(
                [
                    ("customer", None),
                    ("agent", None),
                    ("status", "on_hold"),
                    ("status", "closed"),
                    *(("merged", other) for other in NAMES if other != name),
                ]
            )
        )
        account = {"account_id": f"account {name}"} if what == "customer" else {}
        told.append(event(MONDAY + timedelta(minutes=minute), what, value, conversation_id=name, **account))
    return told


@given(merging_stories())
def test_a_file_of_merged_conversations_is_judged_as_they_were_live(story: Sequence[Interaction]) -> None:
    live = Partitions(*NAMES)
    for each in story:
        live.take(each.conversation_id, each)
    told = [(name, [each for each in story if each.conversation_id == name]) for name in NAMES]
    judged = dict(judge_together(PolicyBook.of(policy(TARGETS)), told, END))
    for name in NAMES:
        if name not in live.desks[name].states.states:
            assert name not in judged
            continue
        live.desks[name].until(END)
        lived = live.state(name).clocks
        assert [(view.metric, view.instance, view.outcome, view.paused) for view in judged[name]] == [
            (clock.metric, clock.instance, clock.outcome, clock.paused_since is not None and is_running(clock))
            for clock in lived
        ]
        assert [(view.started_at, view.due_at, view.satisfied_at, view.breached_at) for view in judged[name]] == [
            tuple(map(optional_datetime, (clock.started_at, clock.due_at, clock.satisfied_at, clock.breached_at)))
            for clock in lived
        ]
        assert {view.account_id for view in judged[name]} <= {live.state(name).account_id}
