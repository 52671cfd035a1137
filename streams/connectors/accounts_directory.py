"""Whose event it is: from the identities that a connector found to an account, without asking anybody.

`accounts_follower` keeps the directory current from the accounts topic, `accounts_file` may give it a start;
`intake` asks it for every event. Nothing here waits: a directory is dictionaries in memory, one per process.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from msgspec.structs import replace

from schemas.account_profile import AccountProfile
from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import Draft

PUBLIC_MAIL_DOMAINS = frozenset(
    {
        "aol.com",
        "fastmail.com",
        "gmail.com",
        "gmx.at",
        "gmx.ch",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.com",
        "hotmail.co.uk",
        "icloud.com",
        "live.com",
        "mac.com",
        "mail.com",
        "mail.ru",
        "me.com",
        "msn.com",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "163.com",
        "t-online.de",
        "web.de",
        "yahoo.co.uk",
        "yahoo.com",
        "yandex.ru",
        "ymail.com",
        "zoho.com",
    }
)
"""Domains whose users have nothing in common: as an account, one of them would swallow thousands of strangers."""

PERSON_WORDS = frozenset({"contact", "email", "person", "phone", "prospect", "recipient", "user", "visitor"})
"""Last words of the kinds of identities that are of one person (`zendesk_user`, `email`). They find an account in the
directory, but a provisional account made of one is a contact, not a company."""

UNVERIFIED = "unverified_"
"""Before the kind of an identity that nobody vouches for, such as an address typed into a form."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose an event is. `profile` is null for a provisional account; `hint` is the identity that decided."""

    account_id: str
    hint: str | None
    profile: AccountProfile | None = None


class AccountsDirectory:
    """Profiles by id and by identity.

    Changed by one thread and read by another: every change is one assignment in a dictionary.
    """

    def __init__(self, profiles: Iterable[AccountProfile] = ()) -> None:
        self._profiles: dict[str, AccountProfile] = {}
        self._by_identity: dict[str, str] = {}
        for profile in profiles:
            self.put(profile)

    def __len__(self) -> int:
        return len(self._profiles)

    def put(self, profile: AccountProfile) -> None:
        """Learn or replace a profile. An identity belongs to the profile that claimed it last."""
        before = self._profiles.get(profile.id)
        self._profiles[profile.id] = profile
        claimed = {tidy(identity) for identity in profile.identities}
        for identity in claimed:
            self._by_identity[identity] = profile.id
        for identity in {tidy(identity) for identity in before.identities} - claimed if before else ():
            self._release(identity, profile.id)

    def drop(self, account_id: str) -> None:
        """Forget a profile and its identities."""
        before = self._profiles.pop(account_id, None)
        for identity in before.identities if before else ():
            self._release(tidy(identity), account_id)

    def _release(self, identity: str, account_id: str) -> None:
        if self._by_identity.get(identity) == account_id:
            del self._by_identity[identity]

    def find(self, identities: Sequence[str], account_id: str | None = None) -> Belonging:
        """The account that a sender named, else the one an identity leads to, else a provisional one made of them."""
        tidied = [tidy(identity) for identity in identities]
        if account_id:
            return Belonging(account_id, tidied[0] if tidied else None, self._profiles.get(account_id))
        for identity in tidied:
            known = self._by_identity.get(identity)
            if known is not None and (profile := self._profiles.get(known)) is not None:
                return Belonging(profile.id, identity, profile)
        return provisional(tidied)


def provisional(identities: Sequence[str]) -> Belonging:
    """The account of somebody unknown: the same identities give the same account for ever.

    A company's identity is the account's id (`domain:acme.example`, `zendesk_org:123`); a person's becomes
    `contact:<id>`, an address among them only as a digest, since account ids travel into tables and labels.
    """
    for identity in identities:
        kind, _, value = identity.partition(":")
        if not is_personal(kind) and not (kind == "domain" and value in PUBLIC_MAIL_DOMAINS):
            return Belonging(identity, identity)
    for identity in identities:
        kind, _, value = identity.partition(":")
        if is_personal(kind):
            return Belonging(f"contact:{_person(kind, value)}", identity)
    return Belonging("", None)


def is_personal(kind: str) -> bool:
    """Whether an identity of this kind is one person's."""
    return kind.rpartition("_")[2] in PERSON_WORDS


def _person(kind: str, value: str) -> str:
    """A person in an account's id. Whom nobody vouches for is never the same person as whom somebody does."""
    if kind == "contact":
        return value
    if kind not in {"email", "phone"} and not kind.startswith(UNVERIFIED):
        return f"{kind}:{value}"
    secret = f"{kind}:{value}" if kind.startswith(UNVERIFIED) else value
    return blake2b(secret.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def tidy(identity: str) -> str:
    """An identity in the one form that is compared: `Domain: ACME.example` is `domain:acme.example`."""
    kind, _, value = identity.partition(":")
    kind, value = kind.strip().lower(), value.strip()
    return f"{kind}:{value.lower() if kind.removeprefix(UNVERIFIED) in {'domain', 'email'} else value}"


def identities_of_address(address: str | None, *, vouched_for: bool = True) -> tuple[str, ...]:
    """An e-mail address as identities: the company first, then the person; none where it is no address.

    Whom nobody vouches for is `unverified_email` alone, which finds no company.
    """
    tidied = (address or "").strip().lower()
    _, at_sign, domain = tidied.rpartition("@")
    if not at_sign or not domain:
        return ()
    return (f"domain:{domain}", f"email:{tidied}") if vouched_for else (f"{UNVERIFIED}email:{tidied}",)


def stamp(draft: Draft, directory: AccountsDirectory) -> Interaction | Signal:
    """The event with its account. The directory's word on tier, segment and contract counts before the payload's."""
    event = draft.event
    found = directory.find(draft.identities, event.account_id or None)
    profile = found.profile
    if isinstance(event, Signal):
        return replace(
            event,
            account_id=found.account_id,
            account_hint=event.account_hint or found.hint,
            tier=profile.tier if profile and profile.tier else event.tier,
            segment=profile.segment if profile and profile.segment else event.segment,
        )
    return replace(
        event,
        account_id=found.account_id or None,
        account_hint=event.account_hint or found.hint,
        tier=profile.tier if profile and profile.tier else event.tier,
        segment=profile.segment if profile and profile.segment else event.segment,
        contract=profile.contract if profile and profile.contract else event.contract,
        team=event.team or (profile.team if profile else None),
    )
