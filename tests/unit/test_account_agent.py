"""What the account agent does with good, bad and repeated records, and with time."""

from typing import Any

import msgspec
import pytest

from agents.account_agent import LEDGER_KEY, AccountAgent
from agents.domain import family
from agents.domain.account import Account
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, from_datetime, to_datetime
from agents.ports import Record
from schemas.account_state import AccountLedger, AccountState, UnreadableStateError, decode_account_state
from schemas.adherence import AdherenceFigure, AdherenceReport
from schemas.alert import Alert
from schemas.control import Control
from schemas.health_score import HealthScore
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import ADHERENCE, ALERTS, HEALTH, SIGNALS, SLA_EVENTS, TopicSpec
from tests.account_stories import ACCOUNT, START, csat, log, sla_event, tick
from tests.doubles import DictStates, ListEffects, record_of

NOON = START + 12 * HOUR_US


class Partition:
    """An agent with its ports, and a log that goes on."""

    def __init__(self) -> None:
        self.states, self.effects = DictStates(), ListEffects()
        self.offset = 0

    def take(self, *events: Any, appended_at: Instant = NOON) -> None:
        self.take_records(log(events, self.offset, appended_at))
        self.offset += len(events)

    def take_records(self, records: list[Record]) -> None:
        AccountAgent(self.states, self.effects).process(records, 0)

    def state(self, account: str = ACCOUNT) -> AccountState:
        return decode_account_state(AccountState, self.states.states[account])

    def ledger(self) -> AccountLedger:
        return decode_account_state(AccountLedger, self.states.states[LEDGER_KEY])

    def figure(self, window: str, metric: str = "first_response") -> tuple[Any, ...]:
        report = self.effects.latest(ADHERENCE)[f"{ACCOUNT}/{metric}"]
        assert isinstance(report, AdherenceReport)
        (found,) = [each for each in report.figures() if (each.scope, each.window) == ("account", window)]
        return (found.met, found.breached, found.ratio, found.open, found.overdue)

    def reports(self) -> list[AdherenceReport]:
        return [report for report in self.effects.on(ADHERENCE) if isinstance(report, AdherenceReport)]

    def figures(self, window: str, first: int = 0) -> list[AdherenceFigure]:
        return [
            figure
            for report in self.reports()[first:]
            for figure in report.figures()
            if (figure.scope, figure.window) == ("account", window)
        ]

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.key, alert.state) for alert in self.effects.on(ALERTS) if isinstance(alert, Alert)]

    def scores(self) -> list[HealthScore]:
        return [health for health in self.effects.on(HEALTH) if isinstance(health, HealthScore)]


@pytest.fixture
def partition() -> Partition:
    return Partition()


def test_a_promise_from_its_start_to_a_late_answer(partition: Partition) -> None:
    partition.take(sla_event("activated", NOON - HOUR_US))
    assert partition.figure("24h") == (0, 0, None, 1, 0)
    partition.take(sla_event("breached", NOON - 30 * MINUTE_US))
    assert partition.figure("24h") == (0, 1, 0.0, 0, 1)
    partition.take(sla_event("satisfied_late", NOON))
    assert partition.figure("24h") == (0, 1, 0.0, 0, 0)
    assert partition.alerts()[:1] + partition.alerts()[-1:] == [
        ("PromiseBreached/c1/first_response/1", "firing"),
        ("PromiseBreached/c1/first_response/1", "resolved"),
    ]


@pytest.mark.parametrize("ending", ["satisfied_late", "retracted", "cancelled", "merged"])
def test_a_breach_alert_ends_with_the_wait(partition: Partition, ending: str) -> None:
    partition.take(
        sla_event("activated", NOON - HOUR_US, priority="urgent"),
        sla_event("breached", NOON - 30 * MINUTE_US, priority="urgent"),
    )
    partition.take(
        sla_event(ending, NOON, previous_outcome="breached", breached_at=to_datetime(NOON - 30 * MINUTE_US)),
    )
    ours = [alert for alert in partition.effects.on(ALERTS) if isinstance(alert, Alert) and alert.metric is not None]
    assert [(alert.state, alert.severity) for alert in ours] == [("firing", "critical"), ("resolved", "warning")]
    assert len({alert.id for alert in ours}) == 2
    # Only a retraction takes the breach out of the ratio; any other end leaves it broken.
    assert partition.figure("7d") == (
        0,
        0 if ending == "retracted" else 1,
        None if ending == "retracted" else 0.0,
        0,
        0,
    )


