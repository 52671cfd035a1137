"""YAML as a tree of text that knows where everything stands.

Scalars stay what was written: whoever reads them knows which kind is meant, so `no` and `on` are words, `12:30` and
`2026-03` are text and times need no quotes (YAML 1.2, without its guessing). A key that occurs twice is an error.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, StringMark, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from streams.policy_files.problem import Place, Problems
from streams.policy_files.yaml_mistakes import told_plainly

MAX_FILE_BYTES = 4 << 20
"""Ten thousand policies fit; anything larger is some other file."""


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar as written. `quoted` tells `"null"` from `null`."""

    place: Place
    text: str
    quoted: bool = False

    @property
    def is_null(self) -> bool:
        """Whether YAML 1.2 calls it null."""
        return not self.quoted and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Text
    value: "Node"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; its keys are different from each other."""

    place: Place
    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


Node = Text | Items | Table


def place_at(root: Node, *path: str | int) -> Place:
    """Where the value under these keys and indices is declared (its key, or the item), as far as the path goes."""
    node, place = root, root.place
    for step in path:
        found: Node | None = None
        if isinstance(node, Table):
            for entry in node:
                if entry.key.text == step:
                    found, place = entry.value, entry.key.place
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            found = node.items[step]
            place = found.place
        if found is None:
            return place
        node = found
    return place


def read_file(path: Path, problems: Problems) -> str | None:
    """The text of a file that people write, or null with the reason among the problems."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.error(None, "there is no such file", "check the path")
    except OSError as error:
        problems.error(None, f"cannot be read: {error.strerror or error}", "check what it is and who may read it")
    else:
        if len(data) > MAX_FILE_BYTES:
            problems.error(
                None, f"has {len(data)} bytes; more than {MAX_FILE_BYTES} are not read", "is it the right file?"
            )
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problems.error(Place(line, 1), "is not UTF-8", "save it as UTF-8")
    return None


def parse_yaml(text: str, problems: Problems) -> Node | None:
    """The tree of a text, or null with what is wrong among the problems. An empty text is an error too."""
    parser = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always", ReusedAnchorWarning)
            root = parser.compose(text)
        for doubt in doubts:
            _tell_of_reused_anchor(str(doubt.message), problems)
        if root is None:
            problems.error(Place(1, 1), "the file is empty", "is it the right file?")
            return None
        return _Converter(problems).convert(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said, way_out = told_plainly(error)
        problems.error(_place(mark), f"is not YAML: {said}", way_out)
    except ReaderError as error:
        message = f"is not YAML: the character U+{_code(error):04X} is not allowed"
        problems.error(
            _place_of(text, _code(error)), message, "remove it, or write it as an escape within double quotes"
        )
    except (YAMLError, AssertionError):  # the latter for a version of YAML that does not exist
        problems.error(Place(1, 1), "is not YAML: the % line at the top cannot be read", "remove it")
    except RecursionError:
        problems.error(_deepest(text), "is nested too deeply", "a policy needs no more than a dozen levels")
    return None


def _tell_of_reused_anchor(said: str, problems: Problems) -> None:
    """An alias means the anchor before it, which is easily another one than was meant."""
    found = re.search(r"duplicate anchor '(.+)'.*second occurrence.*?line (\d+), column (\d+)", said, re.DOTALL)
    if found is not None:
        place = Place(int(found[2]), int(found[3]))
        problems.warning(place, f"the anchor &{found[1]} is set a second time", "give it another name")


def _code(error: ReaderError) -> int:
    return ord(error.character) if isinstance(error.character, str) else int(error.character)


def _place_of(text: str, code: int) -> Place:
    before = text[: max(0, text.find(chr(code)))]
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _deepest(text: str) -> Place:
    """The line with the most brackets: where the nesting is, as nobody nests a thousand levels by indentation."""
    lines = text.splitlines() or [""]
    brackets = [line.count("[") + line.count("{") for line in lines]
    return Place(brackets.index(max(brackets)) + 1, 1)


def _place(mark: StringMark | None) -> Place | None:
    return None if mark is None else Place(mark.line + 1, mark.column + 1)


class _Converter:
    """From ruamel's nodes to ours. An aliased node is converted once, so a small file cannot grow large."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._known: dict[int, Node] = {}
        self._open: set[int] = set()

    def convert(self, node: ScalarNode | SequenceNode | MappingNode) -> Node:
        known = self._known.get(id(node))
        if known is not None:
            return known
        place = _place(node.start_mark) or Place(1, 1)
        if id(node) in self._open:
            self._problems.error(place, "contains itself by an alias", "write its content out")
            return Text(place, "")
        self._open.add(id(node))
        result = self._convert(node, place)
        self._open.discard(id(node))
        self._known[id(node)] = result
        return result

    def _convert(self, node: ScalarNode | SequenceNode | MappingNode, place: Place) -> Node:
        if isinstance(node, MappingNode):
            return Table(place, tuple(self._entries(node)))
        if isinstance(node, SequenceNode):
            return Items(place, tuple(self.convert(item) for item in node.value))
        return Text(place, node.value, quoted=node.style is not None)

    def _entries(self, node: MappingNode) -> Iterator[Entry]:
        seen: dict[str, Place] = {}
        for key_node, value_node in node.value:
            key, value = self.convert(key_node), self.convert(value_node)
            if not isinstance(key, Text):
                self._problems.error(
                    key.place, "a key must be a word, not a list or a table", "texts with { } or [ ] need quotes"
                )
            elif key.text in seen:
                first = seen[key.text].line
                self._problems.error(
                    key.place, f"{key.text!r} occurs twice, first in line {first}", "keep one of the two"
                )
            else:
                seen[key.text] = key.place
                yield Entry(key, value)
