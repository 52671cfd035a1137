"""Which messages belong to a surge, and what it is called.

When a mark rises, the messages in which it did are compared with the past: marks that are much more frequent among
them *tell* the theme, each by the logarithm of its growth and by the share of the messages that have it. A message
belongs to the surge when its own telling marks weigh at least half of what they do in the median of those messages.
`topic_surge` puts it together.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from math import log

from agents.domain.instant import HOUR_US
from agents.domain.message_words import is_pair, runs, stem, text_of, words_of
from agents.domain.theme_marks import ThemeMarks
from schemas.issue_state import IssueState, SurgeState

MOST_ACCOUNTS = 1_000
"""Of one surge that are listed; it is then large enough for everybody to know."""
TOLD_MESSAGES = 5
_MOST_MEMBERS = 2_000
"""Of one surge that are remembered, the latest: more than any rise is measured by."""
_TELLING_MARKS = 24
_WORDS_OF_NAME = 4
NAMELESS = "a theme whose words are forgotten"
_LEAST_WRITERS = 2
"""Of a telling mark: the occurrences of a rise are one per account."""
_LEAST_GROWTH = 2.0
_LEAST_SHARE = 0.2
"""What only every sixth message has is chance, or another theme."""
_BELONGS = 0.5
_TOGETHER_US = 2 * HOUR_US
_NEAR = 0.3
"""So much of what is enough is near."""
_NEAR_SHARE = 3
"""Every third."""


def telling_marks(state: IssueState, marks: ThemeMarks, numbers: Sequence[int]) -> dict[str, float]:
    """What tells these messages from others: marks and their weights; empty when nothing does."""
    counts = Counter[str]()
    for number in numbers:
        counts.update(state.messages[number].marks)
    weights: dict[str, float] = {}
    for mark, occurrences in counts.items():
        if occurrences < max(_LEAST_WRITERS, _LEAST_SHARE * len(numbers)) or mark not in state.marks:
            continue
        expected = marks.expected(marks.past(state.marks[mark], numbers[0]), numbers[0], numbers[-1])
        if expected is not None and occurrences > _LEAST_GROWTH * expected:
            weights[mark] = log(occurrences / expected) * occurrences / len(numbers)
    return strongest(weights, _TELLING_MARKS)


def strongest(weights: dict[str, float], most: int = 2 * _TELLING_MARKS) -> dict[str, float]:
    """The most telling marks, in that order.

    Two pairs of characters say nothing that each of them does not: of what tells as much they come last.
    """
    return dict(sorted(weights.items(), key=lambda one: (-one[1], _is_two_pairs(one[0]), one[0]))[:most])


def _is_two_pairs(mark: str) -> bool:
    first, _, second = mark.partition(" ")
    return is_pair(first) and is_pair(second)


def enough(state: IssueState, weights: dict[str, float], numbers: Sequence[int]) -> float:
    """From which weight on a message is one of these."""
    reached = sorted(_weight_of(state, weights, number) for number in numbers)
    return _BELONGS * reached[len(reached) // 2]


def name_of(state: IssueState, weights: dict[str, float], numbers: Sequence[int]) -> str:
    """A few telling words, as most people write them; the most telling first."""
    written: dict[str, Counter[str]] = {}
    for number in numbers:
        for word in state.messages[number].words:
            written.setdefault(stem(word), Counter())[word] += 1
    telling = [mark for mark in weights if mark in written]
    if not telling:  # only pairs of words that are frequent by themselves
        telling = [word for mark in weights for word in mark.split() if word in written]
    names = [max(sorted(written[mark]), key=written[mark].__getitem__) for mark in dict.fromkeys(telling)]
    return " ".join(_put_together(names, [state.messages[number].words for number in numbers])[:_WORDS_OF_NAME])


def _put_together(names: Sequence[str], messages: Sequence[Sequence[str]]) -> list[str]:
    """Telling words, the most telling first. Pairs of characters become the longer words that a message has them in.

    A word may go on over pairs that tell less, but over none that only one account has written.
    """
    rank = {name: place for place, name in enumerate(names)}
    left = {name for name in names if is_pair(name)}
    found = {name: place for name, place in rank.items() if name not in left}
    written = Counter[str](pair for words in messages for pair in set(words)) if left else Counter[str]()
    while left:
        words = max(messages, key=lambda each: len(left.intersection(each)))
        for run in runs([word for word in words if written[word] >= _LEAST_WRITERS]):
            telling = [place for place, pair in enumerate(run) if pair in left]
            if telling:
                found[text_of(run[telling[0] : telling[-1] + 1])] = min(rank[run[place]] for place in telling)
        left.difference_update(words)
    return sorted(found, key=found.__getitem__)


def name_left(state: IssueState, surge: SurgeState, is_forgotten: Callable[[str], bool]) -> str:
    """The name of a surge after accounts were forgotten: the words of it that somebody who is left has written.

    Every word of a name is of two accounts at least, so one that is forgotten takes none along. Of more, a word stays
    if a message of somebody else has it that is still remembered; what cannot be shown to be anybody else's goes.
    """
    if sum(map(is_forgotten, surge.accounts)) < _LEAST_WRITERS:
        return surge.topic
    members = (state.messages[number] for number in surge.members if number in state.messages)
    written = [set(map(stem, each.words)) for each in members if not is_forgotten(each.account)]
    return " ".join(word for word in surge.topic.split() if _is_written(word, written)) or NAMELESS


def _is_written(word: str, messages: Sequence[set[str]]) -> bool:
    """Whether one of these messages has a word, or all pairs of characters that it was put together of."""
    stems = {part.stem for part in words_of(word)} or {stem(word)}
    return any(stems <= each for each in messages)


def admit(state: IssueState, surge: SurgeState, number: int, *, certainly: bool = False) -> None:
    """Let a message into a surge if it belongs there; each only once, and in their order."""
    if not certainly and _weight_of(state, surge.weights, number) < surge.enough:
        return
    if number in surge.members[-TOLD_MESSAGES:]:
        return
    message = state.messages[number]
    surge.members.append(number)
    if len(surge.members) > 2 * _MOST_MEMBERS:
        del surge.members[:_MOST_MEMBERS]
    is_new = len(surge.accounts) < MOST_ACCOUNTS and message.account not in surge.accounts
    if is_new:
        surge.accounts.append(message.account)
    surge.joined.append((number, is_new))
    if len(surge.messages) < TOLD_MESSAGES:
        surge.messages.append(message.text)
        surge.message_ids.append(message.id)


def are_one(state: IssueState, surge: SurgeState, numbers: Sequence[int], weights: dict[str, float]) -> bool:
    """Whether a theme that rises soon after a surge began is that surge in other words.

    Surges are rare, so two at a time that share a telling word, or many of whose messages come near, have one cause.
    Of two that began together, one message in common says as much.
    """
    if any(" " not in mark and mark in surge.weights for mark in weights):
        return True
    reached = [_weight_of(state, surge.weights, number) for number in numbers]
    if abs(state.messages[numbers[0]].at - surge.began_at) <= _TOGETHER_US and any(reached):
        return True
    near = sum(weight >= _NEAR * surge.enough for weight in reached)
    return near * _NEAR_SHARE >= len(numbers)


def _weight_of(state: IssueState, weights: dict[str, float], number: int) -> float:
    return sum(weights[mark] for mark in state.messages[number].marks if mark in weights)
