"""Texts with columns in them: `"{case_id}"`, `"acme-{id}"`, `"{customer.name}"`.

`mapping_reader` reads every value of a mapping through here; `streams.history.row_columns` makes functions of the
result.
"""

import re

from streams.history.import_mapping import ColumnUse, TextTemplate
from streams.policy_files.problem import Place, Problems

_PIECES = re.compile(r"(\{\{|\}\}|\{[^{}]*\}|[{}])")
"""Doubled braces stand for themselves, as in Python's `str.format`."""


def template_in(text: str, place: Place, problems: Problems) -> TextTemplate | None:
    """A template, or null with what is wrong among the problems.

    Args:
        text: as written in the mapping.
        place: where it stands; every column of the template is reported there.
        problems: of the mapping file.
    """
    literals = [""]
    columns: list[ColumnUse] = []
    for piece in _PIECES.split(text):
        if piece in {"{{", "}}"}:
            literals[-1] += piece[0]
        elif piece in {"{", "}"}:
            problems.error(
                place, f"{text!r} has a {piece!r} without its other half", f"for the sign itself write {piece * 2!r}"
            )
            return None
        elif piece.startswith("{"):
            if not piece[1:-1].strip():
                problems.error(place, f"{text!r} names no column between the braces", 'for example "{case_id}"')
                return None
            columns.append(ColumnUse(piece[1:-1], place))
            literals.append("")
        else:
            literals[-1] += piece
    return TextTemplate(tuple(literals), tuple(columns))
