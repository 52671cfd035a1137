"""Whose an event is: known identities, unknown ones, and who has the last word."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.account_profile import AccountProfile
from schemas.interaction import Interaction
from streams.connectors.accounts_directory import (
    AccountsDirectory,
    identities_of_address,
    provisional,
    stamp,
)
from streams.connectors.connector_contract import Draft, Instance
from tests.senders.sender import NOW

ACME = AccountProfile(
    id="acme", tier="gold", segment="retail", team="north", identities=("Domain:ACME.example", "zendesk_org:9")
)
EVENT = Interaction(id="m-1", source="webhook", conversation_id="c-1", occurred_at=NOW, tier="bronze", team="south")


def test_the_most_telling_identity_decides() -> None:
    directory = AccountsDirectory([ACME, AccountProfile(id="other", identities=("contact:42",))])
    assert directory.find(["contact:1", "domain:Acme.Example"]).account_id == "acme"
    assert directory.find(["zendesk_org:9", "contact:42"]).account_id == "acme"
    assert directory.find(["contact:42", "zendesk_org:9"]).account_id == "other"


def test_unknown_identities_follow_from_themselves() -> None:
    assert provisional(["domain:new.example", "email:a@new.example"]).account_id == "domain:new.example"
    assert provisional(["zendesk_org:123"]).account_id == "zendesk_org:123"
    assert provisional(["zendesk_user:42"]).account_id == "contact:zendesk_user:42"
    assert provisional([]).account_id == ""


def test_users_of_a_public_mail_domain_are_not_one_account() -> None:
    ann, bob = (provisional(identities_of_address(f"{name}@gmail.com")) for name in ("ann", "bob"))
    assert ann.account_id != bob.account_id
    assert ann.account_id.startswith("contact:")
    assert "ann" not in ann.account_id


def test_the_directory_has_the_last_word_where_it_says_something() -> None:
    stamped = stamp(Draft(EVENT, ("domain:acme.example",)), AccountsDirectory([ACME]))
    assert isinstance(stamped, Interaction)
    assert (stamped.account_id, stamped.account_hint) == ("acme", "domain:acme.example")
    assert (stamped.tier, stamped.segment, stamped.team) == ("gold", "retail", "south")


def test_what_nobody_knows_keeps_the_word_of_the_payload() -> None:
    stamped = stamp(Draft(EVENT, ("domain:new.example",)), AccountsDirectory([ACME]))
    assert (stamped.account_id, stamped.tier) == ("domain:new.example", "bronze")


def test_own_people_are_told_by_their_addresses() -> None:
    instance = Instance("mail", "webhook", own_domains=frozenset({"ours.example"}))
    assert instance.is_own_address("ann@ours.example")
    assert instance.is_own_address("ann@support.OURS.example")
    assert not instance.is_own_address("ann@notours.example")


PROFILES = st.builds(
    lambda name, identities: AccountProfile(id=name, identities=tuple(f"domain:{each}.example" for each in identities)),
    st.sampled_from("abc"),
    st.lists(st.sampled_from("xyz"), unique=True),
)


@given(st.lists(st.one_of(PROFILES, st.sampled_from("abc"))))
def test_only_profiles_that_are_there_own_identities(changes: list[AccountProfile | str]) -> None:
    """Whatever was put and dropped: an identity leads to a profile that is there and claims it, or to nobody."""
    directory = AccountsDirectory()
    present: dict[str, AccountProfile] = {}
    for change in changes:
        if isinstance(change, str):
            directory.drop(change)
            present.pop(change, None)
        else:
            directory.put(change)
            present[change.id] = change
    for letter in "xyz":
        identity = f"domain:{letter}.example"
        found = directory.find([identity])
        if found.profile is None:
            assert found.account_id == identity
        else:
            assert present[found.account_id] == found.profile
            assert identity in found.profile.identities


def test_whom_nobody_vouches_for_is_not_whom_somebody_does() -> None:
    known = AccountsDirectory([AccountProfile(id="acme", identities=("domain:acme.example", "email:ann@acme.example"))])
    claimed = known.find(["unverified_email: Ann@Acme.example"])
    assert claimed.hint == "unverified_email:ann@acme.example"
    assert claimed.profile is None
    assert claimed.account_id not in {"acme", known.find(["email:ann@gmx.example"]).account_id}
    assert claimed.account_id != AccountsDirectory().find(["email:ann@acme.example"]).account_id
    assert claimed == AccountsDirectory().find(["unverified_email:ann@acme.example"])
