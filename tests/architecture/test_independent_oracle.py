"""The oracle of the fault tests shares no code with the product: not directly, and not through what it imports."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.repository_files import ROOT

ORACLE = ("plain_oracle", "plain_figures", "plain_health", "fault_story")
"""In `tests/faults`; what they import of `tests` belongs to them."""
PRODUCT = {"agents", "schemas", "streams"}


def imported_by(module: str) -> Iterator[str]:
    """Every module that one names in an import, wherever it stands."""
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("name", ORACLE)
def test_the_oracle_knows_nothing_of_the_product(name: str) -> None:
    to_look_at, seen = [f"tests.faults.{name}"], set[str]()
    while to_look_at:
        module = to_look_at.pop()
        seen.add(module)
        for known in imported_by(module):
            top = known.partition(".")[0]
            assert top not in PRODUCT, f"{module} imports {known}"
            if top == "tests" and known not in seen:
                to_look_at.append(known)


def test_every_plain_module_of_the_faults_is_under_this_rule() -> None:
    plain = {path.stem for path in (ROOT / "tests/faults").glob("plain_*.py")}

    assert plain <= set(ORACLE)
