"""Rows out of files as companies have them: packed or not, with every defect of a real export."""

import gzip
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from streams.history.csv_table import LONGEST_FIELD, CsvTable
from streams.history.row_files import Row, RowBatch, UnreadableFile, ndjson_rows, open_history


class Collected:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, str]] = []

    def reject(self, row: Row, reason: str, detail: str) -> None:
        assert detail
        self.rows.append((row.number, row.line, reason))


def read_csv(
    data: bytes, wanted: tuple[str, ...] = ("a", "b")
) -> tuple[CsvTable, list[Row], list[tuple[int, int, str]]]:
    rejected = Collected()
    table = CsvTable(io.BytesIO(data), wanted)
    return table, single_rows(table.batches(rejected)), rejected.rows


def single_rows(batches: Iterable[RowBatch]) -> list[Row]:
    return [batch.row(place) for batch in batches for place in range(len(batch.values))]


@pytest.mark.parametrize(
    ("data", "rows", "rejected"),
    [
        (b"a,b\n1,2\n", [(1, 2, ["1", "2"])], []),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", [(1, 2, ["1", "2"])], []),
        (b"a;b\n1;2", [(1, 2, ["1", "2"])], []),
        (b"a\tb\n1\t2,5\n", [(1, 2, ["1", "2,5"])], []),
        (b'a,b\n"x\ny",2\n3,4\n', [(1, 2, ["x\ny", "2"]), (2, 4, ["3", "4"])], []),
        (b"a,b\n\n1,2\n  \n3,4\n", [(1, 3, ["1", "2"]), (2, 5, ["3", "4"])], []),
        (b"\r\n\r\na;b\r\n1;2\r\n3\r\n", [(1, 4, ["1", "2"])], [(2, 5, "ragged")]),
        (b"a,b\n1\n2,3\n4,5,6\n", [(2, 3, ["2", "3"])], [(1, 2, "ragged"), (3, 4, "ragged")]),
        (b"a,b\n1,\xff\n2,3\n", [(2, 3, ["2", "3"])], [(1, 2, "not_utf8")]),
        ("a,b\n1,ä€😀\n".encode(), [(1, 2, ["1", "ä€😀"])], []),
        (b'a,b\n1,"x\n2,3\n4,5\n', [(2, 3, ["2", "3"]), (3, 4, ["4", "5"])], [(1, 2, "unclosed_quote")]),
        (b'a,b\n"1,x\n2,3\n4,"5"\n', [(2, 3, ["2", "3"]), (3, 4, ["4", "5"])], [(1, 2, "ragged")]),
        (b'a,b\n1,"x', [], [(1, 2, "unclosed_quote")]),
        (b"a,b\n", [], []),
        (b"", [], []),
    ],
)
def test_a_defect_costs_its_own_row_and_no_other(
    data: bytes, rows: list[tuple[int, int, list[str]]], rejected: list[tuple[int, int, str]]
) -> None:
    _, found, refused = read_csv(data)
    assert found == rows
    assert refused == rejected


def test_a_quote_that_never_closes_does_not_load_the_rest_of_the_file() -> None:
    rest = b"3,4\n" * (LONGEST_FIELD // 4 + 10)
    _, found, refused = read_csv(b'a,b\n1,"x\n' + rest)
    assert len(found) == rest.count(b"\n")
    assert refused == [(1, 2, "unreadable_csv")]


def test_rows_of_several_lines_keep_their_numbers_across_blocks_and_a_defect_among_them_costs_its_own() -> None:
    long = "x" * 997
    rows = [["1", f"{long}\n{place}"] if place % 3 else ["2", long] for place in range(400)]
    text = "a,b\n" + "".join(f'{a},"{b}"\n' for a, b in rows)
    starts = [2 + sum(1 + ("\n" in b) for _, b in rows[:place]) for place in range(len(rows))]
    _, found, refused = read_csv(text.encode())
    assert [(row.number, row.line, row.values) for row in found] == list(zip(range(1, 401), starts, rows, strict=True))
    assert refused == []
    broken = f'{text}7\n8,"\n\n"\n9,z'
    _, found, refused = read_csv(broken.encode())
    assert [row.values for row in found] == [*rows, ["8", "\n\n"], ["9", "z"]]
    assert refused == [(401, starts[-1] + 1 + ("\n" in rows[-1][1]), "ragged")]


def test_the_table_knows_which_names_occur_twice() -> None:
    table, _, _ = read_csv(b"a,b,b,c\n")
    assert table.header == ("a", "b", "b", "c")
    assert table.repeated == {"b"}


def test_a_header_that_is_not_utf8_is_the_end() -> None:
    with pytest.raises(UnicodeError):
        CsvTable(io.BytesIO(b"a,\xe4\n1,2\n"), ["a"])


def test_json_lines_that_are_no_objects_are_rejected_and_the_others_read() -> None:
    lines = [b'\xef\xbb\xbf{"a":1}', b"", b"[1]", b'{"a":', b'{"a":"\xff"}', b"[" * 100_000, b'{"a":2}']
    rejected = Collected()
    rows = single_rows(ndjson_rows(io.BytesIO(b"\n".join(lines)), rejected))
    assert [(row.number, row.line, row.values) for row in rows] == [(1, 1, {"a": 1}), (6, 7, {"a": 2})]
    assert rejected.rows == [(2, 3, "not_an_object"), (3, 4, "not_json"), (4, 5, "not_utf8"), (5, 6, "not_json")]


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (b"a,b\n1,2\n", [("history.csv", b"a,b\n1,2\n")]),
        (gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n"), [("history.csv", b"a,b\n1,2\n")]),
        (zipped(one=b"a\n1\n", two=b"b\n2\n"), [("one", b"a\n1\n"), ("two", b"b\n2\n")]),
        (zipped(), []),
        (b"", [("history.csv", b"")]),
    ],
)
def test_archives_are_told_by_their_content(tmp_path: Path, data: bytes, members: list[tuple[str, bytes]]) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(data)
    with open_history(path) as (found, position):
        assert [(member.name, member.stream.read()) for member in found] == members
        assert position.bytes_read() > 0 or not data


BROKEN = {
    "cut.gz": gzip.compress(bytes(range(256)) * 99)[:-20],
    "flipped.gz": gzip.compress(b"a,b\n" * 99)[:12] + b"\x00" * 20,
    "cut.zip": zipped(one=b"a,b\n1,2\n")[:40],
    "wide.csv": "a,b\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", [*BROKEN, "missing.csv", "folder"])
def test_a_file_that_cannot_be_read_is_named_with_its_cause(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name in BROKEN:
        path.write_bytes(BROKEN[name])
    with pytest.raises(UnreadableFile) as caught, open_history(path) as (members, _):  # noqa: PT012 - reading is the act
        for member in members:
            member.stream.read()
    assert caught.value.path == path
    assert caught.value.message