@pytest.mark.parametrize("decided", ["met", "breached", "satisfied_late", "cancelled"])
def test_a_merge_takes_out_what_its_conversation_had_decided(partition: Partition, decided: str) -> None:
    at = NOON - 30 * MINUTE_US
    partition.take(
        sla_event("activated", NOON - HOUR_US),
        sla_event("met" if decided == "met" else "breached", at),
        *([] if decided in {"met", "breached"} else [sla_event(decided, NOON, previous_outcome="breached")]),
    )
    partition.take(sla_event("met", NOON, "c2"))
    before = partition.figure("7d")
    partition.take(
        sla_event(
            "merged", NOON + 1, previous_outcome=decided, previous_decided_at=to_datetime(at), target_seconds=60.0
        )
    )
    assert (sum(before[:2]), partition.figure("7d")) == (2, (1, 0, 1.0, 0, 0))


def test_clocks_without_a_target_are_open_but_never_in_the_ratio(partition: Partition) -> None:
    bare: dict[str, Any] = {"due_at": None, "target_seconds": None}
    partition.take(sla_event("activated", NOON - HOUR_US, **bare), sla_event("activated", NOON, "c2", **bare))
    partition.take(sla_event("met", NOON, **bare))
    assert partition.figure("1h") == (0, 0, None, 1, 0)


def test_a_tick_expires_what_has_left_the_windows(partition: Partition) -> None:
    partition.take(sla_event("activated", NOON - HOUR_US), sla_event("met", NOON))
    clock, wake_at = partition.states.wakes[ACCOUNT]
    assert (clock, wake_at) == ("wall", NOON + HOUR_US)
    partition.take(tick(wake_at - 1), appended_at=wake_at)
    assert partition.figure("1h") == (1, 0, 1.0, 0, 0)
    partition.take(tick(wake_at), appended_at=wake_at)
    assert partition.figure("1h") == (0, 0, None, 0, 0)
    assert partition.figure("24h") == (1, 0, 1.0, 0, 0)
    partition.take(tick(NOON + 31 * DAY_US), appended_at=NOON + 31 * DAY_US)
    assert partition.figure("30d") == (0, 0, None, 0, 0)
    assert partition.state().metrics == {}
    last = partition.scores()[-1]
    assert (last.score, last.band, last.coverage, last.change) == (None, None, 0, "band_changed")
    assert last.reason == "Nothing is known any more; last was 100.00."


def test_an_overdue_clock_grows_heavier_without_any_event(partition: Partition) -> None:
    partition.take(sla_event("met", NOON - 20 * MINUTE_US, "c0"), sla_event("breached", NOON))
    wakes = []
    for hours in (1, 4, 24):
        wakes.append(partition.states.wakes[ACCOUNT][1] - NOON)
        partition.take(tick(NOON + hours * HOUR_US), appended_at=NOON + hours * HOUR_US)
    assert wakes == [40 * MINUTE_US, 4 * HOUR_US, 24 * HOUR_US - 20 * MINUTE_US]
    overdue = [health.contributions[1].sub_score for health in partition.scores()]
    assert overdue == [75, 61.67, 48.33]
    assert partition.scores()[-1].reason == "Down 5.34 to 19.33, most by overdue clocks (-5.34)."


def test_a_fast_clock_of_a_worker_moves_nobodys_time(partition: Partition) -> None:
    partition.take(sla_event("met", NOON))
    partition.take(tick(NOON + 40 * DAY_US), appended_at=NOON + MINUTE_US)
    assert partition.state().as_of == NOON


