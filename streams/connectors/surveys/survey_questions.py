"""Which question of a form is a known measure (`csat`, `nps`, `ces`), and on which scale its answer stands.

Forms are free: nobody marks the question that matters. What tells it is its reference or title, the wording that the
measure is defined by, or the kind of field. The connectors of this room read their provider's answers with it.

Sources: Reichheld, The One Number You Need to Grow (2003), for NPS; Dixon, Freeman and Toman, Stop Trying to Delight
Your Customers (2010), for CES.
"""

import re
from typing import NamedTuple

from schemas.interaction_words import SurveyKind
from streams.connectors.connector_contract import Instance

USUAL_SCALES: dict[SurveyKind, float] = {"csat": 5.0, "nps": 10.0, "ces": 7.0}
"""The scales on which these are asked where the form does not say."""

LONGEST_SCALE = 10.0
"""Marks above it are counts or sums: not an answer on a scale."""

OPTIONS = {
    "csat": "ids or references of the questions that ask for satisfaction, with blanks between them",
    "nps": "ids or references of the questions that ask for a recommendation, with blanks between them",
    "ces": "ids or references of the questions that ask for effort, with blanks between them",
}
"""Settings of an instance that say it outright."""

_NAMES: dict[str, SurveyKind] = {"csat": "csat", "nps": "nps", "ces": "ces"}
_WORDINGS: tuple[tuple[SurveyKind, re.Pattern[str]], ...] = (
    (
        "nps",
        re.compile(
            r"net[ _-]?promoter|(likely|likelihood|wahrscheinlich|probab).*(recom|weiterempf|empfehl)|recommend us"
        ),
    ),
    ("ces", re.compile(r"customer[ _-]?effort|effort score|how (easy|difficult) (was|is|did)|made it easy")),
    ("csat", re.compile(r"satisf|zufrieden|rate (our|your|the) (service|support|experience|product)")),
)
"""How the measures are asked: the questions they are defined by, and their names."""


class Mark(NamedTuple):
    """An answer as a survey signal has it: `value` on a scale that ends at `scale`."""

    kind: SurveyKind
    value: float
    scale: float


def configured_kinds(instance: Instance) -> dict[str, SurveyKind]:
    """The measure of each question that the instance's options name."""
    said = ((kind, instance.options.get(kind, "")) for kind in _NAMES.values())
    return {question: kind for kind, questions in said for question in questions.split()}


def kind_of_question(*texts: str | None) -> SurveyKind | None:
    """The measure that a question's references and titles tell, the most deliberate first; null when none does."""
    lowered = [found.lower() for found in texts if found]
    for found in lowered:
        named = next((_NAMES[part] for part in re.split(r"[^a-z]+", found) if part in _NAMES), None)
        if named is not None:
            return named
    return next((kind for found in lowered for kind, wording in _WORDINGS if wording.search(found)), None)


def mark_of(kind: SurveyKind, value: float | None, steps: int | None, *, from_zero: bool | None = None) -> Mark | None:
    """An answer on the scale of its question; null when it cannot stand on one.

    `steps` are the marks that could be given, `from_zero` whether the lowest of them is 0. A scale of our signals with
    at most 10 steps begins at 1, so an answer on one that begins at 0 moves up by one; NPS keeps its 0 to 10.
    """
    if value is None or not 0 <= value <= LONGEST_SCALE:
        return None
    if kind == "nps":
        return Mark(kind, value, USUAL_SCALES["nps"])
    if steps is not None and 2 <= steps <= LONGEST_SCALE and from_zero:
        return Mark(kind, value + 1, float(steps)) if value < steps else None
    if steps is not None and from_zero:
        steps -= 1
    scale = float(steps) if steps is not None and 2 <= steps <= LONGEST_SCALE else USUAL_SCALES[kind]
    return Mark(kind, value, scale if value <= scale else LONGEST_SCALE)
