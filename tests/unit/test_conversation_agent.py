"""The conversation agent on its ports: what it refuses, what it survives, how time reaches it, what it remembers."""

from datetime import UTC, datetime

import msgspec
import pytest

from agents.conversation_agent import LEDGER_KEY
from agents.domain import conversation as conversations
from agents.domain.instant import DAY_US, SECOND_US, Instant
from agents.domain.timeline import decode_state
from agents.partition_controls import tick
from agents.ports import Record
from schemas.codec import EVENT_TYPES, encode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.signal import Signal
from schemas.topics import INTERACTIONS
from tests.conversation_stories import LONG_AFTER, Desk, activation, event, instant, log, moment, policy, target
from tests.doubles import DictStates

INTERACTION_TYPE = [("ce_type", EVENT_TYPES[Interaction].encode())]
GOOD = event("09:00", "customer")


def raw(value: bytes | None, key: bytes | None = b"c1", headers: list[tuple[str, bytes]] = INTERACTION_TYPE) -> Record:
    return Record(INTERACTIONS, 0, 0, key, value, headers, LONG_AFTER)


def changed(**fields: object) -> bytes:
    """A good event with other values on the wire."""
    return msgspec.json.encode(msgspec.json.decode(encode(GOOD)) | fields)


POISON = [
    pytest.param(raw(b"\xff\xfe\x00 no JSON"), "not_json", id="no JSON"),
    pytest.param(raw(b'{"id": "\xff"}'), "not_utf8", id="no UTF-8"),
    pytest.param(raw(b"[" * 10_000 + b"]" * 10_000), "contract_violation", id="ten thousand deep"),
    pytest.param(
        raw(b'{"x":' * 10_000 + b"1" + b"}" * 10_000), "not_json", id="ten thousand deep in a field of no one"
    ),
    pytest.param(raw(None), "tombstone", id="no value"),
    pytest.param(raw(encode(GOOD), key=None), "missing_key", id="no key"),
    pytest.param(raw(encode(GOOD), key=b"c2"), "key_mismatch", id="the key of another conversation"),
    pytest.param(raw(encode(GOOD), key=b"\xff"), "key_mismatch", id="a key that is no text"),
    pytest.param(
        raw(changed(conversation_id=LEDGER_KEY), key=LEDGER_KEY.encode()), "key_mismatch", id="the key of our own books"
    ),
    pytest.param(raw(b"{}"), "contract_violation", id="nothing in it"),
    pytest.param(raw(changed(type="dance")), "contract_violation", id="a type that is none"),
    pytest.param(raw(changed(type="status_changed")), "contract_violation", id="a change to nothing"),
    pytest.param(raw(changed(type="due_set", metric="first_response")), "contract_violation", id="due never"),
    pytest.param(raw(changed(occurred_at="2026-03-02T09:00:00")), "impossible_time", id="no time zone"),
    pytest.param(raw(changed(occurred_at="2031-01-01T00:00:00Z")), "from_the_future", id="ahead of the broker"),
    pytest.param(
        raw(changed(received_at="2026-03-02T08:54:00Z")), "from_the_future", id="six minutes ahead of its reception"
    ),
    pytest.param(
        raw(changed(occurred_at="2301-01-01T00:00:00Z", clock="import:h", conversation_id="c9"), key=b"c9"),
        "calculation_failed",
        id="behind all calendars",
    ),
    pytest.param(raw(changed(type="tagged", tags=["x" * 100] * 100)), "too_large", id="tags without end"),
    pytest.param(raw(encode(GOOD), headers=[("ce_type", b"careline.poem.v1")]), "unknown_type", id="an unknown type"),
    pytest.param(
        raw(encode(GOOD), headers=[("ce_type", EVENT_TYPES[Signal].encode())]), "unknown_type", id="of another topic"
    ),
]


@pytest.mark.parametrize(("poison", "reason"), POISON)
def test_poison_is_put_aside_and_its_neighbours_are_unharmed(poison: Record, reason: str) -> None:
    desk = Desk(policy())
    good = log([GOOD, event("09:30", "agent")], first=1)
    answer = good[1]._replace(offset=3)
    desk.take_records([good[0], poison._replace(offset=2), answer])
    assert [(record.value, why) for record, why, _ in desk.effects.rejected] == [(poison.value, reason)]
    ledger = desk.agent.ledger
    assert (ledger.applied, ledger.duplicate, ledger.late, ledger.rejected) == (2, 0, 0, 1)
    assert "first_response/1 met due 14:00 used 0:30" in desk.clocks()


