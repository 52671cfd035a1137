"""Laws of explanations: intervals leave no gap and add up to the microsecond; an explanation judges like the engine.

Stories are those of the conversation laws; the promises here differ by priority, account and tag in their calendars,
pauses and `on_change`, so that clocks are paused, retargeted, reset and continued in every order.
"""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.domain.clock import is_running
from agents.domain.clock_intervals import Interval
from agents.domain.clock_rules import state_predicate
from agents.domain.condition_reasons import NOT, why, why_not
from agents.domain.explanation import ExplainedClock, Explanation, explain_interactions, explain_state
from agents.domain.instant import from_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import MAX_ENTRIES, decode_state
from agents.domain.verdict import judge_conversation
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.policy import CalendarSpec, Condition, Policy, PolicyFile, WallInterval, from_published, to_published
from tests.conversation_stories import MONDAY, OFFICE, Desk, activation, event, target, warn_at
from tests.property.test_conversation_laws import END, MINUTES_IN_WEEK, histories

HOUR = 3600
NIGHT = CalendarSpec(name="night", weekly={day: (WallInterval(20 * HOUR, 30 * HOUR),) for day in range(1, 6)})
CALENDARS = {"office": OFFICE, "night": NIGHT}
NAMES = ("office", "night", "always")
MODES = ("retarget_from_start", "forward", "reset", "keep")
CONTINUING = ("total_resolution", "agent_work", "requester_wait")

conditions = st.one_of(
    st.builds(lambda name: Condition({"account": (name,)}), st.sampled_from(("acme", "beta"))),
    st.builds(lambda name: Condition({"priority": (name,), "team": ("emea",)}), st.sampled_from(("urgent", "low"))),
    st.builds(lambda name: Condition({}, Condition({"tag": ("vip",), "priority": (name,)})), st.sampled_from(("low",))),
    st.just(Condition({"tag": ("vip",)}, Condition({"team": ("apac",)}, Condition({"account": ("beta",)})))),
)
pauses = st.sampled_from(
    (None, Condition(), Condition({"status": ("on_hold", "resolved")}), Condition({"tag": ("vip",)}))
)


@st.composite
def restless_stories(draw: st.DrawFn) -> list[Interaction]:
    """A conversation that is paused, resolved, reopened and moved to other policies all the time."""
    gaps = draw(st.lists(st.integers(20, 700), min_size=5, max_size=16))
    happened = [event(MONDAY, "customer", id="first")]
    minute = 0
    for number, gap in enumerate(gaps):
        minute += gap
        what, value = draw(restless)
        happened.append(event(MONDAY + timedelta(minutes=minute), what, value, id=f"e{number}"))
    return happened


restless = st.sampled_from(
    [
        *(("status", word) for word in ("on_hold", "on_hold", "waiting_on_customer", "open", "resolved", "resolved")),
        *(("account_id", name) for name in ("acme", "beta")),
        *(("priority", name) for name in ("urgent", "normal", "low")),
        ("tagged", ("vip",)),
        ("tagged", ()),
        ("customer", None),
        ("agent", None),
        ("due_set", ("first_resolution", "tue 10:00")),
    ]
)
stories = st.one_of(histories(conversations=1, longest=20), restless_stories())


@st.composite
def policies(draw: st.DrawFn, number: int, when: Condition) -> Policy:
    """One entry of a file."""
    targets = [
        target("first_response", draw(st.sampled_from(("0:30", "4:00"))), pause_when=draw(pauses)),
        target("next_response", {"urgent": "1:00", "normal": "2 days"}),
        target(draw(st.sampled_from(("first_resolution", "group_ownership"))), "8:00", pause_when=draw(pauses)),
        *(
            target(
                metric, draw(st.sampled_from(("8:00", "2 days", None))), calendar=draw(st.sampled_from((*NAMES, None)))
            )
            for metric in draw(st.sets(st.sampled_from(CONTINUING)))
        ),
    ]
    return Policy(
        id=f"p{number}",
        when=when,
        calendar=draw(st.sampled_from(NAMES)),
        edge=draw(st.sampled_from(("close", "next_open"))),
        on_change=draw(st.sampled_from(MODES)),
        applies_to_changes=draw(st.sampled_from(("open", "new"))),
        warn_at=warn_at(*draw(st.sampled_from(((), ("75%",), ("30m", "50%"))))),
        targets={each.metric: each for each in targets},
    )


@st.composite
def files(draw: st.DrawFn, version: str = "1") -> PolicyFile:
    """A policy file of several policies, the last for everybody or for few."""
    whens = [
        *draw(st.lists(conditions, max_size=2)),
        draw(st.sampled_from((Condition(), Condition({"tag": ("vip",)})))),
    ]
    entries = tuple(draw(policies(number, when)) for number, when in enumerate(whens))
    return PolicyFile(version=version, calendars=CALENDARS, policies=entries)


@st.composite
def books(draw: st.DrawFn) -> list[tuple[PolicyFile, int]]:
    """One or two versions, each with the minute from which it is in force."""
    first = draw(files()), 0
    if not draw(st.booleans()):
        return [first]
    return [first, (draw(files("2")), draw(st.integers(0, MINUTES_IN_WEEK)))]


def book_of(versions: list[tuple[PolicyFile, int]]) -> PolicyBook:
    book = PolicyBook()
    for policy_file, minute in versions:
        book.activate(from_published(to_published(policy_file)), from_datetime(MONDAY + timedelta(minutes=minute)))
    return book


