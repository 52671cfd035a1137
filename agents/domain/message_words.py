"""The words of a customer's message: what is left when addresses, numbers and words that say nothing are gone.

`message_topics` and `topic_surge` count them. Languages that part words by spaces are read word by word; Chinese,
Japanese and Thai by pairs of characters, which is what search engines do without a dictionary. Endings are cut lightly
and for English only, so that `crashes`, `crashed` and `crashing` are one word; elsewhere the cut does little harm. What
is quoted is left out: lines behind `>`, and the older mail below an answer.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import unescape
from typing import NamedTuple
from unicodedata import normalize

from agents.domain.stop_words import STOP_WORDS

MOST_WORDS = 60
"""Of one message. What a long mail is about stands at its beginning; below follow signatures and quotations."""

_MOST_CHARACTERS = 4_000
_SHORTEST_STEM = 3

_QUOTED = re.compile(
    r"\brt @\w+.*|[\"\u201c\u201d]@\w+:.*"  # what somebody else has tweeted
    r"|^>[^\n]*",  # and mailed
    re.DOTALL | re.MULTILINE,
)
_COLON = "[:\uff1a]"
_HISTORY = re.compile(
    r"^[-_* \t]{2,40}(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht"
    r"|message d'origine|message original|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht"
    r"|元のメッセージ|原始邮件)[-_* \t]{0,40}$"
    rf"|^\*?(?:from|von|de|da|van|差出人|发件人)\*? ?{_COLON}[^\n]*\n(?:[^\n]*\n){{0,2}}?"
    rf"\*?(?:sent|date|gesendet|datum|envoyé|enviado|fecha|inviato|data|verzonden|送信日時|发送时间)\*? ?{_COLON}"
    r"|^(?:on|am|le|el|il|em|op) [^\n]{4,200}\b(?:wrote|schrieb|a écrit|escribió|ha scritto|escreveu|schreef)\b"
    r"[^\n]{0,100}:[ \t]*$",
    re.MULTILINE,
)
"""Where the older mail begins that a mail program puts below an answer; connectors have taken it off already."""
_NOT_WORDS = re.compile(
    r"(?:https?://|www\.)\S+"  # addresses of pages
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"  # addresses of people
    r"|(?<!\w)@\w+"  # handles
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W\d_]+)*")
_SIGNS = r"\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
"""Devanagari to Sinhala but for the full stop, and vowels and tones of Thai: signs, which for `re` are no letters."""
_SIGN = re.compile(f"[{_SIGNS}]")
_WORD_WITH_SIGNS = re.compile(rf"(?:[^\W_]|[{_SIGNS}])+(?:['\u2019\-][^\W\d_](?:[^\W\d_]|[{_SIGNS}])*)*")
"""Three times as slow, so for texts that have signs."""
_ELIDED = re.compile(r"^(?:[cdjlmnst]|qu|dell|nell|sull|all|un)'(?=\w{2})")
"""French and Italian articles: `l'application` is `application`."""
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'"})


class Word(NamedTuple):
    """A word as written, in lower case, and what it is counted by."""

    text: str
    stem: str


def words_of(text: str) -> list[Word]:
    """The telling words of a message in their order, each stem once, at most `MOST_WORDS`."""
    plain = text[:_MOST_CHARACTERS]
    if "&" in plain:
        plain = unescape(plain)
    if not plain.isascii():  # an accent may be a character of its own, and kana have a half width as well (UAX #15)
        plain = normalize("NFKC", plain)
    plain = plain.lower().translate(_APOSTROPHES)
    if "\n" in plain:
        plain = _without_history(plain)
    if "@" in plain or ">" in plain:
        plain = _QUOTED.sub(" ", plain)
    if "@" in plain or "http" in plain or "www." in plain:
        plain = _NOT_WORDS.sub(" ", plain)
    found: dict[str, Word] = {}
    has_signs = not plain.isascii() and _SIGN.search(plain) is not None
    for written in (_WORD_WITH_SIGNS if has_signs else _WORD).findall(plain):
        word = _word(written)
        if word is not None:
            found.setdefault(word.stem, word)
        elif _UNSPACED.search(written):
            for word in _parts(written):
                found.setdefault(word.stem, word)
    return list(found.values())[:MOST_WORDS]


def _without_history(text: str) -> str:
    """What stands above an older mail; all of it where nothing does, as in a mail that was passed on.

    Where the older mail is marked line by line, there may be answers between its lines.
    """
    for begins in _HISTORY.finditer(text):
        if text[: begins.start()].strip() and not text[begins.end() :].lstrip().startswith(">"):
            return text[: begins.start()]
    return text


def is_pair(word: str) -> bool:
    """Whether a word is a pair of characters of a language that does not part its words."""
    return len(word) == 2 and _UNSPACED.fullmatch(word) is not None


def runs(words: Iterable[str]) -> Iterator[list[str]]:
    """The pairs among the words of a message, in their order, those together that overlap one after the other."""
    run: list[str] = []
    for word in words:
        if run and not (is_pair(word) and word[0] == run[-1][1]):
            yield run
            run = []
        if is_pair(word):
            run.append(word)
    if run:
        yield run


def text_of(run: Iterable[str]) -> str:
    """What a run of pairs was written as."""
    first, *others = run
    return first + "".join(pair[1] for pair in others)


def words_again(texts: Iterable[str]) -> list[Word]:
    """The words of a message of which only the words as written are known (`schemas.mention`)."""
    return [Word(text, stem(text)) for text in texts]


@lru_cache(maxsize=65_536)
def _word(written: str) -> Word | None:
    """A word that says something; remembered, because messages share most of theirs."""
    if len(written) < 2 or written in STOP_WORDS or written.isnumeric() or _UNSPACED.search(written):
        return None
    if sum(letter.isdigit() for letter in written) * 2 > len(written):  # a number of an order or a telephone
        return None
    bare = _ELIDED.sub("", written).removesuffix("'s")
    if bare in STOP_WORDS or len(bare) < 2:
        return None
    return Word(bare, stem(bare))


def _parts(written: str) -> Iterator[Word]:
    """What a run says that has characters of a language without spaces: their pairs, and the words between them."""
    place = 0
    for run in _UNSPACED.finditer(written):
        yield from _between(written[place : run.start()])
        for start in range(run.start(), run.end() - 1):
            pair = written[start : start + 2]
            yield Word(pair, pair)
        place = run.end()
    yield from _between(written[place:])


def _between(written: str) -> Iterator[Word]:
    word = _word(written)
    if word is not None:
        yield word


def stem(word: str) -> str:
    """A word without the endings that English puts to nouns and verbs. Not always a word: `charge` is `charg`."""
    bare = word
    if bare.endswith("ies") and len(bare) > 4:
        return bare[:-3] + "y"
    if bare.endswith("s") and not bare.endswith(("ss", "us", "is")) and len(bare) > _SHORTEST_STEM:
        bare = bare[:-2] if bare.endswith(("sses", "shes", "ches", "xes", "zes")) else bare[:-1]
    for ending in ("ing", "ed"):
        rest = bare.removesuffix(ending)
        if rest != bare and len(rest) >= _SHORTEST_STEM and any(vowel in rest for vowel in "aeiouy"):
            bare = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    return bare[:-1] if bare.endswith("e") and len(bare) > _SHORTEST_STEM else bare
