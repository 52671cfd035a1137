"""Amazon SES (id `ses`): mails that it receives, as SNS notifications or as the event that it hands to Lambda.

Source: Amazon SES Developer Guide, "Contents of notifications for Amazon SES email receiving" and "Lambda function
event". A receipt rule that publishes to SNS sends the raw message along (up to 150 KB); one that stores it in S3 or
calls Lambda sends the header alone, so such a mail has no text here but its subject.
"""

import base64
import binascii
from dataclasses import replace

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
from streams.connectors.mail.mail_reading import Mail, read_message, reported_in
from streams.connectors.mail.sns_signature import CONFIRMATIONS, TOPICS, TOPICS_MEANING, SnsSignature, greet_sns
from streams.connectors.payload_reading import Json, id_text, instant, items, read_json, table, tables, text, word

SENDING_EVENTS = frozenset(
    {
        "bounce",
        "click",
        "complaint",
        "delivery",
        "deliverydelay",
        "open",
        "reject",
        "rendering failure",
        "send",
        "subscription",
    }
)
"""What SES tells of mails that we sent: the mail itself has been read where it was written."""
ABOUT_THE_SUBSCRIPTION = "amazonsnssubscriptionsucceeded"

MOST_RECORDS = 100


class SesMails:
    """Reads mails that SES received."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._drafter = MailDrafter(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """One interaction for each mail."""
        found = read_json(request.body)
        if isinstance(found, Refused):
            return [found]
        records = [record for record in items(found, "Records") if isinstance(record, dict)][:MOST_RECORDS]
        return [self._record(record, request) for record in records] if records else [self._one(found, request)]

    def _record(self, record: Json, request: WebhookRequest) -> Draft | Ignored | Refused:
        """One record of what Lambda gets: from SES itself, or from SNS."""
        if "ses" in record:
            return self._one(record["ses"], request)
        inside = table(record, "Sns") or table(record, "sns")
        return self._one(inside, request) if inside else Refused("not_understood", "a record of another service")

    def _one(self, payload: Json, request: WebhookRequest) -> Draft | Ignored | Refused:
        if text(payload, "Type") in CONFIRMATIONS:
            return Ignored("connection")
        said = text(payload, "Message")
        if said is not None:
            inside = read_json(said.encode("utf-8", "replace"))
            if isinstance(inside, Refused) or not isinstance(inside, dict):
                return Ignored("other_subject")
            payload = inside
        kind = word(payload, "notificationType") or word(payload, "eventType")
        if kind in SENDING_EVENTS:
            return Ignored("receipt")
        if kind == ABOUT_THE_SUBSCRIPTION:
            return Ignored("connection")
        if kind not in {None, "received"}:
            return Refused("not_understood", f"the notification {kind[:80]!r} is not known")
        return self._mail(payload, request)

    def _mail(self, payload: Json, request: WebhookRequest) -> Draft | Refused:
        about = table(payload, "mail")
        if not about:
            return Refused("malformed_payload", "Object contains no mail - at `$.mail`")
        content = text(payload, "content")
        read = read_message(_raw(content, payload)) if content is not None else _of_header(about)
        if isinstance(read, Refused):
            return read
        receipt = table(payload, "receipt")
        mail = replace(read, vouched_for=self._vouched_for(read, receipt))
        return self._drafter.draft(
            mail, request, fallback_id=id_text(about, "messageId"), accepted_at=instant(about, "timestamp")
        )

    def _vouched_for(self, mail: Mail, receipt: Json) -> bool | None:
        said = [_passed(receipt, f"{method}Verdict") for method in ("dmarc", "spf", "dkim")]
        return judged(*said) if any(said) else vouched_for(mail.fields, self._instance)


def _passed(receipt: Json, name: str) -> str | None:
    """A verdict of SES's: `GRAY` is none."""
    found = word(receipt, name, "status")
    return found if found in {"pass", "fail"} else None


def _raw(content: str, payload: Json) -> bytes:
    """The raw message, which the rule may have encoded."""
    if word(payload, "receipt", "action", "encoding") != "base64":
        return content.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(content)
    except (binascii.Error, ValueError):
        return content.encode("utf-8", "surrogatepass")


def _of_header(about: Json) -> Mail | Refused:
    header = [(text(one, "name") or "", text(one, "value") or "") for one in tables(about, "headers")]
    common = table(about, "commonHeaders")
    fields = MailFields(header).having(
        {name: _said(common, key) for name, key in COMMON.items()} | {"Return-Path": text(about, "source")}
    )
    if not fields.addresses("from", "sender", "return-path"):
        return Refused("malformed_payload", "Object contains no sender - at `$.mail.source`")
    return Mail(fields=fields, report_type=reported_in(fields))


COMMON = {
    "From": "from",
    "To": "to",
    "Cc": "cc",
    "Date": "date",
    "Message-ID": "messageId",
    "Subject": "subject",
}
"""The fields that `commonHeaders` repeats, where the header itself is not sent along."""


def _said(common: Json, key: str) -> str | None:
    several = [value for value in items(common, key) if isinstance(value, str)]
    return ", ".join(several) or text(common, key)


SES = ConnectorKind(
    id="ses",
    title="Amazon SES",
    normaliser=SesMails,
    verifier=SnsSignature,
    handshake=greet_sns,
    options={TOPICS: TOPICS_MEANING},
    setup=(
        "SES > Email receiving > Rule: action Publish to Amazon SNS topic, encoding Base64 (mails above 150 KB: S3,\n"
        "then without text). SNS > topic > Create subscription: HTTPS, https://<your host>/in/ses, raw message\n"
        "delivery off. List the topic's ARN under topics: first; the subscription then confirms itself."
    ),
)
