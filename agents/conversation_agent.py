"""The conversation agent: interactions in, clock events out.

`streams.lane` hands over one batch of one partition at a time and makes everything that is decided here durable in one
transaction. Deciding itself is `agents.domain.timeline` and below; this file decodes, asks, counts and tells the ports.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NoReturn

import msgspec
from msgspec import Struct

from agents.domain.clock import is_running, stage
from agents.domain.conversation import Conversation
from agents.domain.entries import DEFAULT_WORDS, entry_of, missing_in, new_conversation
from agents.domain.instant import MINUTE_US, Instant, from_datetime, to_datetime
from agents.domain.narration import Detection, Narrator, Shown, clock_id, view_of
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import Timeline, decode_state, encode_state, shrink, wake_at
from agents.import_clock import UPON_RELEASE, is_import
from agents.ports import LEDGER_PREFIX, Effects, Record, States
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.conversation_state import (
    ActivePolicy,
    ClockAnchor,
    ConversationState,
    PartitionLedger,
)
from schemas.interaction import Interaction
from schemas.policy import PolicyFile, from_published
from schemas.sla_event import Cause
from schemas.timeline_entry import TimelineEntry
from schemas.topics import CLOCKS, SLA_EVENTS

SKEW_US = 5 * MINUTE_US
"""How far a live source's clock may be ahead of ours before its event is put aside."""

LARGEST_ENTRY_BYTES = 4096
"""What the clocks remember of an event has about 60 bytes.

A hundred of these must fit into one record of the changelog, or one sender could stop a partition.
"""

FASTEST_RATE = 1e6
"""A year in half a minute is the fastest story anyone tells; more only overflows."""

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)
"""Where calendars end."""

LEDGER_KEY = f"{LEDGER_PREFIX}ledger"
WALL = "wall"

_ledger_decoder = msgspec.msgpack.Decoder(PartitionLedger)


