"""What `policy check` doubts: a table of files, each with exactly its warnings: line, column, words, way out."""

from typing import Any

import pytest

from schemas.policy import Condition, DeclaredClock, MetricTarget, Policy, PolicyFile
from streams.policy_files.clock_lint import clock_doubts
from streams.policy_files.condition_logic import always_in, can_hold, implies
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems

HEAD = "version: 1\neffective_from: 2026-03-01T00:00:00Z\n"
OFFICE = "time_zone: UTC, weekly: {mon-fri: [09:00-17:00]}"
PAUSED_BY = "pause by something that changes, such as `status`"


def calendar(text: str, name: str = "c") -> str:
    """A file with a calendar in line 4, whose content begins in column 5."""
    return (
        f"{HEAD}calendars:\n  c: {{{text}}}\npolicies: [{{id: a, calendar: {name}, targets: {{first_response: 1h}}}}]\n"
    )


def policy(text: str) -> str:
    """A file with a policy in line 4, whose content begins in column 5."""
    return f"{HEAD}policies:\n  - {{id: a, {text}}}\n  - {{id: z, targets: {{first_response: 1h}}}}\n"


def pause(condition: str) -> str:
    return policy(f"when: {{tier: gold}}, targets: {{first_resolution: {{target: 1h, pause_when: {condition}}}}}")


def clock(text: str) -> str:
    """A file with a clock of its own in line 4, whose content begins in column 6."""
    return f"{HEAD}clocks:\n  x: {{{text}}}\npolicies: [{{id: a, targets: {{x: 1h}}}}]\n"