def test_other_clocks_move_only_their_own_accounts_until_they_are_released(partition: Partition) -> None:
    partition.take(sla_event("met", NOON, clock="import:7"), sla_event("met", NOON, account_id="other"))
    partition.take(tick(NOON + 2 * HOUR_US, "import:7"), appended_at=NOON)
    assert partition.state().as_of == NOON + 2 * HOUR_US
    assert partition.state("other").as_of == NOON
    released = Control(id="r", kind="clock_released", as_of=to_datetime(NOON), clock="import:7")
    partition.take(released)
    assert partition.state().clock == "wall"
    assert partition.states.wakes[ACCOUNT] == ("wall", NOON + DAY_US)
    partition.take(tick(NOON + DAY_US), appended_at=NOON + DAY_US)
    assert partition.figure("24h") == (0, 0, None, 0, 0)


def test_events_before_and_after_a_tick_in_one_batch_see_it_in_between(partition: Partition) -> None:
    later = NOON + 2 * HOUR_US
    partition.take(sla_event("met", NOON), tick(later), sla_event("met", later, "c2"), appended_at=later)
    told = [(figure.as_of, figure.met) for figure in partition.figures("1h")]
    assert told == [(to_datetime(NOON), 1), (to_datetime(later), 0), (to_datetime(later), 1)]


def bad(topic: TopicSpec, offset: int, **more: Any) -> Record:
    good = log([sla_event("met", NOON)] if topic is SLA_EVENTS else [csat(5, NOON)], offset, NOON)[0]
    return good._replace(**more)


FOREIGN = [("ce_type", b"com.example.other")]
ALERT = [("ce_type", b"careline.alert.v1")]


@pytest.mark.parametrize(
    ("topic", "broken", "reason"),
    [
        (SLA_EVENTS, {"value": b"{"}, "not_json"),
        (SLA_EVENTS, {"value": None}, "tombstone"),
        (SLA_EVENTS, {"value": b'{"id": 1}'}, "contract_violation"),
        (SLA_EVENTS, {"headers": FOREIGN}, "unknown_type"),
        (SLA_EVENTS, {"headers": ALERT}, "unknown_type"),
        (SLA_EVENTS, {"key": None}, "missing_key"),
        (SLA_EVENTS, {"key": b"somebody"}, "key_mismatch"),
        (SLA_EVENTS, {"appended_at": NOON - 6 * MINUTE_US}, "from_the_future"),
        (SIGNALS, {"value": b'{"id": "\xff"}'}, "not_utf8"),
        (SIGNALS, {"key": b"somebody"}, "key_mismatch"),
        (SIGNALS, {"appended_at": NOON - 6 * MINUTE_US}, "from_the_future"),
    ],
)
def test_a_bad_record_is_rejected_and_its_neighbours_count(
    partition: Partition, topic: TopicSpec, broken: dict[str, Any], reason: str
) -> None:
    poison = bad(topic, 1, **broken)
    before = log([sla_event("met", NOON), csat(5, NOON)], 0, NOON)
    after = log([sla_event("met", NOON, "c2"), csat(5, NOON, "s2")], 3, NOON)
    partition.take_records([before[0], poison, after[0], before[1]._replace(offset=2), after[1]])
    assert [(record, why) for record, why, _ in partition.effects.rejected] == [(poison, reason)]
    ledger = partition.ledger()
    assert (ledger.sla_applied, ledger.applied, ledger.sla_rejected + ledger.rejected) == (2, 2, 1)
    assert ledger.accepted == ledger.applied + ledger.rejected
    assert partition.figure("1h")[0] == 2


