"""From a message of a customer to what is published about it: an enrichment, and a mention for the issue agent.

`streams.enrich` reads the interactions and asks a scorer; what it publishes is made here.
`streams.history.message_watch` takes the same messages out of files.
"""

from typing import NamedTuple

from agents.domain.entries import stand_in_account
from agents.domain.message_language import UNKNOWN
from agents.domain.message_words import words_of
from schemas.enrichment import Enrichment, FallbackReason, Mood
from schemas.interaction import Interaction
from schemas.mention import Mention

NEUTRAL_TO = 0.05
"""VADER's: what lies nearer to 0 is neither praise nor complaint (Hutto and Gilbert, 2014)."""


class Judgement(NamedTuple):
    """How a message was judged, by whom, and what it cost.

    `fallback` tells why it was not the scorer that was asked for.
    """

    sentiment: float | None
    language: str
    scorer: str
    scorer_version: str
    fallback: FallbackReason | None = None
    tokens: int = 0


def is_customer_message(event: Interaction) -> bool:
    """Whether an event is a public message that a customer wrote himself."""
    return (
        event.type == "message"
        and event.author.kind == "customer"
        and event.visibility == "public"
        and event.automated is None
    )


def reference_of(message: Interaction) -> str:
    """The name of a message, the same for every delivery of it."""
    return f"{message.conversation_id}/{message.id}"


def account_of(message: Interaction) -> str:
    """Whose a message is; a conversation of which no account is known is one of its own."""
    return message.account_id or stand_in_account(message.conversation_id)


def enrichment_of(message: Interaction, judgement: Judgement) -> Enrichment:
    """What is published about a message. A language that nobody could tell is the one that the channel named."""
    language = judgement.language if judgement.language != UNKNOWN else message.language or UNKNOWN
    return Enrichment(
        id=f"{reference_of(message)}/{judgement.scorer}/{judgement.scorer_version}",
        interaction_id=message.id,
        conversation_id=message.conversation_id,
        account_id=account_of(message),
        occurred_at=message.occurred_at,
        scorer=judgement.scorer,
        scorer_version=judgement.scorer_version,
        channel=message.channel,
        language=language,
        sentiment=judgement.sentiment,
        mood=mood_of(judgement.sentiment),
        fallback=judgement.fallback,
        tokens=judgement.tokens,
        clock=message.clock,
        tier=message.tier,
        team=message.team,
    )


def mood_of(sentiment: float | None) -> Mood | None:
    """A sentiment as a word."""
    if sentiment is None:
        return None
    if abs(sentiment) <= NEUTRAL_TO:
        return "neutral"
    return "positive" if sentiment > 0 else "negative"


def mention_of(message: Interaction, judgement: Judgement | None) -> Mention:
    """What the issue agent counts of a message, as it was judged at first."""
    text = message.text
    return Mention(
        id=reference_of(message),
        account_id=account_of(message),
        occurred_at=message.occurred_at,
        words=None if text is None else tuple([word.text for word in words_of(text)]),
        clock=message.clock,
        sentiment=None if judgement is None else judgement.sentiment,
    )
