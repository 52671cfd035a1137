"""What an error of ClickHouse means for whoever met it: wait, leave because we are refused, or leave because of a bug.

A sink waits for everything that passes by itself or is mended at ClickHouse: nothing is lost meanwhile, and a process
that is started again and again by its supervisor would ask no less often. It leaves where ClickHouse answers and does
not let us, as every process does where Kafka does not, and where a row cannot be made into what the table takes, which
no waiting changes. The numbers are those of ClickHouse's `ErrorCodes.cpp`.
"""

from typing import Literal, NamedTuple

from clickhouse_connect.driver.exceptions import DataError, Error, ProgrammingError

Verdict = Literal["wait", "refused", "bug"]

_NO_TABLE = frozenset({60, 81})
"""UNKNOWN_TABLE, UNKNOWN_DATABASE."""
_OTHER_COLUMNS = frozenset({8, 16, 47, 53})
"""THERE_IS_NO_COLUMN, NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_IDENTIFIER, TYPE_MISMATCH."""
_WRONG_USER = frozenset({192, 193, 194, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED."""
_NO_RIGHT = frozenset({164, 497})
"""READONLY, ACCESS_DENIED."""
_TOO_MANY_PARTS = 252


class Trouble(NamedTuple):
    """What to do about an error, and what to say: the cause and the way out, in one line."""

    verdict: Verdict
    told: str


def trouble_of(error: BaseException, table: str = "") -> Trouble:
    """What an error means; `table` is the one that was written to, where one was."""
    code = error.code if isinstance(error, Error) else None
    cause, name = _first_line(error), table or "in question"
    verdict: Verdict = "wait"
    if code in _NO_TABLE:
        told = "the tables are missing; run `careline migrate`"
    elif code in _OTHER_COLUMNS or (code is None and isinstance(error, ProgrammingError)):
        told = f"the table {name} has not the columns of this release ({cause}); put them back"
    elif code in _WRONG_USER:
        verdict, told = "refused", f"our user or its password is wrong ({cause}); CARELINE_CLICKHOUSE names both"
    elif code in _NO_RIGHT:
        verdict, told = "refused", f"our user may not do this ({cause}); grant it what writing and migrating need"
    elif code == _TOO_MANY_PARTS:
        told = f"there are more parts than it can merge ({cause}); look at its disks and its merges"
    elif (isinstance(error, DataError) and code is None) or isinstance(error, TypeError | ValueError):
        told = f"a row does not fit into the table {name} ({cause}); this is a bug, or the table was changed by hand"
        return Trouble("bug", f"{told}. Nothing was passed over: the next sink begins with this batch")
    else:
        told = cause
    return Trouble(verdict, told)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
