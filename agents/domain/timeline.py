"""The order of things: which event is new, which is a duplicate, which came late, and what a late one changes.

`agents.conversation_agent` hands interactions over as they arrive; a conversation is the fold of its entries in the
order of *their* time. In order means one step forward; late (within the bound) means folding again from the horizon and
saying what changed.
"""

from collections.abc import Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Literal

import msgspec

from agents.domain.absorbed_promises import MOST_HANDED, promises_in
from agents.domain.clock import is_running
from agents.domain.conversation import CHANGES_ATTRIBUTES, FINISHED, Conversation
from agents.domain.description import attributes, describes, description, remember_description, stands_in
from agents.domain.entries import LASTING, use_default_words
from agents.domain.instant import DAY_US, Instant
from agents.domain.narration import Narrator, Silence
from agents.domain.policy_book import PolicyBook
from agents.domain.retelling import tell_changes
from agents.domain.traces import TRACES
from schemas.conversation_state import ClockState, ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry

LATENESS_BOUND_US = 7 * DAY_US
"""Meta retries a failed delivery for seven days, the longest of the channels.

What is older changes nothing any more.
"""

MAX_ENTRIES = 128
"""Entries that can be re-evaluated. Longer conversations fold their oldest half away, so that state stays bounded."""

DECIDED_CLOCKS = 64
"""Decided clocks that are remembered behind the horizon: as many as the entries of that half could decide.

What is older can no longer be taken back.
"""

REMEMBERED_IDS = 1024
"""Ids of folded events by which a repeated delivery is still called a duplicate.

Older ones are late, which changes nothing either.
"""

OUTSIDE_THE_FOLD = ("forgotten_ids", "horizon_at", "base", "clock", "initial", "revisions", "described_at", *TRACES)
"""What does not follow from the entries, so that folding again leaves it alone."""

Verdict = Literal["applied", "duplicate", "late"]

FORGOTTEN = TimelineEntry(0, "")
"""Stands for an event that was folded away: it is known, and nothing of it can be changed any more."""

_id_of = attrgetter("id")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ConversationState)