BAD_CONTROLS = [
    pytest.param({"kind": "policy_activated", "policy_text": "no policy"}, "contract_violation", id="no policy file"),
    pytest.param(
        {"kind": "policy_activated", "policy_text": '{"version":"9","policies":[{"id":"p","calendar":"nowhere"}]}'},
        "contract_violation",
        id="a policy with a calendar that is not there",
    ),
    pytest.param(
        {"kind": "tick", "clock": "simulation:1", "rate": 0.0}, "contract_violation", id="a clock that stands"
    ),
    pytest.param(
        {"kind": "tick", "clock": "simulation:1", "rate": 1e300}, "contract_violation", id="a clock that flies"
    ),
    pytest.param({"kind": "tick", "as_of": datetime(9999, 1, 1, tzinfo=UTC)}, "impossible_time", id="the end of time"),
    pytest.param({"kind": "tick", "as_of": datetime(2026, 1, 1)}, "impossible_time", id="a tick without a zone"),  # noqa: DTZ001
    pytest.param({"kind": "dance"}, "contract_violation", id="a control that is none"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD_CONTROLS)
def test_a_wrong_control_is_put_aside_too(fields: dict[str, object], reason: str) -> None:
    control = Control(**({"id": "k", "as_of": moment("09:30")} | fields))  # type: ignore[arg-type]
    desk = Desk(policy()).take(GOOD, control, event("10:00", "agent"))
    assert [why for _, why, _ in desk.effects.rejected] == [reason]
    assert "first_response/1 met due 14:00 used 1:00" in desk.clocks()


def test_a_version_stands_for_one_content() -> None:
    desk = Desk(policy()).take(activation(policy([target("first_response", "1:00")])), GOOD)
    assert [why for _, why, _ in desk.effects.rejected] == ["contract_violation"]
    assert "first_response/1 open due 13:00 used 0:00" not in desk.clocks()
    assert len(desk.agent.ledger.policies) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two batches"])
def test_an_event_that_cannot_be_computed_leaves_everything_as_it_was(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies behind a deadline, and its calculation fails after time has passed: the breach is told later, once."""

    def fail(self: conversations.Conversation, entry: object) -> None:
        self.state.status = "closed"
        raise ArithmeticError("planted")

    monkeypatch.setitem(conversations._HANDLERS, "handover", fail)
    story = [GOOD, event("20:00", "handover"), event("09:30", "customer", conversation_id="c2")]
    desk = Desk(policy())
    for batch in [story] if together else [story[:1], story[1:]]:
        desk.take(*batch)
    assert [why for _, why, _ in desk.effects.rejected] == ["calculation_failed"]
    assert [line for line in desk.clocks() if "open" not in line] == []
    assert desk.until("22:00").story("first_response")[-2:] == ["14:00 breached", "14:30 breached"]
    assert decode_state(desk.states.states["c1"]).status is None
    assert desk.agent.ledger.applied == 2


def test_a_sweep_goes_on_behind_what_cannot_be_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    breach = conversations.Conversation._breach

    def fail(self: conversations.Conversation, clock: object, at: Instant, *, timed: bool) -> None:
        if self.state.id == "c1":
            raise ArithmeticError("planted")
        breach(self, clock, at, timed=timed)  # type: ignore[arg-type]

    monkeypatch.setattr(conversations.Conversation, "_breach", fail)
    desk = Desk(policy()).take(GOOD, event("09:30", "customer", conversation_id="c2")).until("22:00").until("23:00")
    assert [(why, detail.split(":")[0]) for _, why, detail in desk.effects.rejected] == [("calculation_failed", "c1")]
    assert {each.conversation_id for each in desk.events if each.kind == "breached"} == {"c2"}


# Time.


def test_a_tick_that_runs_ahead_of_the_broker_counts_as_the_broker_says() -> None:
    desk = Desk(policy()).take(GOOD)
    desk.take(tick("wall", instant("22:00")), appended_at=instant("13:59"))
    assert [each.kind for each in desk.events if each.kind == "breached"] == []
    desk.take(tick("wall", instant("22:00")), appended_at=instant("14:01"))
    assert [each.occurred_at for each in desk.events if each.kind == "breached"] == [moment("14:00")]


def test_what_is_due_at_the_instant_of_a_tick_is_not_broken_yet() -> None:
    desk = Desk(policy()).take(GOOD).until("14:00")
    assert desk.take(event("14:00", "agent")).story("first_response")[-1] == "14:00 met"


def test_an_import_is_moved_by_its_own_ticks_and_lives_by_the_wall_when_it_is_released() -> None:
    desk = Desk(policy())
    desk.take(
        event("09:00", "customer", clock="import:h", conversation_id="answered"),
        event("10:00", "agent", clock="import:h", conversation_id="answered"),
        event("09:00", "customer", clock="import:h", conversation_id="broken"),
        event("16:00", "customer", clock="import:h", conversation_id="open"),
    )
    assert [each.kind for each in desk.until("tue 09:00").events if each.kind == "breached"] == []
    desk.until("17:00", "import:h")
    broken = [each for each in desk.events if each.kind == "breached"]
    assert [(each.conversation_id, each.lateness_seconds) for each in broken] == [("broken", None)]
    desk.take(Control(id="end", kind="clock_released", as_of=moment("17:00"), clock="import:h"))
    desk.until("tue 12:00")
    late = {each.conversation_id for each in desk.events if each.kind == "breached" and each.metric == "first_response"}
    assert late == {"broken", "open"}
    assert {each.clock for each in desk.events if each.conversation_id == "open" and each.kind == "breached"} == {
        "wall"
    }


def test_history_that_is_sent_again_does_not_stop_live_deadlines() -> None:
    desk = Desk(policy()).take(
        GOOD, event("09:00", "customer", clock="import:h"), event("09:30", "note", clock="import:h")
    )
    assert desk.agent.ledger.duplicate == 1
    assert desk.until("22:00").story("first_response")[-1] == "14:00 breached"


def test_lateness_in_a_simulation_is_measured_on_its_own_clock_without_its_warp() -> None:
    desk = Desk(policy())
    began = LONG_AFTER - 10 * SECOND_US
    desk.take(event("09:00", "customer", clock="simulation:1"))
    desk.take(tick("simulation:1", instant("13:59"), rate=60.0), appended_at=began)
    desk.take(tick("simulation:1", instant("14:05"), rate=60.0), appended_at=LONG_AFTER - SECOND_US)
    breach = next(each for each in desk.events if each.kind == "breached")
    # One second after the tick of 14:05 the story stands at 14:06: six minutes of it are six seconds here.
    assert breach.detected_at == moment("14:06")
    assert breach.lateness_seconds == pytest.approx(6.0)


def test_lateness_on_the_wall_is_the_time_until_somebody_looked() -> None:
    desk = Desk(policy()).take(GOOD).until("22:00")
    breach = next(each for each in desk.events if each.kind == "breached")
    assert breach.lateness_seconds == (LONG_AFTER - instant("14:00")) / 1e6


# Memory.


def test_the_next_owner_of_a_partition_goes_on_with_policies_anchors_and_books() -> None:
    desk = Desk(policy()).take(activation(policy([target("first_response", "1:00")], "2"), moment("08:00")), GOOD)
    heir = Desk(states=DictStates(dict(desk.states.states), dict(desk.states.wakes)))
    heir.offset = desk.offset
    assert heir.agent.ledger == desk.agent.ledger
    desk.effects.emitted.clear()
    later: list[Interaction | Control] = [
        event("09:30", "customer", conversation_id="c2"),
        tick("wall", instant("22:00")),
        event("23:00", "agent"),
    ]
    assert heir.take(*later).events == desk.take(*later).events
    assert {each.policy_version for each in heir.events if each.metric is not None} == {"2"}


def test_records_of_before_the_last_commit_are_not_taken_again() -> None:
    desk = Desk(policy())
    records = log([GOOD, event("09:30", "agent")], first=1)
    desk.take_records(records)
    said = len(desk.events)
    desk.take_records(records)
    assert len(desk.events) == said
    assert desk.agent.ledger.applied == 2


def test_a_quiet_batch_remembers_only_the_books() -> None:
    desk = Desk(policy()).take(GOOD)
    desk.states.states.pop("c1")
    desk.take(Control(id="h", kind="heartbeat", as_of=moment("09:00")))
    assert set(desk.states.states) == {LEDGER_KEY}


def test_without_any_policy_there_are_facts_and_no_clocks() -> None:
    desk = Desk().take(GOOD).until(instant("09:00") + 30 * DAY_US)
    assert [each.kind for each in desk.events] == ["opened", "contact"]
