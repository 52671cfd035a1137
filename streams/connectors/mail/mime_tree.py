"""The parts of a raw message (RFC 2045, 2046), found without trusting it: any bytes, bounded work, no exception.

The standard library reads parameters and undoes transfer encodings. The tree itself is split here, level by level with
one search each: its parser asks every open boundary about every line, so that a megabyte of nested parts takes
minutes, and beyond a few hundred levels it does not come back. Attachments are measured, never unpacked.
`mail_reading` says which parts are the text and which are attached.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from streams.connectors.mail.charset_reading import decoded, header_text
from streams.connectors.mail.mail_fields import MailFields

DEEPEST = 20
"""Levels of parts; a forwarded forward has about six. What lies deeper stays one part."""
MOST_PARTS = 300
"""Parts of a whole message. What comes after them is not looked at."""
LONGEST_HEADER = 256 * 1024
"""Bytes of one header; servers refuse more."""
LONGEST_PARAMETERS = 4_000
"""Characters of a Content-Type or Content-Disposition that are looked at."""
LONGEST_TEXT = 256 * 1024
"""Bytes of a text part that are decoded."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n|\r\r(?!\n)")
_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]*:")
_CERTAIN_FIELD = re.compile(
    rb"^(?:content-type|date|from|message-id|mime-version|received|subject|to)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_DELIMITER = re.compile(rb"(?:^|\n)--([^\r\n]{1,200})\r?\n(?=content-[a-z-]{1,40}[ \t]*:)", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"\r\n]{1,200})\"|([^;\s]{1,200}))", re.IGNORECASE)


