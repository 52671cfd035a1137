"""The product and a second, plain implementation agree: calendars, deadlines, business days, pauses and outcomes.

A sample here; `python -m tests.second_opinion` takes all hundred thousand cases, and so does this test with
`CARELINE_SECOND_OPINION=100000`.
"""

import os

import pytest

from tests.second_opinion.comparison import compare
from tests.second_opinion.random_cases import case_of

CASES = int(os.environ.get("CARELINE_SECOND_OPINION", "800"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore:Requested Holidays are available")
def test_the_second_opinion_is_the_same(part: int) -> None:
    outcomes: set[str] = set()
    asked = 0
    for seed in range(part, CASES, PARTS):
        answers = compare(case_of(seed))
        assert answers.differences == []
        asked += answers.questions
        outcomes.update(answers.endings)
    assert asked > 10 * (CASES // PARTS)  # cases that are not asked would agree with everything
    assert outcomes == {"open", "met", "breached", "satisfied_late"}
