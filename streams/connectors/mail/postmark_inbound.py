"""Postmark (id `postmark`): mails that its inbound webhook posts as JSON.

Source: Postmark's developer documentation, "Inbound webhook" and "Parse an email". Postmark does not sign; it calls
an address with a password in it. `MessageID` is Postmark's own number, the mail's Message-ID stands in `Headers`.
"""

from schemas.interaction import Attachment
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.mail.mail_authenticity import judged, vouched_for
from streams.connectors.mail.mail_draft import MailDrafter
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mail_reading import Mail, attachment, reported_in, tidy_lines
from streams.connectors.payload_reading import (
    Json,
    id_text,
    read_each,
    read_json,
    table,
    tables,
    text,
    whole_number,
    word,
)
from streams.connectors.plain_text import plain_text
from streams.connectors.shared_secrets import SharedSecret

DELIVERY_RECORDS = frozenset(
    {"bounce", "click", "delivery", "linkclick", "open", "smtpapierror", "spamcomplaint", "subscriptionchange"}
)
"""Values of `RecordType`: what Postmark tells of mails that we sent. An inbound mail has none, or `Inbound`."""


class PostmarkMails:
    """Reads inbound mails."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._drafter = MailDrafter(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The mail as one interaction; a page of the API that lists mails, as one for each."""
        found = read_json(request.body)
        if isinstance(found, Refused):
            return [found]
        listed = list(tables(found, "InboundMessages"))
        return read_each(listed, lambda each: [self._one(each, request)]) if listed else [self._one(found, request)]

    def _one(self, payload: Json, request: WebhookRequest) -> Draft | Ignored | Refused:
        record = word(payload, "RecordType")
        if record in DELIVERY_RECORDS:
            return Ignored("receipt")
        if record not in {None, "inbound"}:
            return Refused("not_understood", f"the record type {record[:80]!r} is not known")
        mail = _mail(payload)
        if isinstance(mail, Refused):
            return mail
        mail.vouched_for = vouched_for(mail.fields, self._instance)
        if mail.vouched_for is None:
            signed = "pass" if "DKIM_VALID" in mail.fields.raw("x-spam-tests") else None
            mail.vouched_for = judged(None, mail.fields.word("received-spf").partition(" ")[0], signed)
        return self._drafter.draft(mail, request, fallback_id=id_text(payload, "MessageID"))


def _mail(payload: Json) -> Mail | Refused:
    header = [(text(one, "Name") or "", str(one.get("Value") or "")) for one in tables(payload, "Headers")]
    fields = MailFields(header).having(
        {
            "From": _addressed(table(payload, "FromFull")) or text(payload, "From"),
            "To": ", ".join(_addressed(one) for one in tables(payload, "ToFull")) or text(payload, "To"),
            "Cc": ", ".join(_addressed(one) for one in tables(payload, "CcFull")) or text(payload, "Cc"),
            "Subject": text(payload, "Subject"),
            "Date": text(payload, "Date"),
            "X-Original-To": text(payload, "OriginalRecipient"),
        }
    )
    if not fields.addresses("from"):
        return Refused("malformed_payload", "Object contains no From - at `$.From`")
    plain, html = text(payload, "TextBody"), text(payload, "HtmlBody")
    written = text(payload, "StrippedTextReply")
    return Mail(
        fields=fields,
        body=tidy_lines(plain) if plain else plain_text(html or ""),
        written=tidy_lines(written).strip() if written else None,
        attachments=tuple(_attachment(one) for one in tables(payload, "Attachments")),
        report_type=reported_in(fields),
    )


def _addressed(person: Json) -> str:
    address = text(person, "Email")
    return f"<{address}>" if address else ""


def _attachment(one: Json) -> Attachment:
    return attachment(text(one, "Name"), text(one, "ContentType"), whole_number(one, "ContentLength"))


POSTMARK = ConnectorKind(
    id="postmark",
    title="Postmark inbound webhook",
    normaliser=PostmarkMails,
    verifier=lambda instance: SharedSecret(instance.tokens),
    setup=(
        "Servers > your server > Inbound stream > Settings: webhook\n"
        "https://careline:<password>@<your host>/in/postmark, and put the password under tokens:."
    ),
)
