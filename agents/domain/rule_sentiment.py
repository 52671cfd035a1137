"""How a message feels, by rules: offline, the same every time, and able to say why. The default `SentimentScorer`.

The sum of the words of feeling, turned round by a negation near before them (in German and Dutch also after), stronger
after `very`, in capitals and with exclamation marks, then pressed into -1 to 1. The method is VADER's (Hutto and
Gilbert, ICWSM 2014); the words are our own (`sentiment_words`). It does not understand irony, and in a language without
a lexicon it has only the faces to go by. `streams.history.message_watch` asks it about files.
"""

import re
from functools import lru_cache
from math import sqrt
from typing import NamedTuple, Protocol
from unicodedata import normalize

from agents.domain.message_language import UNKNOWN, language_of
from agents.domain.sentiment_words import FACES, LEXICONS

_NORMAL = 15.0
"""VADER's: a message with a sum of 4 comes to 0.72."""
_TURNED = -0.74
"""`not good` is bad, but less than `good` is good (VADER)."""
_NEAR = 3
_STRONGER, _WEAKER, _SHOUTED, _EXCLAIMED = 1.3, 0.7, 1.3, 0.3
_MOST_EXCLAMATIONS = 3
_LEAST_CAPITALS = 3
_READ_CHARACTERS = 4_000
_LEAST_BEGINNING = 3
_REASONS = 5
_AFTER = frozenset({"de", "nl"})
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_HANDLE = re.compile(r"https?://\S+|(?<!\w)@\w+")
"""An address holds `:/`, and a handle may hold any word."""


class Sentiment(NamedTuple):
    """How a message feels: -1 is furious, 1 delighted, 0 neither; null where the scorer has nothing to go by."""

    score: float | None
    language: str
    reasons: tuple[str, ...] = ()
    """The words that decided it, the strongest first, at most five."""


class SentimentScorer(Protocol):
    """Says how messages feel, and says what it is, so that scores of different makers are never mixed up."""

    name: str
    version: str

    def score(self, text: str, language: str | None = None) -> Sentiment:
        """How a text feels; the language is found out where it is not given."""


class RuleSentiment:
    """The scorer by rules. The version changes with every word of the lexicons."""

    name = "careline-rules"
    version = "1"

    def score(self, text: str, language: str | None = None) -> Sentiment:
        """How a text feels. Never fails."""
        plain = _HANDLE.sub(" ", normalize("NFC", text[:_READ_CHARACTERS])).replace("\u2019", "'")
        spoken = language or language_of(plain)
        read_as = "en" if spoken == UNKNOWN else spoken
        weighed = [(face, float(FACES[face])) for face in _faces(plain)]
        if read_as in LEXICONS:
            weighed += _weighed(plain, read_as)
        elif not weighed:
            return Sentiment(None, spoken)
        total = sum(weight for _, weight in weighed)
        total += min(plain.count("!"), _MOST_EXCLAMATIONS) * _EXCLAIMED * ((total > 0) - (total < 0))
        strongest = sorted(weighed, key=lambda one: (-abs(one[1]), one[0]))
        score = total / sqrt(total * total + _NORMAL)
        return Sentiment(round(score, 4), spoken, tuple(word for word, _ in strongest[:_REASONS]))


def _faces(text: str) -> list[str]:
    lower = text.lower()
    return [face for face in FACES if face in lower]


def _weighed(text: str, language: str) -> list[tuple[str, float]]:
    """The words of feeling with what they come to where they stand."""
    lexicon = LEXICONS[language]
    written = _WORD.findall(text)
    words = [word.lower() for word in written]
    is_shouting = text.isupper()
    found = []
    for place, word in enumerate(words):
        grade = _grade(word, language)
        if not grade:
            continue
        weight = float(grade)
        near = words[max(0, place - _NEAR) : place] + (
            words[place + 1 : place + 1 + _NEAR] if language in _AFTER else []
        )
        if any(other in lexicon.turns for other in near):
            weight *= _TURNED
        if place and words[place - 1] in lexicon.more:
            weight *= _STRONGER
        if place and words[place - 1] in lexicon.less:
            weight *= _WEAKER
        if written[place].isupper() and len(word) >= _LEAST_CAPITALS and not is_shouting:
            weight *= _SHOUTED
        found.append((word, weight))
    return found


@lru_cache(maxsize=65_536)
def _grade(word: str, language: str) -> int:
    beginnings = LEXICONS[language].beginnings
    whole = beginnings.get(word + "$")
    if whole is not None:
        return whole
    for length in range(len(word), _LEAST_BEGINNING - 1, -1):
        grade = beginnings.get(word[:length])
        if grade is not None:
            return grade
    return 0