def warnings_of(text: str) -> list[tuple[int | None, int | None, str, str | None]]:
    problems = Problems("p.yaml")
    assert read_policy_text(text, problems) is not None, problems.errors
    return [(one.line, one.column, one.message, one.suggestion) for one in problems.warnings]


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "suggestion"),
    [
        # calendars
        (calendar(OFFICE, "always"), 4, 3, "no policy uses the calendar 'c'", "name it in a policy, or remove it"),
        (calendar(f"{OFFICE}, holidays: [2025-12-24, 2025-12-25]"), 4, 57,
         "all holidays of the calendar 'c' lie in the past: the last one is 2025-12-25",
         "add those to come, or name a country: {country: DE}"),
        (calendar(f"{OFFICE}, holidays: [2026-12-25], exceptions: {{2026-12-25: [09:00-12:00]}}"), 4, 94,
         "exceptions 2026-12-25 changes nothing: the day is a holiday, so these hours never count",
         "take the day out of the holidays"),
        (calendar(f"{OFFICE}, holidays: [{{country: DE}}], exceptions: {{2026-12-25: []}}"), 4, 97,
         "exceptions 2026-12-25 changes nothing: the day is a holiday, so it is closed already", "remove it"),
        (calendar(f"{OFFICE}, breaks: {{2026-03-05: [12:00-12:30, 18:00-19:00]}}"), 4, 66,
         "breaks 2026-03-05: 18:00-19:00 changes nothing, as nothing is open then",
         "remove it, or compare it with the hours of that date"),
        (calendar(f"{OFFICE}, holidays: [2026-12-25], breaks: {{2026-12-25: [22:00-06:00]}}"), 4, 90,
         "breaks 2026-12-25: 22:00-06:00 changes nothing, as nothing is open then",
         "remove it, or compare it with the hours of that date"),
        (calendar("time_zone: UTC, weekly: {fri: [20:00-06:00], sat: [05:00-12:00]}"), 4, 23,
         "the hours of fri go on into those of sat; where they overlap they count once",
         "let fri end where sat begins"),
        (calendar("union: [always, always]"), 4, 7, "union: 'always' is named twice and counts once",
         "name every member once"),
        (calendar("union: [always]"), 4, 7, "a union of one calendar is that calendar",
         "use 'always' itself, or add a member"),
        (calendar("intersection: [always, d]").replace("\npol", f"\n  d: {{{OFFICE}}}\npol"), 4, 7,
         "'always' takes nothing out of an intersection", "take it out"),
        (calendar("union: [d, always]").replace("\npol", f"\n  d: {{{OFFICE}}}\npol"), 4, 7,
         "a union with 'always' is always open", "use 'always' itself, or take it out"),
        # targets
        (calendar("time_zone: UTC, exceptions: {2026-03-02: [09:00-17:00]}").replace("1h", "9h"), 5, 43,
         "calendar 'c' is not open long enough for 9h: such a clock is never due",
         "give it regular hours, or another calendar to this target"),
        (calendar("time_zone: UTC, exceptions: {2026-03-02: [09:00-17:00]}").replace("1h", "2 business_days"), 5, 43,
         "calendar 'c' is not open long enough for 2 business_days: such a clock is never due",
         "give it regular hours, or another calendar to this target"),
        (calendar("time_zone: UTC, exceptions: {2025-03-02: [09:00-17:00]}"), 5, 43,
         "calendar 'c' is not open long enough for 1h: such a clock is never due",
         "give it regular hours, or another calendar to this target"),
        (policy("when: {tier: b}, targets: {first_response: {urgent: 0m, high: 1h, normal: 1h, low: 1h}}"), 4, 57,
         "a target of 0m is due at its start, or at the next opening", "allow some time, or leave the target out"),
        (policy("when: {tier: b}, targets: {first_response: {target: {urgent: 0m, high: 1h, normal: 1h, low: 1h}}}"),
         4, 66,
         "a target of 0m is due at its start, or at the next opening", "allow some time, or leave the target out"),
        (policy("when: {tier: b}, targets: {first_response: {urgent: 1h, high: 2h}}"), 4, 40,
         "first_response has no target for low and normal: such a clock runs and is never due",
         "add `low:`, if that is not meant"),
        (policy("when: {priority: [urgent, high]}, targets: {next_response: {urgent: 1h, high: 2h, low: 3h}}"), 4, 95,
         "policy 'a' is not for priority low, so this target is never used", "remove it, or compare it with `when`"),
        (policy("when: {channel: [email, slack]}, targets: {speed_of_answer: 20s}"), 4, 56,
         "nothing can start speed_of_answer here: nobody calls on the channels of policy 'a'",
         "promise it in a policy for channel phone"),
        (policy("when: {tier: b}, targets: {first_response: 1h, next_response: 2h}, warn_at: [75%, 3h]"), 4, 95,
         "warn_at: 3h never warns: no target of policy 'a' is that long",
         "write a share of the target, for example 75%"),
        (policy("when: {tier: b}, targets: {first_response: 1h}, warn_at: [30m, 75%, 1800s]"), 4, 81,
         "warn_at: 1800s occurs twice and warns once", "remove one of the two"),
        # pauses
        (pause("{tier: gold}"), 4, 74, "this pause can never end: nothing that it asks for changes", PAUSED_BY),
        (pause("{not: {channel: email}}"),
         4, 74, "this pause can never end: nothing that it asks for changes", PAUSED_BY),
        (pause("{tier: silver, status: on_hold}"), 4, 74,
         "this pause can never begin: policy 'a' is for other conversations",
         "compare it with the `when` of the policy"),
        (pause("{status: on_hold, not: {status: on_hold}}"), 4, 74,
         "this pause can never begin: it contradicts itself", "take out what its `not` forbids"),
        (pause("{status: [new, open, waiting_on_customer, waiting_on_third_party, on_hold]}"), 4, 74,
         "this pause can never end: it holds in every status in which the clock could run",
         "leave out the statuses in which somebody should be working"),
        (pause("{not: {status: [resolved, closed]}}"), 4, 74,
         "this pause can never end: it holds in every status in which the clock could run",
         "leave out the statuses in which somebody should be working"),
        (pause("{not: {status: [on_hold, open]}}"), 4, 74,
         "the clock pauses while the conversation is new, when somebody should be working", "take new out of it"),
        (pause("{tier: [gold, silver], not: {tier: bronze, status: on_hold}}"), 4, 74,
         "this pause can never end: it holds for all that policy 'a' is for", PAUSED_BY),
        (pause("{status: [on_hold, resolved, closed]}"), 4, 87,
         "first_resolution never pauses while the conversation is resolved or closed: that satisfies it",
         "take resolved and closed out of it"),
        # clocks of one's own
        (clock("start: {from: customer}, satisfy: {from: agent}").replace("x: 1h", "next_response: 1h"), 4, 3,
         "no policy promises the clock 'x'", "name it under `targets:`, or remove it"),
        (clock("start: {from: customer, not: {from: customer}}, satisfy: {from: agent}"), 4, 7,
         "the clock 'x' can never start: its `start` contradicts itself",
         "take out what its `not` forbids, or what it asks for"),
        (clock("start: {from: customer}, satisfy: {public: true}, pause: {tier: gold}"), 4, 57,
         "a pause of the clock 'x' can never end: nothing that it asks for changes", PAUSED_BY),
        (clock("start: {from: customer, tier: gold}, satisfy: {from: agent}").replace("id: a,",
         "id: a, when: {tier: b},")
         .replace("1h}}]", "1h}}, {id: z, targets: {x: 1h}}]"), 5, 47,
         "nothing can start x here: policy 'a' is for other conversations than its `start`",
         "compare the `start` of the clock with the `when` of the policy"),
        # policies
        (policy("when: {tier: b, not: {not: {tier: c}}}, targets: {first_response: 1h}"), 4, 13,
         "policy 'a' can never match: its `not` forbids what its other keys ask for",
         "take out what its `not` forbids"),
        (f"{HEAD}policies: [{{id: a, when: {{tier: b}}, targets: {{first_response: 1h}}}}]", 3, 12,
         "no policy is for everyone else: conversations that match none have no promise",
         "end with a policy without `when`"),
        (policy("when: {tier: b}, targets: {first_response: 1h}, objective: {ratio: 1, over: 30d}"), 4, 73,
         "an objective of 100 % leaves no error budget: the first breach ends it", "promise a share, for example 0.99"),
    ],
)  # fmt: skip
def test_warning(text: str, line: int, column: int, message: str, suggestion: str) -> None:
    assert warnings_of(text) == [(line, column, message, suggestion)]


