"""Mappings: what is wrong is told all at once, each with its place; what is right means what the format says."""

from textwrap import dedent

import pytest

from streams.policy_files.mapping_reader import parse_mapping
from streams.policy_files.problem import Problems

GOOD = """\
format: csv
time_zone: America/New_York
time_format: "%Y-%m-%d %H:%M:%S"
conversation: "{case_id}"
account: "acme-{customer}"
account_fields: {tier: "{plan}", segment: industry}
conversation_fields: {channel: "{source}", priority: "{urgency}", tags: "{labels}"}
value_map:
  priority: {"Value 1": low, 2: normal, no: high}
  status: {"": open}
events:
  - when: {activity: ["Assign seriousness", no], kind: ""}
    at: "{timestamp}"
    from: customer
  - {at: "{opened}", type: due_set, metric: first_resolution, due_at: "{target}"}
  - {at: "{moved}", type: assigned, team: "{{{team}}}", public: no}
"""


def read(text: str) -> tuple[object, list[tuple[int | None, int | None, str, str | None]]]:
    problems = Problems("m.yaml")
    mapping = parse_mapping(text, problems)
    return mapping, [(p.line, p.column, p.message, p.suggestion) for p in problems.errors + problems.warnings]


def test_a_good_mapping_means_what_it_says() -> None:
    problems = Problems("m.yaml")
    mapping = parse_mapping(GOOD, problems)
    assert mapping is not None
    assert problems.errors == problems.warnings == []
    assert mapping.time_zone.key == "America/New_York"
    assert mapping.value_map == {"priority": {"Value 1": "low", "2": "normal", "no": "high"}, "status": {"": "open"}}
    assert mapping.account is not None
    assert mapping.account.literals == ("acme-", "")
    first, due, moved = mapping.events
    assert [(c.column.name, c.any_of) for c in first.when] == [
        ("activity", frozenset({"Assign seriousness", "no"})),
        ("kind", frozenset({""})),
    ]
    assert (first.type, due.type, moved.type) == ("message", "due_set", "assigned")
    assert moved.keys["team"].literals == ("{", "}")
    assert {use.name for use in mapping.column_uses()} == {
        *("case_id", "customer", "plan", "source", "urgency", "labels"),
        *("timestamp", "activity", "kind", "opened", "target", "moved", "team"),
    }


EVENT = 'events: [{at: "{t}", from: customer}]\n'
BASE = 'format: csv\nconversation: "{c}"\n'

