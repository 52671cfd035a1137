"""Splitting a script and reading the words of a statement, past everything that only looks like SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sinks.sql_text import split_statements, words


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        (" ;; -- nothing;\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT 'it''s; \\'; x'", ["SELECT ';'", "SELECT 'it''s; \\'; x'"]),
        ('SELECT `a;b`, "c;d"; x', ['SELECT `a;b`, "c;d"', "x"]),
        ("/* a; b */ SELECT 1 -- c; d\n, 2; y", ["/* a; b */ SELECT 1 -- c; d\n, 2", "y"]),
        ("SELECT $$a;b$$; SELECT $x$ $$ ; $x$", ["SELECT $$a;b$$", "SELECT $x$ $$ ; $x$"]),
    ],
)
def test_statements_end_at_bare_semicolons_only(script: str, statements: list[str]) -> None:
    assert split_statements(script) == statements


@given(st.lists(st.sampled_from(["SELECT 1", "SELECT ';'", "/* ; */ x", "`;`", 'y ";"']), max_size=6))
def test_joined_statements_come_apart_again(statements: list[str]) -> None:
    assert split_statements(";\n".join(statements)) == statements


def test_words_are_bare_words() -> None:
    assert words("select `into` /* drop */ 'outfile' -- x\n From t2") == ["SELECT", "FROM", "T2"]