class ConversationAgent:
    """Implements `agents.ports.Agent` for one partition of the interactions."""

    def __init__(self, states: States, effects: Effects) -> None:
        self._states = states
        self._effects = effects
        self._open: dict[str, ConversationState] = {}
        self._before: dict[str, list[str]] = {}
        self._touched: dict[str, Shown] = {}
        self._detections: dict[str, Detection] = {}
        self._observed_at: Instant = 0
        remembered = states.get(LEDGER_KEY)
        self.ledger = _ledger_decoder.decode(remembered) if remembered is not None else PartitionLedger()
        self._book = PolicyBook()
        self._narrator = Narrator(self._book)
        self._timeline = Timeline(self._book, self._narrator)
        for policy in self.ledger.policies:
            self._book.activate(from_published(policy.text), policy.in_force_from)

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:
        """Apply a batch: every record once, in the order of the log; then remember what changed."""
        self._observed_at = observed_at
        self._detections.clear()
        ledger = self.ledger
        for record in records:
            if record.offset < ledger.next_offset:
                continue
            self._take(record)
            ledger.next_offset = record.offset + 1
        self._publish_clocks()
        self._count_clocks()
        for key, state in self._open.items():
            self._states.put(key, encode_state(state), state.clock, _wake_of(state))
        self._open.clear()
        self._before.clear()
        self._states.put(LEDGER_KEY, msgspec.msgpack.encode(ledger))

    def _take(self, record: Record) -> None:
        try:
            contract = contract_in(record.headers, Interaction)
            if contract is Control:
                self._control(decode(Control, record.value), record)
                self.ledger.controls += 1
                return
            if contract is not Interaction:
                _refuse(contract)
            interaction = decode(Interaction, record.value)
            entry = _checked(interaction, record)
        except ContractViolation as violation:
            self._reject(record, violation)
            return
        self._interaction(interaction, entry, record)

    def _reject(self, record: Record, violation: ContractViolation) -> None:
        self._effects.reject(record, violation.reason, violation.detail)
        self.ledger.rejected += 1

    def _interaction(self, interaction: Interaction, entry: TimelineEntry, record: Record) -> None:
        key = interaction.conversation_id
        state = self._load(key)
        if state is None:
            state = new_conversation(interaction)
        moved_by = state.clock
        if moved_by != WALL:
            # What lives by the wall stays there: history that is sent again must not stop live deadlines.
            state.clock = DEFAULT_WORDS.get(interaction.clock, interaction.clock)
        detection = self._detections.get(state.clock) or self._detection(state.clock)
        self._narrator.begin(record.partition, record.offset, entry.id, detection)
        try:
            verdict = self._timeline.take(state, interaction, entry)
        except Exception as error:  # noqa: BLE001 - one event that cannot be computed must not stop its neighbours
            self._reject(record, _failure(error))
            state.clock = moved_by
            if key in self._open:
                self._put_back(self._timeline.without(entry))
            return
        if verdict == "applied":
            self.ledger.applied += 1
            self._open[key] = self._timeline.state
            self._tell()
            return
        state.clock = moved_by
        if verdict == "duplicate":
            self.ledger.duplicate += 1
        else:
            self.ledger.late += 1
            self._open[key] = state

    def _put_back(self, state: ConversationState) -> None:
        """A conversation as it was before an event failed in the middle; what is to be shown of it follows."""
        self._open[state.id] = state
        for clock in state.clocks:
            name = clock_id(state, clock)
            shown = self._touched.get(name)
            if shown is not None:
                self._touched[name] = Shown(state, clock, shown.cause, shown.as_of)

    def _control(self, control: Control, record: Record) -> None:
        if control.as_of.tzinfo is None or not EARLIEST <= control.as_of < LATEST:
            raise ContractViolation("impossible_time", f"as_of {control.as_of.isoformat()}")
        as_of = from_datetime(control.as_of)
        self._detections.clear()
        match control.kind:
            case "tick":
                if not 0 < control.rate <= FASTEST_RATE:
                    raise ContractViolation("contract_violation", f"a clock cannot run at the rate {control.rate}")
                as_of = min(as_of, record.appended_at) if control.clock == WALL else as_of
                self.ledger.anchors[control.clock] = ClockAnchor(as_of, record.appended_at, control.rate)
                failed = self._sweep(control.clock, as_of, record)
                self._pass_on(control)
                if failed:
                    raise ContractViolation("calculation_failed", "; ".join(failed[:10]))
            case "policy_activated" if control.policy_text is not None:
                self._activate(control.policy_text, as_of)
            case "clock_released":
                self._release(control.clock, record)
                self._pass_on(control)
            case _:
                pass

    def _activate(self, text: str, as_of: Instant) -> None:
        before = [active for active in self.ledger.policies if active.text == text]
        try:
            policy_file = from_published(text)
            in_force_from = _in_force_from(policy_file, as_of)
            if any(active.in_force_from == in_force_from for active in before):
                return
            if not before:
                self._refuse_other_content(policy_file.version)
            self._book.activate(policy_file, in_force_from)
        except ContractViolation:
            raise
        except Exception as error:
            # A policy that nobody can use must not stop the work under those that are in force.
            detail = f"policy file: {type(error).__name__}: {error}"
            raise ContractViolation("contract_violation", detail) from error
        self.ledger.policies.append(ActivePolicy(policy_file.version, in_force_from, text))

    def _refuse_other_content(self, version: str) -> None:
        """A version is the name of one content: running clocks carry it, and must find what they were promised."""
        if self._book.version(version) is not None:
            raise ContractViolation("contract_violation", f"policy version {version} stands for other content already")

    def _sweep(self, clock: str, as_of: Instant, record: Record) -> list[str]:
        """Decide what was due; what could not be computed is returned in words."""
        self._narrator.begin(record.partition, record.offset, None, self._detection(clock))
        failed: list[str] = []
        for _, key, state in sorted(self._due(clock, as_of), key=_by_wake):
            self._open[key] = state
            if state.next_change_at is None:
                shrink(state)
                continue
            try:
                Conversation(state, self._book, self._narrator).advance(as_of)
            except Exception as error:  # noqa: BLE001 - as for events; it is looked at again at its next event
                state.next_change_at = None
                failed.append(f"{key}: {type(error).__name__}: {error}")
        self._tell()
        return failed

    def _due(self, clock: str, as_of: Instant) -> Iterator[tuple[Instant, str, ConversationState]]:
        """What wants to be woken before `as_of`, whether it was remembered or is open in this batch.

        Batch borders decide nothing.
        """
        for key in dict.fromkeys([*self._states.due(clock, as_of), *self._open]):
            state = self._load(key)
            if state is None or state.clock != clock:
                continue
            wake = wake_at(state)
            if wake is not None and wake < as_of:
                yield wake, key, state

    def _pass_on(self, control: Control) -> None:
        """An import tells its accounts the time behind everything that its conversations have to say."""
        if is_import(control.clock):
            self._effects.relay(SLA_EVENTS, control)

    def _release(self, clock: str, record: Record) -> None:
        """An import is over: its conversations live on by the clock on the wall, and their running clocks say so."""
        self._publish_clocks()
        cause = Cause(record.partition, record.offset)
        keys = dict.fromkeys([*self._states.release(clock, WALL), *self._open])
        for key in keys:
            state = self._load(key)
            if state is not None and state.clock == clock:
                state.clock = WALL
                self._open[key] = state
                for each in filter(is_running, state.clocks):
                    self._touched[clock_id(state, each)] = Shown(state, each, cause, state.advanced_to)
        self.ledger.anchors.pop(clock, None)

    def _detection(self, clock: str) -> Detection:
        """When this batch sees it, on a clock."""
        detection = self._detections[clock] = self._detection_now(clock)
        return detection

    def _detection_now(self, clock: str) -> Detection:
        observed_at = self._observed_at
        if clock == WALL:
            return Detection(observed_at)
        anchor = self.ledger.anchors.get(clock)
        if anchor is None or is_import(clock):
            return Detection(observed_at, is_live=False)
        passed_us = max(0, observed_at - anchor.appended_at)
        return Detection(anchor.as_of + round(passed_us * anchor.rate), anchor.rate)

    def _load(self, key: str) -> ConversationState | None:
        state = self._open.get(key)
        if state is None:
            data = self._states.get(key)
            if data is None:
                return None
            state = decode_state(data)
            self._before[key] = _stages(state)
        return state

    def _count_clocks(self) -> None:
        """Keep the books of running clocks: what was taken out of the memory leaves them, what goes back enters."""
        running = self.ledger.running
        for key, state in self._open.items():
            before, after = self._before.get(key, []), _stages(state)
            if before == after:
                continue
            for place in before:
                running[place] = running.get(place, 0) - 1
            for place in after:
                running[place] = running.get(place, 0) + 1

    def _tell(self) -> None:
        """Take away what the narrator wrote."""
        emit = self._effects.emit
        for event in self._narrator.events:
            emit(SLA_EVENTS, event.account_id, event)
        self._touched.update(self._narrator.views)

    def _publish_clocks(self) -> None:
        for shown in self._touched.values():
            view = view_of(shown.state, shown.clock, self._book, shown.as_of, shown.cause)
            self._effects.emit(CLOCKS, view.id, view)
        self._touched.clear()


