"""Every kind of mistake in a policy file: where it is reported, in which words, with which way out."""

from pathlib import Path

import pytest

from streams.policy_files.policy_reader import read_policy_file, read_policy_text
from streams.policy_files.problem import Problems

HEAD = "version: 1\n"
TAIL = "policies: [{id: all, targets: {first_response: 1h}}]\n"


def calendar(line: str) -> str:
    """A file with `line` in line 3, column 5."""
    return f"{HEAD}calendars: {{c: {{time_zone: UTC, weekly: {{sun: [01:00-02:00]}},\n    {line}\n  }}}}\n{TAIL}"


def weekly(line: str) -> str:
    """A file with `line` in line 6, column 7."""
    return f"{HEAD}calendars:\n  c:\n    time_zone: UTC\n    weekly:\n      {line}\n{TAIL}"


def policy(line: str) -> str:
    """A file with `line` in line 4, column 5, in a policy that is fine otherwise."""
    return f"{HEAD}policies:\n  - id: all\n    {line}\n    targets: {{first_response: 1h}}\n"


def clock(start: str) -> str:
    """A file with a clock of its own, whose `start` begins in line 2, column 27."""
    return f"{HEAD}clocks: {{triage: {{start: {{{start}}}, satisfy: {{from: agent, public: True}}}}}}\n{TAIL}"


def found(text: str) -> list[tuple[int | None, int | None, str, str | None]]:
    problems = Problems("p.yaml")
    assert (read_policy_text(text, problems) is None) == bool(problems.errors)
    return [(problem.line, problem.column, problem.message, problem.suggestion) for problem in problems.errors]


def test_holidays_of_a_country_and_of_a_file_in_one_item_are_told_apart() -> None:
    _, told = found(calendar("holidays: [{ical: absent.ics, country: DE, subdivision: BE}]"))
    assert told == (
        3,
        44,
        "holidays: one item names an ical file and a country and a subdivision, which are two sources",
        "write two items, for example `- {country: DE}` and `- {ical: holidays.ics}`; both count",
    )