MISTAKES = [  # the mark stands before the place that the error names
    ("▸", "empty", None),
    ("▸- a\n", "must be a table", None),
    ("▸" + BASE, "no 'events'", "events"),
    ('▸conversation: "{c}"\n' + EVENT, "no 'format'", "format"),
    ("▸format: csv\n" + EVENT, "no 'conversation'", "conversation"),
    ('format: ▸cvs\nconversation: "{c}"\n' + EVENT, "'cvs'", "'csv'"),
    (BASE + EVENT + "▸tme_zone: UTC\n", "'tme_zone'", "'time_zone'"),
    (BASE + EVENT + "▸format: csv\n", "twice", None),
    (BASE + EVENT + "time_zone: ▸Europe/Berln\n", "not a time zone", "Europe/Berlin"),
    (BASE + EVENT + 'time_format: ▸"%Y-%Q"\n', "not a time format", "%Y-%m-%d"),
    (BASE + EVENT + 'time_format: ▸"%Y-%m-%d %Z"\n', "this machine", "%Y-%m-%d"),
    (BASE + EVENT + 'time_format: ▸"%H:%M"\n', "year, month and day", "%Y-%m-%d"),
    ("format: csv\nconversation: ▸{c}\n" + EVENT, "must be a text", 'with quotes: "{c}"'),
    ('format: csv\nconversation: ▸"case"\n' + EVENT, "names no column", "{column}"),
    ('format: csv\nconversation: ▸"{c"\n' + EVENT, "other half", "{{"),
    ('format: csv\nconversation: ▸"{}"\n' + EVENT, "names no column", "{case_id}"),
    (BASE + EVENT + "▸account:\n", "no value", "leave the key out"),
    (BASE + EVENT + 'account_fields: {▸plan: "{p}"}\n', "'plan'", "tier"),
    (BASE + EVENT + 'conversation_fields: {▸chanel: "{p}"}\n', "'chanel'", "'channel'"),
    (BASE + EVENT + "value_map: {▸priorty: {a: low}}\n", "'priorty'", "'priority'"),
    (BASE + EVENT + "value_map: {status: {Done: ▸finished}}\n", "'finished'", "one of"),
    (BASE + EVENT + "value_map: {status: ▸[a]}\n", "table of keys", None),
    (BASE + "events: ▸[]\n", "empty list", None),
    (BASE + "events: ▸{at: x}\n", "must be a list", None),
    (BASE + "events:\n  - ▸{from: customer}\n", "no 'at'", "at"),
    (BASE + 'events:\n  - ▸{at: "{t}"}\n', "no 'from'", "from"),
    (BASE + 'events:\n  - {at: "{t}", from: ▸client}\n', "'client'", "one of"),
    (BASE + 'events:\n  - {at: "{t}", type: ▸mesage, from: bot}\n', "'mesage'", "'message'"),
    (BASE + 'events:\n  - ▸{at: "{t}", type: status_changed}\n', "no 'status'", "status"),
    (BASE + 'events:\n  - {at: "{t}", type: status_changed, status: ▸done}\n', "'done'", "one of"),
    (BASE + 'events:\n  - ▸{at: "{t}", type: due_set, metric: first_resolution}\n', "no 'due_at'", "due_at"),
    (BASE + 'events:\n  - {at: "{t}", from: bot, public: ▸perhaps}\n', "true nor false", None),
    (BASE + 'events:\n  - {at: "{t}", type: survey_response, score: ▸good}\n', "not a number", None),
    (BASE + "events:\n  - {at: ▸opened, from: bot}\n", "neither a column nor a time", "{column}"),
    (BASE + 'events:\n  - {when: {▸"{a}": x}, at: "{t}", from: bot}\n', "not a column", "without braces: a"),
    (BASE + 'events:\n  - {when: {a: ▸[]}, at: "{t}", from: bot}\n', "no row can match", None),
    ('format: ndjson\nconversation: ▸"{a..b}"\n' + EVENT, "not a path", "{a.b}"),
    (BASE + "events: [\n▸", "is not YAML", None),
]


@pytest.mark.parametrize(("marked", "message", "suggestion"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_the_way_out(marked: str, message: str, suggestion: str | None) -> None:
    before, _, after = marked.partition("▸")
    mapping, found = read(before + after)
    assert mapping is None
    assert len(found) == 1, found
    line, column, said, way_out = found[0]
    assert (line, column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert message in said
    assert suggestion is None or (way_out is not None and suggestion in way_out)


def test_all_mistakes_of_a_file_are_told_at_once_in_their_order() -> None:
    _, found = read(
        dedent("""\
        format: xml
        time_zone: Mars/Base
        conversation: "{a"
        account_field: {}
        value_map: {from: {X: alien}}
        events:
          - {at: "{t}", from: human}
          - {type: message, form: agent}
        """)
    )
    assert [line for line, *_ in found] == [1, 2, 3, 4, 5, 7, 8, 8, 8]


def test_what_works_but_looks_wrong_is_a_warning() -> None:
    mapping, found = read(
        BASE
        + 'events: [{at: "{t}", from: agent, status: open}]\n'
        + "value_map: {priority: {P1: critical}, metric: {due: first_reslution}}\n"
    )
    assert mapping is not None
    assert [(line, column) for line, column, *_ in found] == [(3, 43), (4, 28), (4, 53)]
    assert "status" not in mapping.events[0].keys  # type: ignore[attr-defined]
