"""Which conversations of a file are merged into each other, along chains and circles: they are judged together.

Everything else of a file is judged conversation by conversation (`streams.history.conversations`).
"""

from collections.abc import Iterator, Mapping, Sequence

from streams.history.row_events import EventBody, RowOfHistory


def merge_groups(rows: Mapping[str, Sequence[RowOfHistory]]) -> dict[str, frozenset[str]]:
    """For each conversation that has to do with a merge, all of its group, itself included.

    A survivor may have no row of its own.
    """
    roots: dict[str, str] = {}
    for conversation, told in rows.items():
        for into in _survivors(told):
            roots[_root(roots, conversation)] = _root(roots, into)
    members: dict[str, list[str]] = {}
    for conversation in roots:
        members.setdefault(_root(roots, conversation), []).append(conversation)
    return {each: group for group in map(frozenset, members.values()) for each in group}


def _survivors(told: Sequence[RowOfHistory]) -> Iterator[str]:
    for row in told:
        events = row.events
        for body in (events,) if type(events) is EventBody else [draft.body for draft in row.drafts]:
            if body.into is not None:
                yield body.into


def _root(roots: dict[str, str], conversation: str) -> str:
    """The name of the group of a conversation, which is one of its members; the way there is shortened."""
    while (above := roots.setdefault(conversation, conversation)) != conversation:
        roots[conversation] = conversation = roots.setdefault(above, above)
    return conversation
