"""What an interaction must be besides fitting its contract, before `agents.conversation_agent` lets it move a clock."""

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from agents.domain.absorbed_promises import MOST_HANDED
from agents.domain.entries import entry_of, missing_in, new_conversation
from agents.domain.instant import MINUTE_US, Instant, from_datetime
from agents.domain.timeline import encode_state
from agents.ports import LEDGER_PREFIX, Record
from schemas.codec import ContractViolation
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry

WALL = "wall"
"""The clock of live sources."""

SKEW_US = 5 * MINUTE_US
"""How far a live source's clock may be ahead of ours before its event is put aside."""

OLDEST_LIVE_AT = from_datetime(datetime(2000, 1, 1, tzinfo=UTC))
"""No live source tells of the last century: such a time is a field that nobody filled in (1970)."""

LARGEST_ENTRY_BYTES = 4096
"""What the clocks remember of an event has about 60 bytes.

A hundred of these must fit into one record of the changelog, or one sender could stop a partition.
"""


def checked(interaction: Interaction, record: Record) -> TimelineEntry:
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
    if interaction.into == conversation:
        raise ContractViolation("contract_violation", "a conversation cannot be merged into itself - at `$.into`")
    try:
        entry = entry_of(interaction)
    except ValueError as error:
        raise ContractViolation("impossible_time", str(error)) from None
    if interaction.clock == WALL:
        _check_time(interaction, entry.at, record.appended_at)
    if len(interaction.decided) > MOST_HANDED:
        raise ContractViolation("too_large", f"{len(interaction.decided):,} promises are handed over at once")
    if len(record.value or b"") > LARGEST_ENTRY_BYTES:
        bare = entry if not interaction.decided else replace(entry, facts=None)  # promises are counted, not measured
        size = len(msgspec.msgpack.encode(bare)) + len(encode_state(new_conversation(interaction)))
        if size > LARGEST_ENTRY_BYTES:
            raise ContractViolation("too_large", f"ids, tags and attributes have {size} bytes together")
    return entry


def _check_time(interaction: Interaction, at: Instant, received: Instant) -> None:
    said = interaction.received_at
    if said is not None and said.tzinfo is not None and said < interaction.occurred_at:
        received = min(received, from_datetime(said))
    if at > received + SKEW_US:
        when = interaction.occurred_at.isoformat()
        raise ContractViolation("from_the_future", f"occurred_at {when} is more than 5 minutes ahead")
    if at < OLDEST_LIVE_AT:
        raise ContractViolation("impossible_time", f"occurred_at {interaction.occurred_at.isoformat()} cannot be live")
