"""The clock of an import: accounts are told once, behind everything, and everything is handed over."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from agents.import_clock import UPON_RELEASE
from schemas.account_state import AccountState, decode_account_state
from schemas.adherence import AdherenceReport
from schemas.clock_view import ClockView
from schemas.control import Control
from schemas.interaction import Author, Interaction
from schemas.policy import to_published
from schemas.topics import ADHERENCE, CLOCKS, HEALTH, INTERACTIONS, SLA_EVENTS
from tests.account_stories import ACCOUNT, END, START, csat, log, sla_event, tick
from tests.doubles import DictStates, ListEffects, record_of
from tests.work_processes import simple_policy

NOON = START + 12 * HOUR_US
STORY_ENDS = NOON + 2 * HOUR_US
CLOCK = "import:7"
PARTITIONS = 2


def release(clock: str = CLOCK) -> Control:
    return Control(id=f"{clock}/clock_released", kind="clock_released", as_of=to_datetime(STORY_ENDS), clock=clock)


def relayed(control: Control, partition: int) -> Control:
    return replace(control, relayed_from=partition, relays=PARTITIONS)


class Accounts:
    """One partition of accounts."""

    def __init__(self) -> None:
        self.states, self.effects = DictStates(), ListEffects()
        self._offset = 0

    def take(self, *events: Any) -> None:
        AccountAgent(self.states, self.effects).process(log(events, self._offset), 0)
        self._offset += len(events)

    def figures(self) -> list[tuple[datetime, int, int]]:
        told = [report for report in self.effects.on(ADHERENCE) if isinstance(report, AdherenceReport)]
        return [(report.as_of, report.standings[0].met[1], report.standings[0].breached[1]) for report in told]

    def state(self) -> AccountState:
        return decode_account_state(AccountState, self.states.states[ACCOUNT])


@pytest.mark.parametrize("story_ends", [STORY_ENDS, NOON - HOUR_US])
def test_an_account_is_told_once_when_the_last_partition_has_passed_the_tick_on(story_ends: Instant) -> None:
    accounts = Accounts()
    end = tick(story_ends, CLOCK)
    accounts.take(sla_event("met", NOON, "c1", clock=CLOCK), relayed(end, 1), relayed(end, 1))
    accounts.take(sla_event("breached", NOON - HOUR_US, "c2", clock=CLOCK))
    assert not accounts.figures()
    assert not accounts.effects.on(HEALTH)
    accounts.take(relayed(end, 0))
    assert accounts.figures() == [(to_datetime(max(story_ends, NOON)), 1, 1)]
    assert len(accounts.effects.on(HEALTH)) == 1


def test_accounts_are_handed_over_when_all_partitions_are_done_even_with_nothing_to_wait_for() -> None:
    accounts = Accounts()
    end = tick(STORY_ENDS + 60 * DAY_US, CLOCK)
    accounts.take(sla_event("met", NOON, clock=CLOCK), relayed(end, 0), relayed(end, 1), relayed(release(), 0))
    assert accounts.state().clock == CLOCK
    accounts.take(relayed(release(), 1))
    assert accounts.state().clock == "wall"


def test_importing_again_tells_nothing_new() -> None:
    accounts = Accounts()
    ending = [relayed(control, at) for control in (tick(STORY_ENDS, CLOCK), release()) for at in range(PARTITIONS)]
    accounts.take(sla_event("met", NOON, clock=CLOCK), *ending)
    told = len(accounts.effects.emitted)
    accounts.take(*ending)
    assert len(accounts.effects.emitted) == told


def test_a_long_import_keeps_no_more_than_the_windows_reach() -> None:
    accounts = Accounts()
    for day in range(400):
        accounts.take(sla_event("met", START + day * DAY_US, f"c{day}", clock=CLOCK))
    cells = accounts.state().metrics["first_response"].cells
    assert [len(minutes) <= 2 * 8 for minutes in cells.minutes] == [True]
    assert [len(hours) <= 31 * 8 for hours in cells.hours] == [True]


class Conversations:
    """One partition of conversations under a policy of one hour."""

    def __init__(self) -> None:
        self.states, self.effects = DictStates(), ListEffects()
        self._offset = 0
        text = to_published(simple_policy())
        self.take(Control(id="p", kind="policy_activated", as_of=to_datetime(START), policy_text=text))

    def take(self, *events: Interaction | Control) -> None:
        keys = [event.conversation_id if isinstance(event, Interaction) else None for event in events]
        records = [
            record_of(INTERACTIONS, key, event, offset=self._offset + place, appended_at=END)
            for place, (key, event) in enumerate(zip(keys, events, strict=True))
        ]
        self._offset += len(events)
        ConversationAgent(self.states, self.effects).process(records, END)

    def clocks(self) -> dict[str, tuple[str, str]]:
        views = {key: view for key, view in self.effects.latest(CLOCKS).items() if isinstance(view, ClockView)}
        return {key: (view.outcome, view.clock) for key, view in views.items()}


def asked(conversation: str, at: Instant, by: Any = "customer") -> Interaction:
    return Interaction(
        id=f"{conversation}-{at}",
        source=CLOCK,
        conversation_id=conversation,
        occurred_at=to_datetime(at),
        clock=CLOCK,
        author=Author(by),
    )


@pytest.mark.parametrize("batch", [1, 100])
def test_promises_that_run_when_the_story_ends_run_on_the_wall(batch: int) -> None:
    conversations = Conversations()
    story: list[Interaction | Control] = [
        asked("open", STORY_ENDS - 1),
        asked("overdue", NOON),
        asked("answered", NOON),
        asked("answered", NOON + 1, "agent"),
        tick(STORY_ENDS, CLOCK),
        release(),
    ]
    for at in range(0, len(story), batch):
        conversations.take(*story[at : at + batch])
    assert conversations.clocks() == {
        "open/first_response/1": ("open", "wall"),
        "open/first_resolution/1": ("open", "wall"),
        "overdue/first_response/1": ("breached", "wall"),
        "overdue/first_resolution/1": ("breached", "wall"),
        "answered/first_response/1": ("met", CLOCK),
        "answered/first_resolution/1": ("breached", "wall"),
    }
    told = [(to, control.kind) for to, control in conversations.effects.relayed]
    assert told == [(SLA_EVENTS, "tick"), (SLA_EVENTS, "clock_released")]
    before = len(conversations.effects.emitted)
    conversations.take(*story)
    assert len(conversations.effects.emitted) == before, "importing again changes nothing"


def test_a_rating_that_comes_after_the_release_counts_on_the_wall() -> None:
    accounts = Accounts()
    ending = [relayed(control, at) for control in (tick(STORY_ENDS, CLOCK), release()) for at in range(PARTITIONS)]
    accounts.take(*ending, csat(2, NOON, clock=CLOCK))
    assert accounts.state().clock == "wall"
    assert len(accounts.effects.on(HEALTH)) == 1
    assert not accounts.states.due(CLOCK, UPON_RELEASE + 1)
    accounts.take(csat(2, NOON, clock=CLOCK), tick(END))
    assert {getattr(event, "clock", None) for _, _, event in accounts.effects.emitted} == {"wall"}
    ledger = AccountAgent(accounts.states, accounts.effects).ledger
    assert (ledger.applied, ledger.duplicate) == (1, 1)


def test_a_survivor_that_hears_of_its_merge_after_the_release_lives_on_the_wall() -> None:
    conversations, survivors = Conversations(), Conversations()
    ending: list[Interaction | Control] = [tick(STORY_ENDS, CLOCK), release()]
    merged = replace(asked("merged", NOON + 1), type="merged", into="survivor", author=Author())
    conversations.take(asked("merged", NOON), merged, *ending)
    survivors.take(*ending)
    handed_over = [each for each in conversations.effects.on(INTERACTIONS) if isinstance(each, Interaction)]
    assert [each.clock for each in handed_over] == [CLOCK]
    survivors.take(*handed_over, tick(END))
    assert survivors.clocks() == {
        "survivor/first_response/1": ("breached", "wall"),
        "survivor/first_resolution/1": ("breached", "wall"),
    }
