"""HTML as the text that its reader sees, with the standard library's parser.

Normalisers of providers that send HTML call `text_of_html`; nothing here knows a provider.
"""

import re
from html import unescape
from html.parser import HTMLParser

from typing_extensions import override

LONGEST_HTML = 256 * 1024
"""Characters that are read; the parser is slow on some broken markup, and nobody writes so long a message."""

BLOCKS = frozenset(
    {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form", "h1"}
    | {"h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr"}
    | {"ul"}
)
"""Elements that begin and end a line."""
CELLS = frozenset({"td", "th"})
UNSEEN = frozenset({"head", "script", "style", "template", "title"})
"""Elements whose content is not for reading."""

_TAG = re.compile(r"<[^<>]*>")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def text_of_html(html: str) -> str:
    """What a piece of HTML says: a line for each block, blanks as one, nothing of scripts and styles. Never raises."""
    html = html[:LONGEST_HTML]
    reader = _TextReader()
    try:
        reader.feed(html)
        reader.close()
        read = "".join(reader.pieces)
    except AssertionError:  # what the parser says of some declarations that are none, such as `<![x`
        read = unescape(_TAG.sub(" ", html))
    lines = (_BLANKS.sub(" ", line).strip() for line in read.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen += 1
        elif tag in BLOCKS:
            self._break_line()
        elif tag in CELLS:
            self.pieces.append(" ")
        elif tag == "emoji":  # Teams writes its emoji as elements, with the character beside them
            self.pieces.append(dict(attrs).get("alt") or "")

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in BLOCKS:
            self._break_line()

    @override
    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data.replace("\n", " "))

    def _break_line(self) -> None:
        if self.pieces and self.pieces[-1] != "\n":
            self.pieces.append("\n")
