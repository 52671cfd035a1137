"""The probability of leaving by score, as a file that `careline health backtest --calibration` writes.

`profile_reader` reads it where a profile file has `calibration: FILE`; `agents.domain.churn_risk` reads probabilities
off it. It is learnt from scores, so it holds for the profile version that made them.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from agents.domain.normalisation import MILLION, Curve
from streams.health_files.exact_numbers import millionths_in, score_of
from streams.policy_files.fields import fields_of, required, word_of
from streams.policy_files.located_yaml import Node, Table, parse_yaml, read_file
from streams.policy_files.problem import Problems

_KEYS = ("profile_version", "rows", "positives", "probabilities")


def calibration_text(version: str, rows: int, positives: int, points: Sequence[tuple[float, float]]) -> str:
    """The file for points of score (0..100) and probability (0..1), by ascending score."""
    lines = [
        "# The probability of leaving by score, learnt by `careline health backtest`; straight lines between.",
        "# Name this file under `calibration:` in the profile file that it was learnt with.",
        f"profile_version: {version}",
        f"rows: {rows}",
        f"positives: {positives}",
        "probabilities:",
        *(f"  {score:.2f}: {probability:.6f}" for score, probability in points),
    ]
    return "\n".join(lines) + "\n"


def read_calibration(path: Path, version: str, problems: Problems) -> Curve | None:
    """Score (hundredths) to probability (millionths), falling; null with its errors among the problems of the file."""
    text = read_file(path, problems)
    root = parse_yaml(text, problems) if text is not None else None
    if root is None:
        return None
    fields = fields_of(root, _KEYS, "a calibration file", problems)
    if not required(fields, root, ("profile_version", "probabilities"), "a calibration file", problems):
        return None
    learnt_with = word_of(fields["profile_version"], "profile_version", problems)
    if learnt_with is not None and learnt_with.text != version:
        message = f"was learnt with version {learnt_with.text!r} of the profiles, not with {version!r}"
        problems.warning(learnt_with.place, message, "run the backtest again")
    return _curve(fields["probabilities"], problems)


def _curve(node: Node, problems: Problems) -> Curve | None:
    if not isinstance(node, Table) or not node.entries:
        problems.error(node.place, "probabilities must be a table of scores and probabilities", "{0: 0.6, 100: 0.01}")
        return None
    found: list[tuple[int, int]] = []
    for entry in node:
        score = score_of(entry.key, "a score", problems)
        word = word_of(entry.value, f"the probability at {entry.key.text}", problems)
        probability = millionths_in(word.text) if word is not None else None
        if probability is None or not 0 <= probability <= MILLION:
            problems.error(entry.value.place, "a probability lies from 0 to 1")
        elif score is not None:
            found.append((score, probability))
    found.sort()
    if any(below[0] == above[0] or below[1] < above[1] for below, above in pairwise(found)):
        problems.error(node.place, "probabilities must fall as scores rise, with one for each score")
    return None if problems.errors else tuple(found)