def assert_adds_up(explanation: Explanation) -> None:
    for each in explanation.clocks:
        intervals = each.intervals
        counted = sum(interval.counted_us for interval in intervals)
        assert sum(interval.wall_us for interval in intervals) == each.wall_us
        assert counted + each.not_below_zero_us == each.elapsed_us
        assert all(before.end == after.start for before, after in pairwise(intervals))
        assert all(interval.wall_us > 0 for interval in intervals)
        if intervals:
            assert intervals[0].start == each.clock.started_at
            assert intervals[-1].end == intervals[0].start + each.wall_us
        assert each.not_below_zero_us == max(0, -counted)
        assert each.view.elapsed_seconds == each.elapsed_us / 1e6
        assert each.view.wall_elapsed_seconds == each.wall_us / 1e6
        assert_kinds(intervals)


def assert_kinds(intervals: tuple[Interval, ...]) -> None:
    for interval in intervals:
        if interval.kind == "running":
            assert interval.counted_us == interval.open_us == interval.wall_us
        elif interval.kind == "closed":
            assert interval.counted_us == interval.open_us == 0
        elif interval.kind != "folded":
            assert interval.counted_us == 0  # a pause is measured by the hours of its clock, whichever it began under
    for before, after in pairwise(intervals):
        assert before.kind != after.kind or before.kind == "paused"  # pauses for different reasons may touch


def assert_due(book: PolicyBook, explained: ExplainedClock) -> None:
    """The deadline is what is told: from there, by these hours, so much, and so much more for pauses."""
    clock, allowed_us = explained.clock, explained.clock.target_us
    if clock.set_by_hand or clock.due_at is None or allowed_us is None:
        return
    assert explained.moved_by_pauses_us is not None
    promise = book.terms[clock.policy_version, clock.policy, clock.metric].promise
    due_at = promise.calendar.after(explained.counts_from, allowed_us + explained.moved_by_pauses_us, promise.edge)
    # Where nothing was left when it stopped, it is due as soon as it runs again.
    assert clock.due_at == due_at or clock.due_at in {move.at for move in explained.moves if move.at > due_at}


@settings(max_examples=200)
@given(books(), stories)
def test_intervals_add_up_and_the_explanation_judges_like_the_engine(
    versions: list[tuple[PolicyFile, int]], events: list[Interaction]
) -> None:
    book = book_of(versions)
    explanation = explain_interactions(book, events, END)
    assert explanation is not None
    assert [each.view for each in explanation.clocks] == judge_conversation(book, events, END)
    assert_adds_up(explanation)
    for each in explanation.clocks:
        assert (each.ended_by is None) == is_running(each.clock)
        assert [move.at for move in each.moves] == sorted(move.at for move in each.moves)
        assert each.moves[0].kind == "activated"
        assert_due(book, each)


@given(books(), stories, st.data())
def test_what_a_worker_remembers_is_explained_as_it_stands(
    versions: list[tuple[PolicyFile, int]], events: list[Interaction], data: st.DataObject
) -> None:
    """Whatever the order of arrival and whenever a policy was activated: late events and all."""
    desk = Desk()
    for policy_file, minute in versions:
        desk.take(activation(policy_file, MONDAY + timedelta(minutes=minute)))
    desk.take(*data.draw(st.permutations(events))).until(END)
    state = decode_state(desk.states.states["c1"])
    explanation = explain_state(book_of(versions), state, None)
    assert explanation.stored_otherwise == ()
    assert [each.clock for each in explanation.clocks] == state.clocks
    assert_adds_up(explanation)


@settings(max_examples=10)
@given(books(), st.randoms(use_true_random=False), st.sampled_from(("on_hold", "resolved", "open")))
def test_what_is_folded_away_still_adds_up(versions: list[tuple[PolicyFile, int]], chance: object, last: str) -> None:
    """Beyond the horizon only sums are known; they are sums of the same clocks."""
    book, desk = book_of(versions), Desk()
    for policy_file, minute in versions:
        desk.take(activation(policy_file, MONDAY + timedelta(minutes=minute)))
    words = [("customer", None), ("agent", None), ("status", "on_hold"), ("status", "open"), ("status", "resolved")]
    for number in range(MAX_ENTRIES + 60):
        what, value = chance.choice(words)  # type: ignore[attr-defined]
        desk.take(event(MONDAY + timedelta(minutes=20 * number), what, value, id=f"m{number}"))
    desk.take(event(MONDAY + timedelta(minutes=20 * MAX_ENTRIES + 1300), "status", last, id="last"))
    state = decode_state(desk.states.states["c1"])
    explanation = explain_state(book, state, END)
    assert explanation.known_from == state.horizon_at is not None
    assert [(each.clock.metric, each.clock.instance) for each in explanation.clocks] == [
        (clock.metric, clock.instance) for clock in state.clocks
    ]
    assert explanation.stored_otherwise == ()
    assert_adds_up(explanation)


@given(
    conditions, st.sampled_from(("acme", "beta")), st.sampled_from(("low", "urgent")), st.sampled_from(("emea", None))
)
def test_a_condition_holds_exactly_where_nothing_keeps_it(
    condition: Condition, account: str, priority: str, team: str | None
) -> None:
    for tags in ((), ("vip",), ("a", "vip")):
        state = ConversationState("c1", account_id=account, priority=priority, team=team, tags=tags)
        keeping = why_not(condition, state)
        assert (keeping == ()) == state_predicate(condition)(state, None)
        for each in keeping:
            assert each.key.startswith(NOT) or not set(each.wanted) & set(each.found)
        assert bool(why(condition, state)) or keeping
