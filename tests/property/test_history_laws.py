"""Laws of reading history: what the order of rows and files may change, and that nothing is lost on the way."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.interaction import Interaction
from streams.history.conversations import History, read_history
from streams.history.csv_table import CsvTable
from streams.history.import_mapping import ImportMapping
from streams.history.row_columns import JsonColumns
from streams.history.row_files import Row
from streams.history.row_reader import RowReader, RowsByConversation
from streams.policy_files.mapping_reader import parse_mapping
from streams.policy_files.problem import Problems

MAPPING = """\
format: csv
conversation: "{c}"
account: "{a}"
conversation_fields: {priority: "{p}", team: "{g}"}
events:
  - {when: {who: [customer, agent]}, at: "{t}", from: "{who}", text: "{x}"}
  - {when: {who: done}, at: "{t}", type: status_changed, status: resolved}
"""
START = datetime(2026, 3, 1, tzinfo=UTC)

row = st.fixed_dictionaries(
    {
        "c": st.sampled_from("123"),
        "a": st.sampled_from(["acme", "beta", ""]),
        "p": st.sampled_from(["low", "high", ""]),
        "g": st.sampled_from(["one", "two", ""]),
        "who": st.sampled_from(["customer", "agent", "done", "nothing"]),
        "t": st.integers(0, 6).map(lambda hours: (START + timedelta(hours=hours)).isoformat()),
        "x": st.sampled_from(["", 'a "quoted", text', "two\nlines"]),
    }
)
rows = st.lists(row, max_size=12)


def mapping() -> ImportMapping:
    found = parse_mapping(MAPPING, Problems("m"))
    assert found is not None
    return found


def read(*files: list[dict[str, str]]) -> History:
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{place}.csv") for place, _ in enumerate(files)]
        for path, content in zip(paths, files, strict=True):
            with path.open("w", newline="") as out:
                writer = csv.DictWriter(out, [*"capgtx", "who"])
                writer.writeheader()
                writer.writerows(content)
        return read_history(mapping(), paths)


def events(history: History) -> list[Interaction]:
    return [event for _, told in history.conversations("s") for event in told]


@given(rows, st.integers(0, 12), st.randoms(use_true_random=False))
def test_only_the_order_within_a_conversation_counts(
    given_rows: list[dict[str, str]], cut: int, chance: random.Random
) -> None:
    turns = [entry["c"] for entry in given_rows]
    chance.shuffle(turns)
    queues = {c: iter([entry for entry in given_rows if entry["c"] == c]) for c in "123"}
    interleaved = [next(queues[c]) for c in turns]
    assert events(read(given_rows)) == events(read(interleaved[:cut], interleaved[cut:]))


@given(rows)
def test_a_file_read_twice_tells_nothing_new(given_rows: list[dict[str, str]]) -> None:
    once = {(event.conversation_id, event.id) for event in events(read(given_rows))}
    again = {(event.conversation_id, event.id) for event in events(read(given_rows))}
    assert once == again


@given(rows)
def test_events_are_in_order_and_every_row_is_accounted_for(given_rows: list[dict[str, str]]) -> None:
    history = read(given_rows)
    counts = history.counts
    assert counts.rows == counts.used + counts.without_event + counts.rejected.total() == len(given_rows)
    for _, told in history.conversations("s"):
        times = [event.occurred_at for event in told]
        assert times == sorted(times)
        assert {event.priority for event in told} <= {"low", "high", None}
        # Stamped and told agree: how a conversation stands only changes with an event that says so.
        for before, after in pairwise(told):
            if before.priority != after.priority:
                assert after.type == "priority_changed"
            if before.account_id != after.account_id:
                assert after.type == "account_changed"
            if before.team != after.team:
                assert after.type == "assigned"


BY_ITSELF = """\
format: ndjson
conversation: "{c}"
account: "{x}"
conversation_fields: {tags: "{y}", priority: "{z}"}
events:
  - {when: {y: ["1", "true"]}, at: "{t}", from: customer}
  - {when: {x: "1"}, at: "{u}", type: tagged, tags: "{y}"}
  - {at: "{t}", type: due_set, metric: "{z}", due_at: "{u}"}
  - {when: {z: a}, at: "{t}", from: "{x}", text: "{y}", id: "{z}"}
  - {when: {z: b}, at: "{t}", type: account_changed, account: "{y}"}
"""
sometimes = st.sampled_from(["2026-03-02", "2026-03-01T10:00", "", None, "soon"])
like_each_other: st.SearchStrategy[Any] = st.sampled_from(["1", 1, True, "true", None, "", ["a", "b"], '["a","b"]'])
any_row = st.fixed_dictionaries(
    {
        "c": st.sampled_from(["1", ""]),
        "t": sometimes,
        "u": sometimes,
        "x": st.sampled_from(["1", "agent"]),
        "y": like_each_other,
        "z": st.sampled_from(["a", "b", None]),
    }
)


@settings(max_examples=300)
@given(st.lists(any_row, max_size=30))
def test_what_a_row_says_does_not_depend_on_the_rows_before_it(given_rows: list[dict[str, Any]]) -> None:
    found = parse_mapping(BY_ITSELF, Problems("m"))
    assert found is not None

    def said(rows: list[dict[str, Any]], reader: RowReader) -> list[Any]:
        each: list[Any] = []
        for values in rows:
            into: RowsByConversation = {}
            reader.read([values], into, lambda _place, error: each.append((error.reason, error.detail)))
            each.append(into)
        return each

    together = said(given_rows, RowReader(found, JsonColumns()))
    assert together == [one for values in given_rows for one in said([values], RowReader(found, JsonColumns()))]


class Nobody:
    def reject(self, row: Row, reason: str, detail: str) -> None:
        raise AssertionError(row, reason, detail)


fields = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=200)
@given(st.lists(st.tuples(fields, fields, fields), max_size=8), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_what_the_csv_module_writes_is_read_back(
    written: list[tuple[str, str, str]], delimiter: str, with_mark: bool
) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *written])
    data = out.getvalue().encode("utf-8-sig" if with_mark else "utf-8")
    with CsvTable(io.BytesIO(data), {"a", "b", "c"}) as table:
        assert [tuple(values) for batch in table.batches(Nobody()) for values in batch.values] == written


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(data: bytes) -> None:
    class Anybody:
        def reject(self, row: Row, reason: str, detail: str) -> None:
            assert reason
            assert detail

    try:
        table = CsvTable(io.BytesIO(b"a,b\n" + data), {"a", "b"})
    except UnicodeError:
        return
    with table:
        for batch in table.batches(Anybody()):
            assert {len(values) for values in batch.values} <= {len(table.header)}
