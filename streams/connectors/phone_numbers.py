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


def text_thread(channel: str, ours: str | None, theirs: str | None) -> str:
    """The conversation that text messages between two numbers are, where nothing else tells threads apart."""
    return ":".join(part for part in (channel, ours, theirs) if part)
