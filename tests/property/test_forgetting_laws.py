"""Laws of forgetting: nothing of the account is left, nobody else notices, and the books stay exact."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agents.account_agent import LEDGER_KEY as ACCOUNT_LEDGER_KEY
from agents.account_agent import AccountAgent
from agents.conversation_agent import LEDGER_KEY
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, to_datetime
from schemas.account_state import AccountLedger, decode_account_state
from schemas.codec import encode
from schemas.control import Control
from schemas.conversation_state import PartitionLedger
from schemas.interaction import Interaction
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import CLOCKS, INTERACTIONS, SIGNALS, SLA_EVENTS
from tests.account_stories import START, csat, sla_event
from tests.conversation_stories import MONDAY, Desk, event, policy
from tests.doubles import DictStates, ListEffects, record_of

FORGOTTEN = "acme"
LINKED = "domain:acme.example"
OTHERS = ("beta", "gamma")
NOON: Instant = START + 12 * HOUR_US
FORGET = Control(id="forget/1", kind="account_forgotten", as_of=to_datetime(NOON), account_id=FORGOTTEN)
LINK = Control(id="link", kind="account_linked", as_of=MONDAY, account_id=LINKED, into=FORGOTTEN)

happenings = st.sampled_from(
    [
        *(("customer", None), ("customer", "thanks"), ("agent", None), ("status", "resolved"), ("status", "open")),
        *(("priority", "urgent"), ("tagged", ("vip",)), ("survey_response", None), ("account_id", "acme")),
        *(("account_id", "beta"), ("deleted", None), ("merged", "c-elsewhere")),
    ]
)


@st.composite
def conversations_of(draw: st.DrawFn, accounts: Sequence[str]) -> list[Interaction]:
    """Events before noon of conversations that begin with these accounts, one conversation each."""
    told = []
    for number, account_id in enumerate(accounts):
        minutes = draw(st.lists(st.integers(0, 11 * 60), min_size=1, max_size=8, unique=True))
        # Not in the order of their time: late events revise and take back what was shown.
        for place, minute in enumerate(minutes):
            what, value = draw(happenings) if place else ("customer", None)
            if what == "account_id" and account_id not in {FORGOTTEN, LINKED}:
                what, value = "agent", None
            at = to_datetime(START + minute * MINUTE_US + number)
            more: dict[str, Any] = {"score": 4} if what == "survey_response" else {}
            name = f"e-{number}-{place}"
            told.append(
                event(at, what, value, id=name, conversation_id=f"c-{number}", **{"account_id": account_id} | more)
                if what != "account_id"
                else event(at, what, value, id=name, conversation_id=f"c-{number}")
            )
    return told


def moments_of(desk: Desk) -> Any:
    """What stands in the topic of clocks, and what was said to accounts, without where in the log it was said."""
    events = [msgspec.structs.replace(each, cause=Cause(0, 0), detected_at=None) for each in desk.events]
    views = {key: msgspec.structs.replace(view, cause=Cause(0, 0)) for key, view in desk.effects.latest(CLOCKS).items()}
    return [each for each in events if each.account_id in OTHERS], views


@given(st.data())
def test_nothing_of_the_account_is_left_and_the_books_are_exact(data: st.DataObject) -> None:
    mine = data.draw(conversations_of([FORGOTTEN, LINKED, FORGOTTEN, "beta"]))
    told: list[Interaction | Control] = [*data.draw(st.permutations(mine))]
    told.insert(data.draw(st.integers(0, len(told))), LINK)
    desk = Desk(policy())
    cut = data.draw(st.integers(0, len(told)))
    desk.take(*told[:cut])
    desk.take(*told[cut:], FORGET)

    kept = [data for key, data in desk.states.states.items() if key != LEDGER_KEY]
    shown = [encode(view) for view in desk.effects.latest(CLOCKS).values()]
    assert not any(word.encode() in each for each in [*kept, *shown] for word in (FORGOTTEN, LINKED))
    ledger = desk.agent.ledger
    assert not desk.effects.rejected
    assert not ledger.links
    assert FORGOTTEN.encode() not in desk.states.states[LEDGER_KEY]
    assert ledger.applied + ledger.duplicate + ledger.late + ledger.rejected == len(mine)
    running = [view for view in desk.views if view.outcome in {"open", "breached"} and not view.satisfied_at]
    assert sum(ledger.running.values()) == len(running)

    # What is told again stays forgotten; what happens afterwards begins anew.
    mine_again = [each for each in mine if each.account_id in {FORGOTTEN, LINKED}]
    desk.take(*mine_again)
    assert not any(FORGOTTEN.encode() in each for key, each in desk.states.states.items() if key != LEDGER_KEY)
    assert ledger.applied + ledger.duplicate + ledger.late + ledger.rejected == len(mine) + len(mine_again)
    desk.take(event(to_datetime(NOON + HOUR_US), "customer", conversation_id="c-anew", account_id=FORGOTTEN))
    assert {view.account_id for view in desk.views if view.conversation_id == "c-anew"} == {FORGOTTEN}


@given(st.data())
def test_others_do_not_notice_whenever_it_happens(data: st.DataObject) -> None:
    others = data.draw(conversations_of(OTHERS))
    mine = [
        msgspec.structs.replace(each, conversation_id=f"mine-{each.conversation_id}")
        for each in data.draw(conversations_of([FORGOTTEN]))
        if each.type != "account_changed"
    ]
    without = Desk(policy()).take(*others)
    place = data.draw(st.integers(0, len(others)))
    with_it = Desk(policy()).take(*mine, *others[:place], FORGET, *others[place:])

    assert moments_of(with_it) == moments_of(without)


def signal_and_events(account_id: str, at: Instant, number: int) -> list[Any]:
    """A little life of an account, from two partitions of interactions."""
    clock = {"account_id": account_id, "policy": "gold", "objective_ratio": 0.9}
    begun = sla_event("activated", at, f"{account_id}-{number}", **clock)
    met = sla_event("met", at + MINUTE_US, f"{account_id}-{number}", **clock)
    return [begun, met, csat(1, at + MINUTE_US, f"{account_id}-s{number}", account_id=account_id)]


class Accounts:
    """An account agent that is fed by two partitions of interactions."""

    def __init__(self) -> None:
        self.states, self.effects = DictStates(), ListEffects()
        self.offsets = {SLA_EVENTS.name: 0, SIGNALS.name: 0}
        self.causes = {0: 0, 1: 0}

    def take(self, *told: Any, partition: int = 0, appended_at: Instant = NOON + 30 * DAY_US) -> None:
        """What a partition of interactions says, in one batch for each."""
        for each in told:
            topic = SIGNALS if hasattr(each, "value") else SLA_EVENTS
            if isinstance(each, SlaEvent):
                self.causes[partition] += 1
                each = msgspec.structs.replace(each, cause=Cause(partition, self.causes[partition]))  # noqa: PLW2901
            offset = self.offsets[topic.name]
            self.offsets[topic.name] += 1
            key = None if isinstance(each, Control) else each.account_id
            record = record_of(topic, key, each, offset=offset, appended_at=appended_at)
            AccountAgent(self.states, self.effects).process([record], 0)

    def forget(self, partition: int, **changes: Any) -> None:
        """A partition passes the forgetting on."""
        relayed = {"relayed_from": partition, "relays": 2, "also_known_as": (LINKED,)} | changes
        self.take(msgspec.structs.replace(FORGET, **relayed))

    @property
    def ledger(self) -> AccountLedger:
        """The partition's books."""
        return decode_account_state(AccountLedger, self.states.states[ACCOUNT_LEDGER_KEY])

    def mentions(self, account_id: str) -> set[str]:
        """Where something of an account is left: keys of states, and topics of results.

        What it has said to conversations is forgotten there, as everything that comes by the interactions.
        """
        word = account_id.encode()
        left = {key for key, state in self.states.states.items() if word in state or account_id == key}
        told = [(topic, each) for topic, _, each in self.effects.emitted if topic is not INTERACTIONS]
        return left | {topic.name for topic, each in told if word in encode(each)}


