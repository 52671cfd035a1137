"""Whether the server that sent a mail may send for the address in From: the word of our own mail server, never ours.

Sources: `Authentication-Results` (RFC 8601), DMARC (RFC 7489). A mail that fails is read as well, but its sender is
nobody's proof: no account is found by it, and an address of our own makes no agent.
"""

import re

from streams.connectors.connector_contract import Instance
from streams.connectors.mail.mail_fields import MailFields

SERVER = "authentication_server"
SERVER_MEANING = (
    "the name that your mail server gives itself in Authentication-Results (default: whatever stands in the topmost)"
)

PASSED = frozenset({"pass", "bestguesspass"})
FAILED = frozenset({"fail", "softfail", "permerror", "hardfail"})

_RESULT = re.compile(r"(?:^|[;\s])(dmarc|spf|dkim|compauth)\s*=\s*([a-z]+)", re.IGNORECASE)


def vouched_for(fields: MailFields, instance: Instance) -> bool | None:
    """Whether the sender is proven: true or false by our server's word; null where it has said nothing.

    The topmost field is the one that our own server wrote; a sender can add some below it. Where the option names the
    server, only its fields count.
    """
    server = instance.options.get(SERVER, "").strip().lower()
    written = fields.all("authentication-results")
    trusted = [value for value in written if _server_of(value) == server] if server else written[:1]
    return judged(*_results(trusted[0])) if trusted else None


def _server_of(value: str) -> str:
    return value.partition(";")[0].strip().partition(" ")[0].lower()


def _results(value: str) -> tuple[str | None, str | None, str | None]:
    found: dict[str, set[str]] = {}
    for method, result in _RESULT.findall(value):
        found.setdefault(method.lower(), set()).add(result.lower())
    dmarc = found.get("dmarc") or found.get("compauth") or set()
    dkim = found.get("dkim") or set()
    # A mail may carry several signatures; one that is right is enough.
    return _worst(dmarc), _worst(found.get("spf") or set()), "pass" if dkim & PASSED else _worst(dkim)


def _worst(results: set[str]) -> str | None:
    return next(iter(sorted(results & FAILED)), None) or next(iter(sorted(results)), None)


def judged(dmarc: str | None, spf: str | None, dkim: str | None) -> bool | None:
    """The verdict of three results, in the words of RFC 8601 and any case.

    DMARC decides where there is a policy; without one a failed SPF counts, unless a signature is right.
    """
    said = [(result or "").strip().lower() for result in (dmarc, spf, dkim)]
    if said[0] in FAILED:
        return False
    if said[0] in PASSED:
        return True
    if said[2] in PASSED:
        return True
    return False if said[1] in FAILED else True if said[1] in PASSED else None
