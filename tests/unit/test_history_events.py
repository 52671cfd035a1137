"""From rows to interactions: what a mapping makes of them, who is first, what is a change, which id an event has."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest

from schemas.interaction import Interaction
from streams.history.conversations import History, content_digest, read_history
from streams.history.import_mapping import ImportMapping
from streams.history.rejected_rows import StrictStop
from streams.history.row_source import ColumnTrouble
from streams.policy_files.mapping_reader import parse_mapping
from streams.policy_files.problem import Problems

EVENTS = """\
format: csv
conversation: "case-{id}"
account: "{customer}"
account_fields: {tier: "{plan}"}
conversation_fields: {channel: "{source}", priority: "{urgency}", team: "{group}", tags: "{labels}", status: "{state}"}
value_map:
  priority: {P1: urgent, P3: low}
  status: {waiting: waiting_on_customer}
  tags: {x: vip}
events:
  - {when: {what: [asked, wrote]}, at: "{when}", from: customer, text: "{text}"}
  - {when: {what: answered}, at: "{when}", from: agent}
  - {when: {what: noted}, at: "{when}", from: agent, public: no}
"""
HEADER = "id,what,when,customer,plan,source,urgency,group,labels,state,text"


def mapping_of(text: str) -> ImportMapping:
    problems = Problems("m.yaml")
    mapping = parse_mapping(dedent(text), problems)
    assert mapping is not None, problems.errors
    return mapping


def read(tmp_path: Path, mapping: str, data: str | bytes, name: str = "history.csv", **options: Any) -> History:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_history(mapping_of(mapping), [path], **options)


def interactions(history: History) -> list[Interaction]:
    return [event for _, events in history.conversations("import:1", "import:1") for event in events]


def told(events: Sequence[Interaction]) -> list[tuple[str, str, Any]]:
    """Each event as (time, type, what it is about)."""
    about: dict[str, Callable[[Any], Any]] = {
        "message": lambda e: e.author.kind,
        "status_changed": lambda e: e.status,
        "priority_changed": lambda e: e.priority,
        "assigned": lambda e: e.team,
        "tagged": lambda e: e.tags,
        "account_changed": lambda e: (e.account_id, e.tier),
        "due_set": lambda e: e.due_at.isoformat(),
    }
    return [(e.occurred_at.strftime("%H:%M"), e.type, about[e.type](e)) for e in events]


def csv(*rows: str) -> str:
    return "\n".join([HEADER, *rows, ""])


def test_a_row_becomes_an_event_with_how_the_conversation_stands(tmp_path: Path) -> None:
    history = read(tmp_path, EVENTS, csv('7,asked,2026-03-02T10:00:00+01:00,acme,gold,email,P1,tier1,"x, y",,help'))
    (event,) = interactions(history)
    assert msgspec.to_builtins(event) == {
        "id": event.id,
        "source": "import:1",
        "clock": "import:1",
        "conversation_id": "case-7",
        "occurred_at": "2026-03-02T09:00:00Z",
        "channel": "email",
        "author": {"kind": "customer"},
        "text": "help",
        "account_id": "acme",
        "tier": "gold",
        "team": "tier1",
        "priority": "urgent",
        "tags": ("vip", "y"),
    }


def test_the_first_row_in_time_sets_the_fields_and_a_later_one_that_differs_changes_them(tmp_path: Path) -> None:
    history = read(
        tmp_path,
        EVENTS,
        csv(
            "1,answered,2026-03-02T12:00,acme,gold,chat,P1,tier2,x,waiting,",
            "1,asked,2026-03-02T10:00,acme,gold,email,P3,tier1,,open,",
            "1,nothing,2026-03-02T09:00,other,,,P9,,,closed,",
            "1,wrote,2026-03-02T13:00,beta,,,,,,open,",
            "1,noted,2026-03-02T14:00,beta,,,,,,open,",
        ),
    )
    events = interactions(history)
    assert told(events) == [
        ("10:00", "message", "customer"),
        ("12:00", "priority_changed", "urgent"),
        ("12:00", "assigned", "tier2"),
        ("12:00", "tagged", ("vip",)),
        ("12:00", "status_changed", "waiting_on_customer"),
        ("12:00", "message", "agent"),
        ("13:00", "account_changed", ("beta", None)),
        ("13:00", "status_changed", "open"),
        ("13:00", "message", "customer"),
        ("14:00", "message", "agent"),
    ]
    assert [e.visibility for e in events if e.type == "message"] == ["public", "public", "public", "internal"]
    assert {e.channel for e in events} == {"email"}
    assert [(e.priority, e.team, e.tags) for e in (events[0], events[-1])] == [
        ("low", "tier1", ()),
        ("urgent", "tier2", ("vip",)),
    ]
    assert (history.counts.rows, history.counts.used, history.counts.without_event) == (5, 4, 1)


def test_a_conversation_that_begins_on_hold_says_so_and_events_of_one_instant_keep_file_order(tmp_path: Path) -> None:
    at = "2026-03-02T10:00"
    history = read(
        tmp_path, EVENTS, csv(f"1,asked,{at},a,,,,,,on_hold,", f"1,noted,{at},a,,,,,,,", f"1,answered,{at},a,,,,,,,")
    )
    events = interactions(history)
    assert told(events)[0] == ("10:00", "status_changed", "on_hold")
    assert [(e.author.kind, e.visibility) for e in events[1:]] == [
        ("customer", "public"),
        ("agent", "internal"),
        ("agent", "public"),
    ]


def test_there_and_back_within_one_instant_is_two_changes(tmp_path: Path) -> None:
    rows = [f"1,noted,2026-03-02T10:00,a,,,{urgency},,,," for urgency in ("P1", "P3", "P1", "P3")]
    events = [e for e in interactions(read(tmp_path, EVENTS, csv(*rows))) if e.type == "priority_changed"]
    assert [e.priority for e in events] == ["low", "urgent", "low"]
    assert len({e.id for e in events}) == 3


def test_the_id_of_an_event_is_its_content_whatever_file_it_stands_in(tmp_path: Path) -> None:
    rows = [
        "1,asked,2026-03-02T10:00,a,,,,,,,",
        "1,asked,2026-03-02T10:00,a,,,,,,,",
        "1,asked,2026-03-02T10:00,a,,,,,,,?",
    ]
    once = interactions(read(tmp_path, EVENTS, csv(*rows)))
    again = interactions(read(tmp_path, EVENTS, gzip.compress(csv(*reversed(rows)).encode()), "other.gz"))
    assert [e.id == once[0].id for e in once] == [True, True, False]
    assert {e.id for e in once} == {e.id for e in again}


def test_an_id_never_changes_or_importing_again_would_count_twice(tmp_path: Path) -> None:
    rows = [
        '1,asked,2026-03-02T10:00:00+01:00,acme,gold,email,P1,tier1,"x, y",,Hello "wörld"',
        "1,answered,2026-03-02T12:00:00.25Z,acme,,chat,P3,tier2,x,waiting,",
        "1,noted,2026-03-02T12:00:00.25Z,beta,,chat,P1,tier2,x,open,",
        "1,noted,2026-03-02T12:00:00.25Z,beta,,chat,P3,tier2,x,open,",
    ]
    events = [*interactions(read(tmp_path, EVENTS, csv(*rows)))]
    row = {"key": 1, "times": {"opened": "2026-01-05 09:00", "target": "2026-01-06T09:00:00.5"}}
    one_row = ONE_ROW.replace(', id: "{key}-o"', "")
    events += interactions(read(tmp_path, one_row, msgspec.json.encode(row), "history.ndjson"))
    assert [(event.type, event.id) for event in events] == [
        ("message", "63e25f667b0c0d2e3c548802"),
        ("priority_changed", "f7a82b6ae041741b6fdd9589"),
        ("assigned", "a6a0c977788a6d88add013a6"),
        ("tagged", "a85b0340a8b4493fcc541b75"),
        ("status_changed", "d8c57b66ce151b70d005f496"),
        ("message", "fd71ccfc7045c698204d2241"),
        ("account_changed", "dcc8188726929f5e514705ac"),
        ("priority_changed", "6d99bb698aba17607044bf47"),
        ("status_changed", "d9e1ad237b44efc3c39be15d"),
        ("message", "4100c3ab16fe199d80e797d1"),
        ("priority_changed", "168a6421c66df06bb0d5ceb0"),
        ("message", "4100c3ab16fe199d80e797d1"),
        ("message", "fc95d1ac09e5584cd816d5d8"),
        ("due_set", "c23c043197ddbbeea80b7581"),
    ]


def test_a_change_that_the_mapping_states_holds_for_the_events_after_it(tmp_path: Path) -> None:
    mapping = """\
        format: csv
        conversation: "{c}"
        events:
          - {when: {what: m}, at: "{t}", from: customer}
          - {when: {what: p}, at: "{t}", type: priority_changed, priority: high}
        """
    events = interactions(read(tmp_path, mapping, "c,t,what\n1,2026-01-01,m\n1,2026-01-02,p\n1,2026-01-03,m\n"))
    assert [event.priority for event in events] == [None, "high", "high"]


ONE_ROW = """\
format: ndjson
time_zone: America/New_York
conversation: "{key}"
conversation_fields: {tags: "{labels}"}
events:
  - {at: "{times.opened}", from: customer, id: "{key}-o"}
  - {at: "{times.opened}", type: due_set, metric: first_resolution, due_at: "{times.target}"}
  - {at: "{times.closed}", type: status_changed, status: "{end.0}", when: {done: ["true", "1"]}}
