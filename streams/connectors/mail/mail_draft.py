"""From a mail to a draft: whose it is, which conversation it belongs to, when it was written, and who wrote it.

Pure, and the same for every way in: raw messages (`email_messages`) and what providers take apart (`ses_mail`,
`mailgun_route`, `sendgrid_parse`, `postmark_inbound`). `mail_automation` knows machines, `written_text` takes the
quoted history off.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from schemas.interaction import Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Instance, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.mail.mail_automation import BY_THE_MAIL_SYSTEM, automation_of
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mail_reading import LONGEST_BODY, Mail, quoted_header
from streams.connectors.mail.written_text import LONGEST_TEXT, written_text

CHANNEL = "email"

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""How far a clock may be ahead of ours: what the agents allow."""
LARGEST_SKEW = timedelta(days=1)
"""How far a sender's clock may be ahead of the server's: a wrong time zone."""
LONGEST_IN_TRANSIT = timedelta(days=7)
"""A server gives up after four to five days (RFC 5321, 4.5.4.1). A Date that lies further before the receipt comes
from a wrong clock, or the mail was sent again: for whoever has to answer it is new."""
LONGEST_ID = 200
"""Characters of a message id that are kept as they are; a longer one is told apart by its digest."""

REPLIES = ("re:", "aw:", "sv:", "antw:", "fw:", "fwd:", "wg:", "rv:", "tr:", "odp:", "vs:", "ynt:")
"""How subjects of answers begin, in the languages of the large mail programs."""


