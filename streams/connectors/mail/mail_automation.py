"""Whether a machine wrote a mail, and what kind of machine: the word for `Interaction.automated`.

An auto-reply or a bounce must never count as an answer, nor start a clock. Sources: RFC 3834 (automatic responses),
RFC 3464 and 6522 (delivery reports), RFC 8098 (receipts), RFC 5965 (complaints), RFC 2369 and 2919 (lists), and the
fields that Microsoft, Google and the makers of autoresponders write besides. `mail_draft` asks here.
"""

import re

from streams.connectors.automated_words import Automated
from streams.connectors.connector_contract import Instance
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mail_program_words import AUTOMATIC_REPLY, NOT_DELIVERED
from streams.connectors.mail.mail_reading import Mail

BY_THE_MAIL_SYSTEM: frozenset[str] = frozenset({"bounce", "complaint", "delivery_notice"})
"""Written by servers: nobody of the customer's had a hand in them."""

REPORTS: dict[str, Automated] = {
    "delivery-status": "bounce",
    "disposition-notification": "receipt",
    "feedback-report": "complaint",
}
NOT_FAILED = frozenset({"delayed", "delivered", "relayed", "expanded"})
"""Values of `Action` in a delivery report with which the mail may still arrive, or has."""

AUTO_REPLY_FIELDS = (
    "x-autoreply",
    "x-auto-reply",
    "x-autorespond",
    "x-autoresponder",
    "x-autoreply-from",
    "x-mail-autoreply",
)
LIST_FIELDS = ("list-id", "list-post", "mailing-list", "x-beenthere", "x-mailing-list", "x-mailman-version", "x-loop")
SILENCED = re.compile(r"\b(?:all|oof|autoreply)\b")
"""In `X-Auto-Response-Suppress`: no absence note wanted, since no person would read it."""

_HOTMAIL_COMPLAINT = re.compile(r"\s*complaint about message from\b", re.IGNORECASE)
_NOBODY_READS = re.compile(r"(?:no|do-?not|never)[-_.]?reply(?:[+=-].*)?", re.IGNORECASE)
_FAILURE = re.compile(rf"\s*(?:{'|'.join(NOT_DELIVERED)})", re.IGNORECASE)
_DAEMON = re.compile(r"mail(?:er)?[-_.]?daemon", re.IGNORECASE)
_MAIL_SYSTEM = re.compile(rf"(?:{_DAEMON.pattern}|bounces?|mdaemon|post_master)(?:[+=-].*)?", re.IGNORECASE)
_DAEMON_BY_NAME = re.compile(r"\bmailer[- ]daemon\b|\bmail delivery (?:system|subsystem|service)\b", re.IGNORECASE)
_ABSENCE = re.compile(rf"\s*(?:\[[^\]]{{1,40}}\]\s*)?(?:{'|'.join(AUTOMATIC_REPLY)})\s*[:\uff1a]", re.IGNORECASE)
_OF_A_LIST = re.compile(r"owner-.+|.+-(?:owner|request|bounces|admin)", re.IGNORECASE)


def automation_of(mail: Mail, instance: Instance) -> Automated | None:
    """The word for the machine that wrote it; null when a person did."""
    return (
        _report(mail)
        or _mail_system(mail.fields)
        or _answer(mail.fields)
        or _distribution(mail.fields, instance)
        or _program(mail.fields)
    )


def _report(mail: Mail) -> Automated | None:
    word = REPORTS.get(mail.report_type)
    if word == "bounce":
        actions = {value.partition(";")[0].strip().lower() for value in mail.report.all("action")}
        return "delivery_notice" if actions and actions <= NOT_FAILED else "bounce"
    return word


