"""Telephone numbers as people and providers write them, as identities and as names of conversations.

Numbers are told apart in E.164 (ITU-T: a plus sign, the country's code and up to 15 digits in all). What cannot be
brought into that form (a national number, a short code, a sender's name) is nobody's identity. `phone_calls` and the
connectors of this room have them next.
"""

import re

from streams.connectors.accounts_directory import UNVERIFIED

_SCHEME = re.compile(r"\A(?:whatsapp|tel|sms|mms|rcs):", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s().\-/\u2010-\u2015]+")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
LONGEST_NUMBER = 60
"""Characters of a number with all that people write between its digits."""
_BARE = re.compile(r"[1-9][0-9]{7,14}", re.ASCII)
"""Providers that write no plus sign write the country's code all the same; shorter ones are short codes."""

WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+86282452253"})
"""ANONYMOUS, RESTRICTED, BLOCKED and UNAVAILABLE on a telephone's keys: what Twilio shows for callers who hide their
number (its article "Why am I getting calls from these strange numbers"). As an identity, one account of strangers."""


_IDS_OF_NETWORKS = {"messenger": "meta_user", "instagram": "meta_user", "whatsapp": "whatsapp_user"}
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]+", re.ASCII)
"""A business-scoped user id, `US.13491208655302741918`: country and id (WhatsApp, "Business-scoped user IDs")."""

HIDDEN = frozenset({"anonymous", "blocked", "private", "restricted", "unavailable", "unknown", "withheld"})
"""The same in words, which Aircall, Vonage and telephone exchanges write in the number's place."""


def e164(written: str | None) -> str | None:
    """A number in E.164; null where it is none, or somebody's who does not show it."""
    if written is None or len(written) > LONGEST_NUMBER:
        return None
    # "+44 (0)20": the zero is only dialled inside the country.
    number = _BETWEEN.sub("", _SCHEME.sub("", written.strip(), count=1).replace("(0)", ""))
    if number.startswith("00"):
        number = "+" + number[2:]
    if _BARE.fullmatch(number):
        number = "+" + number
    return number if _INTERNATIONAL.fullmatch(number) and number not in WITHHELD else None


def person_of(written: str | None) -> str | None:
    """Who is called by this number: the number in one form, or else the address as it is written."""
    return e164(written) or _SCHEME.sub("", (written or "").strip(), count=1) or None


def caller_of(written: str | None) -> str | None:
    """Who calls or is called by this number; null for those who do not show it, who are not one person."""
    person = person_of(written)
    hidden = person is None or person in WITHHELD or person.lower() in HIDDEN
    return None if hidden else person


def phone_identities(written: str | None, *, vouched_for: bool = True) -> tuple[str, ...]:
    """The identity that a number is; `unverified_phone` where somebody typed it and no carrier vouches for it."""
    number = e164(written)
    return (f"{'' if vouched_for else UNVERIFIED}phone:{number}",) if number else ()


def texter_identities(network: str, written: str | None) -> tuple[str, ...]:
    """Who writes by a network of messengers: the number where there is one, else the network's own id of a person.

    Meta's messengers name people by ids, and WhatsApp those who show a user name instead of their number.
    """
    kind = _IDS_OF_NETWORKS.get(network)
    if kind == "meta_user":
        named = (written or "").rpartition(":")[2].strip()
        return (f"{kind}:{named}",) if named else ()
    person = person_of(written)
    is_id = kind is not None and person is not None and _USER_ID.fullmatch(person) is not None
    return (f"{kind}:{person}",) if is_id else phone_identities(written)


def text_thread(channel: str, ours: str | None, theirs: str | None) -> str:
    """The conversation that text messages between two numbers are, where nothing else tells threads apart."""
    return ":".join(part for part in (channel, ours, theirs) if part)
