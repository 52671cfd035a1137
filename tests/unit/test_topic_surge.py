"""Surges: what is told, when, how often, and what is not told. Each case is a small stream that says so."""

from collections.abc import Iterable
from random import Random

import pytest

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US
from agents.domain.surprise import surprise
from agents.domain.theme_marks import ThemeMarks
from agents.domain.topic_surge import LEAST_CLARITY, USUAL_LOOKS, Sensitivity, TopicSurges, clarity_for
from schemas.issue_state import CustomerMessage, IssueState, SurgeState
from streams.history.message_watch import surges_in
from tests.message_stories import MONDAY, THEMES, message_text, quiet_story, story_with_issue

ISSUE_AT = MONDAY + 9 * DAY_US + 10 * HOUR_US


@pytest.fixture(scope="module")
def background() -> list[CustomerMessage]:
    return quiet_story(2, days=12, per_day=400).messages


def written(texts: Iterable[str], accounts: int, minutes_apart: float = 3) -> list[CustomerMessage]:
    return [
        CustomerMessage(
            id=f"x{number}",
            at=ISSUE_AT + round(number * minutes_apart * MINUTE_US),
            account=f"customer-{number % accounts}",
            text=text,
        )
        for number, text in enumerate(texts)
    ]


def surges(background: list[CustomerMessage], more: list[CustomerMessage], **wanted: float) -> list[SurgeState]:
    messages = sorted([*background, *more], key=lambda message: (message.at, message.id))
    return surges_in(messages, Sensitivity(**wanted))  # type: ignore[arg-type]


SMOKE = [f"There is {word} smoke from the router" for word in ("black", "white", "thick", "acrid", "some", "grey")] * 2


def test_a_theme_that_never_was_is_told_once_with_its_words_accounts_and_messages(
    background: list[CustomerMessage],
) -> None:
    (surge,) = surges(background, written(SMOKE, accounts=12))

    assert {"smoke", "router"} <= set(surge.topic.split())
    assert surge.accounts == [f"customer-{number}" for number in range(12)]
    assert surge.messages == SMOKE[:5]
    assert ISSUE_AT < surge.raised_at <= ISSUE_AT + 30 * MINUTE_US
    assert surge.growth > 3


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("指紋認証でログインできません", "指紋認証でログインできません"),
        ("无法用指纹登录", "无法用指纹登录"),
        ("เข้าสู่ระบบด้วยลายนิ้วมือไม่ได้", "เข้าสู่ระบบด้วยลายนิ้"),
        ("लॉगिन फिंगरप्रिंट विफल", "फिंगरप्रिंट लॉगिन विफल"),
    ],
    ids=["Japanese", "Chinese", "Thai", "Hindi"],
)
def test_a_theme_is_named_as_customers_write_in_any_script(
    background: list[CustomerMessage], text: str, topic: str
) -> None:
    (surge,) = surges(background, written([text] * 12, accounts=12))

    assert topic in surge.topic


def test_one_angry_customer_is_no_issue(background: list[CustomerMessage]) -> None:
    assert surges(background, written(SMOKE * 5, accounts=3)) == []


def test_how_many_accounts_are_many_can_be_said(background: list[CustomerMessage]) -> None:
    assert len(surges(background, written(SMOKE * 5, accounts=3), accounts=3)) == 1


def test_a_busy_day_of_everything_is_none(background: list[CustomerMessage]) -> None:
    day = [message for message in background if ISSUE_AT <= message.at < ISSUE_AT + DAY_US]
    more = [
        CustomerMessage(id=f"{message.id}/{copy}", at=message.at + copy, account=f"new-{message.id}", text=other.text)
        for copy in range(1, 5)
        for message, other in zip(day, background[copy * 500 :], strict=False)
    ]

    assert surges(background, more) == []


