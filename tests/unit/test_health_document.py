"""What `docs/health.md` shows is what the engine does: every block is read or run, every table is complete."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.health_files.health_case_reader import HealthCase, read_health_cases
from streams.health_files.health_cases import run_health_cases
from streams.health_files.profile_reader import read_profile_file, read_profile_text
from streams.health_files.signal_list import listed_signals
from streams.health_files.snapshot_mapping import read_snapshot_mapping
from streams.policy_files.problem import Problems
from tests.architecture.repository_files import ROOT

DOCUMENT = (ROOT / "docs/health.md").read_text()
EXAMPLES = ROOT / "examples/health"


def blocks() -> Iterator[tuple[str, str]]:
    """Every YAML block, named by the heading that it stands under and its place there."""
    for part in re.split(r"^#+ ", DOCUMENT, flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```$", part, re.DOTALL | re.MULTILINE), start=1):
            yield f"{heading}, block {number}", text


CASES = [block for block in blocks() if "\ntests:" in block[1]]
(PROFILE,) = [text for _, text in blocks() if text.startswith("version:")]
(MAPPING,) = [text for _, text in blocks() if text.startswith("format:")]


def cases_of(path: Path) -> list[HealthCase]:
    cases, problems = read_health_cases(path)
    found = [error.as_line() for problem in problems for error in problem.errors]
    assert found == []
    assert cases
    assert all(case.expected for case in cases), [case.name for case in cases if not case.expected]
    return cases


def differences(cases: list[HealthCase]) -> list[str]:
    return [f"{result.case.name}: {list(result.mismatches)}" for result in run_health_cases(cases) if not result.passed]


@pytest.mark.parametrize(("name", "text"), [pytest.param(*block, id=block[0]) for block in CASES])
def test_a_block(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "block.yaml"
    path.write_text(text)
    assert differences(cases_of(path)) == []


def test_every_fenced_block_is_read_or_run() -> None:
    assert DOCUMENT.count("```yaml") == DOCUMENT.count("```") / 2 == len(CASES) + 2
    assert len(CASES) >= 7


def test_the_mapping_fits_the_profile(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING)
    problems = Problems(str(path))
    profiles = read_profile_text(PROFILE, problems)
    mapping = read_snapshot_mapping(path, profiles, problems, needs_label=True)
    assert problems.errors == []
    assert mapping is not None
    assert mapping.value_map == {"label": {"Attrited Customer": "churned"}}


def test_the_table_of_built_in_signals_is_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    listed = [
        (
            signal["name"],
            signal["meaning"],
            signal["unit"],
            signal["half_life"] or "–",  # noqa: RUF001 - as the table has it
            signal["ttl"] or "–",  # noqa: RUF001 - as above
            signal["normalise"],
        )
        for signal in listed_signals()
    ]
    assert rows == listed


def test_the_example_is_right_and_so_are_its_tests() -> None:
    problems = Problems("support.yaml")
    assert read_profile_file(EXAMPLES / "support.yaml", problems) is not None
    assert problems.errors + problems.warnings == []
    assert differences(cases_of(EXAMPLES / "support.tests.yaml")) == []
