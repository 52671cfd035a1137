"""`python -m tests.second_opinion [CASES [FIRST]]`: compare so many random cases, by default the full hundred thousand.

Prints what was asked and how the stories ended; 1 when the two implementations differ anywhere, with the seeds.
"""

import sys
import warnings
from collections import Counter
from itertools import islice
from time import process_time

from tests.second_opinion.comparison import Answers, compare
from tests.second_opinion.random_cases import case_of

ALL_CASES = 100_000
_MOST_SHOWN = 10


def main(arguments: list[str]) -> int:
    """Run the comparison."""
    cases = int(arguments[0]) if arguments else ALL_CASES
    first = int(arguments[1]) if len(arguments) > 1 else 0
    warnings.simplefilter("ignore")  # `holidays` says for which years it knows nothing
    began = process_time()
    differing = questions = unanswered = 0
    endings: Counter[str] = Counter()
    for seed in range(first, first + cases):
        answers: Answers = compare(case_of(seed))
        if seed % 5_000 == 0:
            print(f"{seed:,} ...", flush=True)
        questions += answers.questions
        unanswered += answers.unanswered
        endings.update(answers.endings)
        if answers.differences:
            differing += 1
            for difference in islice(answers.differences, _MOST_SHOWN if differing <= _MOST_SHOWN else 0):
                print(difference)
    seconds = process_time() - began
    print(f"{cases:,} cases from seed {first:,}: {questions:,} questions, {differing:,} cases differ, {seconds:,.0f} s")
    print(f"{unanswered:,} too far away to be asked; clocks: {dict(endings.most_common())}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
