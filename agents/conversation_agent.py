"""The conversation agent: interactions in, clock events out.

`streams.lane` hands over one batch of one partition at a time and makes everything that is decided here durable in one
transaction. Deciding itself is `agents.domain.timeline` and below; this file decodes, asks, counts and tells the ports.
What moves time, policies and accounts for a whole partition is `agents.partition_controls`.
"""

from collections.abc import Sequence
from typing import NoReturn

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agents.domain.entries import DEFAULT_WORDS, new_conversation, note_channel
from agents.domain.instant import Instant, to_datetime
from agents.domain.merging import course_of, passed_on, told_survivor
from agents.domain.narration import Detection, Narrator, Shown, clock_id, view_of
from agents.domain.passed_answers import told_account
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import Timeline
from agents.forgetting import is_forgotten
from agents.import_clock import is_import
from agents.interaction_check import WALL, checked
from agents.open_conversations import OpenConversations
from agents.partition_controls import Begin, PartitionControls
from agents.ports import LEDGER_PREFIX, Effects, Record, States
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.conversation_state import ConversationState, PartitionLedger
from schemas.interaction import Interaction
from schemas.policy import from_published
from schemas.timeline_entry import TimelineEntry
from schemas.topics import CLOCKS, INTERACTIONS, REJECTED, SIGNALS, SLA_EVENTS

LEDGER_KEY = f"{LEDGER_PREFIX}ledger"

_ledger_decoder = msgspec.msgpack.Decoder(PartitionLedger)


