"""The clock of an import: what both agents know about it.

A history comes conversation by conversation, so time moves once in it, by the tick behind its last event; then
everything is handed over to the clock on the wall. `streams.history.history_sender` sends both controls into the
interactions, the conversation agents pass them on behind their results, and the account agents heed them
(`docs/decisions/0010-the-clock-of-an-import-follows-its-results.md`).
"""

from agents.domain.instant import Instant

BEFORE_EVERY_TICK: Instant = 0
"""When to wake what has to be looked at by the next tick, whatever that tick says."""

UPON_RELEASE: Instant = 2**62
"""When to wake what waits for the end of its import alone: after every tick, so that only the release finds it."""


_MOST_RELEASED = 100
"""Imports that ended last: what belongs to one comes seconds behind its end, minutes where a connector is behind."""


def keep_released(released: list[str], clock: str) -> None:
    """Remember that a clock has come to its end: what still comes on it lives by the clock on the wall."""
    if is_import(clock):
        released[:] = [*(each for each in released if each != clock), clock][-_MOST_RELEASED:]


def is_import(clock: str) -> bool:
    """Whether a clock is that of an import."""
    return clock.startswith("import:")
