"""Rolling upgrades: what any release has remembered is read by this one, and goes on; and the other way round.

`recorded_states` holds changelog values as they were written, release by release (`record_states` makes them), and the
lives that led to them, half of which lies ahead. A release of before reads what this one writes as long as fields are
only ever appended: that is tested by appending.
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
from agents.ports import LEDGER_PREFIX
from schemas.account_state import AccountLedger, AccountState, decode_account_state
from schemas.care_state import CareClock, RollupState
from schemas.codec import encode
from schemas.conversation_state import PartitionLedger
from schemas.mention import Mention
from schemas.topics import INTERACTIONS, MENTIONS, SIGNALS
from streams.lane.changelog import ChangelogDamaged, from_value, to_value
from streams.lane.partition_states import PartitionStates
from tests.contract.record_states import AGENTS, BATCH, halves, live, unpacked
from tests.contract.recorded_lives import lives
from tests.doubles import ListEffects, record_of

FOLDER = Path(__file__).resolve().parent / "recorded_states"
RELEASES = sorted(path.stem for path in FOLDER.glob("*.json"))


NOW = 1_772_452_800_000_000
"""2026-03-02 12:00 UTC: when the first recording was made, and on the first day of the lives of the others."""
LIVES = "lives"
MEANT_OTHERWISE: dict[tuple[str, str], str] = {
    ("before-1.0-lives", "account"): "the hours of the day are compared, which nobody had counted apart",
}
"""Release and agent whose first half would be told otherwise by today's rules, with the rule that has changed: then the
second half is read and goes on, and is not compared."""


def recording(release: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{release}.json").read_text())
    return found


WITH_LIVES = [release for release in RELEASES if LIVES in recording(release)]


@pytest.fixture(params=RELEASES)
def recorded(request: pytest.FixtureRequest) -> dict[str, dict[str, bytes]]:
    return states_in(recording(request.param))


def states_in(found: dict[str, Any]) -> dict[str, dict[str, bytes]]:
    return {agent: {key: b64decode(value) for key, value in found[agent].items()} for agent in AGENTS}


def memory_of(values: dict[str, bytes]) -> PartitionStates:
    states = PartitionStates()
    for key, value in values.items():
        states.restore(key, from_value(value))
    return states


def test_something_is_recorded() -> None:
    assert WITH_LIVES


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("release", WITH_LIVES)
def test_a_life_goes_on_as_if_nothing_had_happened(release: str, agent: str) -> None:
    """Half of it under that release, the other half under this one: the same comes of it as of all under this one."""
    found = recording(release)
    first, rest = (list(unpacked(half)) for half in found[LIVES][agent])

    memory, unbroken = memory_of(states_in(found)[agent]), PartitionStates()
    live(agent, unbroken, first)
    resumed, told = live(agent, memory, rest), live(agent, unbroken, rest)

    assert len({type(event) for _, _, event in resumed.emitted}) > 1, "much happens in the second half"
    if (release, agent) not in MEANT_OTHERWISE:
        assert spoken(resumed) == spoken(told)
        assert resumed.rejected == told.rejected
        assert books(agent, memory) == books(agent, unbroken)


def books(agent: str, states: PartitionStates) -> list[int]:
    """What the partition has counted."""
    ledger = AGENTS[agent](states, ListEffects()).ledger
    return [count for name in ledger.__struct_fields__ if isinstance(count := getattr(ledger, name), int)]


def spoken(effects: ListEffects) -> list[object]:
    """All that was told, to the last byte, in order."""
    emitted = [(topic.name, key, encode(event)) for topic, key, event in effects.emitted]
    forgotten = [(topic.name, key) for topic, key in effects.forgotten]
    return [*emitted, *forgotten, *((topic.name, encode(control)) for topic, control in effects.relayed)]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_life_that_is_recorded_is_that_of_today(agent: str) -> None:
    """A new kind of state asks for a life that has it: what is told of and remembered is listed here."""
    first, rest = halves(lives()[agent])
    states = PartitionStates()
    kinds = {
        event.__class__.__name__
        for _, _, event in (*live(agent, states, first).emitted, *live(agent, states, rest).emitted)
    }

    assert (
        kinds
        == {
            "conversation": {"SlaEvent", "ClockView", "Interaction", "Signal"},
            "account": {"AdherenceReport", "HealthScore", "Rollup", "Alert", "Signal", "Interaction"},
            "issue": {"Issue", "Alert", "Rollup"},
        }[agent]
    )


def test_the_recorded_accounts_remember_everything_that_accounts_can() -> None:
    """A field that no recorded account fills would not be seen when it changes: whoever adds one lets it be lived."""
    states = PartitionStates()
    log = lives()["account"]
    memories: list[msgspec.Struct] = []
    for start in range(0, len(log), BATCH):
        live("account", states, log[start : start + BATCH])
        for key, kept in states.changes.items():
            if kept is not None and not key.startswith(LEDGER_PREFIX):
                state = decode_account_state(AccountState, kept.state)
                memories += [state, state.memory, state.care]
        states.changes.clear()

    untouched = {f"{type(each).__name__}.{name}" for each in memories for name in each.__struct_fields__} - {
        f"{type(each).__name__}.{name}" for each in memories for name in each.__struct_fields__ if getattr(each, name)
    }
    assert untouched == set(), "let it happen in `recorded_lives`, then record the next release"


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
    later = NOW + 30 * DAY_US

    agent.process([record_of(SIGNALS, None, tick("wall", later), offset=10_000, appended_at=later)], later)

    assert agent.ledger.sla_applied > 0
    assert not effects.rejected


def test_a_conversation_is_written_back_as_it_was_read(recorded: dict[str, dict[str, bytes]]) -> None:
    for key, value in recorded["conversation"].items():
        kept = from_value(value)
        assert from_value(to_value(kept)) == kept
        if not key.startswith(LEDGER_PREFIX):
            state = decode_state(kept.state)
            assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize("of_tomorrow", [7, "text", [1, [2]], {"a": None}])
def test_a_release_of_before_reads_what_a_later_one_has_appended(
    recorded: dict[str, dict[str, bytes]], of_tomorrow: Any
) -> None:
    ledger = msgspec.msgpack.decode(from_value(recorded["conversation"][LEDGER_KEY]).state, type=PartitionLedger)
    assert msgspec.msgpack.decode(_longer(ledger, of_tomorrow), type=PartitionLedger) == ledger
    for key, value in recorded["account"].items():
        kind = _kind_of(key)
        kept = from_value(value).state
        state = decode_account_state(kind, kept)
        assert decode_account_state(kind, kept[:1] + _longer(state, of_tomorrow)) == state


def _kind_of(key: str) -> Any:
    """What the account lane keeps under a key."""
    if not key.startswith(LEDGER_PREFIX):
        return AccountState
    if key == ACCOUNT_LEDGER_KEY:
        return AccountLedger
    return CareClock if key.count(LEDGER_PREFIX) == 2 else RollupState


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
        id="c/later", account_id="a", occurred_at=to_datetime(NOW + 30 * DAY_US), words=("printer", "smoke", "again")
    )

    agent.process([record_of(MENTIONS, "a", mention, offset=10_000, appended_at=NOW + 30 * DAY_US)], NOW)

    assert before > 0
    assert agent.ledger.applied == before + 1
    assert agent.ledger.rules is not None
    assert not effects.rejected
    state = IssueMemory(states).watch("wall").state
    assert state.surges.counted > 0
    assert len(state.silences.accounts) > 1
