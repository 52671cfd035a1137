"""The probability of leaving by score: what a backtest writes is what a profile reads, mistakes have their place."""

from pathlib import Path

import pytest

from agents.domain.churn_risk import risk_of
from streams.health_files.calibration_file import calibration_text
from streams.health_files.profile_reader import read_profile_file
from streams.policy_files.problem import Problems

PROFILE = """\
version: v1
effective_from: 2026-03-02T00:00:00Z
calibration: leaving.yaml
profiles: [{id: all, components: {all: {weight: 1, signals: {pulse: 1}}}}]
"""


def read(folder: Path, calibration: str) -> tuple[tuple[tuple[int, int], ...] | None, list[str]]:
    (folder / "health.yaml").write_text(PROFILE)
    (folder / "leaving.yaml").write_text(calibration)
    problems = Problems("health.yaml")
    file = read_profile_file(folder / "health.yaml", problems)
    return None if file is None else file.calibration, [
        each.message for each in (*problems.errors, *problems.warnings) if each.file.endswith("leaving.yaml")
    ]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    curve, told = read(tmp_path, calibration_text("v1", 10, 3, [(20, 0.8), (60, 0.8), (90, 0.1)]))
    assert (curve, told) == (((20_00, 800_000), (60_00, 800_000), (90_00, 100_000)), [])
    chances = [risk_of(score, None, 0, curve).probability for score in (0, 60_00, 75_00, 100_00)]
    assert chances == [800_000, 800_000, 450_000, 100_000]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (calibration_text("v1", 1, 1, [(20, 0.1), (60, 0.8)]), "probabilities must fall as scores rise"),
        (calibration_text("v1", 1, 1, [(20, 1.5)]), "a probability lies from 0 to 1"),
        ("profile_version: v1\nprobabilities: []\n", "probabilities must be a table"),
        ("probabilities: {0: 1}\n", "profile_version"),
    ],
)
def test_a_mistake_is_told_in_its_own_file(tmp_path: Path, text: str, message: str) -> None:
    curve, told = read(tmp_path, text)
    assert curve is None
    assert message in " ".join(told)


def test_another_version_is_a_doubt(tmp_path: Path) -> None:
    curve, told = read(tmp_path, calibration_text("v0", 1, 1, [(20, 0.5)]))
    assert curve is not None
    assert told == ["was learnt with version 'v0' of the profiles, not with 'v1'"]