class ConversationAgent:
    """Implements `agents.ports.Agent` for one partition of the interactions."""

    def __init__(self, states: States, effects: Effects) -> None:
        self._states = states
        self._effects = effects
        self._touched: dict[str, Shown] = {}
        self._detections: dict[str, Detection] = {}
        self._observed_at: Instant = 0
        remembered = states.get(LEDGER_KEY)
        self.ledger = _ledger_decoder.decode(remembered) if remembered is not None else PartitionLedger()
        self._conversations = OpenConversations(states, self.ledger)
        self._book = PolicyBook()
        self._narrator = Narrator(self._book)
        self._timeline = Timeline(self._book, self._narrator)
        self._controls = PartitionControls(self.ledger, self._book, self._timeline, self._conversations)
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
        self._conversations.close()
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
            if self.ledger.links:
                interaction = self._controls.linked(interaction)
            entry = checked(interaction, record)
        except ContractViolation as violation:
            self._reject(record, violation)
            return
        if self.ledger.forgotten and self._is_forgotten(interaction, entry):
            self._count("late", interaction)
            return
        self._interaction(interaction, entry, record)

    def _is_forgotten(self, interaction: Interaction, entry: TimelineEntry) -> bool:
        account_id = interaction.account_id or new_conversation(interaction).account_id
        began = min([entry.at, *(each.at for each in interaction.handed_over)])
        return is_forgotten(self.ledger.forgotten, account_id, interaction.clock, began)

    def _reject(self, record: Record, violation: ContractViolation) -> None:
        self._effects.reject(record, violation.reason, violation.detail)
        self.ledger.rejected += 1

    # interactions

    def _interaction(self, interaction: Interaction, entry: TimelineEntry, record: Record) -> None:
        key = interaction.conversation_id
        state = self._conversations.get(key)
        if state is None:
            state = new_conversation(interaction)
            if interaction.via and interaction.clock in self.ledger.released:
                state.clock = WALL  # handed over into a partition where its import had ended already
        elif interaction.via:
            if self._is_passed_on(state, interaction, entry, record):
                self._count("applied", interaction)
                return
            state = self._timeline.state
        moved_by = state.clock
        if moved_by != WALL:
            # What lives by the wall stays there: history that is sent again must not stop live deadlines.
            state.clock = DEFAULT_WORDS.get(interaction.clock, interaction.clock)
        note_channel(entry, state, interaction)
        detection = self._detections.get(state.clock) or self._detection(state.clock)
        self._narrator.begin(record.partition, record.offset, entry.id, detection)
        try:
            verdict = self._timeline.take(state, interaction, entry)
        except Exception as error:  # noqa: BLE001 - one event that cannot be computed must not stop its neighbours
            self._reject(record, _failure(error))
            state.clock = moved_by
            if key in self._conversations:
                self._put_back(self._timeline.without(entry))
            return
        self._count(verdict, interaction)
        if verdict == "applied":
            self._conversations.put(self._timeline.state)
            self._tell()
            self._tell_survivor(self._timeline.state, interaction, entry)
            self._tell_account(self._timeline.state, interaction)
            return
        state.clock = moved_by
        if verdict == "late":
            self._conversations.put(state)

    def _count(self, verdict: str, interaction: Interaction) -> None:
        """What a merged conversation passes on was counted where it came in; here it is as good as a control."""
        ledger = self.ledger
        if interaction.via:
            ledger.controls += 1
        elif verdict == "applied":
            ledger.applied += 1
        elif verdict == "duplicate":
            ledger.duplicate += 1
        else:
            ledger.late += 1

    def _put_back(self, state: ConversationState) -> None:
        """A conversation as it was before an event failed in the middle; what is to be shown of it follows."""
        self._conversations.put(state)
        for clock in state.clocks:
            name = clock_id(state, clock)
            shown = self._touched.get(name)
            if shown is not None:
                self._touched[name] = Shown(state, clock, shown.cause, shown.as_of)

    # merges

    def _tell_survivor(self, state: ConversationState, interaction: Interaction, entry: TimelineEntry) -> None:
        """What a merged conversation has lived through goes to its survivor, and what is still said in it."""
        for told in told_survivor(state, interaction, entry):
            self._effects.emit(INTERACTIONS, told.conversation_id, told)

    def _tell_account(self, state: ConversationState, interaction: Interaction) -> None:
        """What a customer answered in a conversation is the account's to count."""
        told = told_account(state, interaction)
        if told is not None:
            self._effects.emit(SIGNALS, told.account_id, told)

    def _is_passed_on(
        self, state: ConversationState, interaction: Interaction, entry: TimelineEntry, record: Record
    ) -> bool:
        """Whether something that a merged conversation has passed on is no business of this one."""
        self._timeline.state = state
        course = course_of(state, interaction)
        if course.goes_on:
            forwarded = passed_on(state, interaction)
            self._effects.emit(INTERACTIONS, forwarded.conversation_id, forwarded)
        if course.survives:
            self._survive(state, entry, record)
        return not course.is_taken

    def _survive(self, state: ConversationState, entry: TimelineEntry, record: Record) -> None:
        """A circle of merges comes home: the merge of the one that survives is undone."""
        parted = f"{entry.id}/parted"
        self._narrator.begin(record.partition, record.offset, parted, self._detection(state.clock))
        self._conversations.put(self._timeline.part_again(state, entry.at))
        self._tell()

    # controls

    def _control(self, control: Control, record: Record) -> None:
        self._detections.clear()
        if control.kind == "clock_released":
            self._publish_clocks()  # what was decided before is shown with the clock of before

        def begin(clock: str, event_id: str | None) -> None:
            self._narrator.begin(record.partition, record.offset, event_id, self._detection(clock))

        begin(WALL, None)
        if control.kind == "account_forgotten":
            failed = self._forget(control, record, begin)
        else:
            failed = self._controls.take(control, record, begin)
        self._tell()
        if control.kind in {"tick", "clock_released"} and is_import(control.clock):
            # An import tells its accounts the time behind everything that its conversations have to say.
            self._effects.relay(SLA_EVENTS, control)
        if failed:
            raise ContractViolation("calculation_failed", "; ".join(failed[:10]))

    def _forget(self, control: Control, record: Record, begin: Begin) -> list[str]:
        """Take back what was published of an account, and pass it on behind everything that was said of it here."""
        forgotten = self._controls.forget(control, record, begin)
        effects = self._effects
        for clock in forgotten.clocks:
            self._touched.pop(clock, None)
            effects.forget(CLOCKS, clock)
        for key in (*forgotten.accounts, *forgotten.conversations):
            effects.forget(REJECTED, key)
        until, also_known_as = to_datetime(forgotten.until), forgotten.accounts[1:]
        effects.relay(SLA_EVENTS, replace(control, as_of=until, also_known_as=also_known_as))
        return forgotten.failed

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

    # results

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


def _refuse(contract: type[Struct]) -> NoReturn:
    raise ContractViolation("unknown_type", f"{contract.__name__} does not belong into this topic")


def _failure(error: Exception) -> ContractViolation:
    return ContractViolation("calculation_failed", f"{type(error).__name__}: {error}")
