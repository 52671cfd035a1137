"""What moves a whole partition: ticks and heartbeats, policies, linked and forgotten accounts, the end of an import.

`agents.conversation_agent` hands over each control at its place in the log, so that a replay moves the same things at
the same place. Everything is told to the narrator that `begin` has turned to this record.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from agents.domain.clock import is_running
from agents.domain.conversation import Conversation
from agents.domain.instant import SECOND_US, Instant, from_datetime, to_datetime
from agents.domain.narration import Narrator
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import Timeline, shrink
from agents.domain.traces import clocks_left_behind, clocks_shown
from agents.forgetting import forgotten_accounts, keep_forgotten
from agents.import_clock import keep_released
from agents.interaction_check import WALL
from agents.open_conversations import OpenConversations, time_of_source
from agents.ports import Record
from schemas.codec import ContractViolation
from schemas.control import Control
from schemas.conversation_state import (
    ActivePolicy,
    ClockAnchor,
    ConversationState,
    PartitionLedger,
    SourceProgress,
)
from schemas.interaction import Interaction
from schemas.policy import PolicyFile, from_published

FASTEST_RATE = 1e6
"""A year in half a minute is the fastest story anyone tells; more only overflows."""

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)
"""Where calendars end."""

LONGEST_SETTLING_SECONDS = 3600.0
"""A source that needs longer polls, and says with heartbeats how far it is."""

Begin = Callable[[str, str | None], None]
"""Turn the narrator to this record otherwise than on the wall clock and without an event, as it stands already.

