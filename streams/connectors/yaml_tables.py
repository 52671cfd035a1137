"""Takes tables of a located YAML apart; unknown keys are reported with their place and the nearest known one.

`connectors_file` and `accounts_file` read with it; `streams.policy_files.located_yaml` made the tree.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from streams.policy_files.located_yaml import Items, Node, Table, Text, parse_yaml, read_file
from streams.policy_files.problem import Place, Problems, did_you_mean


class TableReader:
    """One table whose keys are known beforehand. Every getter reports what is wrong and returns null."""

    def __init__(self, table: Table, known: tuple[str, ...], problems: Problems) -> None:
        self.place = table.place
        self._problems = problems
        self._values: dict[str, Node] = {}
        for entry in table:
            if entry.key.text in known:
                self._values[entry.key.text] = entry.value
            else:
                problems.error(entry.key.place, f"unknown key {entry.key.text!r}", did_you_mean(entry.key.text, known))

    @classmethod
    def of_file(cls, path: Path, known: tuple[str, ...], problems: Problems) -> Self | None:
        """The table that a whole file is."""
        text = read_file(path, problems)
        root = parse_yaml(text, problems) if text is not None else None
        if root is None:
            return None
        if not isinstance(root, Table):
            problems.error(root.place, "the file must be a table of keys and values")
            return None
        return cls(root, known, problems)

    def text(self, key: str) -> Text | None:
        """A word under a key; null where there is none."""
        node = self._values.get(key)
        if node is None or (isinstance(node, Text) and node.is_null):
            return None
        if not isinstance(node, Text):
            self._problems.error(node.place, f"{key} must be one word, not a list or a table")
            return None
        return node

    def word(self, key: str) -> str | None:
        """Like `text`, without its place."""
        text = self.text(key)
        return text.text if text is not None else None

    def items(self, key: str) -> tuple[Node, ...]:
        """The items of a list; one item needs no brackets."""
        node = self._values.get(key)
        if node is None:
            return ()
        return node.items if isinstance(node, Items) else (node,)

    def words(self, key: str) -> tuple[str, ...]:
        """The words of a list."""
        found = []
        for item in self.items(key):
            if isinstance(item, Text) and not item.is_null:
                found.append(item.text)
            else:
                self._problems.error(item.place, f"{key} must be a list of words")
        return tuple(found)

    def table(self, key: str) -> Table | None:
        """The table under a key; null where there is none."""
        node = self._values.get(key)
        if node is None or isinstance(node, Table):
            return node
        self._problems.error(node.place, f"{key} must be a table of keys and values")
        return None

    def tables(self, key: str) -> Iterator[tuple[Text, Table]]:
        """Name and content of the tables under a key; a name with nothing behind it has an empty table."""
        node = self._values.get(key)
        if node is None:
            return
        if not isinstance(node, Table):
            self._problems.error(node.place, f"{key} must be a table: a name, a colon and what belongs to it")
            return
        for entry in node:
            content = entry.value
            if isinstance(content, Text) and content.is_null:
                content = Table(content.place, ())
            if isinstance(content, Table):
                yield entry.key, content
            else:
                self._problems.error(content.place, f"{entry.key.text} must be a table of keys and values")

    def place_of(self, key: str) -> Place:
        """Where a key's value stands, or the table where there is none."""
        node = self._values.get(key)
        return node.place if node is not None else self.place