class MailDrafter:
    """Makes drafts of the mails of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def draft(
        self,
        mail: Mail,
        request: WebhookRequest,
        *,
        fallback_id: str | None = None,
        accepted_at: datetime | None = None,
    ) -> Draft:
        """The draft of a mail.

        `fallback_id` is what a provider calls it, for mails without a Message-ID; `accepted_at` is when it got it, for
        those that no server has marked.
        """
        fields = mail.fields
        automated = automation_of(mail, self._instance)
        if automated in BY_THE_MAIL_SYSTEM and not list(mail.returned):
            mail = replace(mail, returned=quoted_header(mail.body[:LONGEST_BODY]))
        recipients = fields.addresses("to", "cc", "delivered-to", "x-original-to", "resent-to")
        sender, vouched_for = self._sender(mail, recipients)
        author = self._author(sender, automated, vouched_for=vouched_for)
        event_id = message_id_of(fields) or fallback_id or content_digest(mail)
        subject = fields.text("subject")
        text = mail.written or written_text(mail.body[:LONGEST_BODY]) or (subject or "").strip() or None
        return Drafter(self._instance, request, CHANNEL).interaction(
            event_id,
            "message",
            self._conversation(mail, event_id, is_report=automated in BY_THE_MAIL_SYSTEM or bool(mail.report_type)),
            written_at(fields, request.received_at, accepted_at),
            author,
            identities=self._identities(mail, author, recipients, vouched_for=vouched_for),
            public=not self._is_among_ourselves(author, recipients),
            automated=automated,
            text=text[:LONGEST_TEXT] if text else None,
            attachments=mail.attachments,
            inbox=self._inbox(author, sender, recipients),
            raw_reference=f"email:message:{event_id}",
        )

    def _sender(self, mail: Mail, recipients: Sequence[str]) -> tuple[str | None, bool]:
        """Who wrote it, and whether that may be believed: unless our mail server found it forged.

        A group address of ours (Google Groups) writes itself into From and the sender into X-Original-Sender. A form
        on our web site sends from us to us and names the visitor in Reply-To, and nobody vouches for a visitor.
        """
        fields, vouched_for = mail.fields, mail.vouched_for is not False
        sender = sender_of(fields)
        original = next(iter(fields.addresses("x-original-sender")), None)
        if sender is None or original == sender:
            return sender, vouched_for
        if original is not None and (self._is_ours(sender) or _domain(original) == _domain(sender)):
            return original, vouched_for
        visitor = next((address for address in fields.addresses("reply-to") if not self._is_ours(address)), None)
        if visitor is not None and self._is_ours(sender) and all(self._is_ours(address) for address in recipients):
            return visitor, False
        return sender, vouched_for

    def _author(self, sender: str | None, automated: str | None, *, vouched_for: bool) -> Author:
        """Our own people by their domain, but only where nobody forged it; the mail system for what it wrote itself."""
        if automated in BY_THE_MAIL_SYSTEM:
            return Author("system", sender)
        is_ours = sender is not None and self._is_ours(sender) and vouched_for
        return Author("agent" if is_ours else "customer", sender)

    def _is_ours(self, address: str) -> bool:
        return self._instance.is_own_address(address) or self._instance.is_own_id(address)

    def _is_among_ourselves(self, author: Author, recipients: Sequence[str]) -> bool:
        return author.kind == "agent" and bool(recipients) and all(self._is_ours(address) for address in recipients)

    def _inbox(self, author: Author, sender: str | None, recipients: Sequence[str]) -> str | None:
        """Our address in it: the one that was written to, or from."""
        if author.kind == "agent":
            return sender
        ours = [address for address in recipients if self._is_ours(address)]
        return next(iter(ours or recipients), None)

    def _identities(
        self, mail: Mail, author: Author, recipients: Sequence[str], *, vouched_for: bool
    ) -> tuple[str, ...]:
        """Who the customer is: the sender, or whom our people wrote to, or whom a bounce did not reach."""
        if author.kind == "customer":
            return identities_of_address(author.id, vouched_for=vouched_for)
        others = recipients
        if author.kind == "system":
            others = (
                *mail.report.addresses("final-recipient", "original-recipient"),
                *mail.fields.addresses("x-failed-recipients"),
                *mail.returned.addresses("to"),
            )
        customer = next((address for address in others if not self._is_ours(address)), None)
        return identities_of_address(customer)

    def _conversation(self, mail: Mail, event_id: str, *, is_report: bool) -> str:
        """The root of its thread: the first mail that it refers to, else what a report is about, else itself."""
        fields = mail.fields
        roots = fields.message_ids("references") or fields.message_ids("in-reply-to")
        if is_report and not roots:
            roots = mail.returned.message_ids("references", "message-id") or mail.report.message_ids(
                "original-message-id"
            )
        own = message_id_of(fields)
        root = next(iter(roots), own)
        if root is not None:
            return bounded_id(root)
        return self._token(fields) or thread_digest(fields) or event_id

    def _token(self, fields: MailFields) -> str | None:
        """What stands behind the + of the address that was written to: `ticket-7` of `help+ticket-7@ours.example`."""
        for address in fields.addresses("delivered-to", "x-original-to", "to", "cc"):
            mailbox, _, token = address.partition("@")[0].partition("+")
            if token and mailbox and (not self._instance.own_domains or self._is_ours(address)):
                return bounded_id(f"{mailbox}+{token}")
        return None


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def sender_of(fields: MailFields) -> str | None:
    """Who wrote it: the first address of From, else of Sender, else where bounces go to; null where nobody says."""
    found = (fields.addresses(name) for name in ("from", "sender", "return-path", "reply-to"))
    return next((addresses[0] for addresses in found if addresses), None)


def message_id_of(fields: MailFields) -> str | None:
    """The Message-ID; null where there is none, or several that differ."""
    said = set(fields.all("message-id"))
    found = fields.message_ids("message-id")
    return bounded_id(found[0]) if len(said) == 1 and found else None


def written_at(fields: MailFields, received_at: datetime, accepted_at: datetime | None = None) -> datetime | None:
    """When the mail was written: its Date where that can be, else when it was delivered; null where neither can.

    The topmost `Received` is written by the server that the mail was fetched from or handed over by, the only one
    that is ours; those below it are the sender's word, as the Date is. Where it is missing, a provider's own time
    stands for it.
    """
    delivered = fields.received_at() or accepted_at
    if delivered is not None and not EARLIEST <= delivered <= received_at + AHEAD:
        delivered = None
    said = fields.moment("date")
    latest = min(received_at + AHEAD, delivered + LARGEST_SKEW) if delivered else received_at + AHEAD
    earliest = max(EARLIEST, delivered - LONGEST_IN_TRANSIT) if delivered else EARLIEST
    return said if said is not None and earliest <= said <= latest else delivered


def bounded_id(provider_id: str) -> str:
    """An id that fits into ours, without what no id may hold."""
    tidied = "".join(letter for letter in provider_id if letter.isprintable() and not letter.isspace())
    printable = tidied.encode("utf-8", "replace").decode()
    return printable if len(printable) <= LONGEST_ID else digest_of(provider_id)


def content_digest(mail: Mail) -> str:
    """The id of a mail that has none: the same content is the same mail."""
    fields = mail.fields
    said = [fields.raw(name) for name in ("date", "from", "to", "subject")]
    attached = [f"{one.name}:{one.media_type}:{one.size_bytes}" for one in mail.attachments]
    return digest_of("\n".join([*said, mail.body, *attached]))


def thread_digest(fields: MailFields) -> str | None:
    """A conversation of a subject and those who take part, for mails without any id; null without a subject."""
    subject = (fields.text("subject") or "").lower().strip()
    while (answer := next((word for word in REPLIES if subject.startswith(word)), None)) is not None:
        subject = subject.removeprefix(answer).strip()
    people = sorted(set(fields.addresses("from", "to")))
    return digest_of("\n".join([subject, *people])) if subject and people else None


def digest_of(text: str) -> str:
    """Thirty-two hexadecimal digits for a text."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
