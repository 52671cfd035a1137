"""What every file of tests has in common: the file that it speaks of, by name or written into it.

`case_reader` reads tests of policies with it, `streams.health_files.health_case_reader` tests of profiles.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from streams.policy_files.fields import word_of
from streams.policy_files.located_yaml import Node, Table, parse_yaml, read_file
from streams.policy_files.problem import Problems

Case = TypeVar("Case")
Subject = TypeVar("Subject")


class CaseFile(Protocol[Case]):
    """A reader of one test file. `others` are the problems of the file that it names."""

    others: list[Problems]

    def read(self, root: Node) -> list[Case]:
        """The cases."""


def cases_in(path: Path, reader: CaseFile[Case], problems: Problems) -> tuple[list[Case], list[Problems]]:
    """The cases of a file, and the problems of all files that were read for it. With errors there are no cases."""
    text = read_file(path, problems)
    root = parse_yaml(text, problems) if text is not None else None
    cases = reader.read(root) if root is not None else []
    everything = [problems, *reader.others]
    return ([] if any(found.errors for found in everything) else cases), everything


def named_or_inline(
    kind: str,
    key: str,
    fields: Mapping[str, Node],
    root: Node,
    problems: Problems,
    *,
    folder: Path,
    others: list[Problems],
    read_node: Callable[[Node], Subject | None],
    read_path: Callable[[Path, Problems], Subject | None],
) -> Subject | None:
    """What the tests speak of: the file named under `key`, or what stands under `inline`; null with a problem.

    `kind` is its word in messages (`policy`, `profile`).
    """
    if (key in fields) == ("inline" in fields):
        both = f"has both '{key}' and 'inline'" if fields.get("inline") else f"has no '{key}'"
        way_out = f"name a {kind} file under `{key}:`, or write one under `inline:`"
        if isinstance(root, Table):
            problems.error(root.place, f"a file of {kind} tests {both}", way_out)
        return None
    if "inline" in fields:
        return read_node(fields["inline"])
    word = word_of(fields[key], key, problems)
    if word is None:
        return None
    path = folder / word.text
    if not path.is_file():
        problems.error(word.place, f"there is no {kind} file {word.text!r}", "the path is relative to this file")
        return None
    others.append(Problems(str(path)))
    return read_path(path, others[-1])
