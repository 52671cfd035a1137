"""The language of a message, by its script and by the small words of grammar, or that it cannot be told.

Offline and without a model. Packages were looked at: lingua needs a hundred megabytes and more, py3langid brings numpy,
langdetect is random and no longer maintained. Small words are enough for what is asked here, which is whether
`rule_sentiment` has a lexicon for the message; of a few words without grammar (`login broken`) nobody can be sure.
"""

import re
from functools import cache
from unicodedata import normalize

from agents.domain.stop_words import BY_LANGUAGE

UNKNOWN = "und"
"""Undetermined, as BCP 47 has it."""
_LEAST_EVIDENCE = 0.8
_CLEARER = 1.15
"""The first must be so much clearer than the second."""
_READ_CHARACTERS = 1_000

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SCRIPTS = (
    (re.compile(r"[\u3040-\u30ff]"), "ja"),  # before Han, which Japanese has as well
    (re.compile(r"[\uac00-\ud7af]"), "ko"),
    (re.compile(r"[\u4e00-\u9fff]"), "zh"),
    (re.compile(r"[\u0e00-\u0e7f]"), "th"),
    (re.compile(r"[\u0400-\u04ff]*[\u0454\u0456\u0457\u0491]"), "uk"),  # letters that Russian does not have
    (re.compile(r"[\u0400-\u04ff]"), "ru"),
    (re.compile(r"[\u0370-\u03ff]"), "el"),
    (re.compile(r"[\u0590-\u05ff]"), "he"),
    (re.compile(r"[\u0600-\u06ff]"), "ar"),
    (re.compile(r"[\u0900-\u097f]"), "hi"),
)
_LEAST_SCRIPT = 0.3
"""Share of the letters: a name in another script makes no language."""


def language_of(text: str) -> str:
    """ISO 639-1, or `und`. Cyrillic is Russian unless it has Ukrainian letters; other Slavic languages are not told."""
    plain = normalize("NFC", text[:_READ_CHARACTERS]).lower().replace("\u2019", "'")
    letters = sum(letter.isalpha() for letter in plain)
    for script, language in _SCRIPTS:
        if letters and sum(len(run) for run in script.findall(plain)) >= _LEAST_SCRIPT * letters:
            return language
        if language == "uk" and script.search(plain):
            return language
    evidence = dict.fromkeys(BY_LANGUAGE, 0.0)
    for word in _WORD.findall(plain):
        speakers = _speakers_of(word)
        for language in speakers:
            evidence[language] += 1 / len(speakers)
    (first, clarity), (_, second) = sorted(evidence.items(), key=lambda one: (-one[1], one[0]))[:2]
    return first if clarity >= _LEAST_EVIDENCE and clarity >= _CLEARER * second else UNKNOWN


@cache
def _speakers() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for language, words in BY_LANGUAGE.items():
        for word in words:
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


def _speakers_of(word: str) -> tuple[str, ...]:
    return _speakers().get(word, ())
