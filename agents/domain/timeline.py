"""The order of things: which event is new, which is a duplicate, which came late, and what a late one changes.

`agents.conversation_agent` hands interactions over as they arrive; a conversation is the fold of its entries in the
order of *their* time. In order means one step forward; late (within the bound) means folding again from the horizon and
saying what changed.
"""

from hashlib import blake2b
from typing import Any, Literal

import msgspec

from agents.domain.conversation import FINISHED, Conversation
from agents.domain.instant import DAY_US, Instant, from_datetime
from agents.domain.narration import Narrator, Silence
from agents.domain.policy_book import PolicyBook
from schemas.conversation_state import ConversationState, TimelineEntry
from schemas.interaction import Interaction

LATENESS_BOUND_US = 7 * DAY_US
"""Meta retries a failed delivery for seven days, the longest of the channels.

What is older changes nothing any more.
"""

MAX_ENTRIES = 128
"""Entries that can be re-evaluated. Longer conversations fold their oldest half away, so that state stays bounded."""

REMEMBERED_IDS = 1024
"""Ids of folded events by which a repeated delivery is still called a duplicate.

Older ones are late, which changes nothing either.
"""

LASTING = ("id", "source", "clock", "channel", "language", "conversation_type")
"""What the first event says once and for all."""

CHANGING = ("account_id", "tier", "segment", "contract", "inbox", "team", "agent", "priority", "tags")
"""What later events may change, so that folding again needs to know how it began."""

CHANGES_ATTRIBUTES = frozenset({"assigned", "priority_changed", "tagged", "account_changed"})

Verdict = Literal["applied", "duplicate", "late"]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ConversationState)