def test_an_issue_that_sleeps_at_night_is_one_and_the_next_month_another(background: list[CustomerMessage]) -> None:
    quiet = quiet_story(2, days=40, per_day=300).messages
    first = written(SMOKE, accounts=12)
    shifted = [
        CustomerMessage(id=f"{days}{one.id}", at=one.at + days * DAY_US, account=one.account, text=one.text)
        for days in (0, 1, 25)
        for one in first
    ]

    found = surges(quiet, shifted)

    assert [round((surge.raised_at - ISSUE_AT) / DAY_US) for surge in found] == [0, 25]


def test_two_issues_at_a_time_are_two(background: list[CustomerMessage]) -> None:
    other = [
        CustomerMessage(id=f"y{number}", at=ISSUE_AT + number * 4 * MINUTE_US, account=f"other-{number}", text=text)
        for number, text in enumerate([f"The {word} penguin bites" for word in ("small", "tall", "fat", "sad")] * 3)
    ]

    found = surges(background, written(SMOKE, accounts=12) + other)

    assert sorted(("smoke" in surge.topic, "penguin" in surge.topic) for surge in found) == [
        (False, True),
        (True, False),
    ]


def test_the_end_is_told_when_a_day_has_been_ordinary(background: list[CustomerMessage]) -> None:
    watch = TopicSurges()
    told = []
    for message in sorted([*background, *written(SMOKE, 12)], key=lambda one: (one.at, one.id)):
        told += [(news.kind, message.at) for news in watch.take(message)]

    (raised, raised_at), (ended, ended_at) = told

    assert (raised, ended) == ("raised", "ended")
    assert DAY_US <= ended_at - raised_at <= DAY_US + 3 * HOUR_US


def test_nothing_is_unusual_at_the_beginning() -> None:
    assert surges_in(written(SMOKE * 10, accounts=100), Sensitivity()) == []


def test_a_desk_with_a_few_messages_a_day_has_issues_too(background: list[CustomerMessage]) -> None:
    weeks = [
        CustomerMessage(id=f"w{number}", at=ISSUE_AT - (400 - number) * 4 * HOUR_US, account=one.account, text=one.text)
        for number, one in enumerate(background[:400])
    ]

    (surge,) = surges(weeks, written(SMOKE, accounts=12))

    assert surge.raised_at <= ISSUE_AT + HOUR_US


WEB_SHOP = [f"The {word} in the shop fails" for word in ("checkout", "basket", "payment", "voucher", "search")]


def small_desk(seed: int) -> list[CustomerMessage]:
    """Three weeks of 20 messages a day; one of six is about the shop."""
    rng = Random(seed)
    return [
        CustomerMessage(
            id=f"s{number}",
            at=ISSUE_AT - (420 - number) * 72 * MINUTE_US,
            account=f"customer-{rng.randrange(60)}",
            text=rng.choice(WEB_SHOP) if rng.random() < 1 / 6 else message_text(rng, rng.choice(sorted(THEMES))),
        )
        for number in range(480)
    ]


