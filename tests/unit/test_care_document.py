"""What `docs/care-metrics.md` shows is what Careline calculates: every block in it is counted again."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agents.domain.care_metrics import Care, Sums, figures_of, least_of
from agents.domain.four_cs import PROFILES, four_cs
from agents.domain.instant import from_datetime
from agents.domain.percentile_sketch import RELATIVE_ERROR, bin_of

DOCUMENT = (Path(__file__).parents[2] / "docs/care-metrics.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def care_in(block: dict[str, Any]) -> Care:
    timings: dict[str, dict[int, int]] = {}
    for measure, durations in block.get("seconds", {}).items():
        bins = timings.setdefault(measure, {})
        for seconds in durations:
            number = bin_of(seconds * 1_000_000)
            bins[number] = bins.get(number, 0) + 1
    months = {}
    for month, counts in block.get("months", {}).items():
        year, _, of_year = str(month).partition("-")
        months[int(year) * 12 + int(of_year) - 1] = Sums(counts, {})
    as_of = datetime.fromisoformat(block.get("as_of", "2026-03-02T00:00:00Z"))
    return Care(Sums(block.get("counts", {}), timings), Sums(block.get("ever", {}), {}), months, from_datetime(as_of))


@pytest.mark.parametrize("text", BLOCKS)
def test_a_block(text: str) -> None:
    yaml = YAML(typ="base")
    block = numbers(yaml.load(text))
    figures = figures_of(care_in(block), least_of(block.get("scope", "company")))
    found = {figure.name: figure.value for figure in figures}
    for name, value in block.get("figures", {}).items():
        error = RELATIVE_ERROR if name.endswith("_seconds") else 1e-5
        assert found[name] == (None if value is None else pytest.approx(value, rel=error)), name
    scores = {each.name: each for each in four_cs(figures, block.get("gaps"))}
    for name, expected in block.get("four_cs", {}).items():
        each = scores[name]
        assert each.score == (None if expected["score"] is None else expected["score"] * 100)
        assert each.coverage / 10_000 == pytest.approx(expected["coverage"], abs=1e-4)
        assert [part.points / 100 for part in each.parts] == expected["points"]


def numbers(node: Any) -> Any:
    """A tree of texts with the numbers in it as numbers."""
    if isinstance(node, dict):
        return {key: numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [numbers(each) for each in node]
    if node == "null":
        return None
    return float(node) if re.fullmatch(r"-?[0-9.]+", node) else node


def test_every_fenced_block_is_a_test() -> None:
    assert DOCUMENT.count("```") == 2 * len(BLOCKS)
    assert len(BLOCKS) > 4


def test_every_figure_is_in_the_table_and_every_c_in_the_other() -> None:
    told = {re.split(r"_(?:wall|median|p90|p99|1m|12m|ratio)", figure.name)[0] for figure in figures_of(care_in({}))}
    assert {name for name in told if name not in DOCUMENT} == set()
    rules = {rule.name for profile in PROFILES for _, rule in profile.signals}
    assert {name for name in rules - {"channel_gap", "team_gap", "hours_gap"} if f"`{name}`" not in DOCUMENT} == set()