def _wake_of(state: ConversationState) -> Instant | None:
    wake = wake_at(state)
    if wake is None and is_import(state.clock) and any(is_running(clock) for clock in state.clocks):
        return UPON_RELEASE
    return wake


def _refuse(contract: type[Struct]) -> NoReturn:
    raise ContractViolation("unknown_type", f"{contract.__name__} does not belong into this topic")


def _checked(interaction: Interaction, record: Record) -> TimelineEntry:
    """What an interaction means to the clocks.

    Raises:
        ContractViolation: it is not what the topic promises, although it fits the contract.
    """
    key, conversation = record.key, interaction.conversation_id
    if key is None:
        raise ContractViolation("missing_key", "an interaction is keyed by its conversation")
    if key != conversation.encode() or conversation.startswith(LEDGER_PREFIX):
        raise ContractViolation("key_mismatch", "the key is not the conversation id, or one that no conversation has")
    missing = missing_in(interaction)
    if missing is not None:
        raise ContractViolation("contract_violation", f"{interaction.type} needs {missing}")
    try:
        entry = entry_of(interaction)
    except ValueError as error:
        raise ContractViolation("impossible_time", str(error)) from None
    if interaction.clock == WALL:
        _check_skew(interaction, entry.at, record.appended_at)
    if len(record.value or b"") > LARGEST_ENTRY_BYTES:
        size = len(msgspec.msgpack.encode(entry)) + len(encode_state(new_conversation(interaction)))
        if size > LARGEST_ENTRY_BYTES:
            raise ContractViolation("too_large", f"ids, tags and attributes have {size} bytes together")
    return entry


def _check_skew(interaction: Interaction, at: Instant, received: Instant) -> None:
    said = interaction.received_at
    if said is not None and said.tzinfo is not None and said < interaction.occurred_at:
        received = min(received, from_datetime(said))
    if at > received + SKEW_US:
        when = interaction.occurred_at.isoformat()
        raise ContractViolation("from_the_future", f"occurred_at {when} is more than 5 minutes ahead")


def _in_force_from(policy_file: PolicyFile, as_of: Instant) -> Instant:
    starts = policy_file.effective_from
    return as_of if starts is None else from_datetime(starts)


def _failure(error: Exception) -> ContractViolation:
    return ContractViolation("calculation_failed", f"{type(error).__name__}: {error}")


def _by_wake(found: tuple[Instant, str, ConversationState]) -> tuple[Instant, str]:
    return found[:2]


def _stages(state: ConversationState) -> list[str]:
    return [f"{clock.metric}/{stage(clock)}" for clock in state.clocks if is_running(clock)]


def tick(clock: str, as_of: Instant, rate: float = 1.0) -> Control:
    """A tick for a partition: everything of `clock` that was due before `as_of` is decided when it is read back."""
    return Control(id=f"tick/{clock}/{as_of}", kind="tick", as_of=to_datetime(as_of), clock=clock, rate=rate)
