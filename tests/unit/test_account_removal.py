"""Under which names an account is forgotten, and what is said of the rest."""

from datetime import UTC, datetime

import pytest

from schemas.account_profile import AccountProfile
from schemas.topics import TOPICS
from streams.account_removal import BelongsElsewhere, names_of, remainders
from streams.cli.accounts_forget_command import how_it_stands
from streams.connectors.accounts_directory import provisional
from streams.sinks.forgotten_rows import counting_statement

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ACME = AccountProfile(id="acme", identities=("Domain:ACME.example", "email:joe@acme.example", "domain:beta.example"))
BETA = AccountProfile(id="domain:beta.example")
KNOWN = {each.id: each for each in (ACME, BETA)}


def test_an_account_is_forgotten_with_the_provisional_ones_of_its_identities_and_not_with_others() -> None:
    person = provisional(["email:joe@acme.example"]).account_id

    assert names_of("acme", KNOWN) == ("acme", "domain:acme.example", person)
    assert names_of("domain:stranger.example", KNOWN) == ("domain:stranger.example",)


def test_another_name_of_an_account_is_no_account() -> None:
    with pytest.raises(BelongsElsewhere, match="is acme in the directory"):
        names_of("domain:acme.example", KNOWN)


def test_everything_that_expires_by_itself_is_told_with_its_day() -> None:
    told = {each.where: each.until for each in remainders(NOW)}

    assert {topic.name for topic in TOPICS if topic.retention_ms is not None} <= told.keys()
    assert told["careline.sla-events.v1"] == datetime(2026, 6, 1, tzinfo=UTC)
    assert None in told.values()


def test_an_id_is_a_literal_whatever_is_in_it() -> None:
    statement = counting_statement(["o'neil\\", "acme"])

    assert "account_id IN ('o\\'neil\\\\', 'acme')" in statement
    assert statement.count("UNION ALL") == 8


def test_rows_that_list_an_account_beside_others_are_of_it_too() -> None:
    assert counting_statement(["acme"]).count("hasAny(accounts, ['acme'])") == 2


@pytest.mark.parametrize("rows_left", [None, {"issues": 0, "enrichments": 3}])
def test_whoever_asks_for_a_forgetting_is_told_all_that_have_to_run_for_it(rows_left: dict[str, int] | None) -> None:
    told = how_it_stands(rows_left)

    assert all(f"`careline {name}`" in told for name in ("work", "enrich", "sink"))
    assert ("3 in enrichments" in told) is (rows_left is not None)
    assert "careline" not in how_it_stands({"issues": 0})
