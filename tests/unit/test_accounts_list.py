"""Lists of accounts as CRMs export them: what is read, and every mistake with its line before anything is changed."""

from pathlib import Path

import pytest

from schemas.account_profile import AccountProfile
from streams.connectors.accounts_list import read_accounts_list
from streams.connectors.accounts_topic import AccountLink, changed_profiles, claimed_elsewhere, links_that_follow
from streams.policy_files.problem import Problems

ACME = AccountProfile(id="acme", name="Acme, Inc.", tier="gold", identities=("domain:acme.example", "slack_team:T01"))


def read(folder: Path, text: str | bytes) -> tuple[list[AccountProfile], list[str]]:
    path = folder / "accounts"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems("accounts")
    return read_accounts_list(path, problems), [problem.as_line() for problem in problems.errors]


@pytest.mark.parametrize(
    "text",
    [
        '﻿id,name,tier,identities\nacme,"Acme, Inc.",gold,domain:ACME.example;slack_team:T01\n',
        'id,name,tier,identity:domain,identity:slack_team\r\nacme,"Acme, Inc.",gold,acme.example,T01\r\n,,,,\r\n',
        '{"id":"acme","name":"Acme, Inc.","tier":"gold","identities":["domain:acme.example","slack_team:T01"]}\n\n',
    ],
    ids=["one column of identities", "a column for each kind", "NDJSON"],
)
def test_a_list_is_read(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ([ACME], [])


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("name\nAcme\n", "accounts:1:1: error: there is no column id"),
        ("id,teir\na,gold\n", "accounts:1:1: error: unknown column 'teir' (did you mean 'tier'?)"),
        ('id,name\na,"two\nlines"\n,Nobody\n', "accounts:4:1: error: the account has no id"),
        ("id\na\nb\na\n", "accounts:4:1: error: the account 'a' stands in line 2 already"),
        ("id,identities\na,acme.example\n", "accounts:2:1: error: 'acme.example' is no identity"),
        (
            "id,identities\na,domain:x.example\nb,domain:X.example\n",
            "accounts:3:1: error: 'domain:X.example' belongs to",
        ),
        ("id,name\na,b,c\n", "accounts:2:1: error: has 3 fields, the header has 2"),
        ('id\n"a\n', "is no CSV"),
        ('{"id": "a"}\n{"id": \n', "accounts:2:1: error: is no JSON"),
        ('{"id": "a"}\n7\n', "accounts:2:1: error: is JSON, but no object"),
        (b"id\n\xff\n", "accounts: error: is no UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, mistake: str) -> None:
    _, told = read(tmp_path, text)

    assert len(told) == 1
    assert mistake in told[0]


def test_what_was_counted_for_a_provisional_account_follows_its_company() -> None:
    counted = {"domain:acme.example", "domain:other.example", "acme"}

    assert links_that_follow([ACME], counted) == [AccountLink("domain:acme.example", "acme")]


def test_nothing_follows_from_what_nobody_has_counted() -> None:
    assert links_that_follow([ACME], {"acme"}) == []


def test_importing_again_changes_nothing() -> None:
    assert changed_profiles([ACME], {"acme": ACME}) == []


def test_an_identity_that_somebody_else_has_is_told() -> None:
    before = {"old": AccountProfile(id="old", identities=("domain:ACME.example",))}

    assert list(claimed_elsewhere([ACME], before)) == [("domain:acme.example", "old", "acme")]
    assert list(claimed_elsewhere([ACME], {"acme": ACME})) == []
