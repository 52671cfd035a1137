"""Merged conversations: the same live as in a file, and each promise counts once, whatever is merged into what."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from agents.account_agent import AccountAgent
from agents.domain.clock import is_running
from agents.domain.instant import optional_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_together
from schemas.adherence import AdherenceReport
from schemas.clock_view import ClockView
from schemas.conversation_state import ClockState
from schemas.interaction import Interaction
from schemas.topics import ADHERENCE
from tests.account_stories import log
from tests.conversation_stories import LONG_AFTER, instant
from tests.doubles import DictStates, ListEffects
from tests.merging_stories import NAMES, Partitions, merging_stories, two_policies

END = instant("wed 12:00")
RESPONSES = {"first_response", "next_response"}
Count = Counter[tuple[str, str, str]]
"""Outcomes by account, metric and `met` or `breached`."""


def lived(story: Sequence[Interaction]) -> Partitions:
    live = Partitions(*NAMES, policy_file=two_policies())
    for each in story:
        live.take(each.conversation_id, each)
    for name in NAMES:
        if name in live.desks[name].states.states:
            live.desks[name].until(END)
    return live


def judged(story: Sequence[Interaction]) -> Mapping[str, Sequence[ClockView]]:
    told = [(name, [each for each in story if each.conversation_id == name]) for name in NAMES]
    return dict(judge_together(PolicyBook.of(two_policies()), told, END))


def counted_in(views: Iterable[ClockView]) -> Count:
    """What of these clocks is in the ratio, by the words of `docs/sla.md`."""
    found: Count = Counter()
    for view in views:
        if view.outcome in {"merged", "retracted"} or (view.due_at is None and view.target_seconds is None):
            continue
        if view.breached_at is not None or view.outcome == "met":
            found[view.account_id, view.metric, "met" if view.breached_at is None else "breached"] += 1
    return found


def windows_of(live: Partitions) -> Count:
    """What the accounts say of the last thirty days."""
    effects = ListEffects()
    AccountAgent(DictStates(), effects).process(log(list(live.told()), 0, LONG_AFTER), 0)
    found: Count = Counter()
    for report in effects.latest(ADHERENCE).values():
        assert isinstance(report, AdherenceReport)
        for figure in report.figures():
            if (figure.scope, figure.window) == ("account", "30d"):
                found[report.account_id, report.metric, "met"] += figure.met
                found[report.account_id, report.metric, "breached"] += figure.breached
    return +found


def takers(live: Partitions, name: str) -> Iterator[str]:
    """The survivors of a merged conversation, one after another."""
    gone_through: list[str] = []
    into = live.state(name).merged_into
    while into is not None and into not in gone_through:
        gone_through.append(into)
        yield into
        into = live.state(into).merged_into


def stands_for(clock: ClockState, absorbed: ClockState, name: str) -> bool:
    """Whether a decided clock is what has become of an absorbed one, or was running when that one began."""
    if clock.origin is not None:
        return clock.origin == (absorbed.origin or f"{name}/{absorbed.metric}/{absorbed.instance}")
    decided = clock.absorbed if clock.outcome == "merged" else clock.outcome
    if decided == "open" or (decided == "cancelled" and clock.breached_at is None):
        return False
    alike = clock.metric == absorbed.metric or {clock.metric, absorbed.metric} <= RESPONSES
    ended_at = clock.satisfied_at or (None if decided == "breached" else clock.ended_at)
    begins = absorbed.started_at
    return alike and (clock.started_at == begins or clock.started_at < begins < (ended_at or END))


@given(merging_stories())
def test_a_file_of_merged_conversations_is_judged_as_they_were_live(story: Sequence[Interaction]) -> None:
    live, found = lived(story), judged(story)
    for name in NAMES:
        if name not in live.desks[name].states.states:
            assert name not in found
            continue
        clocks = live.state(name).clocks
        assert [(view.metric, view.instance, view.outcome, view.paused) for view in found[name]] == [
            (clock.metric, clock.instance, clock.outcome, clock.paused_since is not None and is_running(clock))
            for clock in clocks
        ]
        assert [(view.started_at, view.due_at, view.satisfied_at, view.breached_at) for view in found[name]] == [
            tuple(map(optional_datetime, (clock.started_at, clock.due_at, clock.satisfied_at, clock.breached_at)))
            for clock in clocks
        ]
        assert {view.account_id for view in found[name]} <= {live.state(name).account_id}


@given(merging_stories())
def test_the_accounts_count_what_a_run_over_the_file_counts(story: Sequence[Interaction]) -> None:
    live = lived(story)
    views = [view for clocks in judged(story).values() for view in clocks]
    assert windows_of(live) == counted_in(views)
    assert counted_in(view for desk in live.desks.values() for view in desk.views) == counted_in(views)


@given(merging_stories())
def test_each_decided_promise_counts_once_after_a_merge(story: Sequence[Interaction]) -> None:
    live = lived(story)
    origins: list[str] = []
    for name in NAMES:
        if name not in live.desks[name].states.states:
            continue
        state = live.state(name)
        if state.merged_into is None:
            origins += _taken_over(state.clocks)
            continue
        assert not [clock for clock in state.clocks if clock.outcome in {"open", "met", "breached", "satisfied_late"}]
        for absorbed in state.clocks:
            if absorbed.outcome == "merged" and absorbed.absorbed != "open":
                survivors = [clock for each in takers(live, name) for clock in live.state(each).clocks]
                assert any(stands_for(clock, absorbed, name) for clock in survivors), f"lost: {absorbed}"
    assert len(origins) == len(set(origins)), f"taken over twice: {origins}"


def _taken_over(clocks: Sequence[ClockState]) -> Iterator[str]:
    """The origins of what a survivor has taken over, none of which it states itself."""
    stated = {_decision(clock) for clock in clocks if clock.origin is None}
    for clock in clocks:
        if clock.origin is not None:
            yield clock.origin
            assert _decision(clock) not in stated, f"twice: {clock}"


def _decision(clock: ClockState) -> tuple[str, int, int | None, int | None]:
    return clock.metric, clock.started_at, clock.satisfied_at, clock.breached_at


@given(merging_stories(merges=(("a", "b"), ("c", "d"))), st.randoms(use_true_random=False))
def test_in_which_order_a_merge_comes_to_be_known_does_not_matter(story: Sequence[Interaction], chance: Random) -> None:
    told = once_merged(story)
    in_order = lived(told)
    chance.shuffle(told)
    otherwise = lived(told)
    for name in {each.conversation_id for each in told}:
        assert outcomes_of(otherwise, name) == outcomes_of(in_order, name)
    assert windows_of(otherwise) == windows_of(in_order)


def once_merged(story: Sequence[Interaction]) -> list[Interaction]:
    """The story without second merges: which of two that contradict each other counts is a matter of the log."""
    merges: dict[str, Interaction] = {}
    for each in story:
        if each.type == "merged":
            merges.setdefault(each.conversation_id, each)
    return [each for each in story if each.type != "merged" or each is merges[each.conversation_id]]


def outcomes_of(live: Partitions, name: str) -> Counter[tuple[str | int | None, ...]]:
    return Counter(
        (clock.metric, clock.started_at, clock.due_at, clock.satisfied_at, clock.breached_at, clock.outcome)
        for clock in live.state(name).clocks
    )