@pytest.mark.parametrize(
    "impossible",
    [
        csat(6, NOON),
        csat(None, NOON),
        csat(3, NOON, scale=0.0),
        sla_event("met", NOON, metric=None),
        sla_event("outcome_revised", NOON, outcome="met"),
    ],
)
def test_what_contradicts_itself_is_a_contract_violation(partition: Partition, impossible: Any) -> None:
    partition.take(impossible)
    ((_, reason, detail),) = partition.effects.rejected
    assert reason == "contract_violation"
    assert "`$." in detail
    assert ACCOUNT not in partition.states.states


def test_an_instant_without_a_time_zone_is_impossible(partition: Partition) -> None:
    record = log([sla_event("met", NOON)], 0, NOON)[0]
    partition.take_records([record._replace(value=(record.value or b"").replace(b"00Z", b"00"))])
    assert [why for _, why, _ in partition.effects.rejected] == ["impossible_time"]


def test_a_failing_calculation_leaves_the_account_as_it_was(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet = Account._meet

    def fails_at_the_end(self: Account, event: Any, at: Instant) -> None:
        meet(self, event, at)
        if event.conversation_id == "poison":
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Account, "_meet", fails_at_the_end)
    partition.take(sla_event("met", NOON - DAY_US, "c0"))
    partition.take(
        sla_event("met", NOON - MINUTE_US, "c1"),
        sla_event("breached", NOON, "poison"),
        sla_event("met", NOON - SECOND_US, "c2"),
        sla_event("met", NOON - SECOND_US, "c3", account_id="other"),
    )
    assert [(why, detail) for _, why, detail in partition.effects.rejected] == [
        ("calculation_failed", "ZeroDivisionError: a bug")
    ]
    assert partition.figure("7d") == (3, 0, 1.0, 0, 0)
    assert partition.state().as_of == NOON - SECOND_US
    assert partition.alerts() == []
    assert "other" in partition.states.states
    assert (partition.ledger().sla_applied, partition.ledger().sla_rejected) == (4, 1)