def test_an_anchor_that_is_set_twice_is_a_doubt_with_its_place() -> None:
    problems = Problems("p.yaml")
    text = policy("when: {tier: &t gold, segment: &t retail, team: *t}")
    assert read_policy_text(text, problems) is not None
    (doubt,) = [each for each in problems.warnings if "anchor" in each.message]
    assert (doubt.line, doubt.column, doubt.message) == (4, 36, "the anchor &t is set a second time")


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "suggestion"),
    [
        # the text itself
        ("", 1, 1, "empty", None),
        ("version: [1\npolicies: 2", 2, 9, "is not YAML: the [ of line 1 is not closed before this ':'", "missing ]"),
        ("a: {b, c: [d}", 1, 13, "is not YAML: the [ of line 1 is not closed before this '}'", "missing ]"),
        ("a: {b: 1\n", 2, 1, "is not YAML: the { of line 1 is not closed before the end of the file", "missing }"),
        ("a: b]\nc: ]", 2, 4, "is not YAML: this ']' closes nothing", "in quotes"),
        ("a: ,", 1, 4, "is not YAML: ',' stands where a value is expected", "in quotes"),
        ("a:\n\t- b", 2, 1, "is not YAML: a tab stands where only spaces may", "with spaces, not with tabs"),
        ("a: @b", 1, 4, "is not YAML: a text cannot begin with @", "put the text in quotes"),
        ("a: b: c", 1, 5, "is not YAML: no key can stand before this ':'", "needs quotes"),
        ("a: - b", 1, 4, "is not YAML: a list item cannot begin behind a key", "[one, two]"),
        ('a: 1\nb: "x\nc: 2', 3, 5, "is not YAML: the quotes of line 2 are never closed", "close the quotes"),
        ('a: "\\q"', 1, 6, "is not YAML: a backslash within double quotes", "single quotes"),
        ("a:\n   b: 1\n  c: 2", 3, 3, "is not YAML: this line is indented unlike its neighbours", "same column"),
        ("a: 'b' c", 1, 8, "is not YAML: this text belongs to nothing", "in quotes"),
        ("- a\nb: c", 2, 1, "is not YAML: the list of line 1 cannot go on with a key", "`- `"),
        ("  a: b\nc: d", 2, 1, "is not YAML: this line is indented unlike the first one", "same column"),
        ("a: *b", 1, 4, "is not YAML: there is no anchor &b for *b", "needs quotes"),
        ("a: & b", 1, 5, "is not YAML: a name must follow this & or *", "in quotes"),
        ("a: !<", 1, 6, "is not YAML: this ! begins a tag", "in quotes"),
        ("a: |x\n  b", 1, 5, "is not YAML: behind | or > nothing else may stand", "next line"),
        ("a: b\n---\nc: d", 2, 1, "is not YAML: a second document begins here", "second `---`"),
        ("%YAML 1.3\n---\na: b", 1, 1, "is not YAML: the % line at the top cannot be read", "remove it"),
        ("[]", 1, 1, "a policy file must be a table", None),
        # keys
        (HEAD + "polices: []\n" + TAIL, 2, 1, "unknown key 'polices'", "did you mean 'policies'?"),
        (HEAD + "version: 2\n" + TAIL, 2, 1, "'version' occurs twice, first in line 1", "keep one of the two"),
        (TAIL, 1, 1, "a policy file has no 'version'", "add `version:`"),
        (HEAD, 1, 1, "a policy file has no 'policies'", "add `policies:`"),
        (HEAD + "calendars:\n" + TAIL, 2, 1, "'calendars' has no value", "give it one or leave the key out"),
        (HEAD + "policies: []", 2, 11, "policies is empty", "at least one"),
        (HEAD + "effective_from: 2026-03-01\n" + TAIL, 2, 17, "has no offset", "2026-03-02T14:30:00Z"),
        (HEAD + "effective_from: 0026-03-01T00:00:00Z\n" + TAIL, 2, 17, "the year 26 is impossible", None),
        # calendars
        (weekly("mon: [09:00-25:00]"), 6, 13, "'25:00' is an impossible time", "00:00 to 24:00"),
        (weekly("mon: [09:60-17:00]"), 6, 13, "'09:60' is an impossible time", None),
        (weekly("mon: [24:00-06:00]"), 6, 13, "nothing opens at 24:00", None),
        (weekly("mon: [09:00-09:00]"), 6, 13, "opens and closes at once", "00:00-24:00"),
        (weekly("mon: [9-17]"), 6, 13, "'9' is not a time of day", "09:00-17:00"),
        (weekly("mon-fry: [09:00-17:00]"), 6, 7, "'fry' is not a weekday", "did you mean 'fri'?"),
        (weekly("{mon-wed: [09:00-17:00], tue: [09:00-12:00]}"), 6, 32, "'tue': tue has hours already", "once"),
        (weekly("mon: []"), 3, 3, "'c' never opens", "give it hours"),
        (calendar("time_zone: UTC"), 3, 5, "'time_zone' occurs twice", None),
        (calendar("exceptions: {2026-02-30: []}"), 3, 18, "'2026-02-30' is not a date", "2026-12-25"),
        (calendar("breaks: {2026-03-05: [14:00-14:00]}"), 3, 27, "opens and closes at once", None),
        (HEAD + "calendars: {c: {union: []}}\n" + TAIL, 2, 24, "union is an empty list", "name the calendars"),
        (calendar("holidays: [christmas]"), 3, 16, "'christmas' is not a date", None),
        (calendar("holidays: [{country: XX}]"), 3, 26, "'XX' are not known", None),
        (calendar("holidays: [{country: DE, subdivision: NYC}]"), 3, 43, "no subdivision 'NYC'", None),
        (calendar("holidays: [{contry: DE}]"), 3, 17, "unknown key 'contry'", "did you mean 'country'?"),
        (calendar("holidays: [{ical: absent.ics}]"), 3, 23, "an ical file", None),
        (
            calendar("holidays: [{subdivision: BE}]"),
            3,
            30,
            "a subdivision without its country names no region",
            "add the country, for example {country: DE, subdivision: BE}",
        ),
        (HEAD + "calendars: {c: {time_zone: Europe/Berln, weekly: {mon: [09:00-17:00]}}}\n" + TAIL,
         2, 28, "there is no time zone 'Europe/Berln'", "did you mean 'Europe/Berlin'?"),
        (HEAD + "calendars: {a: {union: [b]}}\n" + TAIL, 2, 25, "there is no calendar 'b'", None),
        (HEAD + "calendars: {a: {union: [b]}, b: {union: [a, always]}}\n" + TAIL, 2, 13, "contains itself", None),
        (HEAD + "calendars: {a: {union: [always], weekly: {mon: [09:00-17:00]}}}\n" + TAIL, 2, 42, "is a union", None),
        (HEAD + "calendars: {always: {time_zone: UTC}}\n" + TAIL, 2, 13, "'always' exists already", None),
        (HEAD + "calendars: {a: {}}\n" + TAIL, 2, 16, "'a' is empty", None),
        # policies
        (policy("calender: always"), 4, 5, "unknown key 'calender'", "did you mean 'calendar'?"),
        (policy("calendar: alway"), 4, 15, "there is no calendar 'alway'", "did you mean 'always'?"),
        (policy("edge: closing"), 4, 11, "edge cannot be 'closing'", "did you mean 'close'?"),
        (policy("on_change: restart"), 4, 16, "on_change cannot be 'restart'", "did you mean 'reset'?"),
        (policy("applies_to_changes: all"), 4, 25, "applies_to_changes cannot be 'all'", "open, new"),
        (policy("when: {chanel: email}"), 4, 12, "unknown key 'chanel'", "did you mean 'channel'?"),
        (policy("when: {priority: [hgih]}"), 4, 23, "'hgih' is not a priority", "did you mean 'high'?"),
        (policy("when: {tier: []}"), 4, 18, "tier is an empty list", None),
        (policy("when: {tier: {a: b}}"), 4, 18, "tier must be a single value, not a table", None),
        (policy("when:"), 4, 5, "'when' has no value", None),
        (policy("warn_at: [120%]"), 4, 15, "'120%' of the target is impossible", None),
        (policy("warn_at: [soon]"), 4, 15, "'soon' is not a duration", None),
        (policy("objective: {ratio: 95, over: 30d}"), 4, 24, "a ratio of 95 is impossible", "0.95"),
        (policy("objective: {ratio: 0.95, over: 93d}"), 4, 36, "kept for 92 days, and '93d' is longer", "at most 92d"),
        (policy("objective: {ratio: 0.95}"), 4, 16, "has no 'over'", None),
        (policy("objective: {ratio: 0.95, over: 36h}"), 4, 36, "not a number of days", "30d or month"),
        (HEAD + "policies: [{targets: {first_response: 1h}}]", 2, 12, "policy 1 has no 'id'", None),
        (HEAD + "policies:\n  - {id: a, when: {tier: x}}\n  - {id: a}", 4, 10, "'a' occurs twice", None),
        # targets
        (policy("").replace("1h", "1.5h"), 5, 31, "'1.5h' is not a duration", "did you mean 1h30m?"),
        (policy("").replace("1h", "30m1h"), 5, 31, "is not a duration", "did you mean 1h30m?"),
        (policy("").replace("1h", "30 minutes"), 5, 31, "is not a duration", "did you mean 30m?"),
        (policy("").replace("1h", "2 weeks"), 5, 31, "is not a duration", "did you mean 14d?"),
        (policy("").replace("1h", "3 business days"), 5, 31, "is not a duration", "3 business_days"),
        (policy("").replace("1h", "99999h"), 5, 31, "longer than ten years", None),
        (policy("").replace("1h", "{urgnt: 1h}"), 5, 32, "'urgnt' is not a priority", "did you mean 'urgent'?"),
        (policy("").replace("1h", "{}"), 5, 31, "first_response is empty", None),
        (policy("").replace("1h", "{calendar: always}"), 5, 31, "first_response has no 'target'", None),
        (policy("").replace("1h", "{target: 1h, pause: x}"), 5, 44, "unknown key 'pause'", "'pause_when'"),
        (policy("").replace("1h", "{target: 1h, calendar: x}"), 5, 54, "there is no calendar 'x'", None),
        (policy("").replace("1h", "{target: 1h, reopen: no}"), 5, 52, "reopen cannot be 'no'", "continue, new_cycle"),
        (policy("").replace("1h", "{target: 1h, pause_when: {status: [pending]}}"),
         5, 66, "'pending' is not a status", None),
        (policy("").replace("first_response", "first_reply"), 5, 15, "unknown key 'first_reply'", "did you mean"),
        # clocks of one's own
        (HEAD + "clocks: {first_response: {start: {}, satisfy: {}}}\n" + TAIL, 2, 10, "is a metric already", None),
        (HEAD + "clocks: {triage: {start: {type: message}}}\n" + TAIL, 2, 18, "'triage' has no 'satisfy'", None),
        (clock("type: mesage"), 2, 33, "type cannot be 'mesage'", "did you mean 'message'?"),
        (clock("not: {from: [bot, agnt]}"), 2, 45, "from cannot be 'agnt'", "did you mean 'agent'?"),
        (clock("kind: stars"), 2, 33, "kind cannot be 'stars'", "csat, nps, ces"),
        (clock("public: yes"), 2, 35, "public cannot be 'yes'", "true, false"),
    ],
)  # fmt: skip
def test_mistake(text: str, line: int, column: int, message: str, suggestion: str | None) -> None:
    mistakes = found(text)
    assert len(mistakes) == 1, mistakes
    assert mistakes[0][:2] == (line, column)
    assert message in mistakes[0][2]
    if suggestion is not None:
        assert suggestion in (mistakes[0][3] or "")


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    text = policy("edge: closing").replace("1h", "soon") + "  - {id: all, whn: {}}\nextra: 1\n"
    assert [(line, column) for line, column, _, _ in found(text)] == [
        (4, 11),
        (5, 31),
        (6, 5),
        (6, 10),
        (6, 15),
        (7, 1),
    ]


