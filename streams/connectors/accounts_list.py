"""Accounts from a list as CRMs export them: CSV with a header, or one JSON object per line.

`careline accounts import` reads with it; `accounts_topic` publishes. Columns are the fields of
`schemas.account_profile`; a column `identity:KIND` holds one identity of that kind (`identity:domain`), the column
`identities` several with blanks or semicolons between them. All mistakes are found before anything is published.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.account_profile import AccountProfile
from streams.connectors.accounts_directory import tidy
from streams.connectors.accounts_file import FIELDS
from streams.policy_files.problem import Place, Problems, did_you_mean

COLUMNS = ("id", *FIELDS)
IDENTITY_COLUMN = "identity:"
_BETWEEN = re.compile(r"[;\s]+")
_OUTERMOST = 512

Numbered = tuple[int, Mapping[str, Any]]
"""A row with the line of the file on which it begins."""


def read_accounts_list(path: Path, problems: Problems) -> list[AccountProfile]:
    """The profiles of a file; what is wrong with it is among the problems."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.error(None, error.strerror or str(error))
        return []
    except UnicodeDecodeError as error:
        problems.error(None, f"is no UTF-8: {error}", "save it as UTF-8")
        return []
    rows = _ndjson_rows(text, problems) if text.lstrip().startswith("{") else _csv_rows(text, problems)
    return _Accounts(problems).of(rows)


def _ndjson_rows(text: str, problems: Problems) -> Iterator[Numbered]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            problems.error(Place(number, 1), f"is no JSON: {error}")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.error(Place(number, 1), "is JSON, but no object")


def _csv_rows(text: str, problems: Problems) -> Iterator[Numbered]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if "id" not in header:
            problems.error(Place(1, 1), "there is no column id", f"columns are {', '.join(COLUMNS)}")
            return
        line = reader.line_num + 1
        for values in reader:
            if len(values) > len(header):
                problems.error(Place(line, 1), f"has {len(values)} fields, the header has {len(header)}")
            elif any(value.strip() for value in values):
                yield line, dict(zip(header, values, strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        problems.error(Place(reader.line_num, 1), f"is no CSV: {error}")


class _Accounts:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._told: set[str] = set()
        self._lines: dict[str, int] = {}
        self._owners: dict[str, str] = {}

    def of(self, rows: Iterable[Numbered]) -> list[AccountProfile]:
        found = (self._profile(line, row) for line, row in rows)
        return [profile for profile in found if profile is not None]

    def _profile(self, line: int, row: Mapping[str, Any]) -> AccountProfile | None:
        for key in row:
            if key not in COLUMNS and not key.startswith(IDENTITY_COLUMN) and key not in self._told:
                self._told.add(key)
                self._problems.error(Place(1, 1), f"unknown column {key!r}", did_you_mean(key, COLUMNS))
        account_id = _word(row.get("id"))
        if account_id is None:
            self._problems.error(Place(line, 1), "the account has no id")
            return None
        first = self._lines.setdefault(account_id, line)
        if first != line:
            self._problems.error(Place(line, 1), f"the account {account_id!r} stands in line {first} already")
            return None
        if len(account_id) > _OUTERMOST:
            self._problems.error(Place(line, 1), f"the id has {len(account_id)} characters, more than {_OUTERMOST}")
        identities = tuple(self._identities(line, account_id, row))
        fields = {key: _word(row.get(key)) for key in FIELDS if key != "identities"}
        return AccountProfile(id=account_id, identities=identities, **fields)

    def _identities(self, line: int, account_id: str, row: Mapping[str, Any]) -> Iterator[str]:
        for identity in _said(row):
            kind, _, value = identity.partition(":")
            if not kind.strip() or not value.strip():
                self._problems.error(
                    Place(line, 1), f"{identity!r} is no identity", "write kind:value, such as domain:acme.example"
                )
                continue
            owner = self._owners.setdefault(tidy(identity), account_id)
            if owner != account_id:
                self._problems.error(Place(line, 1), f"{identity!r} belongs to {owner!r} already")
            yield tidy(identity)


def _said(row: Mapping[str, Any]) -> Iterator[str]:
    several = row.get("identities")
    listed = several if isinstance(several, list) else _BETWEEN.split(several) if isinstance(several, str) else []
    yield from (str(identity) for identity in listed if str(identity).strip())
    for key, value in row.items():
        if key.startswith(IDENTITY_COLUMN) and (word := _word(value)) is not None:
            yield f"{key.removeprefix(IDENTITY_COLUMN)}:{word}"


def _word(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None
