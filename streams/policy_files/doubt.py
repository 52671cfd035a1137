"""What a check finds that is allowed and still looks like a mistake, and where in the file it stands.

Every check of `policy_lint` is a generator of these.
"""

from typing import NamedTuple

from streams.policy_files.located_yaml import Node, Table, place_at
from streams.policy_files.problem import Place

Path = tuple[str | int, ...]
"""Keys and indices from the root of the file down to a value."""


class Doubt(NamedTuple):
    """Something to look at, with a way out. `path` leads to its place in the file, as far as it can be followed."""

    path: Path
    message: str
    suggestion: str


def place_of(root: Node, doubt: Doubt) -> Place:
    """Line and column of a doubt. The key `target` of the long form is stepped over where a file has the short one."""
    path = doubt.path
    if "target" in path:
        index = path.index("target")
        if not _has(root, path[: index + 1]):
            path = (*path[:index], *path[index + 1 :])
    return place_at(root, *path)


def _has(root: Node, path: Path) -> bool:
    node: Node | None = root
    for step in path:
        if isinstance(node, Table):
            node = next((entry.value for entry in node if entry.key.text == step), None)
        else:
            items = getattr(node, "items", ())
            node = items[step] if isinstance(step, int) and step < len(items) else None
    return node is not None
