"""Bytes of a mail as text, whatever they claim to be: a wrong or unknown charset costs letters, never the mail.

Labels mean what mail readers take them for (WHATWG, "Encoding"): `gb2312` is gb18030, `us-ascii` and `iso-8859-1` are
windows-1252. `mail_fields` and `mime_tree` read everything through `decoded`.
"""

import email.header
import re

READ_AS = {
    "ansi_x3.4-1968": "cp1252",
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "latin1": "cp1252",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "us-ascii": "cp1252",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "x-gbk": "gb18030",
    "x-sjis": "cp932",
}

NO_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined"})
"""Codecs of Python's that are no charset of a mail, and take quadratic time or mean something else."""

_LABEL = re.compile(r"[A-Za-z0-9._:-]{1,40}", re.ASCII)
_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bq]\?", re.IGNORECASE)
LONGEST_ENCODED = 4_000
"""Characters of a header in which encoded words are looked for: a subject or a name, with room."""


def decoded(content: bytes, charset: str | None) -> str:
    """The text of some bytes: in the charset that they claim where it fits, else UTF-8, else as well as can be.

    What comes out can be written as UTF-8 and holds no zero byte.
    """
    label = (charset or "").strip().strip("\"'").partition("*")[0].lower()
    known = READ_AS.get(label, label)
    usable = known if _LABEL.fullmatch(known) and known.replace("-", "_") not in NO_CHARSETS else "cp1252"
    plain = usable == "cp1252"  # mostly a guess of the sender's software; UTF-8 never fits by accident
    for candidate in ("utf-8", "cp1252") if plain else (usable, "utf-8"):
        try:
            return clean(content.decode(candidate))
        except (LookupError, ValueError):
            continue
    try:
        read = content.decode(usable, "replace")
    except (LookupError, ValueError):
        read = content.decode("utf-8", "replace")
    # Where no letter beyond ASCII came out right, it is no UTF-8, whatever it claims to be: mostly Western letters.
    is_none = usable in {"utf-8", "utf8"} and all(letter.isascii() or letter == "\ufffd" for letter in read)
    return clean(content.decode("cp1252", "replace") if is_none else read)


def clean(text: str) -> str:
    """A text without what Kafka, JSON and databases do not take: zero bytes and halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def header_text(value: str) -> str:
    """A header's value as people read it: encoded words (RFC 2047) decoded, raw bytes as UTF-8 (RFC 6532)."""
    raw = decoded(value.encode("utf-8", "surrogateescape"), None) if not value.isascii() else clean(value)
    if len(raw) > LONGEST_ENCODED or not _ENCODED_WORD.search(raw):
        return raw
    try:
        pieces = email.header.decode_header(raw)
    except (ValueError, LookupError):  # broken base64: shown as it came
        return raw
    except email.errors.MessageError:
        return raw
    return "".join(piece if isinstance(piece, str) else decoded(piece, charset) for piece, charset in pieces)
