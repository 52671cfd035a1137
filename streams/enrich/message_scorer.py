"""Who judges messages: the interface that the loop calls, and the judge by rules, which is the default.

`enrich_loop` hands over many texts at a time, because a model is asked for many at once; `model_scorer` is the other
judge.
"""

from collections.abc import Sequence
from typing import Protocol

from agents.domain.message_enrichment import Judgement
from agents.domain.rule_sentiment import RuleSentiment, SentimentScorer
from schemas.enrichment import FallbackReason


class MessageScorer(Protocol):
    """Judges texts, and says of each judgement whose it is."""

    def score(self, texts: Sequence[str]) -> list[Judgement]:
        """One judgement for each text, in their order. Never fails: it falls back and says so."""

    def close(self) -> None:
        """Let go of what it holds."""


class RuleScorer:
    """Judges offline, by the rules of `agents.domain.rule_sentiment`."""

    def __init__(self, scorer: SentimentScorer | None = None) -> None:
        self._scorer: SentimentScorer = RuleSentiment() if scorer is None else scorer

    def score(self, texts: Sequence[str]) -> list[Judgement]:
        """One judgement for each text."""
        return [self.judge(text) for text in texts]

    def judge(self, text: str, fallback: FallbackReason | None = None) -> Judgement:
        """The judgement about one text, with the reason for which a model did not give it."""
        found = self._scorer.score(text)
        return Judgement(found.score, found.language, self._scorer.name, self._scorer.version, fallback)

    def close(self) -> None:
        """Nothing is held."""
