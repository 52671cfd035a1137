"""Silence: who stops writing is noticed by its own rhythm; weekends, summers and the seldom are not."""

import msgspec
import pytest

from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.silent_accounts import Silence, SilentAccounts
from schemas.silence_state import SilenceState
from tests.message_stories import MONDAY, quiet_story

WEEKS = 6


def workdays(weeks: int, hour: int = 10, skip: int = 1) -> list[Instant]:
    days = [day for day in range(7 * weeks) if day % 7 < 5]
    return [MONDAY + day * DAY_US + hour * HOUR_US for day in days[::skip]]


def watch(contacts: dict[str, list[Instant]], until: Instant, state: SilenceState | None = None) -> list[Silence]:
    silent = SilentAccounts(state)
    found = []
    for at, account in sorted((at, account) for account, instants in contacts.items() for at in instants):
        found += silent.heard(account, at)
    return found + [one for at in range(found_from(contacts), until, HOUR_US) for one in silent.pass_time(at)]


def found_from(contacts: dict[str, list[Instant]]) -> Instant:
    return max(at for instants in contacts.values() for at in instants)


@pytest.fixture
def others() -> dict[str, list[Instant]]:
    """Ten customers who write every workday."""
    return {f"other-{number}": workdays(WEEKS, hour=8 + number) for number in range(10)}


def test_who_wrote_every_day_and_stops_is_missed_after_two_working_weeks(others: dict[str, list[Instant]]) -> None:
    others["acme"] = workdays(WEEKS)[:15]  # three weeks, then nothing

    (silence,) = watch(others, until=MONDAY + WEEKS * 7 * DAY_US)

    assert silence.account == "acme"
    assert silence.missing >= 8
    assert 9 <= (silence.at - silence.last_at) / DAY_US <= 15


def test_who_never_paused_is_missed_as_well(others: dict[str, list[Instant]]) -> None:
    """The busiest of all: something every half hour of day and night, and then nothing."""
    others["acme"] = [MONDAY + number * HOUR_US // 2 for number in range(3 * 7 * 48)]

    (silence,) = watch(others, until=MONDAY + WEEKS * 7 * DAY_US)

    assert silence.account == "acme"
    assert 8 <= (silence.at - silence.last_at) / DAY_US <= 15


def test_who_comes_back_can_fall_silent_again(others: dict[str, list[Instant]]) -> None:
    others |= {f"other-{number}": workdays(16, hour=8 + number) for number in range(10)}
    others["acme"] = [
        at for week, at in ((n // 5, at) for n, at in enumerate(workdays(16))) if week < 3 or 6 <= week < 9
    ]

    assert [silence.account for silence in watch(others, until=MONDAY + 16 * 7 * DAY_US)] == ["acme", "acme"]


def test_a_week_off_is_no_silence(others: dict[str, list[Instant]]) -> None:
    others["acme"] = [at for at in workdays(WEEKS) if not 21 <= (at - MONDAY) // DAY_US < 28]

    assert watch(others, until=MONDAY + (WEEKS * 7 - 2) * DAY_US) == []


def test_who_writes_seldom_is_not_missed(others: dict[str, list[Instant]]) -> None:
    others["acme"] = workdays(WEEKS, skip=9)

    assert watch(others, until=MONDAY + (WEEKS * 7 - 2) * DAY_US) == []


def test_when_all_are_away_nobody_is_silent(others: dict[str, list[Instant]]) -> None:
    assert watch(others, until=MONDAY + (WEEKS * 7 + 1) * DAY_US) == []


def test_a_quiet_month_has_no_silence() -> None:
    silent = SilentAccounts()
    messages = quiet_story(5, days=28, per_day=300, accounts=40).messages

    assert [one for message in messages for one in silent.heard(message.account, message.at)] == []


def test_a_restart_changes_nothing(others: dict[str, list[Instant]]) -> None:
    others["acme"] = workdays(WEEKS)[:15]
    events = sorted((at, account) for account, instants in others.items() for at in instants)
    whole, first = SilentAccounts(), SilentAccounts()
    found = [one for at, account in events for one in whole.heard(account, at)]

    again = [one for at, account in events[:150] for one in first.heard(account, at)]
    second = SilentAccounts(msgspec.json.decode(msgspec.json.encode(first.state), type=SilenceState))
    again += [one for at, account in events[150:] for one in second.heard(account, at)]

    assert again == found
    assert second.state == whole.state
