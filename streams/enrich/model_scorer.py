"""Judges by a language model within a budget, and by rules where the model does not; each judgement says whose it is.

What was judged is remembered by a digest of the text, so a text that comes again costs nothing. An endpoint that does
not answer is left alone for a while, or every batch would wait for its time-out; one that refuses some texts is not, or
whoever writes such would take the model from all others. `enrich_process` makes it when a model is configured.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

from agents.domain.message_enrichment import Judgement
from schemas.enrichment import FallbackReason
from streams.enrich.message_scorer import RuleScorer
from streams.enrich.model_budget import DailyBudget
from streams.enrich.model_endpoint import PROMPT_VERSION, ModelEndpoint, ModelJudgement, ModelTrouble
from streams.sinks.recorder import Recorder

log = logging.getLogger("careline.enrich")

REMEMBERED_TEXTS = 20_000
"""By digest: some megabytes."""
LEFT_ALONE_SECONDS = 30.0


class ModelScorer:
    """Implements `message_scorer.MessageScorer`.

    Args:
        endpoint: of the model.
        model: its name, which is in every judgement of it.
        batch: texts in one call.
        budget: of a day.
        recorder: told of every call.
        clock: steady seconds.
    """

    def __init__(
        self,
        endpoint: ModelEndpoint,
        model: str,
        batch: int,
        *,
        budget: DailyBudget,
        recorder: Recorder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._batch = batch
        self._budget = budget
        self._recorder = recorder
        self._clock = clock
        self._rules = RuleScorer()
        self._known: OrderedDict[bytes, ModelJudgement] = OrderedDict()
        self._left_alone: tuple[float, FallbackReason] | None = None

    def score(self, texts: Sequence[str]) -> list[Judgement]:
        """One judgement for each text, in their order."""
        digests = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        wanted = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in self._known}
        costs: dict[bytes, int] = {}
        failed: dict[bytes, FallbackReason] = {}
        asked = list(wanted)
        for start in range(0, len(asked), self._batch):
            some = asked[start : start + self._batch]
            reason: FallbackReason = "garbage"
            try:
                costs |= self._ask(some, [wanted[digest] for digest in some])
            except ModelTrouble as trouble:
                reason = trouble.reason
            failed |= {digest: reason for digest in some if digest not in costs}
        judgements = []
        for digest, text in zip(digests, texts, strict=True):
            found = self._known.get(digest)
            if found is None:
                judgements.append(self._rules.judge(text, failed.get(digest)))
            else:
                self._known.move_to_end(digest)
                judgements.append(self._judgement(found, costs.pop(digest, 0)))
        while len(self._known) > REMEMBERED_TEXTS:
            self._known.popitem(last=False)
        return judgements

    def _judgement(self, found: ModelJudgement, tokens: int) -> Judgement:
        return Judgement(found.sentiment, found.primary_language, self._model, PROMPT_VERSION, tokens=tokens)

    def _ask(self, digests: Sequence[bytes], texts: Sequence[str]) -> dict[bytes, int]:
        """Have some texts judged and remember it; what each cost that was judged, out of the whole call.

        Raises:
            ModelTrouble: none was judged.
        """
        if self._left_alone is not None and self._clock() < self._left_alone[0]:
            raise ModelTrouble(self._left_alone[1])
        if not self._budget.allows():
            raise ModelTrouble("budget")
        began = self._clock()
        try:
            answer = self._endpoint.ask(texts)
        except ModelTrouble as trouble:
            self._budget.spend(trouble.tokens)
            self._recorder.model_called(trouble.reason, trouble.tokens, self._clock() - began)
            log.warning("the model did not judge %d messages, the rules do: %s", len(texts), trouble)
            if not trouble.is_of_texts:
                self._left_alone = (self._clock() + LEFT_ALONE_SECONDS, trouble.reason)
            raise
        self._budget.spend(answer.tokens)
        self._recorder.model_called("answered", answer.tokens, self._clock() - began)
        self._left_alone = None
        found = {digest: each for digest, each in zip(digests, answer.judgements, strict=True) if each is not None}
        self._known |= found
        share, rest = divmod(answer.tokens, len(found))
        return {digest: share + (place < rest) for place, digest in enumerate(found)}

    def close(self) -> None:
        """Close the connections to the endpoint."""
        self._endpoint.close()