def encode_state(state: ConversationState) -> bytes:
    """A conversation as bytes for the changelog."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> ConversationState:
    """The conversation in a changelog value."""
    return _decoder.decode(data)


def entry_of(interaction: Interaction) -> TimelineEntry:
    """What an interaction means to the clocks."""
    return TimelineEntry(
        at=from_datetime(interaction.occurred_at),
        id=interaction.id,
        type=interaction.type,
        author=interaction.author.kind,
        public=interaction.visibility == "public",
        automated=interaction.automated is not None,
        facts=_facts(interaction),
    )


def _facts(interaction: Interaction) -> dict[str, Any] | None:
    match interaction.type:
        case "message":
            return (
                {"author_id": interaction.author.id}
                if interaction.author.id and interaction.author.kind == "agent"
                else None
            )
        case "status_changed":
            return {"status": interaction.status}
        case "priority_changed":
            return {"priority": interaction.priority} if interaction.priority else None
        case "tagged":
            return {"tags": interaction.tags}
        case "assigned":
            stated = {name: getattr(interaction, name) for name in ("inbox", "team", "agent")}
            return {name: value for name, value in stated.items() if value is not None}
        case "account_changed":
            return {
                "account_id": interaction.account_id,
                "tier": interaction.tier,
                "segment": interaction.segment,
                "contract": interaction.contract,
            }
        case "due_set":
            return {"metric": interaction.metric, "due_at": from_datetime(interaction.due_at)}  # type: ignore[arg-type]
        case "merged":
            return {"into": interaction.into}
        case _:
            return None


def missing_in(interaction: Interaction) -> str | None:
    """The field that an interaction of this type cannot do without and does not have; null when it is whole."""
    needed = _NEEDED.get(interaction.type, ())
    return next((name for name in needed if getattr(interaction, name) is None), None)


_NEEDED = {
    "status_changed": ("status",),
    "priority_changed": ("priority",),
    "account_changed": ("account_id",),
    "due_set": ("metric", "due_at"),
    "merged": ("into",),
}


def new_conversation(interaction: Interaction) -> ConversationState:
    """A conversation as its first event describes it."""
    return ConversationState(
        id=interaction.conversation_id,
        source=interaction.source,
        account_id=interaction.account_id or f"conversation:{interaction.conversation_id}",
        clock=interaction.clock,
        channel=interaction.channel,
        tier=interaction.tier,
        segment=interaction.segment,
        contract=interaction.contract,
        language=interaction.language,
        conversation_type=interaction.conversation_type,
        inbox=interaction.inbox,
        team=interaction.team,
        agent=interaction.agent,
        priority=interaction.priority or "normal",
        tags=interaction.tags,
    )


class Timeline:
    """Takes events into one conversation. `state` is replaced when a late event makes it fold again."""

    __slots__ = ("book", "state")

    def __init__(self, state: ConversationState, book: PolicyBook) -> None:
        self.state = state
        self.book = book

    def take(self, entry: TimelineEntry, narrator: Narrator) -> Verdict:
        """Apply an entry in its place, or say why it changes nothing."""
        state = self.state
        if self._is_known(entry.id):
            return "duplicate"
        if entry.type in CHANGES_ATTRIBUTES and state.initial is None:
            state.initial = {name: getattr(state, name) for name in CHANGING}
        if entry.at >= state.advanced_to or state.created_at is None:
            if state.base is None and state.horizon_at is not None and not state.entries:
                state.base = _snapshot(state)
            state.entries.append(entry)
            Conversation(state, self.book, narrator).apply(entry)
            self._bound()
            return "applied"
        return self._take_late(entry, narrator)

    def _take_late(self, entry: TimelineEntry, narrator: Narrator) -> Verdict:
        state = self.state
        too_old = state.advanced_to - entry.at > LATENESS_BOUND_US
        beyond_horizon = state.horizon_at is not None and entry.at < state.horizon_at
        if too_old or beyond_horizon:
            _forget(state, [entry])
            return "late"
        again = self._refold([*state.entries, entry])
        _tell_changes(state, again, narrator, entry.at)
        self.state = again
        self._bound()
        return "applied"

    def _refold(self, entries: list[TimelineEntry]) -> ConversationState:
        state = self.state
        again = decode_state(state.base) if state.base is not None else _blank(state)
        again.forgotten_ids, again.horizon_at, again.base, again.clock = (
            state.forgotten_ids,
            state.horizon_at,
            state.base,
            state.clock,
        )
        silent = Silence(self.book)
        conversation = Conversation(again, self.book, silent)
        for entry in sorted(entries, key=_time_of):
            silent.event_id = entry.id
            again.entries.append(entry)
            conversation.apply(entry)
        conversation.advance(state.advanced_to)
        return again

    def without(self, entry: TimelineEntry) -> ConversationState:
        """The conversation as if an entry that cannot be computed had never come."""
        return self._refold([known for known in self.state.entries if known is not entry])

    def _is_known(self, event_id: str) -> bool:
        state = self.state
        if any(known.id == event_id for known in state.entries):
            return True
        if not state.forgotten_ids:
            return False
        digest = _digest(event_id)
        forgotten = state.forgotten_ids
        return any(forgotten[at : at + 8] == digest for at in range(0, len(forgotten), 8))

    def _bound(self) -> None:
        if len(self.state.entries) > MAX_ENTRIES:
            half = self.state.entries[: MAX_ENTRIES // 2]
            rest = self.state.entries[MAX_ENTRIES // 2 :]
            before = self._refold_until(half)
            _forget(self.state, half)
            self.state.horizon_at = half[-1].at
            self.state.base = before
            self.state.entries = rest

    def _refold_until(self, entries: list[TimelineEntry]) -> bytes:
        advanced_to, self.state.advanced_to = self.state.advanced_to, entries[-1].at
        folded = self._refold(entries)
        self.state.advanced_to = advanced_to
        return _snapshot(folded)


def shrink(state: ConversationState) -> None:
    """After the bound a finished conversation keeps what the next event would need, and nothing else."""
    _forget(state, state.entries)
    state.horizon_at = state.advanced_to
    state.entries = []
    state.base = None
    state.clocks = [clock for clock in state.clocks if clock.outcome in {"open", "breached"}]


def wake_at(state: ConversationState) -> Instant | None:
    """When time alone has something to do here: the next warning or deadline, or shrinking what is long finished."""
    if state.next_change_at is not None:
        return state.next_change_at
    if state.entries and state.status in FINISHED:
        return state.advanced_to + LATENESS_BOUND_US
    return None


def _blank(state: ConversationState) -> ConversationState:
    """The conversation before its first event."""
    lasting = {name: getattr(state, name) for name in LASTING}
    changing = state.initial or {name: getattr(state, name) for name in CHANGING}
    return ConversationState(**lasting, **changing, initial=state.initial)


def _tell_changes(old: ConversationState, new: ConversationState, narrator: Narrator, at: Instant) -> None:
    before = {(clock.metric, clock.instance): clock for clock in old.clocks}
    for clock in new.clocks:
        previous = before.pop((clock.metric, clock.instance), None)
        if previous is None:
            narrator.stated_again(new, clock)
        elif (previous.outcome, previous.due_at, previous.satisfied_at, previous.breached_at, previous.elapsed_us) != (
            clock.outcome,
            clock.due_at,
            clock.satisfied_at,
            clock.breached_at,
            clock.elapsed_us,
        ):
            narrator.revised(new, clock, previous, at)
    for gone in before.values():
        narrator.taken_back(old, gone, at)
        gone.outcome = "cancelled" if gone.outcome == "open" else "retracted"


def _forget(state: ConversationState, entries: list[TimelineEntry]) -> None:
    digests = state.forgotten_ids + b"".join(_digest(entry.id) for entry in entries)
    state.forgotten_ids = digests[-8 * REMEMBERED_IDS :]


def _snapshot(state: ConversationState) -> bytes:
    bare = msgspec.structs.replace(state, entries=[], base=None, forgotten_ids=b"", horizon_at=None)
    return encode_state(bare)


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(), digest_size=8).digest()


def _time_of(entry: TimelineEntry) -> Instant:
    return entry.at