"""


def test_one_row_per_conversation_with_objects_lists_and_empty_times(tmp_path: Path) -> None:
    rows = [
        {"key": 1, "times": {"opened": "2026-01-05 09:00", "target": "2026-01-06T09:00", "closed": "2026-01-05T10:00"},
         "end": ["resolved"], "done": True, "labels": ["b", "a"]},
        {"key": 2, "times": {"opened": "2026-07-05T09:00:00.5", "target": None, "closed": ""}, "done": 1},
        {"key": 3, "done": False},
    ]  # fmt: skip
    history = read(tmp_path, ONE_ROW, b"\n".join(map(msgspec.json.encode, rows)), "history.ndjson")
    events = interactions(history)
    assert told(events) == [
        ("14:00", "message", "customer"),
        ("14:00", "due_set", "2026-01-06T14:00:00+00:00"),
        ("15:00", "status_changed", "resolved"),
        ("13:00", "message", "customer"),
    ]
    assert events[0].id == "1-o"
    assert events[0].tags == ("b", "a")
    assert events[3].occurred_at.microsecond == 500_000
    assert history.counts.without_event == 1


def test_a_list_and_a_text_that_looks_like_it_are_two_things(tmp_path: Path) -> None:
    rows = [
        {"key": place, "times": {"opened": "2026-01-05"}, "labels": labels}
        for place, labels in enumerate((["a"], '["a"]'))
    ]
    events = interactions(read(tmp_path, ONE_ROW, b"\n".join(map(msgspec.json.encode, rows)), "history.ndjson"))
    assert [event.tags for event in events] == [("a",), ('["a"]',)]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-08 01:59:59", "2026-03-08T06:59:59+00:00"),
        ("2026-03-08 02:30:00", "2026-03-08T07:30:00+00:00"),  # does not exist: forward by the gap, 03:30 EDT
        ("2026-11-01 01:30:00", "2026-11-01T05:30:00+00:00"),  # twice: the first, EDT
        ("2026-3-8 12:00:00", "2026-03-08T16:00:00+00:00"),
    ],
)
def test_local_times_follow_the_zone_and_its_clock_changes(tmp_path: Path, text: str, instant: str) -> None:
    mapping = """\
        format: csv
        time_zone: America/New_York
        time_format: "%Y-%m-%d %H:%M:%S"
        conversation: "{c}"
        events: [{at: "{t}", from: bot}]
        """
    (event,) = interactions(read(tmp_path, mapping, f"c,t\n1,{text}\n"))
    assert event.occurred_at.isoformat() == instant


def test_rows_that_cannot_be_used_are_counted_and_listed_and_the_list_goes_when_they_do(tmp_path: Path) -> None:
    mapping = """\
        format: csv
        conversation: "{c}"
        value_map: {from: {c: customer}, type: {m: message, s: survey_response, due: due_set, st: status_changed}}
        events:
          - at: "{t}"
            type: "{type}"
            from: "{who}"
            public: "{public}"
            score: "{score}"
            status: "{status}"
            metric: first_response
            due_at: "{due}"
        """
    header = "c,t,type,who,public,score,status,due"
    good = "1,2026-01-01T00:00Z,m,c,,,,"
    bad = {
        ",2026-01-01T00:00Z,m,c,,,,": "no_conversation",
        "1,yesterday,m,c,,,,": "unreadable_time",
        "1,9999-12-31T00:00Z,m,c,,,,": "unreadable_time",
        "1,2026-01-01T00:00Z,x,c,,,,": "unknown_word",
        "1,2026-01-01T00:00Z,m,x,,,,": "unknown_word",
        "1,2026-01-01T00:00Z,m,,,,,": "missing_value",
        "1,2026-01-01T00:00Z,st,,,,,": "missing_value",
        "1,2026-01-01T00:00Z,m,c,maybe,,,": "unreadable_flag",
        "1,2026-01-01T00:00Z,s,c,,nan,,": "unreadable_number",
        "1,2026-01-01T00:00Z,due,,,,,soon": "unreadable_time",
        "1,2026-01-01T00:00Z,m,c,,,": "ragged",
    }
    history = read(tmp_path, mapping, "\n".join([header, good, *bad, good, "1,2026-01-01T00:00Z,due,,,,,"]))
    listed = [
        msgspec.json.decode(line) for line in (tmp_path / "history.csv.rejected.ndjson").read_bytes().splitlines()
    ]
    assert [(entry["row"], entry["line"]) for entry in listed] == [(n, n + 1) for n in range(2, len(bad) + 2)]
    assert {entry["reason"] for entry in listed} == set(bad.values())
    assert [entry["reason"] for entry in listed] == list(bad.values())
    counts = history.counts
    assert (counts.rows, counts.used, counts.without_event, counts.rejected.total()) == (len(bad) + 3, 2, 1, len(bad))

    with pytest.raises(StrictStop, match=r"row 2 \(line 3\): no_conversation"):
        read(tmp_path, mapping, "\n".join([header, good, *bad]), strict=True)
    read(tmp_path, mapping, f"{header}\n{good}")
    assert not (tmp_path / "history.csv.rejected.ndjson").exists()


def test_two_events_of_a_row_cannot_share_an_id(tmp_path: Path) -> None:
    event = '{at: "{t}", from: bot, id: "{c}"}'
    mapping = f'format: csv\nconversation: "{{c}}"\nevents: [{event}, {event}]'
    assert read(tmp_path, mapping, "c,t\n1,2026-01-01\n").counts.rejected == {"repeated_id": 1}


def test_columns_must_be_there_and_only_once_if_they_are_used(tmp_path: Path) -> None:
    mapping = 'format: csv\nconversation: "{c}"\nevents: [{at: "{t}", when: {x: y}, from: bot}]'
    assert len(read(tmp_path, mapping, "c,t,x,z,z\n1,2026-01-01,y,,\n")) == 1
    with pytest.raises(ColumnTrouble) as caught:
        read(tmp_path, mapping, "c,T,x,x\n")
    assert [(use.name, use.place, choices) for use, _, choices in caught.value.found] == [
        ("t", (3, 15), ("c", "T", "x")),
        ("x", (3, 29), ()),
    ]


def test_an_account_changed_by_an_event_of_its_own_brings_the_fields_of_its_row(tmp_path: Path) -> None:
    mapping = """\
        format: csv
        conversation: "{c}"
        account_fields: {tier: "{plan}"}
        events:
          - {when: {what: m}, at: "{t}", from: customer}
          - {when: {what: moved}, at: "{t}", type: account_changed, account: "{to}"}
        """
    data = "c,t,what,to,plan\n1,2026-01-01,m,,gold\n1,2026-01-02,moved,beta,silver\n1,2026-01-03,m,,gold\n"
    events = interactions(read(tmp_path, mapping, data))
    assert [(e.account_id, e.tier) for e in events] == [(None, "gold"), ("beta", "silver"), ("beta", "silver")]


def test_several_files_are_one_history_and_its_digest_knows_no_order(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text(csv("1,answered,2026-03-02T12:00,a,,,,,,,"))
    two.write_text(csv("1,asked,2026-03-02T10:00,a,,,,,,,", "2,asked,2026-03-02T09:00,a,,,,,,,"))
    history = read_history(mapping_of(EVENTS), [one, two])
    assert [(e.conversation_id, e.author.kind) for e in interactions(history)] == [
        ("case-2", "customer"),
        ("case-1", "customer"),
        ("case-1", "agent"),
    ]
    assert content_digest([one, two], "m") == content_digest([two, one], "m") != content_digest([one, two], "n")