@dataclass(slots=True)
class MimePart:
    """One part, or the whole message.

    `media_type` is lower case; `content` is still in its transfer encoding, and empty where there are `parts`.
    `parameters` are those of Content-Type, the `filename` of Content-Disposition, and as `field` its `name`: the key
    that a part of a form has.
    """

    fields: MailFields
    media_type: str
    parameters: dict[str, str]
    content: bytes
    parts: list["MimePart"] = field(default_factory=list)

    @property
    def disposition(self) -> str:
        """`inline`, `attachment` or nothing."""
        return self.fields.word("content-disposition")

    @property
    def name(self) -> str | None:
        """The file name that the sender gave it."""
        return self.parameters.get("filename") or self.parameters.get("name") or None

    def walk(self) -> Iterator["MimePart"]:
        """This part and all below it, in the order of the message."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def text(self) -> str:
        """The content as text, by its charset."""
        return decoded(self.unpacked(LONGEST_TEXT), self.parameters.get("charset"))

    def unpacked(self, most: int) -> bytes:
        """The content without its transfer encoding, of at most so many encoded bytes."""
        carrier = Message()
        encoding = self.fields.word("content-transfer-encoding").partition(" ")[0]
        carrier["Content-Transfer-Encoding"] = encoding if encoding.isascii() else "8bit"
        carrier.set_payload(self.content[:most].decode("ascii", "surrogateescape"))
        try:
            content = carrier.get_payload(decode=True)
        except (ValueError, binascii.Error, LookupError):  # a uuencoded text that is none
            return self.content[:most]
        return content if isinstance(content, bytes) else self.content[:most]

    def size_bytes(self) -> int:
        """How large the content is without its transfer encoding; counted, not unpacked."""
        encoding = self.fields.word("content-transfer-encoding")
        if encoding == "base64":
            letters = len(self.content) - sum(self.content.count(blank) for blank in (b"\r", b"\n", b" ", b"\t"))
            return max(0, letters * 3 // 4 - self.content.rstrip()[-2:].count(b"="))
        if encoding == "quoted-printable":
            return len(binascii.a2b_qp(self.content))
        return len(self.content)


def read_tree(raw: bytes) -> MimePart:
    """The tree of a message."""
    return _Reader().part(raw.lstrip(b"\xef\xbb\xbf\r\n"), "text/plain", DEEPEST)


def read_fields(raw: bytes) -> MailFields:
    """The header alone, of a message or of the header that a bounce returns."""
    return _split_header(raw.lstrip(b"\r\n"))[0]


class _Reader:
    def __init__(self) -> None:
        self._parts_left = MOST_PARTS

    def part(self, raw: bytes, default_type: str, levels: int) -> MimePart:
        fields, content = _split_header(raw)
        del raw  # or a large attachment would be in memory once more for every level that it lies deep
        media_type, parameters = _content_type(fields, default_type)
        part = MimePart(fields, media_type, parameters, content)
        del content
        if media_type.startswith("multipart/") and levels:
            self._split(part, levels)
        return part

    def _split(self, whole: MimePart, levels: int) -> None:
        boundary = whole.parameters.get("boundary") or _boundary_in(whole.fields.raw("content-type"))
        pieces = _between(whole.content, boundary) if boundary else []
        if not pieces and (boundary := _boundary_used(whole.content)):
            pieces = _between(whole.content, boundary)
        inner_type = "message/rfc822" if whole.media_type == "multipart/digest" else "text/plain"
        whole.content = b"" if pieces else whole.content
        pieces.reverse()
        while pieces and self._parts_left:
            self._parts_left -= 1
            whole.parts.append(self.part(pieces.pop(), inner_type, levels - 1))


def _boundary_in(content_type: str) -> str | None:
    found = _BOUNDARY.search(content_type[:2_000])
    return (found[1] or found[2]) if found else None


def _boundary_used(content: bytes) -> str | None:
    """The boundary of senders who announce another one, or none: what stands above the header of a part."""
    found = _DELIMITER.search(content, 0, LONGEST_HEADER)
    return found[1].decode("utf-8", "surrogateescape") if found else None


def _between(content: bytes, boundary: str) -> list[bytes]:
    """What stands between the delimiter lines; up to the end where the last one is missing."""
    delimiter = re.escape(boundary.rstrip().encode("utf-8", "surrogateescape"))
    pieces, start = [], None
    # It begins with letters, which `re` finds many times faster than a choice; so the line's begin is looked at here.
    for found in re.finditer(rb"--" + delimiter + rb"(--)?[ \t]*\r?(?=\n|\Z)", content):
        line_end = found.start() - 1
        if line_end >= 0 and content[line_end] != ord("\n"):
            continue
        if start is not None:
            pieces.append(content[start : max(start, line_end)].removesuffix(b"\r"))
        start = found.end() + 1
        if found[1]:
            return pieces
    if start is not None:
        pieces.append(content[start:])
    return pieces


def _split_header(raw: bytes) -> tuple[MailFields, bytes]:
    """The fields, and everything behind them.

    A line that is no field ends the header, unless fields that every mail has come after it: then it is a line that
    somebody broke.
    """
    if raw[:1] in {b"\n", b"\r"}:  # no header at all
        return MailFields(()), raw.removeprefix(b"\r").removeprefix(b"\n")
    end = _BLANK_LINE.search(raw, 0, LONGEST_HEADER)
    block = raw[: end.start() if end else LONGEST_HEADER]
    last_certain = max((found.start() for found in _CERTAIN_FIELD.finditer(block)), default=-1)
    lines: list[tuple[str, list[str]]] = []
    place = 0
    for line in block.splitlines(keepends=True):
        text = line.decode("ascii", "surrogateescape")
        field_found = _FIELD.match(text)
        if field_found:
            lines.append((field_found[1], [text[field_found.end() :]]))
        elif text[:1] in {" ", "\t"} and lines:
            lines[-1][1].append(text)
        elif place > last_certain and not text.startswith(("From ", ">From ")):
            return _fields_of(lines), raw[place:]
        place += len(line)
    return _fields_of(lines), raw[end.end() if end else len(block) :]


def _fields_of(lines: list[tuple[str, list[str]]]) -> MailFields:
    return MailFields((name, "".join(pieces)) for name, pieces in lines)


def _content_type(fields: MailFields, default_type: str) -> tuple[str, dict[str, str]]:
    # A type is a token (RFC 2045, 5.1): a byte beyond ASCII is no part of it, and must not reach what is published.
    said = fields.word("content-type").partition(" ")[0].encode("ascii", "ignore").decode()
    usable = said.count("/") == 1 and not said.startswith("/") and not said.endswith("/")
    # RFC 2045, 5.2: what cannot be read is text.
    media_type = said if usable else "text/plain" if said else default_type
    found = {name: _parameter(fields, name, "content-type") for name in ("boundary", "charset", "name", "report-type")}
    found["filename"] = _parameter(fields, "filename", "content-disposition")
    found["field"] = _parameter(fields, "name", "content-disposition")
    return media_type, {name: value for name, value in found.items() if value}


def _parameter(fields: MailFields, name: str, of: str) -> str:
    """A parameter, also in the three pieces and continuations of RFC 2231."""
    carrier = Message()
    carrier[of] = decoded(fields.raw(of)[:LONGEST_PARAMETERS].encode("utf-8", "surrogateescape"), None)
    try:
        found = carrier.get_param(name, header=of)
    except (ValueError, LookupError, TypeError):
        return ""
    if isinstance(found, tuple):
        charset, _, value = found
        return decoded(value.encode("latin-1", "replace"), charset).strip()
    return header_text(found).strip() if isinstance(found, str) else ""