def test_a_policy_without_targets_promises_nothing_in_all_its_parts() -> None:
    found = warnings_of(policy("when: {tier: b}, warn_at: [75%], objective: {ratio: 0.9, over: 30d}"))
    assert [(column, message) for _, column, message, _ in found] == [
        (5, "policy 'a' promises nothing"),
        (40, "warn_at: 75% never warns: policy 'a' has no target"),
        (46, "the objective of 'a' has no outcomes to count, as nothing is promised"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        calendar(f"{OFFICE}, holidays: [2025-12-25, 2026-12-25], breaks: {{2026-03-05: [16:00-18:00]}}"),
        calendar(f"{OFFICE}, holidays: [2025-12-25, {{country: DE}}]"),
        calendar("time_zone: UTC, weekly: {sat: [22:00-06:00]}, breaks: {2026-03-08: [05:00-06:00]}"),
        calendar("time_zone: UTC, weekly: {fri: [20:00-06:00], sat: [06:00-12:00]}"),
        calendar("time_zone: UTC, exceptions: {2026-03-02: [09:00-17:00]}").replace("1h", "8h"),
        pause("{status: [waiting_on_customer, on_hold]}"),
        pause("{not: {status: [new, open]}}"),
        pause("{status: on_hold, tier: [gold, silver]}"),
        pause("{tag: parked}"),
        policy("when: {priority: urgent}, targets: {first_response: {urgent: 1h}}"),
        policy("when: {tier: b}, targets: {first_response: {P1: 1h}}").replace("P1", "p-1"),
        policy("when: {channel: [email, phone]}, targets: {speed_of_answer: 20s}"),
        policy("targets: {first_response: {high: 2h, normal: 2h, low: 9h}}").replace(
            "  - {id: a",
         "  - {id: u, when: {priority: urgent, tier: b}, targets: {first_response: 1h}}\n  - {id: a, when: {tier: b}"
        ),
        policy("when: {tier: b}, targets: {first_response: 1h, next_response: 2 business_days}, warn_at: [3h]"),
        clock("start: {from: customer}, satisfy: {from: agent, public: true}, cancel: {status: spam}"),
    ],
)  # fmt: skip
def test_nothing_to_doubt(text: str) -> None:
    assert [one for one in warnings_of(text) if "none of Careline's priorities" not in one[2]] == []


