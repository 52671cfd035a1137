"""Chunks of conversations judged: their clocks as text and their figures, ready to be printed and added up.

Pure but for what the engine computes: the same function serves `careline policy run` in its own process and in the
processes of `streams.history.judging_processes`.
"""

from array import array
from collections.abc import Iterable, Iterator
from itertools import chain

from agents.domain.instant import Instant, to_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_life, judge_together
from schemas.clock_view import ClockView
from streams.history.clock_lines import clock_line
from streams.history.conversation_history import HistoryTeller
from streams.history.conversation_lives import LifeReader
from streams.history.conversations import Gathered
from streams.history.history_summary import ChunkVerdict

Together = tuple[Gathered, ...]
"""One conversation, or all that are merged into each other."""

_SOURCE = "file"
_ROWS_AT_ONCE = 2_000
"""Rows in a chunk: a twentieth of a second of judging, a thousandth of packing and sending."""


class Judge:
    """Judges chunks by a book of policies, with the clocks running on to `now`."""

    def __init__(self, book: PolicyBook, now: Instant) -> None:
        self._book = book
        self._now = now
        self._until = to_datetime(now)
        self._reader = LifeReader(_SOURCE)
        self._teller = HistoryTeller(_SOURCE)

    def verdict(self, chunk: Iterable[Together]) -> ChunkVerdict:
        """Every clock of every conversation of a chunk, in the order given."""
        verdict = ChunkVerdict()
        lines: list[bytes] = []
        for group in chunk:
            for view in self._views(group, verdict):
                lines.append(clock_line(view))
                verdict.outcomes[view.metric, view.outcome] += 1
                if view.satisfied_at is not None and view.elapsed_seconds is not None:
                    verdict.elapsed_seconds.setdefault(view.metric, array("d")).append(view.elapsed_seconds)
        verdict.lines = b"".join(lines)
        return verdict

    def _views(self, group: Together, verdict: ChunkVerdict) -> Iterable[ClockView]:
        """The clocks of conversations, which are counted."""
        if len(group) == 1:
            ((conversation, rows),) = group
            (beginning, entries), events = self._reader.life(conversation, rows)
            verdict.conversations += 1
            verdict.events += events
            verdict.after_now += sum(each.at > self._now for each in entries)
            return judge_life(self._book, beginning, entries, self._now)
        told = [(conversation, self._teller.interactions(conversation, rows)) for conversation, rows in group]
        verdict.conversations += sum(bool(interactions) for _, interactions in told)
        verdict.events += sum(len(interactions) for _, interactions in told)
        verdict.after_now += sum(each.occurred_at > self._until for _, interactions in told for each in interactions)
        return chain.from_iterable(views for _, views in judge_together(self._book, told, self._now))


def chunks_of(conversations: Iterable[Together], rows_at_once: int = _ROWS_AT_ONCE) -> Iterator[list[Together]]:
    """The same conversations in the same order, some thousand rows together."""
    chunk: list[Together] = []
    rows_in_chunk = 0
    for group in conversations:
        chunk.append(group)
        for _, rows in group:
            rows_in_chunk += len(rows)
        if rows_in_chunk >= rows_at_once:
            yield chunk
            chunk, rows_in_chunk = [], 0
    if chunk:
        yield chunk
