"""What a YAML parser complains of, in the words of people who write policies, with the way out.

`located_yaml` asks here, so every file that people write is told of in the same words. The parser's own sentences are
those of ruamel.yaml; one that is not known here is told as what it is: the place from which on nothing can be read.
"""

import re
from collections.abc import Callable

from ruamel.yaml.error import MarkedYAMLError

Told = tuple[str, str]
"""What is wrong, and the way out."""

_BRACKETS = {"sequence": ("[", "]"), "mapping": ("{", "}")}
_PLAIN = {
    "<stream end>": "the end of the file",
    "<document end>": "the end of the document",
    "<document start>": "a second document",
    "<scalar>": "this text",
    "<block mapping start>": "this key",
    "<block sequence start>": "this list",
}
"""Pieces of the parser that are no characters of the file."""


def told_plainly(error: MarkedYAMLError) -> Told:
    """What is wrong with a text, and what to do about it."""
    said = " ".join(part for part in (error.context, error.problem) if part)
    opened = error.context_mark
    line = "" if opened is None else f" of line {opened.line + 1}"
    for pattern, tell in _COMPLAINTS:
        found = re.search(pattern, said)
        if found is not None:
            return tell(found, line)
    return "it cannot be read from here on", "check the indentation; texts with : # { [ * & ! | > % @ need quotes"


def _always(what: str, way_out: str) -> Callable[[re.Match[str], str], Told]:
    return lambda _found, _line: (what, way_out)


def _bad_character(found: re.Match[str], _line: str) -> Told:
    if found[1] == r"\t":
        return "a tab stands where only spaces may", "indent with spaces, not with tabs"
    return f"a text cannot begin with {found[1]}", "put the text in quotes"


def _open_bracket(found: re.Match[str], line: str) -> Told:
    opening, closing = _BRACKETS[found[1]]
    piece = _PLAIN.get(found[2], f"this {found[2]!r}")
    return (
        f"the {opening}{line} is not closed before {piece}",
        f"add the missing {closing}, or a comma between two items",
    )


def _end_of_block(found: re.Match[str], line: str) -> Told:
    piece = found[2]
    if piece in {"<block mapping start>", "<block sequence start>"}:
        return "this line is indented unlike its neighbours", "begin what belongs together in the same column"
    if piece == "<scalar>":
        way_out = "put a value of several parts in quotes, and indent the lines of a text alike"
        return "this text belongs to nothing: the value before it has ended", way_out
    if piece in {"]", "}"}:
        return _without_an_opening(piece)
    if found[1] == "collection":
        return f"the list{line} cannot go on with a key", "begin its items with `- `, and a key in another column"
    return f"the table{line} cannot go on with {_PLAIN.get(piece, repr(piece))}", "write `key: value`"


def _no_content(found: re.Match[str], _line: str) -> Told:
    piece = found[1]
    if piece in {"]", "}"}:
        return _without_an_opening(piece)
    way_out = "remove it, or put the text in quotes"
    return f"{_PLAIN.get(piece, repr(piece))} stands where a value is expected", way_out


def _without_an_opening(closing: str) -> Told:
    return f"this {closing!r} closes nothing", "remove it, add the opening bracket, or put the text in quotes"


def _unknown_alias(found: re.Match[str], _line: str) -> Told:
    way_out = "an alias *name needs an anchor &name before it; a text that begins with * needs quotes"
    return f"there is no anchor &{found[1]} for *{found[1]}", way_out


_COMPLAINTS: tuple[tuple[str, Callable[[re.Match[str], str], Told]], ...] = (
    (r"found character '(.+)' that cannot start", _bad_character),
    (
        "mapping values are not allowed",
        _always(
            "no key can stand before this ':'",
            "a text with `: ` in it needs quotes; a key stands in a line of its own, in the column of its neighbours",
        ),
    ),
    (
        "sequence entries are not allowed",
        _always("a list item cannot begin behind a key", "begin the list in the next line, or write [one, two]"),
    ),
    (
        "quoted scalar found unexpected",
        lambda _found, line: (f"the quotes{line} are never closed", "close the quotes"),
    ),
    (r"flow (sequence|mapping) expected .* but (?:got|found) '(.+)'", _open_bracket),
    (r"block (collection|mapping) expected <block end>, but found '(.+)'", _end_of_block),
    (r"expected the node content, but found '(.+)'", _no_content),
    (r"undefined alias '(.+)'", _unknown_alias),
    (
        "found another document",
        _always("a second document begins here", "keep one document per file, so remove the second `---`"),
    ),
    (
        r"double-quoted scalar (?:found unknown escape|expected escape)",
        _always(
            "a backslash within double quotes begins an escape, and this is none", "write two, or use single quotes"
        ),
    ),
    (
        "while scanning a block scalar",
        _always("behind | or > nothing else may stand in the line", "begin the text in the next line"),
    ),
    (
        r"while scanning an (?:anchor|alias)",
        _always("a name must follow this & or *", "put the text in quotes if it is none"),
    ),
    (r"while (?:scanning|parsing) an? tag|tag handle", _always("this ! begins a tag", "put the text in quotes")),
    (
        "document start",
        _always("this line is indented unlike the first one", "begin all keys of the file in the same column"),
    ),
    ("while scanning a directive", _always("a line that begins with % says nothing here", "remove it")),
)