@given(st.data())
def test_an_account_is_forgotten_between_the_partitions_of_its_old_life(data: st.DataObject) -> None:
    accounts = Accounts()
    accounts.take(*signal_and_events("beta", START, 1))
    untouched = accounts.states.states["beta"]
    told = [*signal_and_events(FORGOTTEN, START, 1), *signal_and_events(LINKED, START, 2)]
    accounts.take(*data.draw(st.permutations(told)), partition=data.draw(st.integers(0, 1)))

    accounts.forget(0)
    accounts.take(*signal_and_events(FORGOTTEN, START + HOUR_US, 3), partition=1)  # behind, and of the old life
    assert accounts.mentions(FORGOTTEN) <= {ACCOUNT_LEDGER_KEY}
    accounts.forget(1)
    assert not accounts.mentions(FORGOTTEN) | accounts.mentions(LINKED)
    assert accounts.states.states["beta"] == untouched
    ledger = accounts.ledger
    assert (ledger.sla_applied, ledger.sla_rejected, ledger.applied, ledger.late) == (8, 0, 3, 1)
    assert (ledger.accepted, ledger.rejected) == (4, 0)


def test_what_happens_afterwards_counts_whichever_partition_says_it_first() -> None:
    accounts = Accounts()
    accounts.take(*signal_and_events(FORGOTTEN, START, 1))
    accounts.take(csat(5, NOON + HOUR_US, "new", account_id=FORGOTTEN))  # the signals may be ahead of the events
    accounts.forget(0)
    accounts.take(*signal_and_events(FORGOTTEN, NOON + HOUR_US, 2), partition=0)
    accounts.take(*signal_and_events(FORGOTTEN, NOON - HOUR_US, 3)[:2], partition=1)
    accounts.forget(1)

    state = accounts.states.states[FORGOTTEN]
    assert b"new" in state
    assert f"{FORGOTTEN}-s1".encode() not in state
    (report,) = {key: each for topic, key, each in accounts.effects.emitted if key == f"{FORGOTTEN}/first_response"}
    assert report == f"{FORGOTTEN}/first_response"


def test_a_forgetting_that_was_cut_short_ends_with_the_next() -> None:
    accounts = Accounts()
    accounts.take(*signal_and_events(FORGOTTEN, START, 1))
    accounts.forget(0)
    accounts.forget(0, id="forget/2")
    accounts.forget(1, id="forget/2")

    assert not accounts.ledger.forgetting


def test_an_empty_or_impossible_account_is_refused() -> None:
    desk = Desk(policy())
    desk.take(msgspec.structs.replace(FORGET, account_id=None))
    desk.take(msgspec.structs.replace(FORGET, account_id="\x00ledger"))

    assert [reason for _, reason, _ in desk.effects.rejected] == ["contract_violation"] * 2
    assert msgspec.msgpack.decode(desk.states.states[LEDGER_KEY], type=PartitionLedger).forgotten == {}
