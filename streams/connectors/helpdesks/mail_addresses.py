"""The mail address in what a help desk calls one: `Emily Adams <emily@example.com>` as well as the address alone."""

from email.utils import parseaddr

from streams.connectors.payload_reading import Json

LONGEST = 1_000
"""Characters that are read; an address has at most 254, a name before it some dozen."""


def mail_address(said: Json) -> str | None:
    """The address in lower case; null where there is none."""
    if not isinstance(said, str):
        return None
    try:
        found = parseaddr(said[:LONGEST])[1].strip().lower()
    except RecursionError:  # comments in comments in comments
        return None
    name, at, domain = found.rpartition("@")
    return found if name and at and domain else None
