"""Zendesk's organisations and users as accounts: pure, for `zendesk_source`."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.account_profile import AccountProfile
from streams.connectors.accounts_directory import PUBLIC_MAIL_DOMAINS
from streams.connectors.payload_reading import id_text, items, text, word

MOST_PEOPLE = 1000
"""Of one company who are told by name, because their address does not lead to it: a profile is one record in Kafka."""


def companies_of(organisations: Iterable[dict[str, Any]], users: Iterable[dict[str, Any]]) -> Sequence[AccountProfile]:
    """One account for each organisation.

    Its identities are the number at Zendesk, its domains, and those of its people whom no domain leads to it: their
    numbers and addresses. The account has the id that its events had before it was known (`zendesk_org:<number>`).
    """
    people: dict[str, list[dict[str, Any]]] = {}
    for user in users:
        organisation = id_text(user, "organization_id")
        if organisation is not None and word(user, "role") == "end-user" and user.get("active") is not False:
            people.setdefault(organisation, []).append(user)
    found = (_company(each, people.get(id_text(each, "id") or "", [])) for each in organisations)
    return list({profile.id: profile for profile in found if profile is not None}.values())


def _company(organisation: dict[str, Any], people: Sequence[dict[str, Any]]) -> AccountProfile | None:
    number = id_text(organisation, "id")
    if number is None or text(organisation, "deleted_at") is not None:
        return None
    domains = [name.strip().lower() for name in items(organisation, "domain_names") if isinstance(name, str)]
    own = dict.fromkeys(name for name in domains if name and name not in PUBLIC_MAIL_DOMAINS)
    identities = [f"zendesk_org:{number}", *(f"domain:{name}" for name in own)]
    for person in people[:MOST_PEOPLE]:
        address = word(person, "email")
        if address is None or address.rpartition("@")[2] not in own:
            identities += [f"zendesk_user:{id_text(person, 'id')}"] if id_text(person, "id") else []
            identities += [f"email:{address}"] if address is not None else []
    return AccountProfile(
        id=f"zendesk_org:{number}", name=text(organisation, "name"), identities=tuple(dict.fromkeys(identities))
    )
