"""HTML reduced to the plain text that a person wrote: what connectors put into `Interaction.text`.

Structure becomes lines (blocks, breaks, list items), quotations get the `> ` of plain mail, everything invisible goes.
Standard library only, bounded, and no input makes it raise.
"""

import re
from html.parser import HTMLParser

from typing_extensions import override

LONGEST_HTML = 200_000
"""Characters that are read. A long mail has some ten thousand; beyond it only machines write."""

BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
APART = frozenset({"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"})
"""Blocks with an empty line before and after."""
UNSEEN = frozenset({"head", "script", "style", "template", "title", "noscript", "object", "svg"})

MOST_QUOTATIONS = 8
"""Levels of `> ` that are written; deeper ones look the same to every reader."""

_BLANKS = re.compile(r"[ \t\r\n\f\v\u00a0\u200b\ufeff]+")
_NO_TAG = re.compile(r"<(?=[^<>]*(?:<|\Z))")
_TAGGED = re.compile(r"<(?:!--|!doctype|/?[a-z][a-z0-9]*[\s/>])", re.IGNORECASE)


def plain_text(html: str) -> str:
    """The visible text of an HTML document or fragment, in lines; empty where there is none."""
    reader = _VisibleText()
    try:
        reader.feed(_NO_TAG.sub("&lt;", _without_comments(html[:LONGEST_HTML])))
        reader.close()
    except (AssertionError, RecursionError):  # the parser gives up on some marked sections: what it saw so far counts
        pass
    return reader.text()


def _without_comments(html: str) -> str:
    """Without comments, and without what follows one that never ends.

    The parser would look for the end of every unclosed comment or tag anew, which takes minutes for a hostile text.
    """
    first, *others = html.split("<!--")
    after = [rest for _, closed, rest in (other.partition("-->") for other in others) if closed]
    return first + "".join(after)


def looks_like_html(text: str) -> bool:
    """Whether a text of unknown kind is HTML: whether it has a tag in its first thousand characters."""
    return _TAGGED.search(text, 0, 1_000) is not None


class _VisibleText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line: list[str] = []
        self._unseen = 0
        self._kept_blanks = 0
        self._quotations = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._unseen = 0  # whatever the head forgot to close
        elif tag in UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._end_line()
        elif tag in {"td", "th"} and self._line:
            self._line.append(" ")
        elif tag in BLOCKS:
            self._begin(tag)

    def _begin(self, tag: str) -> None:
        self._end_block(apart=tag in APART)
        if tag == "blockquote":
            self._quotations += 1
        elif tag == "pre":
            self._kept_blanks += 1
        elif tag == "li":
            self._line.append("- ")

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in UNSEEN:
            self.handle_starttag(tag, attrs)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in BLOCKS:
            self._end_block(apart=tag in APART)
            if tag == "blockquote":
                self._quotations = max(0, self._quotations - 1)
            elif tag == "pre":
                self._kept_blanks = max(0, self._kept_blanks - 1)

    @override
    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._kept_blanks:
            first, *others = data.split("\n")
            self._line.append(first)
            for other in others:
                self._end_line()
                self._line.append(other)
        else:
            self._line.append(_BLANKS.sub(" ", data))

    def _end_block(self, *, apart: bool) -> None:
        if "".join(self._line).strip():
            self._end_line()
        self._line.clear()
        if apart and self._lines and self._lines[-1].strip("> "):
            self._lines.append("")

    def _end_line(self) -> None:
        line = "".join(self._line).rstrip()
        self._line.clear()
        quoted = "> " * min(self._quotations, MOST_QUOTATIONS)
        kept = line if self._kept_blanks else _BLANKS.sub(" ", line).strip()
        self._lines.append((quoted + kept).rstrip())

    def text(self) -> str:
        self._end_block(apart=False)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip("\n")
