"""Under which names an account is forgotten, and what is said of the rest."""

from datetime import UTC, datetime

import pytest

from schemas.account_profile import AccountProfile
from schemas.topics import TOPICS
from streams.account_removal import BelongsElsewhere, names_of, remainders
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
