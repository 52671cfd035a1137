"""SendGrid (id `sendgrid`): what its Inbound Parse webhook posts, taken apart or as the raw message.

Sources: Twilio SendGrid's documentation, "Inbound Email Parse Webhook" and "Securing your Parse webhook". A signature
(ECDSA over time and body) is believed where its public key is configured, else a password in the address.
"""

import base64
import binascii
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from schemas.interaction import Attachment
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verdict,
    Verifier,
    WebhookRequest,
)
from streams.connectors.hmac_signatures import signing_time
from streams.connectors.mail.form_reading import Form, read_form
from streams.connectors.mail.mail_authenticity import judged, vouched_for
from streams.connectors.mail.mail_draft import MailDrafter
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mail_reading import Mail, attachment, read_message, reported_in, tidy_lines
from streams.connectors.mail.mime_tree import read_fields
from streams.connectors.payload_reading import Json, items, read_json, table, text, word
from streams.connectors.plain_text import plain_text
from streams.connectors.shared_secrets import SharedSecret
from streams.connectors.signatures import judged_by_time, raw_text

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

EVENTS = frozenset(
    [
        "bounce",
        "click",
        "deferred",
        "delivered",
        "dropped",
        "group_resubscribe",
        "group_unsubscribe",
        "open",
        "processed",
        "spamreport",
        "unsubscribe",
    ]
)
"""What the event webhook tells of mails that we sent: the mail itself has been read where it was written."""

_DKIM = re.compile(r":\s*([a-z]+)", re.IGNORECASE)


class SendgridSignature:
    """ECDSA with SHA-256 over the timestamp and the body, the signature in DER and base64."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        """Take the public keys as SendGrid shows them: base64 of DER.

        Raises:
            ValueError: one is none.
        """
        self._keys = [_public_key(key, index) for index, key in enumerate(public_keys, start=1)]

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether one of the keys fits the signature, and in time."""
        signature, timestamp = request.headers.get(SIGNATURE), request.headers.get(TIMESTAMP)
        if not signature:
            return Verdict("missing_signature")
        if not timestamp:
            return Verdict("missing_timestamp")
        if request.headers.repeated(SIGNATURE, TIMESTAMP):
            return Verdict("repeated_header")
        signed = raw_text(timestamp) + request.body
        fitting = [_fits(key, signature, signed) for key in self._keys]
        if not any(fitting):
            return Verdict("bad_signature")
        signed_at = signing_time(timestamp)
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)


def _public_key(encoded: str, index: int) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode("".join(encoded.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if isinstance(key, EllipticCurvePublicKey):
        return key
    raise ValueError(f"secret {index} is no public key as SendGrid shows it (base64 of an ECDSA key)")


def _fits(key: EllipticCurvePublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(base64.b64decode(raw_text(signature), validate=True), signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def signature_or_password(instance: Instance) -> Verifier:
    """A signature where a public key is configured, else a password.

    Raises:
        ValueError: neither is, or a key cannot be read.
    """
    return SendgridSignature(instance.secrets) if instance.secrets else SharedSecret(instance.tokens)


class SendgridMails:
    """Reads what Inbound Parse posts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._drafter = MailDrafter(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The mail as one interaction."""
        told = _told_events(request.body)
        if told is not None:
            return _events(told)
        form = read_form(request)
        if isinstance(form, Refused):
            return [form]
        raw = form.values.get("email")
        mail = read_message(raw) if raw and raw.strip() else _of_fields(form)
        if isinstance(mail, Refused):
            return [mail]
        mail.vouched_for = vouched_for(mail.fields, self._instance)
        if mail.vouched_for is None:
            mail.vouched_for = judged(None, form.text("SPF"), _dkim(form.text("dkim") or ""))
        return [self._drafter.draft(mail, request)]


def _told_events(body: bytes) -> Json | Refused | None:
    """What the event webhook tells: a list; before version 3 one event by itself. Null where it is a mail."""
    begin = body.lstrip()[:1]
    if begin == b"[":
        return read_json(body)
    found = read_json(body) if begin == b"{" else None
    return [found] if text(found, "event") else None


def _events(found: Json) -> Reading:
    if isinstance(found, Refused):
        return [found]
    names = {word(item, "event") or "" for item in found}
    unknown = sorted(names - EVENTS)
    if unknown:
        return [Refused("not_understood", f"the event {unknown[0][:80]!r} is not known")]
    return [Ignored("receipt")]


def _dkim(said: str) -> str | None:
    """Of `{@acme.example : pass}`: one signature that is right is enough."""
    results = {result.lower() for result in _DKIM.findall(said)}
    return "pass" if "pass" in results else next(iter(sorted(results)), None)


def _of_fields(form: Form) -> Mail | Refused:
    charsets = form.json("charsets")

    def said(name: str) -> str | None:
        return form.text(name, charset=text(charsets, name))

    envelope = form.json("envelope")
    header = form.values.get("headers", b"")
    to = [address for address in items(envelope, "to") if isinstance(address, str)]
    fields = MailFields(read_fields(header)).having(
        {"From": said("from"), "To": said("to") or ", ".join(to), "Cc": said("cc"), "Subject": said("subject")}
        | ({"Return-Path": f"<{text(envelope, 'from') or ''}>"} if "from" in table(envelope) else {})
    )
    if not fields.addresses("from", "return-path") and "message-id" not in fields:
        return Refused("malformed_payload", "Object contains no from - at `$.from`")
    plain, html = said("text"), said("html")
    return Mail(
        fields=fields,
        body=tidy_lines(plain) if plain else plain_text(html or ""),
        attachments=tuple(form.files) or _listed(form),
        report_type=reported_in(fields),
    )


def _listed(form: Form) -> tuple[Attachment, ...]:
    """Attachments by their description alone, where the files did not come along."""
    described = table(form.json("attachment-info"))
    return tuple(
        attachment(text(one, "filename") or text(one, "name"), text(one, "type"), None) for one in described.values()
    )


SENDGRID = ConnectorKind(
    id="sendgrid",
    title="SendGrid Inbound Parse",
    normaliser=SendgridMails,
    verifier=signature_or_password,
    setup=(
        "Settings > Inbound Parse > Add host and URL. Either attach a security policy with a signature and put its\n"
        "public key under secrets:, or call https://careline:<password>@<your host>/in/sendgrid and put the\n"
        "password under tokens:."
    ),
)
