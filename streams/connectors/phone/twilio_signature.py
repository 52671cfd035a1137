"""Twilio's signature: base64 of an HMAC over the address as Twilio called it and the form's fields.

With the account's auth token it is HMAC-SHA1. A header of its own says when it was made with a shared key instead, and
by which algorithm. Source: Twilio documentation, "Webhooks Security"; twilio-python, RequestValidator. The fields
follow the address sorted, name and value without anything between. A JSON body is not signed itself: its SHA-256 stands
in the address as `bodySHA256`. `twilio_channel` reads what is genuine.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit, urlunsplit

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest
from streams.connectors.form_body import form_fields
from streams.connectors.signatures import any_matches, keys_of, raw_text

_ALGORITHMS = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_PORTS = {"https": 443, "http": 80}


class TwilioSignature:
    """Verifies with the auth tokens or shared keys of the account; several while one is being replaced."""

    HEADER = "x-twilio-signature"
    SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
    """For example `key=webhooks_sharedkey_...,algorithm=HMAC_SHA256`."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the auth tokens.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._keys = keys_of(secrets, "an auth token")

    def sign(self, url: str, body: bytes) -> str:
        """The header that Twilio would write with the first token."""
        return _signature(self._keys[0], "HMAC_SHA1", url, _signed_fields(url, body)).decode()

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the signature was made with one of the tokens, for this address and this body."""
        signature = request.headers.get(self.HEADER)
        if not signature:
            return Verdict("missing_signature")
        if request.headers.repeated(self.HEADER) or request.headers.repeated(self.SETTINGS_HEADER):
            return Verdict("repeated_header")
        algorithm = _algorithm_in(request.headers.get(self.SETTINGS_HEADER) or "")
        if algorithm not in _ALGORITHMS:
            return Verdict("bad_signature")
        try:
            fields = _signed_fields(request.url, request.body)
            spellings = _spellings(request.url)
        except ValueError:  # neither a form nor an address; nothing that Twilio could have signed
            return Verdict("bad_signature")
        expected = [_signature(key, algorithm, url, fields) for key in self._keys for url in spellings]
        return GENUINE if any_matches(expected, [raw_text(signature)]) else Verdict("bad_signature")


def _algorithm_in(settings: str) -> str:
    """The algorithm that the settings name; without any it is the one of auth tokens."""
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _signed_fields(url: str, body: bytes) -> str:
    """What is signed besides the address.

    Raises:
        ValueError: the body is not the one whose digest the address has, or no form.
    """
    digests = parse_qs(urlsplit(url).query).get("bodySHA256")
    if digests is None:
        # A field that is repeated counts once for each of its values (twilio-python, RequestValidator).
        return "".join(name + value for name, value in sorted(set(form_fields(body))))
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), raw_text(digests[0].lower())):
        raise ValueError("the body is another one")
    return ""


def _spellings(url: str) -> tuple[str, ...]:
    """The address with and without its port: Twilio's own libraries accept either, since proxies change it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port or _PORTS.get(parts.scheme)
    others = (parts._replace(netloc=host), parts._replace(netloc=f"{host}:{port}"))
    return tuple(dict.fromkeys((url, *(urlunsplit(other) for other in others))))


def _signature(key: bytes, algorithm: str, url: str, fields: str) -> bytes:
    return base64.b64encode(hmac.new(key, raw_text(url + fields), _ALGORITHMS[algorithm]).digest())