def when(negated: Condition | None = None, **words: str) -> Condition:
    """`author` stands for the key `from`, which Python keeps for itself."""
    keys = {"from" if key == "author" else key: tuple(value.split("/")) for key, value in words.items()}
    return Condition(keys, negated)


ASKED = when(type="message", author="customer")
ANSWERED = when(type="message", author="agent")


@pytest.mark.parametrize(
    ("conditions", "place", "message"),
    [
        ({"satisfy": when(type="message")}, "satisfy", "ends one instance and begins the next"),
        ({"satisfy": ASKED}, "satisfy", "ends one instance and begins the next"),
        ({"satisfy": when(when(author="agent"))}, "satisfy", "ends one instance and begins the next"),
        ({"start": when(team="a"), "satisfy": when(team="a")}, "satisfy", "ends one instance and begins the next"),
        ({"satisfy": when()}, "satisfy", "can never be satisfied: an empty"),
        ({"start": when(type="message")}, "start", "never stays ended"),
        ({"cancel": when(type="message/status_changed")}, "cancel", "can never start"),
        ({"start": when(team="a"), "cancel": when(team="a")}, "cancel", "can never start"),
        ({"cancel": when(author="agent/bot")}, "cancel", "can never be satisfied"),
        ({"cancel": when(when(author="agent"), author="agent")}, "cancel", "can never be cancelled"),
        ({"satisfy": when(when(type="message"), type="message")}, "satisfy", "can never be satisfied"),
        ({"pause": when()}, "pause", "is always paused"),
        ({"pause": when(author="customer")}, "pause", "is paused from its start"),
        ({"pause": when(when(author="agent"))}, "pause", "is paused from its start"),
        ({"start": when(status="on_hold"), "pause": when(status="on_hold")}, "pause", "is paused from its start"),
        ({"pause": when(tier="gold", channel="email")}, "pause", "can never end"),
        ({"pause": ANSWERED}, "pause", "can never pause"),
        ({}, None, None),
        ({"start": when()}, None, None),  # with the conversation
        ({"pause": when(status="on_hold"), "cancel": when(status="spam/deleted")}, None, None),
        ({"satisfy": when(when(author="customer"), type="message", public="true")}, None, None),
        # what asks only for attributes happens when it becomes true, and that is not when the other one does
        ({"start": when(team="a", status="open"), "satisfy": when(team="a")}, None, None),
        ({"start": when(type="message", team="a"), "cancel": when(team="a")}, None, None),
    ],
)
def test_conditions_of_a_clock(conditions: dict[str, Condition], place: str | None, message: str | None) -> None:
    whole: dict[str, Any] = {"start": ASKED, "satisfy": ANSWERED, **conditions}
    promise = Policy(id="a", targets={"x": MetricTarget(metric="x")})
    file = PolicyFile(version="1", clocks={"x": DeclaredClock(name="x", **whole)}, policies=(promise,))
    found = list(clock_doubts(file))
    if place is None or message is None:
        assert found == []
    else:
        (doubt,) = found
        assert doubt.path == ("clocks", "x", place)
        assert message in doubt.message


def test_logic_of_conditions() -> None:
    assert implies(when(public="true"), when(when(public="false")))  # there is nothing else
    assert implies(when(when(public="false")), when(public="true"))
    assert not implies(when(when(tier="gold")), when(tier="silver"))  # there may be bronze
    assert not can_hold(when(tier="gold"), when(tier="silver"))
    assert can_hold(when(tag="a"), when(tag="b"))  # both at once
    assert not can_hold(when(when(tag="a"), tag="a/b"), when(when(tag="b")))
    assert not can_hold(when(when(tier="gold", channel="email"), tier="gold", channel="email"))
    assert always_in(when(when(status="open", tier="gold")), "status", "new")
    assert not always_in(when(when(status="open", tier="gold")), "status", "open")
    many = Condition({key: tuple("0123456789") for key in "abcdef"})
    assert can_hold(many)  # too many to try: nothing is claimed ...
    assert not implies(many, many)  # ... in either direction
