"""What an error of ClickHouse means: waited for, refused, or a bug; and that whoever reads it learns the way out."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError, ProgrammingError

from streams.sinks.clickhouse_trouble import trouble_of


@pytest.mark.parametrize(
    ("error", "verdict", "told"),
    [
        (OperationalError("Connection refused"), "wait", "Connection refused"),
        (DatabaseError("Too many simultaneous queries", code=202), "wait", "Too many simultaneous queries"),
        (DatabaseError("Memory limit exceeded", code=241), "wait", "Memory limit exceeded"),
        (DatabaseError("Cannot reserve 1.00 MiB, not enough space", code=243), "wait", "not enough space"),
        (DatabaseError("Table is in readonly mode", code=242), "wait", "readonly mode"),
        (DatabaseError("Too many parts (300)", code=252), "wait", "merges"),
        (DatabaseError("Table x.clocks does not exist", code=60), "wait", "careline migrate"),
        (DatabaseError("Database x does not exist", code=81), "wait", "careline migrate"),
        (DatabaseError("No such column tier", code=16), "wait", "has not the columns"),
        (ProgrammingError("Unrecognized column 'tier' in table health"), "wait", "has not the columns"),
        (DatabaseError("Cannot execute query in readonly mode", code=164), "refused", "grant it"),
        (DatabaseError("Not enough privileges", code=497), "refused", "grant it"),
        (DatabaseError("Authentication failed", code=516), "refused", "CARELINE_CLICKHOUSE"),
        (DataError("Unable to create native array for column `instance`"), "bug", "`instance`"),
        (TypeError("an integer is required"), "bug", "an integer is required"),
    ],
)
def test_errors_and_what_is_done(error: Exception, verdict: str, told: str) -> None:
    """The table of `clickhouse_trouble`."""
    trouble = trouble_of(error, "clocks")

    assert trouble.verdict == verdict
    assert told in trouble.told
    assert "\n" not in trouble.told
