"""A mail as everything after this needs it, and how a raw message becomes one.

Here it is said which parts are its text, which are attached, and what a bounce reports; which part is text follows JMAP
(RFC 8621, 4.1.4). Providers that take mails apart themselves make a `Mail` of what they send. `mail_draft` has it next.
"""

import re
from dataclasses import dataclass, field

from schemas.interaction import Attachment
from streams.connectors.connector_contract import Refused
from streams.connectors.mail.mail_fields import MailFields
from streams.connectors.mail.mime_tree import MimePart, read_fields, read_tree
from streams.connectors.plain_text import looks_like_html, plain_text

OUTLOOK_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How an Outlook `.msg` begins: an OLE compound file."""

OF_A_MAIL = frozenset(
    [
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "received",
        "return-path",
        "sender",
        "subject",
        "to",
    ]
)
"""A header with none of these is none of a mail's."""

REPORTS = ("delivery-status", "disposition-notification", "feedback-report")
"""What machines report in a part of its own: RFC 3464, RFC 8098, RFC 5965."""

_QUOTED_ID = re.compile(r"^(?:> ?)?message-id:[ \t]*<", re.IGNORECASE | re.MULTILINE)
_QUOTE_MARK = re.compile(r"^> ?", re.MULTILINE)

LONGEST_BODY = 200_000
"""Characters of text that are kept before the quoted history is taken off."""
LONGEST_NAME = 255
MOST_ATTACHMENTS = 100


@dataclass(slots=True)
class Mail:
    """A mail, taken apart.

    `body` is the whole text, quotations included; `written` is what its sender added, where a provider says so.
    `report_type` is what a machine reports with it (`delivery-status`, ...), `report` are the fields of that report and
    `returned` those of the mail that it is about. `vouched_for` says whether the sender's server is known to be allowed
    to send for the address (DMARC): null where nobody looked.
    """

    fields: MailFields
    body: str = ""
    written: str | None = None
    attachments: tuple[Attachment, ...] = ()
    report_type: str = ""
    report: MailFields = field(default_factory=lambda: MailFields(()))
    returned: MailFields = field(default_factory=lambda: MailFields(()))
    vouched_for: bool | None = None


def read_message(raw: bytes) -> Mail | Refused:
    """The mail in the bytes of a raw message (RFC 5322), or why there is none."""
    if raw.startswith(OUTLOOK_FILE):
        return Refused("not_understood", "an Outlook .msg file; export the message as .eml (RFC 5322) instead")
    tree = read_tree(raw)
    if not any(name in tree.fields for name in OF_A_MAIL) and not _is_report(tree):
        return Refused(
            "malformed_payload", "no mail: its header has no From, To, Date, Subject, Message-ID or Content-Type"
        )
    chosen = _Chosen()
    chosen.look_at(tree, "mixed", is_first=True)
    report_type = tree.parameters.get("report-type", "").lower()
    mail = Mail(
        fields=tree.fields,
        body="\n\n".join(piece for piece in chosen.texts if piece)[:LONGEST_BODY],
        attachments=tuple(_metadata(part) for part in chosen.attached[:MOST_ATTACHMENTS]),
        report_type=report_type,
    )
    for part in tree.walk():
        _take_report(mail, part)
    return mail


def quoted_header(body: str) -> MailFields:
    """The header of the mail that a bounce quotes in its text (qmail, Exim, Gmail, Exchange); else no fields."""
    found = _QUOTED_ID.search(body)
    if found is None:
        return MailFields(())
    begin = body.rfind("\n\n", 0, found.start()) + 2 if "\n\n" in body[: found.start()] else 0
    end = body.find("\n\n", found.end())
    block = body[begin : end if end >= 0 else len(body)]
    return read_fields(_QUOTE_MARK.sub("", block).encode("utf-8", "replace"))


def reported_in(fields: MailFields) -> str:
    """What a mail reports, by its header alone; empty where it is no report."""
    content_type = fields.raw("content-type").lower()
    found = next((name for name in REPORTS if name in content_type), "")
    return found if "multipart/report" in content_type else ""


class _Chosen:
    """The parts of a message, sorted into text and attachments."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.attached: list[MimePart] = []

    def look_at(self, part: MimePart, among: str, *, is_first: bool) -> None:
        """Sort a part, which is one `among` the parts of an alternative, a related page or a mixture."""
        if part.parts:
            inner = part.media_type.removeprefix("multipart/")
            if inner == "alternative":
                self._best_of(part)
                return
            for index, child in enumerate(part.parts):
                self.look_at(child, inner, is_first=index == 0)
        elif _is_text(part, among, is_first=is_first):
            text = part.text()
            is_html = part.media_type == "text/html" or ("content-type" not in part.fields and looks_like_html(text))
            self.texts.append(plain_text(text) if is_html else tidy_lines(text))
        elif not part.media_type.startswith("multipart/") and not _is_report(part):
            self.attached.append(part)

    def _best_of(self, alternative: MimePart) -> None:
        """The plain one of several versions of one text, else the first that says something."""
        versions = []
        for child in alternative.parts:
            version = _Chosen()
            version.look_at(child, "alternative", is_first=True)
            versions.append((child, version))
            self.attached += version.attached
        speaking = [(child, version) for child, version in versions if any(version.texts)]
        plain = [version for child, version in speaking if child.media_type == "text/plain"]
        chosen = plain[0] if plain else speaking[0][1] if speaking else _Chosen()
        self.texts += chosen.texts


def _is_text(part: MimePart, among: str, *, is_first: bool) -> bool:
    if part.disposition == "attachment":
        return False
    if part.media_type.startswith("multipart/"):  # without a boundary there are no parts: it is read as it stands
        return bool(part.content.strip())
    readable = part.media_type in {"text/plain", "text/html"}
    return readable and (is_first or (among != "related" and not part.name))


def _is_report(part: MimePart) -> bool:
    return part.media_type.startswith("message/") and part.media_type.removeprefix("message/") in REPORTS


def tidy_lines(text: str) -> str:
    """A text with plain line ends, without empty lines around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _metadata(part: MimePart) -> Attachment:
    name = part.name
    if name is None and part.media_type == "message/rfc822":
        name = read_fields(part.content).text("subject")
    return attachment(name, part.media_type, part.size_bytes())


def attachment(name: str | None, media_type: str | None, size_bytes: int | None) -> Attachment:
    """The metadata of an attachment, with a name that fits into a line."""
    tidied = " ".join(name.split())[:LONGEST_NAME] if name else None
    return Attachment(name=tidied or None, media_type=media_type, size_bytes=size_bytes)


def _take_report(mail: Mail, part: MimePart) -> None:
    """What a machine reports, and the mail that it returns."""
    if _is_report(part) and not mail.report_type:
        mail.report_type = part.media_type.removeprefix("message/")
    if _is_report(part):
        groups = part.unpacked(64 * 1024).replace(b"\r\n", b"\n").split(b"\n\n")
        pairs = [pair for group in groups[:20] for pair in read_fields(group)]
        mail.report = MailFields([*mail.report, *pairs])
    elif part.media_type in {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}:
        mail.returned = mail.returned if list(mail.returned) else read_fields(part.unpacked(64 * 1024))
