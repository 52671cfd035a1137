"""What somebody wrote in a mail, without the history below it: quotations, signatures and footers taken off.

Rules by line, in the words of `mail_program_words`, in time that grows with the text and not faster. They prefer too
much to too little: an answer that stands between the quoted lines stays, a forwarded mail stays, and where nothing
would be left the whole text is. (mail-parser-reply 1.36, the library for this, drops such answers, keeps "Sent from my
iPhone", and takes over a second for the longest of the published texts.)
"""

import re
from collections.abc import Iterable

from streams.connectors.mail.mail_program_words import (
    BEFORE_THE_DATE,
    FORWARDED_MESSAGE,
    FROM,
    ORIGINAL_MESSAGE,
    SENT_FROM_A_DEVICE,
    SENT_OR_TO,
    WROTE_AFTER_A_DATE,
    WROTE_AFTER_ANYTHING,
    WROTE_AT_THE_END,
)

COLONS = (":", "\uff1a")
LONGEST_LINE = 1_000
"""Characters of a line that are compared with the patterns."""
LONGEST_ATTRIBUTION = 4
"""Lines over which mail programs wrap "On ... wrote:"."""
LONGEST_TEXT = 50_000
"""Characters that are kept in an event: ten thousand words. Kafka takes no record without end."""


def _any_of(words: Iterable[str]) -> str:
    return "(?:" + "|".join(words) + ")"


_WROTE = re.compile(
    rf"(?:{_any_of(BEFORE_THE_DATE)}\b.{{4,400}}?\b{_any_of(WROTE_AT_THE_END)}"
    rf"|.{{2,300}}\b{_any_of(WROTE_AFTER_ANYTHING)}"
    rf"|.{{4,300}}{_any_of(WROTE_AFTER_A_DATE)})\s*[:\uff1a]?\s*",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(r".{0,300}<[^<>\s]{1,200}@[^<>\s]{1,200}>.{0,60}[:\uff1a]")
"""The same in any other language: a date and an address, and a quotation below it."""
_BEGINS = re.compile(rf"{_any_of(BEFORE_THE_DATE)}\s.{{3,}}|\d{{1,4}}[./年-].{{3,}}", re.IGNORECASE)
_HISTORY = re.compile(rf"[-_*\s]{{0,40}}{_any_of(ORIGINAL_MESSAGE + FORWARDED_MESSAGE)}[-_*:\s]{{0,40}}", re.IGNORECASE)
_FROM = re.compile(rf"\*?{_any_of(FROM)}\s?[:\uff1a]\*?\s?\S.*", re.IGNORECASE)
_SENT_OR_TO = re.compile(rf"\*?{_any_of(SENT_OR_TO)}\b[^:\uff1a]{{0,12}}[:\uff1a]\*?\s?\S.*", re.IGNORECASE)
_SIGNATURE = re.compile(r"--\s?")
_DEVICE = re.compile(rf"{_any_of(SENT_FROM_A_DEVICE)}\b[^,]{{0,80}}", re.IGNORECASE)
_RULE = re.compile(r"[_=]{20,}|-{30,}|[-\s]{30,}")


def written_text(body: str) -> str:
    """What the sender added, as far as it can be told; the whole text where nothing would be left."""
    lines = [line.rstrip() for line in body.split("\n")]
    kept = _without_history(lines)
    kept = _without_signature(kept)
    text = "\n".join(kept).strip()
    return (text or body.strip())[:LONGEST_TEXT].strip()


def _without_history(lines: list[str]) -> list[str]:
    """The lines above and between the quotations. A mail that begins with another one is that: it was passed on."""
    first = next((line[:LONGEST_LINE].strip() for line in lines if line.strip()), "")
    if _HISTORY.fullmatch(first):
        return lines
    kept: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place][:LONGEST_LINE].strip()
        if line.startswith(">"):
            place += 1
            continue
        behind = _behind_attribution(lines, place)
        if behind is not None and _is_quoted(lines, behind):
            place = behind
        elif behind is not None or _begins_history(lines, place, has_text=any(kept)):
            break
        else:
            kept.append(lines[place])
            place += 1
    return kept


def _behind_attribution(lines: list[str], place: int) -> int | None:
    """The place behind an "On ... wrote:" that begins here; null where none does."""
    first = lines[place][:LONGEST_LINE].strip()
    if len(first) < 5:
        return None
    if _ADDRESSED.fullmatch(first) and _is_quoted(lines, place + 1):
        return place + 1
    joined = first
    for count in range(1, LONGEST_ATTRIBUTION + 1):
        if joined.endswith(COLONS) or count == 1:
            whole = _WROTE.fullmatch(joined)
            if whole and (joined.endswith(COLONS) or _is_quoted(lines, place + count)):
                return place + count
        if place + count >= len(lines) or (count == 1 and not _BEGINS.fullmatch(first)):
            return None
        following = lines[place + count][:LONGEST_LINE].strip()
        if not following or following.startswith(">"):
            return None
        joined = f"{joined} {following}"
    return None


def _is_quoted(lines: list[str], place: int) -> bool:
    following = next((line for line in lines[place : place + 3] if line.strip()), "")
    return following.lstrip().startswith(">")


def _begins_history(lines: list[str], place: int, *, has_text: bool) -> bool:
    """Whether everything from here on is an older mail: only below something that was written."""
    if not has_text:
        return False
    line = lines[place][:LONGEST_LINE].strip()
    if _HISTORY.fullmatch(line):
        return True
    below = [other[:LONGEST_LINE].strip() for other in lines[place + 1 : place + 5]]
    if _RULE.fullmatch(line):
        return any(_FROM.fullmatch(other) for other in below[:2]) or not any(below)
    return bool(_FROM.fullmatch(line)) and sum(bool(_SENT_OR_TO.fullmatch(other)) for other in below) >= 2


def _without_signature(lines: list[str]) -> list[str]:
    """The lines above the signature (RFC 3676, 4.3), the footer of a list, and the name of a telephone."""
    end = len(lines)
    for place, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line) and any(lines[:place]):
            end = place
            break
    kept = lines[:end]
    for place in range(len(kept) - 1, max(len(kept) - 8, 0), -1):
        if re.fullmatch(r"_{30,}", kept[place]) and any(kept[:place]):
            kept = kept[:place]
            break
    while kept and (not kept[-1].strip() or _DEVICE.fullmatch(kept[-1][:LONGEST_LINE].strip())):
        kept.pop()
    return kept
