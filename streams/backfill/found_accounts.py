"""The companies that a provider knows, brought into the directory without taking anything from anybody.

What people or a CRM have written there stays: an account that is known by one of the identities gains the others, and
nothing else. Pure; `backfill_run` writes through `streams.connectors.accounts_topic`.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from schemas.account_profile import AccountProfile
from streams.connectors.accounts_directory import tidy


def completed_directory(
    found: Sequence[AccountProfile], known: Mapping[str, AccountProfile]
) -> dict[str, AccountProfile]:
    """The profiles to write, by id: new ones, and known ones that gained something.

    An identity that belongs to an account already stays there; among the found ones it belongs to the first.
    """
    owners = {tidy(identity): profile.id for profile in known.values() for identity in profile.identities}
    before = dict(owners)
    changed: dict[str, AccountProfile] = {}
    for company in found:
        identities = [tidy(identity) for identity in company.identities]
        known_as = [owner for identity in identities if (owner := before.get(identity)) is not None]
        home_id = known_as[0] if known_as else company.id
        home = changed.get(home_id) or known.get(home_id)
        free = [identity for identity in identities if owners.setdefault(identity, home_id) == home_id]
        if home is None:
            changed[home_id] = replace(company, identities=tuple(dict.fromkeys(free)))
            continue
        has = {tidy(identity) for identity in home.identities}
        gained = tuple(identity for identity in dict.fromkeys(free) if identity not in has)
        complete = replace(home, name=home.name or company.name, identities=home.identities + gained)
        if complete != home:
            changed[home_id] = complete
    return changed
