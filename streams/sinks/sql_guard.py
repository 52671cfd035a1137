"""Which SQL may be asked: one statement that reads. What the engine refuses by itself is left to the engine.

`sql_service` and `sql_client` check with it before they ask; the engine then runs the statement in its read-only mode.
"""

from itertools import pairwise

from streams.sinks.sql_text import split_statements, words

READING = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"})


class SqlRefusedError(ValueError):
    """The statement is not asked; the message says why."""


def reading_statement(sql: str) -> str:
    """The one statement of `sql`, without a semicolon.

    Raises:
        SqlRefusedError: there is none, more than one, or it does more than read.
    """
    statements = split_statements(sql)
    if len(statements) != 1:
        raise SqlRefusedError("write exactly one statement" if statements else "there is no statement")
    used = words(statements[0])
    if not used or used[0] not in READING:
        raise SqlRefusedError("only reading is allowed here: SELECT, WITH, SHOW, DESCRIBE, EXPLAIN or EXISTS")
    # The read-only mode of the engine does not cover this one: it writes a file where the engine runs.
    if ("INTO", "OUTFILE") in pairwise(used):
        raise SqlRefusedError("INTO OUTFILE writes a file; redirect the output of `careline sql` instead")
    return statements[0]


def names_format(statement: str) -> bool:
    """Whether a statement says its own output format."""
    return "FORMAT" in words(statement)[-2:-1]
