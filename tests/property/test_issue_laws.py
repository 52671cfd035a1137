"""Laws of the live detector: batches and restarts change nothing, and words alone lead to what texts lead to."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import issue_memory
from agents.domain import theme_marks
from agents.domain.instant import MINUTE_US, from_datetime, to_datetime
from agents.domain.message_words import words_again, words_of
from agents.issue_agent import IssueAgent
from agents.issue_memory import IssueMemory
from schemas.control import Control
from schemas.issue_state import CustomerMessage
from schemas.mention import Mention
from schemas.rollup import Rollup
from schemas.topics import MENTIONS, ROLLUPS
from tests.doubles import DictStates, ListEffects, batches, record_of
from tests.property.test_surge_laws import streams
from tests.unit.test_issue_agent import STORY, mention


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme_marks, "LEAST_MESSAGES", 20)
    monkeypatch.setattr(issue_memory, "LEAST_JOURNAL_BYTES", 1_500)


def told(found: Sequence[Mention | Control], sizes: list[int], *, restart: bool) -> tuple[Any, ...]:
    """What is told and what is remembered in the end, with a new agent for every batch, or one for all.

    Of the figures of topics the last parts: when they are told on the way follows from the batches.
    """
    states, effects = DictStates(), ListEffects()
    last = max((from_datetime(each.occurred_at) for each in found if isinstance(each, Mention)), default=0)
    found = [*found, Control(id="end", kind="tick", as_of=to_datetime(last + MINUTE_US))]
    records = [
        record_of(
            MENTIONS, each.account_id if isinstance(each, Mention) else None, each, offset=offset, appended_at=2**51
        )
        for offset, each in enumerate(found)
    ]
    agent = IssueAgent(states, effects)
    for batch in batches(records, sizes):
        if restart:
            agent = IssueAgent(states, effects)
        agent.process(batch, 0)
    emitted = [each for each in effects.emitted if each[0] is not ROLLUPS]
    parts = {
        key: (part.counts, part.begins_at) for key, part in effects.latest(ROLLUPS).items() if isinstance(part, Rollup)
    }
    return emitted, parts, IssueMemory(states).watch("wall").state, states.wakes


def with_ticks(found: Sequence[Mention]) -> list[Mention | Control]:
    """A tick behind every tenth message, some of them too early to move anything."""
    log: list[Mention | Control] = []
    for number, each in enumerate(found):
        log.append(each)
        if number % 10 == 0:
            at = from_datetime(each.occurred_at) + number % 3 * MINUTE_US
            log.append(Control(id=f"t{number}", kind="tick", as_of=to_datetime(at)))
    return log


@settings(max_examples=15, deadline=None)
@given(streams(), st.lists(st.integers(1, 60), max_size=12))
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
def test_batches_and_restarts_change_nothing(messages: list[CustomerMessage], sizes: list[int]) -> None:
    log = with_ticks([mention(message) for message in messages[:150]])

    whole = told(log, [], restart=False)

    assert told(log, sizes, restart=True) == whole
    assert told(log, sizes, restart=False) == whole


def test_the_law_holds_where_surges_are() -> None:
    log = with_ticks([mention(message) for message in STORY.messages])

    emitted, parts, *memory = told(log, [], restart=False)

    assert emitted
    assert parts
    assert told(log, [7, 300, 1, 900], restart=True) == (emitted, parts, *memory)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="abl'\u2019d est.-@的了嗎12 \n>\"", max_size=80))
def test_the_words_that_are_published_are_all_that_is_counted(text: str) -> None:
    words = words_of(text)

    assert words_again(word.text for word in words) == words
