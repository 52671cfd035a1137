"""Laws of lives: what a conversation lives through is the same, read from its rows at once or out of its events."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.domain.verdict import life_of
from streams.history.conversation_history import HistoryTeller
from streams.history.conversation_lives import LifeReader
from streams.history.row_events import EventBody, EventDraft, RowOfHistory, Standing

START = datetime(2026, 3, 2, tzinfo=UTC)
ALIKE = Standing(account="acme", tier="gold", channel="email", priority="high", team="one", tags=("vip",))
STANDINGS = (ALIKE, ALIKE, ALIKE, Standing(), Standing(account="beta", priority="low"), Standing(status="closed"))
BODIES = (
    EventBody(type="message", author="customer"),
    EventBody(type="message", author="customer", id="known"),
    EventBody(type="message", author="customer", text="Thanks!"),
    EventBody(type="message", author="agent"),
    EventBody(type="message", author="agent", id="known"),
    EventBody(type="message", author="agent", text="We look into it and come back to you."),
    EventBody(type="message", author="bot", automated=True),
    EventBody(type="message", author="agent", public=False),
    EventBody(type="status_changed", status="waiting_on_customer"),
    EventBody(type="status_changed", status="resolved"),
    EventBody(type="due_set", metric="first_resolution", due_at=START + timedelta(hours=1)),
    EventBody(type="survey_response", kind="csat", score=0.0),
    EventBody(type="survey_response", kind="csat", score=-0.0, scale=7.0),
    EventBody(type="no_reply_needed", automated=True),
    EventBody(type="merged", into="2"),
    EventBody(type="priority_changed", priority="low"),
    EventBody(type="tagged", tags=("other",)),
)

moments = st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours))
# As rows have them: now the very same body as others, now one that is only equal.
bodies = st.sampled_from(BODIES) | st.sampled_from(BODIES).map(replace)
several = st.lists(st.builds(EventDraft, moments, bodies), min_size=2, max_size=3).map(tuple)


@st.composite
def any_row(draw: st.DrawFn, standings: tuple[Standing, ...]) -> RowOfHistory:
    standing, events = draw(st.sampled_from(standings)), draw(bodies | several)
    at = draw(moments) if isinstance(events, EventBody) else min(draft.at for draft in events)
    return RowOfHistory(at, standing, events)


conversations = st.lists(any_row((ALIKE,)), min_size=1, max_size=6) | st.lists(any_row(STANDINGS), min_size=1)


@given(st.lists(conversations, min_size=1, max_size=3))
def test_a_life_read_at_once_is_the_one_that_is_told(told_rows: list[list[RowOfHistory]]) -> None:
    reader, teller = LifeReader("file"), HistoryTeller("file")
    for number, rows in enumerate(told_rows):
        told = teller.interactions(str(number), rows)
        beginning, entries = life_of(told)

        (begun, read), events = reader.life(str(number), rows)

        assert events == len(told)
        assert begun == beginning
        assert [replace(entry, id="") for entry in read] == [replace(entry, id="") for entry in entries]