def test_an_account_that_cannot_be_settled_rejects_its_batch_and_no_other(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Account.settle

    def fails_for_acme(self: Account, *profiles: Any) -> Any:
        if self.id == ACCOUNT:
            raise ZeroDivisionError("a bug")
        return settle(self, *profiles)

    partition.take(sla_event("met", NOON - HOUR_US))
    before = partition.states.states[ACCOUNT]
    monkeypatch.setattr(Account, "settle", fails_for_acme)
    partition.take(sla_event("met", NOON, "c2"), csat(5, NOON), sla_event("met", NOON, account_id="other"))
    assert [why for _, why, _ in partition.effects.rejected] == ["calculation_failed"] * 2
    assert partition.states.states[ACCOUNT] == before
    assert "other" in partition.states.states
    partition.take(tick(NOON + HOUR_US), appended_at=NOON + HOUR_US)
    assert len(partition.effects.rejected) == 3
    assert ACCOUNT not in partition.states.wakes
    ledger = partition.ledger()
    assert (ledger.sla_applied, ledger.sla_rejected, ledger.applied, ledger.rejected) == (2, 1, 0, 1)


def test_a_failure_takes_the_word_of_a_relative_out_of_no_books(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    word = msgspec.structs.replace(
        csat(5, NOON), id="word", kind="child", name="child-1", value=50.0, source=family.SOURCE
    )
    partition.take(word)
    monkeypatch.setattr(Account, "settle", fails)
    partition.take(word, csat(5, NOON))

    ledger = partition.ledger()
    assert (ledger.applied, ledger.rejected) == (0, 1)
    assert [record.offset for record, _, _ in partition.effects.rejected] == [1, 2]


def test_events_are_known_by_the_record_that_caused_them(partition: Partition) -> None:
    def caused(conversation: str, partition_number: int, offset: int, index: int) -> Record:
        event = sla_event("met", NOON, conversation, cause=Cause(partition_number, offset, index))
        return record_of(SLA_EVENTS, ACCOUNT, event, offset=0, appended_at=NOON)

    partition.take_records([caused("a", 0, 7, 1), caused("b", 0, 7, 2), caused("c", 1, 3, 0)])
    partition.take_records([caused("b", 0, 7, 2), caused("a", 0, 7, 1), caused("d", 1, 3, 1), caused("e", 0, 6, 9)])
    assert partition.figure("1h")[0] == 4
    assert (partition.ledger().sla_applied, partition.ledger().sla_duplicate) == (4, 3)


def test_signals_are_known_by_their_id_and_a_newer_version_replaces(partition: Partition) -> None:
    partition.take(csat(1, NOON), csat(1, NOON), csat(5, NOON, version=1), csat(1, NOON - 91 * DAY_US, "old"))
    ledger = partition.ledger()
    assert (ledger.applied, ledger.duplicate, ledger.late, ledger.accepted) == (2, 1, 1, 4)
    assert partition.scores()[-1].score == 100


def test_the_first_score_explains_itself_and_a_fall_into_red_is_an_alert(partition: Partition) -> None:
    partition.take(sla_event("met", NOON - HOUR_US, tier="gold"), csat(5, NOON - HOUR_US))
    first = partition.scores()[0]
    assert (first.score, first.band, first.change, first.tier) == (100, "green", "initial", "gold")
    assert first.coverage == 0.85  # all but volume, which weighs 15 of 100
    assert [part.weight for part in first.contributions] == [0.4235, 0.2824, 0, 0.2941]
    assert first.contributions[2].value is None
    broken = [sla_event("breached", NOON, f"b{number}", priority="urgent") for number in range(3)]
    partition.take(*broken)
    red = partition.scores()[-1]
    assert (red.band, red.previous_band, red.change, red.previous_score) == ("red", "green", "band_changed", 100)
    assert red.reason == "Down 70.59 to 29.41 into red, most by adherence over 7 days (-42.35)."
    assert red.contributions[1].event_ids == tuple(event.id for event in broken)
    assert ("AccountHealthRed/acme", "firing") in partition.alerts()
    partition.take(*[sla_event("satisfied_late", NOON, f"b{number}") for number in range(3)])
    assert partition.alerts()[-1] == ("AccountHealthRed/acme", "resolved")


def test_a_small_move_is_not_worth_telling(partition: Partition) -> None:
    partition.take(*[csat(5, NOON, f"s{number}") for number in range(99)])
    partition.take(csat(4.99, NOON, "t"))
    assert len(partition.scores()) == 1


def test_only_what_has_changed_is_told(partition: Partition) -> None:
    partition.take(sla_event("met", NOON - 2 * HOUR_US))
    partition.take(sla_event("paused", NOON), sla_event("warned", NOON), sla_event("contact", NOON))
    # Nothing is known of a clock that pauses here; that time has passed shows in the shortest window only.
    assert [report.standings[0].met for report in partition.reports()] == [(1, 1, 1, 1, 1), (0, 1, 1, 1, 1)]
    # An outcome that lies outside of every window is none.
    partition.take(sla_event("met", NOON - 70 * DAY_US, "c0"))
    assert len(partition.reports()) == 2


def test_a_state_of_another_layout_stops_the_worker(partition: Partition) -> None:
    partition.states.put(ACCOUNT, b"\x63" + b"rest")
    with pytest.raises(UnreadableStateError, match="layout 63"):
        partition.take(sla_event("met", NOON))


def test_a_state_of_an_older_release_is_read_with_defaults() -> None:
    """Layout 1 as its first two fields: a MessagePack array, `wall` and 5."""
    assert decode_account_state(AccountState, b"\x01\x92\xa4wall\x05") == AccountState(clock="wall", as_of=5)
    assert decode_account_state(AccountLedger, b"\x01\x90") == AccountLedger()


def test_golden_ids(partition: Partition) -> None:
    event = sla_event("met", NOON)
    partition.take(event)
    (told,) = partition.reports()
    assert told.id == f"acme/first_response@{event.id}"
    assert partition.scores()[0].id == f"acme@{event.id}"
    assert isinstance(event, SlaEvent)
    assert from_datetime(told.as_of) == NOON