def _mail_system(fields: MailFields) -> Automated | None:
    """Bounces without a report: of qmail, Gmail of old, Exchange, Domino, IMail, gateways that look for viruses.

    A postmaster may be a person (RFC 2142, section 5): the subject tells, or whom the envelope names.
    """
    senders = fields.addresses("from", "sender")
    local_parts = [address.partition("@")[0] for address in senders]
    by_name = _DAEMON_BY_NAME.search(fields.text("from") or "") is not None
    postmaster = "postmaster" in local_parts
    from_nobody = _has_null_sender(fields) and (not senders or postmaster)
    failed = "x-failed-recipients" in fields or "x-ms-exchange-message-is-ndr" in fields
    daemon = any(_MAIL_SYSTEM.fullmatch(local_part) for local_part in local_parts) or _is_from_a_daemon(fields)
    subject = fields.text("subject") or ""
    returned = postmaster and _FAILURE.match(subject) is not None
    if "staff@hotmail.com" in senders and _HOTMAIL_COMPLAINT.match(subject):
        return "complaint"  # of Microsoft's junk mail reporting programme, which writes no report
    return "bounce" if failed or daemon or by_name or from_nobody or returned else None


def _is_from_a_daemon(fields: MailFields) -> bool:
    """Some servers name MAILER-DAEMON in the envelope instead of nobody. `bounces+…` there is a campaign's."""
    return _DAEMON.fullmatch(fields.raw("return-path").strip("<> ").partition("@")[0]) is not None


def _has_null_sender(fields: MailFields) -> bool:
    return any(fields.raw(name) == "<>" for name in ("return-path", "x-envelope-from"))


def _answer(fields: MailFields) -> Automated | None:
    submitted = fields.word("auto-submitted").partition(" ")[0]
    if submitted.startswith("auto-replied"):
        return "auto_reply"
    precedence = fields.word("precedence").replace("-", "_")
    said = any(name in fields and fields.word(name) not in {"no", "false", "0"} for name in AUTO_REPLY_FIELDS)
    if said or precedence in {"auto_reply", "autoreply"} or _has_null_sender(fields) or _is_absence_note(fields):
        return "auto_reply"
    return "auto_generated" if submitted.startswith("auto") else None


def _is_absence_note(fields: MailFields) -> bool:
    """By its subject alone, which is all that is left where a provider passes on a few fields of the header."""
    return _ABSENCE.match(fields.text("subject") or "") is not None


def _distribution(fields: MailFields, instance: Instance) -> Automated | None:
    """Lists and campaigns. A list of the company's own is a way in: what customers write to it is theirs."""
    of_our_list = any(instance.is_own_address(f"list@{domain}") for domain in _list_domains(fields))
    if of_our_list:
        return None
    precedence = fields.word("precedence")
    sender = fields.addresses("sender")
    by_list = any(name in fields for name in LIST_FIELDS) or any(
        _OF_A_LIST.fullmatch(address.partition("@")[0]) for address in sender
    )
    posted = "list-post" in fields and fields.word("list-post") != "no"
    if precedence == "list" or posted or (by_list and "list-unsubscribe-post" not in fields):
        return "mailing_list"
    if "list-unsubscribe" in fields or precedence in {"bulk", "junk"}:
        answers = bool(fields.message_ids("in-reply-to")) and "list-unsubscribe" not in fields
        return "auto_reply" if answers else "campaign"
    return None


def _list_domains(fields: MailFields) -> list[str]:
    """The domains of the list: `support.ours.example` of `Support <support.ours.example>`, or of its address."""
    named = [value.rpartition("<")[2].partition(">")[0].strip().lower() for value in fields.all("list-id")]
    posted = [address.partition("@")[2] for address in fields.addresses("list-post", "mailing-list", "x-beenthere")]
    return [domain for domain in (*named, *posted) if domain]


def _program(fields: MailFields) -> Automated | None:
    silenced = SILENCED.search(fields.raw("x-auto-response-suppress").lower()) is not None
    return "auto_generated" if silenced or _nobody_reads(fields) else None


def _nobody_reads(fields: MailFields) -> bool:
    """Whether an answer would go to a no-reply address: forms write from there as well, and name a Reply-To."""
    answered = fields.addresses("reply-to") or fields.addresses("from")
    return bool(answered) and all(_NOBODY_READS.fullmatch(address.partition("@")[0]) for address in answered)
