"""Marks: what a message is counted by, and how often each is to be expected.

A mark is the stem of a word, or two stems that stand near each other, in either order: `card` is everywhere, `card
swallowed` is an issue. Each mark remembers its latest occurrences one by one, one per account, and its past as a fading
count. `topic_surge` asks here whether a mark has risen; `surge_members` asks what tells a surge's messages from others.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from agents.domain.instant import DAY_US, Instant
from agents.domain.message_words import Word, words_again, words_of
from agents.domain.surprise import surprise
from agents.domain.usual_volume import count, messages_an_hour
from schemas.issue_state import CountedMessage, CustomerMessage, IssueState, MarkState

KEPT_US = DAY_US
"""How long occurrences are remembered one by one: a rise is measured over a day at most."""
MOST_MESSAGES = 20_000
MOST_MARKS = 120_000
"""The rarest are forgotten first. A hundred megabytes or so."""
MOST_RECENT = 128
"""Occurrences of one mark: enough to see a threefold rise of what is frequent."""
LONGEST_TEXT = 1_000
"""Characters of a message that are remembered."""
HALF_LIFE_US = 14 * DAY_US
"""After two weeks an occurrence counts half: what people write about changes with releases and seasons."""
LEAST_MESSAGES = 60
"""Before so many messages nothing is known to be unusual; what follows is as wide as little is known (`surprise`).
Fading does not count: who has few a day has them in time."""

HOURS_OF_MONTH = 30 * 24

_REACH = 2
"""How many words further the second word of a pair may stand. At 3, false alarms rise and speed falls by a third."""
_MOST_HALVINGS = 500
"""Weights are brought back to 1 long before a float ends (at 1,023)."""
_UNSEEN = 1.0
"""How often a mark is taken to have occurred before it was first seen. At 0.5, phrases of four people are surges."""
_UNSEEN_MESSAGES = 100.0
"""Messages that are taken to have come before the first."""
_LEAST_PAST = 3.0
"""Times the span: what is compared with must be longer than what is compared."""


class Rise(NamedTuple):
    """A mark that occurs more often than it should.

    Attributes:
        numbers: the messages in which it did, one per account.
        growth: how many times more often than expected.
        level: how surprising that is, as `-log10` of a probability.
    """

    numbers: list[int]
    growth: float
    level: float


class ThemeMarks:
    """Counts messages by their marks, in the state that is given. Nothing else is remembered here."""

    def __init__(self, state: IssueState) -> None:
        self._state = state

    def add(self, message: CustomerMessage, at: Instant) -> int:
        """Take in a message that comes at `at`, not before those of earlier calls.

        Returns:
            Its number. What it is counted by is not counted yet (`occurs`).
        """
        state = self._state
        if not state.counted:
            state.weights_from = at
        elif at - state.weights_from > _MOST_HALVINGS * HALF_LIFE_US:
            self._rebase(at)
        count(state.rhythm, at)
        words = words_of(message.text) if message.words is None else words_again(message.words)
        marks = _marks_of(words)
        self._count_marks(len(marks), self.weight_at(at))
        number = state.counted
        state.counted += 1
        state.messages[number] = CountedMessage(
            at=at,
            usual=state.rhythm.clock,
            account=message.account,
            text=message.text[:LONGEST_TEXT],
            words=[word.text for word in words],
            marks=marks,
            id=message.id,
            sentiment=message.sentiment,
        )
        self._drop_old(at)
        return number

    def _count_marks(self, marks: int, weight: float) -> None:
        state = self._state
        if not state.past_marks and state.messages:  # an earlier version did not count them: as many as of late
            kept = state.messages.values()
            state.past_marks = state.past_messages * sum(len(message.marks) for message in kept) / len(kept)
        state.past_messages += weight
        state.past_marks += marks * weight

    def looks_a_month(self) -> float:
        """How many marks are looked at in a month of such messages: so often chance could take one for a surge."""
        state = self._state
        if not state.past_messages:
            return 0.0
        return messages_an_hour(state.rhythm) * HOURS_OF_MONTH * state.past_marks / state.past_messages

    def weight_at(self, at: Instant) -> float:
        """What an occurrence at an instant counts."""
        return float(2.0 ** ((at - self._state.weights_from) / HALF_LIFE_US))

    def occurs(self, number: int, least: int, growth: float, level: float) -> list[tuple[str, Rise]]:
        """Count the marks of a message that has just been added.

        Returns:
            Those that have risen at least by `growth` and as surprisingly as `level`, among `least` accounts or more.
        """
        state = self._state
        message = state.messages[number]
        weight = self.weight_at(message.at)
        marks, floor, account, messages = state.marks, state.first_kept, message.account, state.past_messages
        risen = []
        for mark in message.marks:
            history = marks.get(mark)
            if history is None:
                history = marks[mark] = MarkState()
            recent = history.recent
            if recent and (recent[0] < floor or len(recent) >= 2 * MOST_RECENT):
                _fade(history, floor, weight)
            if account in history.accounts:
                continue
            recent.append(number)
            history.accounts.append(account)
            before = len(recent) - least
            # A first look that costs little: were the last few twice as dense as all that came before?
            if before >= 0 and 2 * (number - recent[before] + 1) * (history.past + before * weight) < least * messages:
                rise = self._rise(history, number, least, growth, level)
                if rise is not None:
                    risen.append((mark, rise))
        if len(marks) > MOST_MARKS:
            self._forget_rare(weight)
        return risen

    def _rise(self, history: MarkState, number: int, least: int, growth: float, level: float) -> Rise | None:
        """The most surprising of the spans back to the last `least`, twice as many, four times as many occurrences.

        A span ends with the occurrence that made us look, and is as long as the others are near: how surprising it is
        is the chance of one occurrence fewer. (With all of them, four within minutes weighed too much beside sixteen
        within the hour, and nine of ten false alarms were of such four.)
        """
        best: Rise | None = None
        occurrences = least
        while occurrences <= len(history.recent):
            first = history.recent[-occurrences]
            past = self.past(history, first)
            expected = self.expected(past, first, number)
            if expected is not None and occurrences >= growth * expected:
                found = surprise(occurrences - 1, expected, past)  # the last one made us look: it is no chance
                if found >= level and (best is None or found > best.level):
                    best = Rise(history.recent[-occurrences:], occurrences / expected, found)
            occurrences *= 2
        return best

    def past(self, history: MarkState, first: int) -> float:
        """How often a mark occurred before the message `first`, as far as that still counts."""
        weight = self.weight_at(self._state.messages[self._state.counted - 1].at)
        return (history.past + self._state.forgotten) / weight + bisect_left(history.recent, first) + _UNSEEN

    def expected(self, past: float, first: int, last: int) -> float | None:
        """How often what occurred so often in the past should occur from one message to another, both included.

        Null while the past is too short to say. Above 0 otherwise.
        """
        state = self._state
        span = last - first + 1
        exposure = max(float(span), state.messages[last].usual - state.messages[first].usual)
        before = state.past_messages / self.weight_at(state.messages[last].at) - span
        if first < LEAST_MESSAGES or before < _LEAST_PAST * exposure:
            return None
        return past / (before + _UNSEEN_MESSAGES) * exposure

    def _drop_old(self, at: Instant) -> None:
        state = self._state
        messages = state.messages
        while messages[state.first_kept].at < at - KEPT_US or len(messages) > MOST_MESSAGES:
            del messages[state.first_kept]
            state.first_kept += 1

    def _forget_rare(self, weight: float) -> None:
        """Forget the rarer half, and remember how often the most frequent of them had occurred."""
        state = self._state
        ranked = sorted((history.past + len(history.recent) * weight, mark) for mark, history in state.marks.items())
        gone = ranked[: len(ranked) // 2]
        for _, mark in gone:
            del state.marks[mark]
        state.forgotten = max(state.forgotten, gone[-1][0])

    def _rebase(self, at: Instant) -> None:
        state = self._state
        scale = 1.0 / self.weight_at(at) if at - state.weights_from < 2 * _MOST_HALVINGS * HALF_LIFE_US else 0.0
        state.past_messages *= scale
        state.past_marks *= scale
        state.forgotten *= scale
        for history in state.marks.values():
            history.past *= scale
        state.weights_from = at


def _marks_of(words: Sequence[Word]) -> list[str]:
    stems = [word.stem for word in words]
    marks = list(stems)
    for place, stem in enumerate(stems):
        near = stems[place + 1 : place + 1 + _REACH]
        marks += [f"{stem} {other}" if stem < other else f"{other} {stem}" for other in near]
    return marks


def _fade(history: MarkState, floor: int, weight: float) -> None:
    """Move into the past what is no longer remembered one by one."""
    recent = history.recent
    gone = max(0, len(recent) - MOST_RECENT)
    while gone < len(recent) and recent[gone] < floor:
        gone += 1
    history.past += gone * weight
    del recent[:gone]
    del history.accounts[:gone]
