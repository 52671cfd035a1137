"""Companies that a provider knows, beside those that the directory knows: nothing is taken from anybody."""

import pytest

from schemas.account_profile import AccountProfile
from streams.backfill.found_accounts import completed_directory

CRM = AccountProfile(id="acme", name="ACME Inc.", tier="gold", identities=("domain:acme.example",))


def company(number: int, *more: str, name: str = "Acme") -> AccountProfile:
    return AccountProfile(id=f"zendesk_org:{number}", name=name, identities=(f"zendesk_org:{number}", *more))


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ([], [company(9, "domain:acme.example")], {"zendesk_org:9": ("zendesk_org:9", "domain:acme.example")}),
        ([CRM], [company(9, "domain:ACME.example")], {"acme": ("domain:acme.example", "zendesk_org:9")}),
        ([CRM], [company(9), company(8, "domain:acme.example")], {
            "zendesk_org:9": ("zendesk_org:9",),
            "acme": ("domain:acme.example", "zendesk_org:8"),
        }),
        ([], [company(9, "domain:a.example"), company(8, "domain:a.example")], {
            "zendesk_org:9": ("zendesk_org:9", "domain:a.example"),
            "zendesk_org:8": ("zendesk_org:8",),
        }),
        ([CRM, company(9)], [company(9, "domain:acme.example")], {}),
        ([company(9)], [company(9)], {}),
    ],
    ids=["new", "known by its domain", "two", "the first has the domain", "the domain is another's", "nothing new"],
)  # fmt: skip
def test_directory(
    known: list[AccountProfile], found: list[AccountProfile], expected: dict[str, tuple[str, ...]]
) -> None:
    changed = completed_directory(found, {profile.id: profile for profile in known})
    assert {profile.id: profile.identities for profile in changed.values()} == expected


def test_what_people_wrote_stays() -> None:
    changed = completed_directory([company(9, "domain:acme.example")], {"acme": CRM})
    assert (changed["acme"].name, changed["acme"].tier) == ("ACME Inc.", "gold")
