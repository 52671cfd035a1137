"""Messages that carry no content: thanks that ask for no reply, and replies that only say that one will come.

`agents.domain.entries` asks when an interaction becomes an entry of the timeline; what follows from it is decided by
`agents.domain.conversation`. A message counts only when there is nothing else in it: `thanks, but it still fails` is a
question. So these are lists of whole phrases in the languages that support desks meet most, and never a guess.
"""

import re
from collections.abc import Sequence

LONGEST = 90
"""Characters: who writes more has something to say."""

_NAME = r"(?:[\s,]+(?:(?-i:[A-ZÀ-ÖØ-Þ])[\w.'-]*|all|both|everyone|team|guys|folks)){0,2}"
"""Whom it is said to: `Anna`, `Mr. Brown`, `all`. In small letters it would be a word of another sentence."""

_GREETING = r"(?:hi|hello|hallo|dear|hey)" + _NAME

_GRATITUDE = (
    *("thank", "thx", "cheers", "appreciat", "dank", "merci", "gracias", "grazie", "obrigad", "tack", "takk", "tak"),
)
"""One of these is in every expression of thanks: most messages are told apart by looking for them."""

_THANKS = (
    # that it worked
    *("ok(?:ay)?", "great", "perfect", "super", "wonderful", "excellent", "awesome", "got it", "done", "solved"),
    *("prima", "perfekt", "parfait", "perfecto", "fijn", "top", "works now", "all good", "all (?:clear|set)"),
    "that (?:works|worked|helps|helped|did it|solved it|fixed it)(?: now| perfectly| for me)?",
    *("no (?:more|further) questions", "das hat geholfen", "hat geklappt"),
    # thanks
    *("(?:many|a lot of|much) thanks", "thanks?(?: you| u)?", "thx", "ty", "cheers", "much appreciated"),
    *("appreciate it", "vielen", "herzlichen", "besten", "lieben", "dank", "danke(?: schön| sehr| dir| ihnen| euch)?"),
    *("merci(?: beaucoup| bien| infiniment)?", "(?:muchas )?gracias", "(?:mille )?grazie", "(?:muito )?obrigad[oa]"),
    *("dank (?:je|u)(?: wel)?", "bedankt", "hartelijk", "tack(?: så mycket)?", "takk", "tak"),
    # how much, and for what
    *("(?:so|very) much", "a lot", "again", "indeed"),
    "for (?:the|your) (?:quick |fast |kind |prompt )?(?:help|reply|response|answer|support|update|info)",
    *("for (?:helping|everything|letting me know)", "pour (?:votre|ton) (?:aide|réponse)"),
    "für (?:die|ihre|deine) (?:schnelle )?(?:hilfe|antwort|rückmeldung|unterstützung)",
    "por (?:su|tu) (?:ayuda|respuesta)",
    # goodbye
    "have a (?:nice|great|good) (?:day|one|evening|weekend)",
    *("best(?: regards)?", "regards", "all the best", "viele grüße", "mfg", "lg"),
)

_WE = "(?:(?:we|i)(?: are| am| have| will|'re|'m|'ve|'ll)?|our team (?:is|will)|will|wir|ich)"
_AT_IT = (
    *("on it", "look(?:ing)? into (?:it|this|that)", "working on (?:it|this|that)", "checking(?: it| this| on this)?"),
    *("investigating(?: it| this)?", "received your (?:message|request|e?-?mail|ticket|inquiry)"),
    "(?:get|be|getting) back to you(?: soon| shortly| asap| as soon as possible| later)?",
    *("got your (?:message|request|ticket)", "update you(?: soon| shortly)?", "sind dran", "prüfen? das"),
    *("kümmern uns(?: darum)?", "schauen uns das an", "melden uns(?: bald| in kürze| gleich)?"),
)
_WAIT = (
    *("please (?:bear with us|hold on|wait|stand by)", "(?:one|just a) (?:moment|minute|second|sec)(?: please)?"),
    *("moment bitte", "bitte warten"),
)
_PADDING = (
    "thanks?(?: you)?(?: for (?:your|the) (?:patience|message|request)| for (?:reaching out|contacting us))?",
    *("soon", "shortly", "(?:best |kind )?regards", "ok(?:ay)?", "and", "und"),
)


def _any(phrases: Sequence[str]) -> str:
    return "(?:" + "|".join(phrases).replace(" ", r"\s+") + ")"


def _sequence(first: str, following: str) -> re.Pattern[str]:
    return re.compile(rf"[\W_]*(?:{_GREETING}[\W_]+)?{first}(?:[\W_]+{following})*{_NAME}[\W_]*", re.IGNORECASE)


_THANK = _any(_THANKS)
_ONLY_THANKS = _sequence(_THANK, _any((_THANK, "and", "und", "et", "y", "e", "en")))

_HOLD = _any(
    (rf"(?:{_any((_WE,))}\s+)?(?:(?:are|is|am|be)\s+)?(?:(?:currently|now|still|just)\s+)?{_any(_AT_IT)}", *_WAIT)
)
_PAD = _any(_PADDING)
_ONLY_HOLDING = _sequence(rf"(?:{_PAD}[\W_]+)*{_HOLD}", _any((_HOLD, _PAD)))


def is_only_thanks(text: str) -> bool:
    """Whether a customer says thank you and nothing else; a question mark is always a question."""
    if len(text) > LONGEST or "?" in text:
        return False
    lowered = text.lower()
    return any(root in lowered for root in _GRATITUDE) and _ONLY_THANKS.fullmatch(text) is not None


def is_holding_reply(text: str) -> bool:
    """Whether a reply of ours only says that we are at it: nothing that the customer did not know before."""
    return len(text) <= LONGEST and "?" not in text and _ONLY_HOLDING.fullmatch(text) is not None