def encode_state(state: ConversationState) -> bytes:
    """A conversation as bytes for the changelog."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> ConversationState:
    """The conversation in a changelog value."""
    state = _decoder.decode(data)
    use_default_words(state)
    return state


class Timeline:
    """Takes events into conversations, one after another.

    `state` is the conversation after the last one: another object than before when a late event made it fold again.
    """

    __slots__ = ("_before", "_conversation", "book", "state")

    def __init__(self, book: PolicyBook, narrator: Narrator) -> None:
        self.book = book
        self.state = ConversationState("")
        self._conversation = Conversation(self.state, book, narrator)
        self._before = 0, 0

    def take(self, state: ConversationState, interaction: Interaction, entry: TimelineEntry) -> Verdict:
        """Apply an interaction in its place, or say why it changes nothing. `entry` is what it means to the clocks."""
        self.state = state
        self._before = state.advanced_to, state.revisions
        known = self._known(entry.id)
        if known is not None:
            return self._correct(known, interaction, entry) if entry.version > known.version else "duplicate"
        if entry.type == "deleted" and entry.version:
            entry.type = "edited"  # it came before what it takes away, of which lower versions are known from here on
        if interaction.handed_over:
            return self._take_handover(interaction, entry)
        may_describe = state.described_at is not None  # else its first entry does, and no later one
        is_out_of_order = entry.at < state.advanced_to or (may_describe and describes(state, interaction, entry))
        if is_out_of_order and state.created_at is not None:
            return self._take_late(interaction, entry)
        entry.policies_known = self.book.activations
        if entry.type in CHANGES_ATTRIBUTES and state.initial is None:
            state.initial = attributes(state)
        _keep_base(state)
        state.entries.append(entry)
        self._conversation.state = state
        self._conversation.apply(entry)
        if len(state.entries) > MAX_ENTRIES:
            self._fold_away()
        return "applied"

    def _correct(self, known: TimelineEntry, interaction: Interaction, entry: TimelineEntry) -> Verdict:
        """The same event in a higher version: it takes the place of what it corrects; a deletion only takes it away."""
        state = self.state
        if known is FORGOTTEN or (state.horizon_at is not None and entry.at < state.horizon_at):
            return "late"
        entry.policies_known = known.policies_known
        kept = [each for each in state.entries if each is not known]
        if interaction.handed_over:
            kept = self._begun_earlier(kept, interaction.handed_over[0])
        if entry.type == "deleted" and known.type != "deleted":
            # It stays in its place as an edit, which moves no clock: older versions of it are known.
            entry = msgspec.structs.replace(known, type="edited", facts=None, version=entry.version)
        described = interaction if stands_in(state, entry) else None
        until = max(state.advanced_to, entry.at)
        self._retell([*kept, entry], until, entry.at, described, handed=promises_in(entry))
        return "applied"

    def _begun_earlier(self, entries: list[TimelineEntry], began: TimelineEntry) -> list[TimelineEntry]:
        """The entries with the beginning of an absorbed conversation where it is known to be now."""
        horizon_at = self.state.horizon_at
        if horizon_at is not None and began.at < horizon_at:
            return entries
        began.policies_known = self._known_at(began.at)
        return [*(each for each in entries if each.id != began.id), began]

    def _take_handover(self, interaction: Interaction, entry: TimelineEntry) -> Verdict:
        """What an absorbed conversation has lived through, each event in its place."""
        state = self.state
        is_new = state.created_at is None
        horizon_at = state.horizon_at
        remember_description(state)
        own = {each.id for each in state.entries}
        told = [each for each in interaction.handed_over if each.id not in own]
        if horizon_at is not None:
            entry.at = max(entry.at, horizon_at)  # what was decided is taken over, however old the life that did it
        told.append(entry)
        heard = [each for each in told if horizon_at is None or each.at >= horizon_at]
        _forget(state, [each for each in told if each not in heard])
        for each in heard:
            each.policies_known = self._known_at(each.at)
        described = interaction if stands_in(state, entry) else None
        until = max(state.advanced_to, entry.at)
        again = self._retell([*state.entries, *heard], until, entry.at, described, handed=interaction.decided)
        if is_new and again.created_at is not None:
            self._conversation.narrator.fact(again, "opened", again.created_at)
        while len(self.state.entries) > MAX_ENTRIES or _handed_in(self.state.entries) > MOST_HANDED:
            self._fold_away()
        return "applied"

    def part_again(self, state: ConversationState, at: Instant) -> ConversationState:
        """Undo the merge of a conversation which closed a circle: it is the survivor, and its clocks are its own."""
        self.state = state
        self._before = state.advanced_to, state.revisions
        remember_description(state)
        kept = [entry for entry in state.entries if entry.type != "merged"]
        self._retell(kept, max(state.advanced_to, at), at)
        self.state.merged_into = None
        return self.state

    def link(self, state: ConversationState, account_id: str, into: str, at: Instant) -> ConversationState | None:
        """The account turned out to be another: from its beginning the conversation is that one's.

        A correction like a late event: the same comes out wherever in the log it stands. Null if the conversation never
        was that account's.
        """
        initial = state.initial or attributes(state)
        facts = [initial, *(entry.facts for entry in state.entries if entry.facts is not None)]
        mentions = [each for each in facts if each.get("account_id") == account_id]
        _keep_base(state)
        base = decode_state(state.base) if state.base is not None else None
        if base is not None and base.account_id == account_id:
            Conversation(base, self.book, Silence(self.book)).belongs_to(into)
            state.base = encode_state(base)
        elif not mentions:
            return None
        for each in mentions:
            each["account_id"] = into
        self.state = state
        self._before = state.advanced_to, state.revisions
        state.initial = initial
        return self._retell(state.entries, state.advanced_to, at)

    @property
    def narrator(self) -> Narrator:
        """Who writes down what happens."""
        return self._conversation.narrator

    def _retell(
        self,
        entries: list[TimelineEntry],
        until: Instant,
        at: Instant,
        described: Interaction | None = None,
        handed: Sequence[ClockState] = (),
    ) -> ConversationState:
        """Fold these entries instead, from how an event describes the beginning, and say what that changes."""
        state = self.state
        initial, lasting = description(state, described)
        again = self._refold(entries, until, initial | lasting)
        again.initial = initial
        tell_changes(state, again, self._conversation.narrator, at, handed)
        self.state = again
        return again

    def _take_late(self, interaction: Interaction, entry: TimelineEntry) -> Verdict:
        state = self.state
        narrator = self._conversation.narrator
        too_old = state.advanced_to - entry.at > LATENESS_BOUND_US
        beyond_horizon = state.horizon_at is not None and entry.at < state.horizon_at
        if too_old or beyond_horizon:
            _forget(state, [entry])
            return "late"
        is_first = describes(state, interaction, entry)
        if is_first and state.described_at is not None:
            state.described_at = entry.at
        # The first event describes the conversation, whichever came first to us.
        initial, lasting = description(state, interaction if is_first else None)
        entry.policies_known = self._known_at(entry.at)
        until = max(state.advanced_to, entry.at)
        again = self._refold([*state.entries, entry], until, initial | lasting, (entry, narrator))
        if is_first or entry.type in CHANGES_ATTRIBUTES:
            again.initial = initial
        tell_changes(state, again, narrator, entry.at)
        if again.merged_into is not None and again.revisions == state.revisions:
            again.revisions += 1  # it is handed over anew, also where none of its own clocks has changed
        self.state = again
        if len(again.entries) > MAX_ENTRIES:
            self._fold_away()
        return "applied"

    def _known_at(self, at: Instant) -> int | None:
        """A late event brings no policy into the past that its neighbours were not judged by."""
        entries = self.state.entries
        before = [entry for entry in entries if entry.at <= at]
        if before:
            return before[-1].policies_known
        return entries[0].policies_known if entries else self.book.activations

    def _refold(
        self,
        entries: list[TimelineEntry],
        until: Instant,
        described: dict[str, Any] | None = None,
        aloud: tuple[TimelineEntry, Narrator] | None = None,
    ) -> ConversationState:
        """The conversation after these entries and the time until an instant, from the horizon on."""
        state = self.state
        _keep_base(state)
        again = beginning_of(state, described)
        silent = Silence(self.book)
        conversation = Conversation(again, self.book, silent)
        for entry in sorted(entries, key=_time_of):
            silent.event_id = entry.id
            silent.aloud = aloud[1] if aloud is not None and entry is aloud[0] else None
            again.entries.append(entry)
            conversation.apply(entry)
        conversation.advance(until)
        for name in OUTSIDE_THE_FOLD:
            setattr(again, name, getattr(state, name))
        return again

    def without(self, entry: TimelineEntry) -> ConversationState:
        """The conversation as if an entry that cannot be computed had never come."""
        advanced_to, revisions = self._before
        again = self._refold([known for known in self.state.entries if known is not entry], advanced_to)
        again.revisions = revisions
        return again

    def _known(self, event_id: str) -> TimelineEntry | None:
        """The entry of an event that was taken before, or `FORGOTTEN` for one that is folded away."""
        state = self.state
        entries = state.entries
        if event_id in map(_id_of, entries):
            return next(known for known in entries if known.id == event_id)
        forgotten = state.forgotten_ids
        if not forgotten:
            return None
        digest = _digest(event_id)
        at = forgotten.find(digest)
        while at % 8 and at >= 0:  # a match across two digests is none
            at = forgotten.find(digest, at + 1)
        return FORGOTTEN if at >= 0 else None

    def _fold_away(self) -> None:
        """Move the horizon over the older half of the entries. Decided clocks of long ago go with them."""
        state = self.state
        half, rest = state.entries[: MAX_ENTRIES // 2], state.entries[MAX_ENTRIES // 2 :]
        before = self._refold(half, half[-1].at)
        decided = [(clock.metric, clock.instance) for clock in before.clocks if not is_running(clock)]
        gone = set(decided[:-DECIDED_CLOCKS])
        for folded in (before, state):
            folded.clocks = [clock for clock in folded.clocks if (clock.metric, clock.instance) not in gone]
        _forget(state, half)
        state.horizon_at = half[-1].at
        state.base = _snapshot(before)
        state.entries = rest


def shrink(state: ConversationState) -> None:
    """After the bound a finished conversation keeps what the next event would need, and nothing else."""
    _forget(state, state.entries)
    state.horizon_at = state.advanced_to
    state.entries = []
    state.base = None
    state.clocks = [clock for clock in state.clocks if is_running(clock)]


def wake_at(state: ConversationState) -> Instant | None:
    """When time alone has something to do here: the next warning or deadline, or shrinking what is long finished."""
    if state.next_change_at is not None:
        return state.next_change_at
    if state.entries and state.status in FINISHED:
        return state.advanced_to + LATENESS_BOUND_US
    return None


def beginning_of(state: ConversationState, described: dict[str, Any] | None = None) -> ConversationState:
    """The conversation before the first of its entries: as it stood at the horizon, or before its first event.

    Args:
        state: the conversation as it stands.
        described: what its first event says otherwise than is remembered.
    """
    if state.base is not None:
        return decode_state(state.base)
    known = {name: getattr(state, name) for name in LASTING} | (state.initial or attributes(state))
    return ConversationState(**(known | (described or {})))


def _forget(state: ConversationState, entries: list[TimelineEntry]) -> None:
    digests = state.forgotten_ids + b"".join(_digest(entry.id) for entry in entries)
    state.forgotten_ids = digests[-8 * REMEMBERED_IDS :]


def _keep_base(state: ConversationState) -> None:
    """What has shrunk is its own base, before anything happens to it."""
    if state.horizon_at is not None and state.base is None:
        state.base = _snapshot(state)


def _snapshot(state: ConversationState) -> bytes:
    bare = msgspec.structs.replace(state, entries=[], base=None, forgotten_ids=b"", horizon_at=None)
    return encode_state(bare)


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(), digest_size=8).digest()


def _handed_in(entries: list[TimelineEntry]) -> int:
    """How many promises of absorbed conversations these entries remember."""
    return sum(len(entry.facts["promises"]) for entry in entries if entry.type == "handover" and entry.facts)


def _time_of(entry: TimelineEntry) -> Instant:
    return entry.at
