"""Messages that carry no content: thanks that ask for no reply, and replies that only say that one will come.

`agents.domain.entries` asks when an interaction becomes an entry of the timeline; what follows from it is decided by
`agents.domain.conversation`. A message counts only when there is nothing else in it: `thanks, but it still fails` is a
question. So these are lists of whole phrases in the languages that support desks meet most, and never a guess.
"""

import re
from collections.abc import Sequence
from functools import cache

LONGEST = 90
"""Characters: who writes more has something to say."""

_NO_NAME = (
    *(
        "no",
        "not",
        "none",
        "nope",
        "never",
        "still",
        "yet",
        "but",
        "urgent",
        "help",
        "stop",
        "wait",
        "waiting",
        "please",
    ),
    *("cancel", "close", "refund", "broken", "error", "again", "now", "asap", "bug", "fail", "failed", "wrong", "yes"),
    *(
        "nein",
        "nicht",
        "aber",
        "leider",
        "noch",
        "bitte",
        "dringend",
        "fehler",
        "storno",
        "kündigung",
        "rechnung",
        "ja",
    ),
    *("non", "pas", "mais", "urgence", "erreur", "pero", "todavía", "urgente", "però", "niet", "maar", "mas", "não"),
)
"""Words that begin many sentences after a thank-you and are nobody's name."""

_PERSON = rf"(?!(?:{'|'.join(_NO_NAME)})\b)(?-i:[A-ZÀ-ÖØ-Þ](?:[^\W\d_A-ZÀ-ÖØ-Þ]+|\.|(?=[\s,!.]|$)))(?:[.'-]\w*)*"
_NAME = rf"(?:[\s,]+(?:{_PERSON}|all|both|everyone|team|guys|folks|mate)){{0,2}}"
"""Whom it is said to: `Anna`, `Mr. Brown`, `all`. In small letters it would be a word of another sentence, and what
stands in capitals (`HELP`) is no name either."""

_GREETING = r"(?:hi|hello|hallo|dear|hey)" + _NAME

_GRATITUDE = (
    *("thank", "thx", "cheers", "appreciat", "dank", "merci", "gracias", "grazie", "obrigad", "tack", "tak", "kiitos"),
    *("dzięk", "děkuj", "díky", "teşekkür", "спасибо", "дякую", "ありがとう", "谢谢", "謝謝", "감사", "고맙"),
)
"""One of these is in every expression of thanks: most messages are told apart by looking for them."""

_THANKS = (
    # that it worked
    *("ok(?:ay)?", "great", "perfect", "super", "wonderful", "excellent", "awesome", "got it", "done", "solved"),
    *("prima", "perfekt", "parfait", "perfecto", "fijn", "top", "all (?:good|clear|set)(?: now)?"),
    *("(?:it )?works(?: now| again)?", "(?:es )?funktioniert(?: jetzt| wieder)?"),
    "that (?:works|worked|helps|helped|did it|solved it|fixed it)(?: now| perfectly| for me)?",
    *("no (?:more|further) questions", "das hat geholfen", "hat geklappt"),
    # thanks
    *("(?:many|a lot of|much) thanks", "thanks(?: you)?", "thank (?:you|u)", "thx", "ty", "cheers", "much appreciated"),
    *("appreciate it", "vielen", "herzlichen", "besten", "lieben", "dank", "danke(?: schön| sehr| dir| ihnen| euch)?"),
    *("merci(?: beaucoup| bien| infiniment)?", "(?:muchas )?gracias", "(?:mille )?grazie(?: mille)?"),
    *("(?:muito )?obrigad[oa]", "dank (?:je|u)(?: wel)?", "bedankt", "hartelijk"),
    # `tak` alone is a Polish and a Czech yes
    *("tack(?: så mycket)?", "(?:tusen )?takk(?: for hjelpen)?", "(?:mange|tusind) tak", "tak for (?:hjælpen|svaret)"),
    *("dzięki", "dziękuję(?: bardzo)?", "díky", "děkuj[iu]", "kiitos(?: paljon)?", "teşekkürler", "teşekkür ederim"),
    *("спасибо(?: большое| вам)?", "дякую", "ありがとう(?:ございます|ございました)?", "谢谢[你您]?", "謝謝[你您]?"),
    *("감사합니다", "고맙습니다"),
    # how much, and for what
    *("(?:so|very) much", "a lot", "again", "indeed"),
    "for (?:the|your) (?:quick |fast |kind |prompt )?(?:help|reply|response|answer|support|update|info)",
    *("for (?:helping|everything|letting me know)", "pour (?:votre|ton) (?:aide|réponse)"),
    "für (?:die|ihre|deine) (?:schnelle )?(?:hilfe|antwort|rückmeldung|unterstützung)",
    "por (?:su|tu) (?:ayuda|respuesta)",
    # goodbye
    "have a (?:nice|great|good) (?:day|one|evening|weekend)",
    *("best(?: regards)?", "regards", "all the best", "(?:viele |liebe |beste )?grüße", "gruß"),
    *("mit freundlichen grüßen", "mfg", "lg", "cordialement", "saludos"),
)