GOLD_AND_OTHERS = (
    HEAD
    + "policies:\n"
    + "  - {id: a, when: {tier: gold}, targets: {first_response: 1h}}\n"
    + "  - {id: b, when: {not: {tier: gold}}, targets: {first_response: 1h}}\n"
)


@pytest.mark.parametrize(
    ("conditions", "unreached"),
    [
        (["{}", "{tier: gold}"], ["b"]),  # the fallback is not last
        (["{tier: [gold, silver]}", "{tier: gold, channel: email}"], ["b"]),
        (["{tier: gold}", "{tier: [gold, silver]}"], []),
        (["{tier: gold}", "{tier: silver}", "{tier: [silver, gold]}"], []),  # two together take all: a doubt
        (["{tier: gold, channel: email}", "{tier: gold}"], []),
        (["{not: {tier: gold}}", "{tier: silver}", "{tier: gold}"], ["b"]),
        (["{not: {tier: gold}}", "{tier: gold}", "{}"], []),
        (["{channel: email, not: {tier: gold}}", "{channel: email, not: {tier: [gold, silver]}}"], ["b"]),
        (["{tag: a}", "{tag: [a, b]}", "{tag: b}"], ["c"]),
        (["{not: {tag: a}}", "{tag: b}"], []),  # a conversation may have both tags
        (["{not: {not: {tier: gold}}}", "{tier: gold}"], ["b"]),
        (["{tier: gold}", "{tier: [gold, silver], not: {tier: silver}}"], ["b"]),
        (["{chanel: email}", "{tier: gold}"], []),  # a mistyped condition accuses nobody
    ],
)
def test_policies_that_earlier_ones_leave_nothing_to(conditions: list[str], unreached: list[str]) -> None:
    lines = [
        f"  - {{id: {name}, when: {when}, targets: {{first_response: 1h}}}}\n"
        for name, when in zip("abc", conditions, strict=False)
    ]
    accused = [message for _, _, message, _ in found(HEAD + "policies:\n" + "".join(lines)) if "never match" in message]
    assert [message.split("'")[1] for message in accused] == unreached


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        (policy("when: {tier: gold}"), 3, 5, "no policy is for everyone else"),
        (policy("").replace("1h", "{p1: 1h}"), 5, 32, "'p1' is none of Careline's priorities"),
        (policy("").replace("1h", "{highest: 1h}"), 5, 32, "'highest' is none of"),
        (policy("").replace("1h", "0s"), 5, 15, "is due at its start"),
        (policy("").replace("1h", "{target: 1h, pause_when: {tier: gold}}"), 5, 44, "can never end"),
        (
            policy("").replace("1h", "{target: 1h, pause_when: {status: open}}"),
            5,
            44,
            "pauses while the conversation is open",
        ),
        (policy("objective: {ratio: 1, over: month}"), 4, 17, "no error budget"),
        (policy("when: {not: {}}") + "  - {id: z, targets: {next_response: 1h}}", 4, 17, "never holds"),
        (
            policy("when: {tier: a, not: {tier: a}}") + "  - {id: z, targets: {next_response: 1h}}",
            4,
            5,
            "can never match",
        ),
        (
            GOLD_AND_OTHERS + "  - {id: c, when: {channel: email}, targets: {next_response: 1h}}",
            5,
            5,
            "together",
        ),
        (
            HEAD
            + "policies:\n"
            + "".join(
                f"  - {{id: {name}, when: {{tier: [{tiers}]}}, targets: {{first_response: 1h}}}}\n"
                for name, tiers in (("a", "gold"), ("b", "silver"), ("c", "silver, gold"))
            )
            + "  - {id: z, targets: {next_response: 1h}}",
            5,
            5,
            "the earlier ones together take all it could",
        ),
        (
            HEAD
            + "policies:\n"
            + "".join(
                f"  - {{id: {name}, when: {{tier: [{tiers}]}}, targets: {{first_response: 1h}}}}\n"
                for name, tiers in (("a", "gold"), ("b", "silver"), ("c", "silver, gold"))
            ),
            5,
            5,
            "together",
        ),
        (HEAD + "policies: [{id: a}]", 2, 12, "promises nothing"),
        (HEAD + "calendars: {c: {time_zone: UTC, weekly: {mon: [09:00-17:00]}}}\n" + TAIL, 2, 13, "no policy uses"),
        (weekly("mon: [09:00-13:00, 12:00-17:00]"), 6, 26, "hours overlap"),
        (weekly("mon: [09:00-17:00]").replace("    time_zone: UTC\n", ""), 3, 3, "has no time_zone"),
    ],
)
def test_doubt_leaves_the_file_usable(text: str, line: int, column: int, message: str) -> None:
    problems = Problems("p.yaml")
    assert read_policy_text(text, problems) is not None, problems.errors
    assert (line, column) in [(found.line, found.column) for found in problems.warnings if message in found.message]


def test_policies_that_leave_nothing_over_need_none_for_everyone_else() -> None:
    for fallback in ("", "  - {id: z, targets: {next_response: 1h}}\n"):
        problems = Problems("p.yaml")
        assert read_policy_text(GOLD_AND_OTHERS + fallback, problems) is not None, problems.errors
        assert problems.warnings == []


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("version: 1\npolicies: é".encode("latin-1"))
    for path, message in (
        (tmp_path / "absent.yaml", "no such file"),
        (tmp_path, "cannot be read"),
        (latin, "not UTF-8"),
    ):
        problems = Problems(str(path))
        assert read_policy_file(path, problems) is None
        assert message in problems.errors[0].message
