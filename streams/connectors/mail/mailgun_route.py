"""Mailgun (id `mailgun`): mails that a route forwards or stores, as parsed fields or as the raw message.

Sources: Mailgun's documentation, "Receive, forward and store messages" and "Securing webhooks". The signature stands
in the form itself and covers the time and a token, not the mail; so it is accepted for five minutes only.
"""

from collections.abc import Sequence

from schemas.interaction import Attachment
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.hmac_signatures import signing_time
from streams.connectors.mail.form_reading import Form, read_form
from streams.connectors.mail.mail_authenticity import judged, vouched_for
from streams.connectors.mail.mail_draft import MailDrafter
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mail_reading import Mail, attachment, read_message, reported_in, tidy_lines
from streams.connectors.payload_reading import Json, instant, tables, text, whole_number
from streams.connectors.plain_text import plain_text
from streams.connectors.signatures import any_matches, hmac_sha256_hex, judged_by_time, keys_of, raw_text

SIGNED = ("timestamp", "token", "signature")

EVENTS = frozenset(
    [
        "accepted",
        "clicked",
        "complained",
        "delivered",
        "dropped",
        "failed",
        "opened",
        "permanent_fail",
        "rejected",
        "stored",
        "temporary_fail",
        "unsubscribed",
        "bounced",
        "email_validation",
        "list_member_uploaded",
        "list_member_upload_error",
        "list_uploaded",
    ]
)
"""What Mailgun tells of mails that we sent: the mail itself has been read where it was written."""

OF_THE_HEADER = ("From", "To", "Cc", "Subject", "Date", "Message-Id", "In-Reply-To", "References", "Sender")
"""Fields of the mail's header that also stand in the form by themselves."""


class MailgunSignature:
    """HMAC-SHA256 over `timestamp` and `token`, in hexadecimal digits, beside them in the form."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the webhook signing keys.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._keys = keys_of(secrets, "the webhook signing key")

    def sign(self, timestamp: str, token: str) -> str:
        """The signature that the first key gives."""
        return self._expected(timestamp, token)[0].decode()

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the signature in the form was made with one of the keys, and in time."""
        form = read_form(request)
        timestamp, token, signature = ("", "", "") if isinstance(form, Refused) else _proof_in(form)
        if not signature or not token:
            return Verdict("missing_signature")
        if not timestamp:
            return Verdict("missing_timestamp")
        if not any_matches(self._expected(timestamp, token), [raw_text(signature.lower())]):
            return Verdict("bad_signature")
        signed_at = signing_time(timestamp)
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)

    def _expected(self, timestamp: str, token: str) -> list[bytes]:
        return [hmac_sha256_hex(key, raw_text(timestamp), raw_text(token)) for key in self._keys]


def _proof_in(form: Form) -> list[str]:
    """Timestamp, token and signature: fields of a form, or the object `signature` of an event."""
    inside = form.json("signature")
    if isinstance(inside, dict):
        return [str(inside.get(name) or "") for name in SIGNED]
    return [form.text(name) or "" for name in SIGNED]


class MailgunMails:
    """Reads what a route posts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._drafter = MailDrafter(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The mail as one interaction."""
        form = read_form(request)
        if isinstance(form, Refused):
            return [form]
        event = form.text("event") or text(form.json("event-data"), "event")
        if event is not None:
            known = event.strip().lower() in EVENTS
            return [Ignored("receipt") if known else Refused("not_understood", f"the event {event[:80]!r}")]
        raw = form.values.get("body-mime")
        mail = read_message(raw) if raw and raw.strip() else _of_fields(form)
        if isinstance(mail, Refused):
            return [mail]
        mail.vouched_for = self._vouched_for(mail.fields)
        return [self._drafter.draft(mail, request, accepted_at=instant(form.text("timestamp")))]

    def _vouched_for(self, fields: MailFields) -> bool | None:
        found = vouched_for(fields, self._instance)
        if found is not None:
            return found
        return judged(None, fields.word("x-mailgun-spf"), fields.word("x-mailgun-dkim-check-result"))


def _of_fields(form: Form) -> Mail | Refused:
    fields = MailFields(_pairs(form.json("message-headers"))).having(
        {name: form.text(name, name.lower()) for name in OF_THE_HEADER}
        | {"Return-Path": form.text("sender"), "To": form.text("To", "to", "recipient")}
    )
    if not fields.addresses("from", "sender") and "message-id" not in fields:
        return Refused("malformed_payload", "Object contains no from - at `$.from`")
    html = form.text("body-html", "stripped-html")
    plain = form.text("body-plain", "Body-plain")
    written = form.text("stripped-text")
    return Mail(
        fields=fields,
        body=tidy_lines(plain) if plain else plain_text(html or ""),
        written=tidy_lines(written).strip() if written else None,
        attachments=tuple(form.files) or _stored(form),
        report_type=reported_in(fields),
    )


def _pairs(found: Json) -> list[tuple[str, str]]:
    """The header: a list of pairs, or in imitations an object."""
    if isinstance(found, dict):
        return [(name, value) for name, values in found.items() for value in _texts(values)]
    if not isinstance(found, list):
        return []
    pairs = [pair for pair in found if isinstance(pair, list) and len(pair) == 2]
    return [(name, value) for name, value in pairs if isinstance(name, str) and isinstance(value, str)]


def _texts(values: Json) -> list[str]:
    return [value for value in (values if isinstance(values, list) else [values]) if isinstance(value, str)]


def _stored(form: Form) -> tuple[Attachment, ...]:
    """Attachments of a stored message: a JSON list of their names, types and sizes."""
    found = form.json("attachments")
    return tuple(
        attachment(text(one, "name") or text(one, "filename"), text(one, "content-type"), whole_number(one, "size"))
        for one in tables(found if isinstance(found, dict) else {"all": found}, "all")
    )


MAILGUN = ConnectorKind(
    id="mailgun",
    title="Mailgun routes",
    normaliser=MailgunMails,
    verifier=lambda instance: MailgunSignature(instance.secrets),
    setup=(
        "Receiving > Create route: expression match_recipient(...), action forward(https://<your host>/in/mailgun)\n"
        "(an address that ends with mime gets raw messages, others get fields; both are read).\n"
        "The secret is the HTTP webhook signing key of the account: Settings > API security."
    ),
)