_WE = "(?:(?:we|i)(?: are| am| have| will|'re|'m|'ve|'ll)?|our team (?:is|will)|will|wir|ich)"
_AT_IT = (
    *("on it", "look(?:ing)? into (?:it|this|that)", "working on (?:it|this|that)", "checking(?: it| this| on this)?"),
    *("investigating(?: it| this)?", "received your (?:message|request|e?-?mail|ticket|inquiry)"),
    "(?:get|be|getting) back to you(?: soon| shortly| asap| as soon as possible| later)?",
    *("got your (?:message|request|ticket)", "update you(?: soon| shortly)?", "sind dran", "prüfen? das"),
    *("kümmern uns(?: darum)?", "schauen uns das an", "schaue mir das an", "melden uns(?: bald| in kürze| gleich)?"),
    *("(?:nous )?revenons vers vous(?: rapidement| au plus vite| bientôt)?", "(?:nous )?regardons(?: cela| ça)?"),
    *("estamos en ello", "(?:lo )?estamos (?:revisando|mirando)(?:lo)?", "let me (?:check|look)(?: (?:it|this|that))?"),
)
_WAIT = (
    *("please (?:bear with us|hold on|wait|stand by)", "(?:one|just a) (?:moment|minute|second|sec)(?: please)?"),
    *("hold on", "bear with us", "moment bitte", "bitte warten", "un (?:instant|momento)(?: por favor)?"),
)
_PADDING = (
    "thanks?(?: you)?(?: for (?:your|the) (?:patience|message|request)| for (?:reaching out|contacting us))?",
    *("now", "soon", "shortly", "(?:best |kind )?regards", "ok(?:ay)?", "and", "und"),
)


def _any(phrases: Sequence[str]) -> str:
    return "(?:" + "|".join(phrases).replace(" ", r"\s+") + ")"


def _sequence(first: str, following: str) -> re.Pattern[str]:
    return re.compile(rf"[\W_]*(?:{_GREETING}[\W_]+)?{first}(?:[\W_]+{following})*{_NAME}[\W_]*", re.IGNORECASE)


@cache
def _only_thanks() -> re.Pattern[str]:
    thank = _any(_THANKS)
    return _sequence(thank, _any((thank, "and", "und", "et", "y", "e", "en")))


@cache
def _only_holding() -> re.Pattern[str]:
    at_it = rf"(?:(?:are|is|am|be)\s+)?(?:(?:currently|now|still|just)\s+)?{_any(_AT_IT)}"
    hold, pad = _any((rf"(?:{_any((_WE,))}\s+)?{at_it}", *_WAIT)), _any(_PADDING)
    return _sequence(rf"(?:{pad}[\W_]+)*{hold}", _any((hold, pad)))


def is_only_thanks(text: str) -> bool:
    """Whether a customer says thank you and nothing else; a question mark is always a question."""
    if len(text) > LONGEST or "?" in text:
        return False
    lowered = text.lower()
    return any(root in lowered for root in _GRATITUDE) and _only_thanks().fullmatch(text) is not None


def is_holding_reply(text: str) -> bool:
    """Whether a reply of ours only says that we are at it: nothing that the customer did not know before."""
    return len(text) <= LONGEST and "?" not in text and _only_holding().fullmatch(text) is not None
