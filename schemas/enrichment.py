"""What a message of a customer is found to say beyond its words: its language, and how it feels.

`careline enrich` judges each public message of a customer once and publishes an enrichment; `agents.account_agent` has
it next, and the sink. Whoever needs a sentiment reads it here, so a replay of results calls nobody. It holds no text.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Mood = Literal["negative", "neutral", "positive"]

FallbackReason = Literal["budget", "time_out", "unreachable", "refused", "garbage"]
"""Why the rules judged although a model was asked for: the day's budget was spent, it did not answer in time or at
all, it answered with an error, or with what is no judgement."""


class Enrichment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One judgement about one message.

    `id` follows from the message, the scorer and its version: judging again gives the same id, and another scorer
    another one. Of several about the same message the last one counts.
    """

    id: str
    interaction_id: str
    conversation_id: str
    account_id: str
    occurred_at: datetime
    """When the message was written."""
    scorer: str
    """Who judged: `careline-rules`, or the name of a model."""
    scorer_version: str
    channel: str = "other"
    language: str = "und"
    """ISO 639-1, or `und` where it cannot be told."""
    sentiment: float | None = None
    """From -1 (furious) to 1 (delighted); null where there is nothing to go by."""
    mood: Mood | None = None
    """The same as a word: beyond 0.05 on either side it is not neutral."""
    fallback: FallbackReason | None = None
    tokens: int = 0
    """What the judgement cost, in tokens of the model: the message's share of a call."""
    clock: str = "wall"
    tier: str | None = None
    team: str | None = None