On which clock, and which event, if any, ends the ids of what is told.
"""


class Forgotten(NamedTuple):
    """What a partition has forgotten: accounts, until which instant, their conversations, and clocks by their names."""

    accounts: tuple[str, ...]
    until: Instant
    conversations: list[str]
    clocks: list[str]
    failed: list[str]
    """What could not be computed because of it, in words."""


class PartitionControls:
    """Applies controls to the conversations and the ledger of one partition."""

    def __init__(
        self, ledger: PartitionLedger, book: PolicyBook, timeline: Timeline, conversations: OpenConversations
    ) -> None:
        self._ledger = ledger
        self._book = book
        self._timeline = timeline
        self._narrator: Narrator = timeline.narrator
        self._conversations = conversations

    def take(self, control: Control, record: Record, begin: Begin) -> list[str]:
        """Apply a control; what could not be computed because of it is returned in words.

        Raises:
            ContractViolation: it cannot be; nothing of it was applied.
        """
        as_of = _instant_of(control)
        match control.kind:
            case "tick":
                return self._tick(control, as_of, record, begin)
            case "heartbeat" | "source_declared":
                return self._source(control, as_of, record)
            case "policy_activated" if control.policy_text is not None:
                self._activate(control.policy_text, as_of)
            case "account_linked":
                return self._link(control, as_of, begin)
            case "clock_released":
                self._release(control.clock)
            case _:
                pass
        return []

    # time

    def _tick(self, control: Control, as_of: Instant, record: Record, begin: Begin) -> list[str]:
        if not 0 < control.rate <= FASTEST_RATE:
            raise ContractViolation("contract_violation", f"a clock cannot run at the rate {control.rate}")
        as_of = min(as_of, record.appended_at) if control.clock == WALL else as_of
        self._ledger.anchors[control.clock] = ClockAnchor(as_of, record.appended_at, control.rate)
        begin(control.clock, None)
        return self._sweep(control.clock, as_of)

    def _source(self, control: Control, as_of: Instant, record: Record) -> list[str]:
        """A source says how far it has delivered: its conversations are judged until then, and no further."""
        source = control.source
        if not source:
            raise ContractViolation("contract_violation", f"a {control.kind} names its source - at `$.source`")
        known = self._ledger.sources.get(source, SourceProgress())
        if control.kind == "source_declared":
            if not 0 <= control.settle_seconds <= LONGEST_SETTLING_SECONDS:
                raise ContractViolation("contract_violation", f"settle_seconds of {control.settle_seconds}")
            settle_us = round(control.settle_seconds * SECOND_US)
            self._ledger.sources[source] = replace(known, settle_us=settle_us)
            return []
        as_of = min(as_of, record.appended_at)
        if known.as_of is not None and as_of <= known.as_of:
            return []
        self._ledger.sources[source] = replace(known, as_of=as_of)
        return self._sweep(time_of_source(source), as_of)

    def _sweep(self, time: str, as_of: Instant) -> list[str]:
        """Decide what was due; what could not be computed is returned in words."""
        failed: list[str] = []
        conversations = self._conversations
        for _, key, state in sorted(conversations.due(time, as_of), key=lambda found: found[:2]):
            conversations.put(state)
            if state.next_change_at is None:
                shrink(state)
                continue
            try:
                Conversation(state, self._book, self._narrator).advance(as_of - conversations.settle_us(state))
            except Exception as error:  # noqa: BLE001 - as for events; it is looked at again at its next event
                state.next_change_at = None
                failed.append(f"{key}: {type(error).__name__}: {error}")
        return failed

    def _release(self, clock: str) -> None:
        """An import is over: its conversations live on by the clock on the wall, and their running clocks say so."""
        for state in self._conversations.released(clock):
            state.clock = WALL
            self._conversations.put(state)
            for each in filter(is_running, state.clocks):
                self._narrator.shown(state, each, state.advanced_to)
        self._ledger.anchors.pop(clock, None)
        keep_released(self._ledger.released, clock)

    # policies

    def _activate(self, text: str, as_of: Instant) -> None:
        before = [active for active in self._ledger.policies if active.text == text]
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
        self._ledger.policies.append(ActivePolicy(policy_file.version, in_force_from, text))

    def _refuse_other_content(self, version: str) -> None:
        """A version is the name of one content: running clocks carry it, and must find what they were promised."""
        if self._book.version(version) is not None:
            raise ContractViolation("contract_violation", f"policy version {version} stands for other content already")

    # accounts

    def _link(self, control: Control, as_of: Instant, begin: Begin) -> list[str]:
        """An account turned out to be another: its conversations are taken back there and stated again here."""
        if not control.account_id or not control.into:
            raise ContractViolation("contract_violation", "account_linked needs account_id and into")
        links = self._ledger.links
        into = links.get(control.into, control.into)
        if into == control.account_id or links.get(control.account_id) == into:
            return []  # said before, or the other way round
        for old, new in links.items():
            if new == control.account_id:
                links[old] = into
        links[control.account_id] = into
        begin(WALL, f"linked/{control.id}")
        failed: list[str] = []
        for state in self._conversations.mentioning(control.account_id):
            at = max(as_of, state.advanced_to) if state.clock == WALL else state.advanced_to
            try:
                linked = self._timeline.link(state, control.account_id, into, at)
            except Exception as error:  # noqa: BLE001 - as for events
                failed.append(f"{state.id}: {type(error).__name__}: {error}")
                continue
            if linked is not None:
                self._conversations.put(linked)
        return failed

    def forget(self, control: Control, record: Record, begin: Begin) -> Forgotten:
        """Drop the conversations of an account, and of the accounts that were linked into it.

        A conversation that has moved on to another account stays, as if it had been that one's from its beginning.

        Raises:
            ContractViolation: the control cannot be applied; nothing of it was.
        """
        until = min(_instant_of(control), record.appended_at)
        named, links = forgotten_accounts(control), self._ledger.links
        accounts = tuple(dict.fromkeys([*named, *(old for old, new in links.items() if new in named)]))
        self._ledger.links = {old: new for old, new in links.items() if old not in accounts and new not in accounts}
        keep_forgotten(self._ledger.forgotten, accounts, until)
        begin(WALL, f"forgotten/{control.id}")
        found = Forgotten(accounts, until, [], [], [])
        for account_id in accounts:
            for state in self._conversations.mentioning(account_id):
                if state.account_id in accounts:
                    self._conversations.drop(state)
                    found.conversations.append(state.id)
                    found.clocks.extend(clocks_shown(state))
                    continue
                try:
                    self._move_on(state, account_id, found)
                except Exception as error:  # noqa: BLE001 - as for events
                    found.failed.append(f"{state.id}: {type(error).__name__}: {error}")
        return found

    def _move_on(self, state: ConversationState, account_id: str, found: Forgotten) -> None:
        former = state.former_accounts
        linked = self._timeline.link(state, account_id, state.account_id, state.advanced_to)
        if linked is None and account_id not in former:
            return
        moved_on = linked if linked is not None else state
        moved_on.former_accounts = tuple(each for each in former if each != account_id)
        self._conversations.put(moved_on)
        found.clocks.extend(clocks_left_behind(moved_on))

    def linked(self, interaction: Interaction) -> Interaction:
        """What is still stamped with an account that turned out to be another belongs to that one."""
        into = self._ledger.links.get(interaction.account_id or "")
        return interaction if into is None else replace(interaction, account_id=into)


def _instant_of(control: Control) -> Instant:
    if control.as_of.tzinfo is None or not EARLIEST <= control.as_of < LATEST:
        raise ContractViolation("impossible_time", f"as_of {control.as_of.isoformat()}")
    return from_datetime(control.as_of)


def _in_force_from(policy_file: PolicyFile, as_of: Instant) -> Instant:
    starts = policy_file.effective_from
    return as_of if starts is None else from_datetime(starts)


def tick(clock: str, as_of: Instant, rate: float = 1.0) -> Control:
    """A tick for a partition: everything of `clock` that was due before `as_of` is decided when it is read back."""
    return Control(id=f"tick/{clock}/{as_of}", kind="tick", as_of=to_datetime(as_of), clock=clock, rate=rate)