def test_a_small_desk_needs_less_clarity_to_have_as_few_false_alarms() -> None:
    outage = written(["The checkout in the shop fails"] * 8, accounts=8, minutes_apart=20)

    found = [surges(small_desk(seed), outage) for seed in range(5)]
    as_at_a_large_desk = [surges(small_desk(seed), outage, clarity=11.0) for seed in range(5)]

    assert [surge.topic.split()[0] for each in found for surge in each] == ["checkout"] * 5
    assert as_at_a_large_desk == [[]] * 5
    assert [surges(small_desk(seed), []) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize(
    ("looks", "expected"),
    [(USUAL_LOOKS, 7.0), (USUAL_LOOKS * 100, 9.0), (USUAL_LOOKS / 10, 6.0), (0.0, LEAST_CLARITY)],
)
def test_clarity_is_by_how_often_chance_has_its_chance(looks: float, expected: float) -> None:
    assert clarity_for(7.0, looks) == pytest.approx(expected)
    assert clarity_for(2.0, 0.0) == 2.0  # who asks for less gets it


def test_a_memory_of_an_earlier_version_is_taken_to_look_as_often_as_of_late(
    background: list[CustomerMessage],
) -> None:
    watch = TopicSurges()
    for message in background[:2000]:
        watch.take(message)
    watch.pass_time(background[1999].at + 1)
    looks = ThemeMarks(watch.state).looks_a_month()

    watch.state.past_marks = 0.0  # as it did not count them
    watch.take(background[2000])
    watch.pass_time(background[2000].at + 1)

    assert ThemeMarks(watch.state).looks_a_month() == pytest.approx(looks, rel=0.1)


def test_a_message_that_comes_late_counts_when_it_comes() -> None:
    watch = TopicSurges()
    on_time, late = written(SMOKE[:2], 2)
    watch.take(late)
    watch.take(on_time)
    watch.pass_time(late.at + 1)

    assert [message.at for message in watch.state.messages.values()] == [late.at, late.at]


@pytest.mark.parametrize("years", [1, 20, 900])
def test_a_gap_of_years_breaks_nothing(background: list[CustomerMessage], years: int) -> None:
    gap = years * 365 * DAY_US
    later = [
        CustomerMessage(id=f"l{one.id}", at=one.at + gap, account=one.account, text=one.text) for one in background
    ]

    assert surges(background, later) == []


@pytest.mark.parametrize("is_novel", [True, False])
def test_planted_issues_are_found_under_their_own_words(is_novel: bool) -> None:
    story = story_with_issue(8, is_novel=is_novel, per_hour=40, days=10, per_day=600)
    assert story.began_at is not None

    first = surges_in(story.messages, Sensitivity())[0]

    assert story.began_at < first.raised_at < story.began_at + 2 * HOUR_US
    assert set(first.topic.split()) & story.words


def test_quiet_months_are_quiet() -> None:
    months = [quiet_story(seed, days=30, per_day=per_day) for seed, per_day in ((3, 400), (4, 100), (5, 100), (6, 20))]

    assert sum(len(surges_in(month.messages, Sensitivity())) for month in months) <= 1  # there is one in ten months


@pytest.mark.parametrize(
    ("count", "expected", "past", "least", "most"),
    [
        pytest.param(3, 3.0, 10.0, 0.0, 0.0, id="as expected"),
        pytest.param(4, 0.04, 1e9, 6.0, 8.0, id="rare and well known: shape is capped"),
        pytest.param(4, 0.04, 1.0, 5.0, 6.0, id="the same, hardly known"),
        pytest.param(1, 0.01, 30.0, 1.99, 2.01, id="one of a hundred"),
        pytest.param(500, 1.0, 1.0, 140.0, 160.0, id="no underflow"),
    ],
)
def test_how_surprising_a_count_is(count: int, expected: float, past: float, least: float, most: float) -> None:
    assert least <= surprise(count, expected, past) <= most


def test_chance_makes_surprises_as_rare_as_they_are_said_to_be() -> None:
    """Of words that come by chance alone a surprise of 3 comes at one look of a thousand; by all of them at eight."""
    rng, level = Random(7), 3.0
    marks, risen, looks = ThemeMarks(IssueState()), 0, 0
    for count in range(40_000):
        word = "".join(rng.choice("bdgkmprt") + "o" for _ in range(2))
        at = MONDAY + count * MINUTE_US
        number = marks.add(CustomerMessage(id=str(count), at=at, account=str(count), text=word), at)
        found = marks.occurs(number, 4, 1.1, level)
        looks += count >= 5_000  # before, little is known
        risen += count >= 5_000 and bool(found)
    assert 0.5 < risen / looks / 10**-level < 2


def test_a_surprise_is_a_probability() -> None:
    # Independently: the negative binomial with shape 2 and mean 3, summed from its probabilities.
    shape, mean = 2.0, 3.0
    chance, tail = (shape / (shape + mean)) ** shape, 1.0
    for count in range(12):
        if count:
            chance *= (shape + count - 1) / count * mean / (shape + mean)
        tail -= chance

    assert 10 ** -surprise(12, mean, shape) == pytest.approx(tail, rel=1e-9)
