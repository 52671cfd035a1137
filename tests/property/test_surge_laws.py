"""Laws of the surge detector: order within an instant, batching, restarts, bounds."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.domain import theme_marks
from agents.domain.instant import HOUR_US, MINUTE_US
from agents.domain.message_words import words_of
from agents.domain.topic_surge import SurgeNews, TopicSurges
from schemas.issue_state import CustomerMessage, IssueState
from tests.message_stories import MONDAY, story_with_issue

WORDS = ("printer", "smoke", "login", "fails", "invoice", "late", "again", "crash", "страница", "登录失败")
TEXTS = st.lists(st.sampled_from(WORDS), min_size=0, max_size=6).map(" ".join)


@st.composite
def streams(draw: st.DrawFn) -> list[CustomerMessage]:
    """A few hundred short messages; many share their instant, accounts and words."""
    size = draw(st.integers(150, 400))
    rng = draw(st.randoms(use_true_random=False))
    texts = draw(st.lists(TEXTS, min_size=5, max_size=30))
    spread = draw(st.sampled_from((MINUTE_US, HOUR_US // 4, HOUR_US)))
    at, messages = MONDAY, []
    for number in range(size):
        at += rng.choice((0, 0, rng.randrange(spread)))
        account = f"a{rng.randrange(12)}"
        messages.append(CustomerMessage(id=f"m{number}", at=at, account=account, text=rng.choice(texts)))
    return messages


@pytest.fixture(autouse=True)
def little_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theme_marks, "LEAST_MESSAGES", 20)


def told(news: list[SurgeNews]) -> list[tuple[str, str, int]]:
    """Without the accounts: a surge goes on to collect them after it was told."""
    return [(one.kind, one.surge.topic, one.surge.raised_at) for one in news]


def run(messages: list[CustomerMessage], state: IssueState | None = None) -> tuple[list[SurgeNews], IssueState]:
    watch = TopicSurges(state)
    news = [one for message in messages for one in watch.take(message)]
    return news, watch.state


@settings(max_examples=40, deadline=None)
@given(streams(), st.randoms(use_true_random=False))
def test_the_order_within_an_instant_does_not_matter(messages: list[CustomerMessage], rng: object) -> None:
    shuffled = list(messages)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    shuffled.sort(key=lambda message: message.at)

    news, state = run(messages)
    other_news, other_state = run(shuffled)
    state.pending.sort(key=lambda message: message.id)
    other_state.pending.sort(key=lambda message: message.id)

    assert told(news) == told(other_news)
    assert state == other_state


@settings(max_examples=40, deadline=None)
@given(streams(), st.data())
def test_a_restart_changes_nothing(messages: list[CustomerMessage], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(messages)))
    whole, state = run(messages)

    before, stopped = run(messages[:cut])
    restored = msgspec.json.decode(msgspec.json.encode(stopped), type=IssueState)
    after, resumed = run(messages[cut:], restored)

    assert told(before) + told(after) == told(whole)
    assert resumed == state


@settings(max_examples=15, deadline=None)
@given(streams())
def test_memory_has_a_bound(messages: list[CustomerMessage]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theme_marks, "MOST_MARKS", 20)
        patch.setattr(theme_marks, "MOST_MESSAGES", 50)
        patch.setattr(theme_marks, "MOST_RECENT", 8)
        watch = TopicSurges()
        for message in messages:
            watch.take(message)
            state = watch.state
            assert len(state.marks) <= 20
            assert len(state.messages) <= 50
            assert all(len(mark.recent) <= 16 for mark in state.marks.values())
            assert all(len(mark.recent) == len(mark.accounts) for mark in state.marks.values())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    words = words_of(text)

    assert len({word.stem for word in words}) == len(words)
    assert words == words_of(text)


@pytest.mark.parametrize("seed", [11, 12])
def test_the_laws_hold_where_surges_are(seed: int) -> None:
    messages = story_with_issue(seed, is_novel=True, per_hour=30, days=6, per_day=300).messages
    minutes = [msgspec.structs.replace(one, at=one.at // MINUTE_US * MINUTE_US) for one in messages]
    shuffled = sorted(minutes, key=lambda message: (message.at, message.text))
    half = len(minutes) * 9 // 10

    news, _ = run(minutes)
    before, stopped = run(shuffled[:half])
    after, _ = run(shuffled[half:], msgspec.json.decode(msgspec.json.encode(stopped), type=IssueState))

    assert told(news) == told(before) + told(after) != []
