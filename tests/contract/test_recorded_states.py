"""Rolling upgrades: what any release has remembered is read by this one, and goes on; and the other way round.

`recorded_states` holds changelog values as they were written, release by release (`record_states` makes them). A
release of before reads what this one writes as long as fields are only ever appended: that is tested by appending.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.account_agent import LEDGER_KEY as ACCOUNT_LEDGER_KEY
from agents.account_agent import AccountAgent
from agents.conversation_agent import LEDGER_KEY, ConversationAgent
from agents.domain.instant import DAY_US, to_datetime
from agents.domain.timeline import decode_state, encode_state
from agents.issue_agent import IssueAgent
from agents.issue_memory import IssueMemory
from agents.partition_controls import tick
from schemas.account_state import AccountLedger, AccountState, decode_account_state
from schemas.conversation_state import PartitionLedger
from schemas.mention import Mention
from schemas.topics import INTERACTIONS, MENTIONS, SIGNALS
from streams.lane.changelog import ChangelogDamaged, from_value, to_value
from streams.lane.partition_states import PartitionStates
from tests.contract.record_states import NOW
from tests.doubles import ListEffects, record_of

FOLDER = Path(__file__).resolve().parent / "recorded_states"
RELEASES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(params=RELEASES)
def recorded(request: pytest.FixtureRequest) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, str]] = json.loads((FOLDER / f"{request.param}.json").read_text())
    return {agent: {key: b64decode(value) for key, value in values.items()} for agent, values in found.items()}


def memory_of(values: dict[str, bytes]) -> PartitionStates:
    states = PartitionStates()
    for key, value in values.items():
        states.restore(key, from_value(value))
    return states


def test_something_is_recorded() -> None:
    assert RELEASES


def test_conversations_of_before_are_read_and_go_on(recorded: dict[str, dict[str, bytes]]) -> None:
    states, effects = memory_of(recorded["conversation"]), ListEffects()
    agent = ConversationAgent(states, effects)
    before = agent.ledger.applied
    later = NOW + 365 * 86_400_000_000

    agent.process([record_of(INTERACTIONS, None, tick("wall", later), offset=10_000, appended_at=later)], later)

    assert before > 0
    assert agent.ledger.applied == before
    assert not effects.rejected
    assert effects.emitted, "a year later every open promise is broken"


def test_accounts_of_before_are_read_and_go_on(recorded: dict[str, dict[str, bytes]]) -> None:
    states, effects = memory_of(recorded["account"]), ListEffects()
    agent = AccountAgent(states, effects)
    later = NOW + 86_400_000_000

    agent.process([record_of(SIGNALS, None, tick("wall", later), offset=1, appended_at=later)], later)

    assert agent.ledger.sla_applied > 0
    assert not effects.rejected


def test_a_conversation_is_written_back_as_it_was_read(recorded: dict[str, dict[str, bytes]]) -> None:
    for key, value in recorded["conversation"].items():
        kept = from_value(value)
        assert from_value(to_value(kept)) == kept
        if key != LEDGER_KEY:
            state = decode_state(kept.state)
            assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize("of_tomorrow", [7, "text", [1, [2]], {"a": None}])
def test_a_release_of_before_reads_what_a_later_one_has_appended(
    recorded: dict[str, dict[str, bytes]], of_tomorrow: Any
) -> None:
    ledger = msgspec.msgpack.decode(from_value(recorded["conversation"][LEDGER_KEY]).state, type=PartitionLedger)
    assert msgspec.msgpack.decode(_longer(ledger, of_tomorrow), type=PartitionLedger) == ledger
    for key, value in recorded["account"].items():
        kind: Any = AccountLedger if key == ACCOUNT_LEDGER_KEY else AccountState
        kept = from_value(value).state
        state = decode_account_state(kind, kept)
        assert decode_account_state(kind, kept[:1] + _longer(state, of_tomorrow)) == state


def _longer(state: msgspec.Struct, of_tomorrow: object) -> bytes:
    return msgspec.msgpack.encode([*(getattr(state, name) for name in state.__struct_fields__), of_tomorrow])


def test_a_format_of_a_later_release_stops_the_worker_loudly(recorded: dict[str, dict[str, bytes]]) -> None:
    value = recorded["conversation"][LEDGER_KEY]

    with pytest.raises(ChangelogDamaged, match="upgrade all workers first"):
        from_value(bytes([value[0] + 1]) + value[1:])


def test_issues_of_before_are_read_and_go_on(recorded: dict[str, dict[str, bytes]]) -> None:
    states, effects = memory_of(recorded["issue"]), ListEffects()
    agent = IssueAgent(states, effects)
    before = agent.ledger.applied
    mention = Mention(
        id="c/later", account_id="a", occurred_at=to_datetime(NOW + DAY_US), words=("printer", "smoke", "again")
    )

    agent.process([record_of(MENTIONS, "a", mention, offset=10_000, appended_at=NOW + DAY_US)], NOW)

    assert before > 0
    assert agent.ledger.applied == before + 1
    assert agent.ledger.rules is not None
    assert not effects.rejected
    state = IssueMemory(states).watch("wall").state
    assert state.surges.counted >= before
    assert len(state.silences.accounts) > 1
