"""Why a deadline is where it is: intervals, policies, moves and endings, one case each; laws stand in property/."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from agents.domain.clock import REMEMBERED_PAUSES
from agents.domain.explanation import ExplainedClock, Explanation, explain_interactions, explain_state
from agents.domain.instant import HOUR_US, to_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import MAX_ENTRIES, decode_state
from schemas.interaction import Interaction
from schemas.policy import CalendarSpec, Condition, Policy, PolicyFile, WallInterval
from tests.conversation_stories import MONDAY, OFFICE, Desk, event, instant, named, policy, target, warn_at

NIGHT = CalendarSpec(
    name="night", weekly={day: (WallInterval(18 * 3600, 33 * 3600),) for day in range(1, 6)}
)  # 18:00 to 09:00


def explained(policy_file: PolicyFile, *events: Interaction, now: str = "sat 00:00") -> Explanation:
    found = explain_interactions(PolicyBook.of(policy_file), events, instant(now))
    assert found is not None
    return found


def clock(explanation: Explanation, metric: str, instance: int = 1) -> ExplainedClock:
    return next(one for one in explanation.clocks if (one.clock.metric, one.clock.instance) == (metric, instance))


def spent(one: ExplainedClock) -> list[str]:
    """Each interval as `09:30-12:00 running 2:30`: what it counts."""
    return [
        f"{named(to_datetime(each.start))}-{named(to_datetime(each.end))} {each.kind} {each.counted_us / HOUR_US:g}"
        for each in one.intervals
    ]


def moves(one: ExplainedClock) -> list[str]:
    return [
        " ".join(
            filter(None, (named(to_datetime(each.at)), each.kind, each.reason, each.warning, each.event_id or "time"))
        )
        for each in one.moves
    ]


def two_policies() -> PolicyFile:
    """`gold` by office hours; for urgent conversations of some, `night` with hours of its own."""
    (gold,) = policy([target("first_resolution", "8:00")]).policies
    night = Policy(
        id="night",
        when=Condition({"priority": ("urgent",), "tag": ("vip", "key")}, Condition({"channel": ("chat",)})),
        calendar="night",
        targets={"first_resolution": target("first_resolution", "2:00")},
    )
    return PolicyFile(version="2", calendars={"office": OFFICE, "night": NIGHT}, policies=(night, gold))


def test_open_closed_and_paused_hours_and_what_they_are_for() -> None:
    one = clock(
        explained(
            policy([target("first_resolution", "8:00")]),
            event("09:30", "customer", id="asked"),
            event("10:00", "status", "on_hold", id="held"),
            event("11:00", "status", "waiting_on_customer", id="waits"),
            event("13:15", "customer", id="wrote"),
            event("14:00", "status", "resolved", id="done"),
        ),
        "first_resolution",
    )
    assert spent(one) == [
        "09:30-10:00 running 0.5",
        "10:00-11:00 paused 0",
        "11:00-13:15 paused 0",
        "13:15-14:00 running 0.75",
    ]
    held, waits = one.intervals[1:3]
    assert [(each.because[0].found, each.event_id) for each in (held, waits)] == [
        (("on_hold",), "held"),
        (("waiting_on_customer",), "waits"),
    ]
    assert waits.open_us == 1.25 * HOUR_US  # lunch moves no deadline
    assert one.moved_by_pauses_us == held.open_us + waits.open_us
    assert one.ended_by is not None
    assert (one.ended_by.kind, one.ended_by.event_id) == ("met", "done")


def test_which_key_kept_an_earlier_policy_from_matching() -> None:
    found = explained(
        two_policies(),
        event("09:30", "customer", id="asked", tags=("vip",)),
        event("10:00", "priority", "urgent", id="escalated"),
        event("10:30", "tagged", (), id="calmed"),
    )
    assert [(each.event_id, each.policy) for each in found.decisions] == [
        ("asked", "gold"),
        ("escalated", "night"),
        ("calmed", "gold"),
    ]
    first, _, last = (
        [(key.key, key.wanted, key.found) for over in each.passed_over for key in over.because]
        for each in found.decisions
    )
    assert first == [("priority", ("urgent",), ("normal",))]
    assert last == [("tag", ("vip", "key"), ())]
    chat = explained(two_policies(), event("09:30", "customer", tags=("key",), priority="urgent", channel="chat"))
    assert [key.key for over in chat.decisions[0].passed_over for key in over.because] == ["not.channel"]


def test_a_pause_counts_by_the_hours_that_the_clock_runs_by_now() -> None:
    """As if the new policy had applied from the beginning: a pause that was begun under other hours too."""
    events = (
        event("16:00", "customer", id="asked", tags=("vip",)),
        event("17:00", "status", "on_hold"),
        event("20:00", "priority", "urgent"),
        event("21:00", "status", "open"),
    )
    one = clock(explained(two_policies(), *events, now="22:00"), "first_resolution")
    # Of 17:00 to 21:00 the office is open for an hour and the night for three: these move the deadline.
    assert spent(one) == [
        "16:00-17:00 closed 0",
        "17:00-20:00 paused 0",
        "20:00-21:00 paused 0",
        "21:00-22:00 running 1",
    ]
    assert [(each.calendar, each.open_us / HOUR_US) for each in one.intervals[1:3]] == [("night", 2), ("night", 1)]
    assert (one.elapsed_us, one.moved_by_pauses_us) == (HOUR_US, 3 * HOUR_US)
    assert named(to_datetime(one.clock.due_at or 0)) == "23:00"
    early = explained(two_policies(), *events[:2], event("18:00", "priority", "urgent"), now="18:00")
    one = clock(early, "first_resolution")
    assert (spent(one), one.elapsed_us) == (["16:00-17:00 closed 0", "17:00-18:00 paused 0"], 0)


def test_a_change_of_hours_measures_what_a_reopening_continues() -> None:
    """Paused by office hours, resolved, moved to the night while it was resolved, and reopened there."""
    promised = two_policies()
    (night, gold) = (
        replace(each, targets={"total_resolution": target("total_resolution", "8:00")}) for each in promised.policies
    )
    found = explained(
        replace(promised, policies=(night, gold)),
        event("16:00", "customer", tags=("vip",)),
        event("17:00", "status", "on_hold"),
        event("20:00", "status", "open"),
        event("21:00", "status", "resolved"),
        event("22:00", "priority", "urgent"),
        event("23:00", "customer"),
        now="tue 00:00",
    )
    one = clock(found, "total_resolution", 2)
    assert [each.removeprefix("16:00-17:00 closed 0") for each in spent(one)][1:] == [
        "17:00-20:00 paused 0",
        "20:00-21:00 running 1",
        "21:00-23:00 reopened 0",
        "23:00-tue 00:00 running 1",
    ]
    assert (one.elapsed_us, one.moved_by_pauses_us) == (2 * HOUR_US, 4 * HOUR_US)


def test_of_very_many_pauses_the_latest_are_measured_anew() -> None:
    """Those before keep the hours that they had, and say what they count by those of now."""
    (gold,) = policy([target("total_resolution", "60:00"), target("first_resolution", "60:00")]).policies
    always = replace(gold, id="always", when=Condition({"priority": ("urgent",)}), calendar="always")
    events = [event("09:00", "customer")]
    starts = [MONDAY + timedelta(hours=10 + number) for number in range(REMEMBERED_PAUSES + 6)]
    for at in starts:
        events += [event(at, "status", "on_hold"), event(at + timedelta(minutes=30), "status", "open")]
    end = starts[-1] + timedelta(hours=1)
    events += [event(end, "priority", "urgent"), event(end + timedelta(hours=1), "status", "resolved")]
    events.append(event(end + timedelta(hours=2), "status", "open"))
    found = explained(replace(policy(), policies=(always, gold)), *events, now="sat 00:00")
    for one in (clock(found, "first_resolution"), clock(found, "total_resolution", 2)):
        paused = [each for each in one.intervals if each.kind == "paused"]
        assert len(paused) == REMEMBERED_PAUSES + 6
        assert {each.calendar for each in paused[-REMEMBERED_PAUSES:]} == {"always"}
        assert {each.calendar for each in paused[:4]} == {"office"}
        assert one.elapsed_us == sum(each.counted_us for each in one.intervals)


@pytest.mark.parametrize(
    ("mode", "begins", "counts_from"),
    [
        ("retarget_from_start", "09:30", "09:30"),
        ("forward", "09:30", "10:30"),
        ("reset", "10:30", "10:30"),
        ("keep", "09:30", "09:30"),
    ],
)
def test_from_where_a_target_counts_after_a_change(mode: str, begins: str, counts_from: str) -> None:
    found = explained(
        policy([target("first_resolution", {"normal": "8:00", "urgent": "4:00"})], on_change=mode),
        event("09:30", "customer", id="asked"),
        event("10:30", "priority", "urgent", id="escalated"),
        now="11:30",
    )
    one = clock(found, "first_resolution")
    assert named(to_datetime(one.intervals[0].start)) == begins
    assert named(to_datetime(one.counts_from)) == counts_from
    assert (one.target, one.target_of_priority) == (("8:00", "normal") if mode == "keep" else ("4:00", "urgent"))
    retargets = [move for move in moves(one) if "retargeted" in move]
    assert retargets == ([] if mode == "keep" else [f"10:30 retargeted {mode} escalated"])


def test_a_clock_that_begins_anew_has_none_of_its_earlier_pauses() -> None:
    found = explained(
        policy([target("first_resolution", {"normal": "8:00", "urgent": "4:00"})], on_change="reset"),
        event("09:00", "customer"),
        event("09:30", "status", "on_hold"),
        event("10:00", "status", "open"),
        event("10:30", "priority", "urgent"),
        now="11:30",
    )
    one = clock(found, "first_resolution")
    assert (spent(one), one.elapsed_us) == (["10:30-11:30 running 1"], HOUR_US)


def test_a_clock_that_is_taken_back_ran_no_longer_than_until_it_was_cancelled() -> None:
    found = explained(
        policy([target("first_response", "0:30")]),
        event("09:00", "customer"),
        event("10:00", "no_reply_needed"),
        event("11:00", "status", "spam", id="spam"),
    )
    one = clock(found, "first_response")
    assert spent(one) == ["09:00-10:00 running 1"]
    assert (one.elapsed_us, one.wall_us) == (HOUR_US, HOUR_US)
    assert one.ended_by is not None
    assert (one.ended_by.kind, one.ended_by.event_id) == ("retracted", "spam")


def test_a_reopened_clock_has_the_time_in_between_as_a_pause() -> None:
    found = explained(
        policy([target("total_resolution", "8:00")]),
        event("09:00", "customer"),
        event("09:30", "status", "on_hold"),
        event("10:00", "status", "open"),
        event("11:00", "status", "resolved", id="done"),
        event("15:00", "customer", id="again"),
        now="16:00",
    )
    assert spent(clock(found, "total_resolution", 2)) == [
        "09:00-09:30 running 0.5",
        "09:30-10:00 paused 0",
        "10:00-11:00 running 1",
        "11:00-15:00 reopened 0",
        "15:00-16:00 running 1",
    ]


def test_a_clock_that_is_promised_again_has_what_was_resolved_as_a_pause() -> None:
    """Reopened while nothing was promised: it begins anew in the middle, and continues no cycle."""
    promised = {"total_resolution": target("total_resolution", "8:00")}
    plain = Policy(id="plain", when=Condition({"tag": ("vip",)}), targets={})
    found = explained(
        PolicyFile(
            version="1",
            calendars={"office": OFFICE},
            policies=(plain, Policy(id="full", calendar="office", targets=promised)),
        ),
        event("09:00", "customer"),
        event("09:30", "status", "on_hold"),
        event("10:00", "status", "open"),
        event("11:00", "status", "resolved"),
        event("11:30", "tagged", ("vip",)),
        event("14:00", "status", "open"),
        event("15:00", "tagged", ()),
        now="16:00",
    )
    one = clock(found, "total_resolution", 2)
    assert spent(one) == [
        "09:00-09:30 running 0.5",
        "09:30-10:00 paused 0",
        "10:00-11:00 running 1",
        "11:00-14:00 paused 0",
        "14:00-16:00 running 2",
    ]
    assert (one.elapsed_us, one.not_below_zero_us) == (3.5 * HOUR_US, 0)


def test_warnings_due_dates_set_by_hand_and_who_satisfied_it() -> None:
    found = explained(
        policy([target("first_response", "4:00")], warn_at=warn_at("50%")),
        event("09:00", "customer"),
        event("10:00", "due_set", ("first_response", "12:00"), id="promised"),
        event("12:30", "agent", id="answer"),
    )
    one = clock(found, "first_response")
    assert moves(one) == [
        "09:00 activated Mon090000.000000-customer-",
        "10:00 retargeted due_set promised",
        "10:30 warned 50% time",
        "12:00 breached time",
        "12:30 satisfied_late answer",
    ]
    by_hand = one.moves[1]
    assert (named(to_datetime(by_hand.due_before or 0)), named(to_datetime(by_hand.due_at or 0))) == ("14:00", "12:00")
    assert one.target is None
    assert one.ended_by is not None
    assert (one.ended_by.author, one.ended_by.author_id) == ("agent", "a1")


def test_of_what_is_folded_away_the_pauses_of_a_running_clock_are_known() -> None:
    """Of one that was satisfied only the sum of its pauses is."""
    desk = Desk(policy([target("total_resolution", "8:00")]))
    desk.take(event("09:00", "customer"), event("09:30", "status", "on_hold"), event("10:30", "status", "open"))
    desk.take(event("10:45", "status", "resolved"), event("10:50", "customer"))
    notes = (event(MONDAY + timedelta(hours=11, minutes=n), "note", id=f"n{n}") for n in range(MAX_ENTRIES))
    state = decode_state(desk.take(*notes).states.states["c1"])
    assert state.horizon_at is not None
    found = explain_state(PolicyBook.of(policy()), state, instant("15:00"))
    one, other = clock(found, "first_resolution"), clock(found, "total_resolution", 2)
    assert spent(one) == ["09:00-10:45 folded 0.75"]
    assert spent(other)[:4] == [
        "09:00-09:30 running 0.5",
        "09:30-10:30 paused 0",
        "10:30-10:45 running 0.25",
        "10:45-10:50 paused 0",
    ]
    assert other.ended_by is None


def test_what_moved_a_clock_outside_its_events_is_not_passed_over() -> None:
    desk = Desk(policy()).take(event("09:00", "customer"))
    state = decode_state(desk.states.states["c1"])
    state.clocks[0].due_at = instant("tue 17:00")
    (otherwise,) = explain_state(PolicyBook.of(policy()), state, None).stored_otherwise
    assert otherwise == state.clocks[0]


def test_a_clock_that_its_calendar_has_no_time_for_says_why_it_is_never_due() -> None:
    fair = CalendarSpec(name="office", exceptions={MONDAY.date(): (WallInterval(9 * 3600, 12 * 3600),)})
    promised = replace(policy(), calendars={"office": fair})
    found = explained(promised, event("09:30", "customer"), event("11:00", "agent"), now="sat 00:00")
    late, resolution = clock(found, "first_response"), clock(found, "first_resolution")
    assert (late.never_due, late.view.outcome) == ("calendar runs out", "met")
    assert (resolution.never_due, resolution.view.outcome) == ("calendar runs out", "open")
    assert resolution.elapsed_us == 2.5 * HOUR_US == sum(each.counted_us for each in resolution.intervals)
