"""Times of foreign files: what is read, how exactly, and what is no time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.history.row_times import EARLIEST, LATEST, REMEMBERED, UnreadableTime, time_reader

UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "time_format", "instant"),
    [
        ("2022-01-21 13:47:00", None, "2022-01-21T13:47:00+00:00"),
        ("2022-01-21T13:47:00.1234567Z", None, "2022-01-21T13:47:00.123456+00:00"),
        ("20220121T134700+0530", None, "2022-01-21T08:17:00+00:00"),
        ("2022-01-21", None, "2022-01-21T00:00:00+00:00"),
        (" 2022-01-21 ", None, "2022-01-21T00:00:00+00:00"),
        ("2012/10/09 14:50:17.5", "%Y/%m/%d %H:%M:%S.%f", "2012-10-09T14:50:17.500000+00:00"),
        ("9.3.2012 7:05", "%d.%m.%Y %H:%M", "2012-03-09T07:05:00+00:00"),
        ("09.03.2012 07:05", "%d.%m.%Y %H:%M", "2012-03-09T07:05:00+00:00"),
        ("03/09/2012 02:05:06 PM", "%m/%d/%Y %I:%M:%S %p", "2012-03-09T14:05:06+00:00"),
        ("12/31/2012 12:05 am", "%m/%d/%Y %I:%M %p", "2012-12-31T00:05:00+00:00"),
        ("2012-12-31T24:00:00", None, "2013-01-01T00:00:00+00:00"),
        ("2012-12-31 24:00+01:00", None, "2012-12-31T23:00:00+00:00"),
        ("2012-10-09T14:50:17,5", None, "2012-10-09T14:50:17.500000+00:00"),
        ("2012-10-09T14", None, "2012-10-09T14:00:00+00:00"),
        ("2012-W41-2T14:50", None, "2012-10-09T14:50:00+00:00"),
        ("2012-03-09 07:05 +0200", "%Y-%m-%d %H:%M %z", "2012-03-09T05:05:00+00:00"),
    ],
)
def test_a_time_is_read(text: str, time_format: str | None, instant: str) -> None:
    assert time_reader(UTC_ZONE, time_format)(text).isoformat() == instant


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "13:47",
        "2022-02-30",
        "0001-01-01",
        "9999-12-31",
        "1642772820",
        "\u0662\u0660\u0662\u0662-\u0660\u0661-\u0662\u0661",
    ],
)
@pytest.mark.parametrize("time_format", [None, "%Y-%m-%d"])
def test_what_is_no_time_is_said_so(text: str, time_format: str | None) -> None:
    with pytest.raises(UnreadableTime):
        time_reader(UTC_ZONE, time_format)(text)


moments = st.datetimes(
    EARLIEST.replace(tzinfo=None) + timedelta(days=1), LATEST.replace(tzinfo=None) - timedelta(days=1)
)


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"]
FORMATS = [None, "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d%H%M%S", "%d-%Y-%m"]
around_clock_changes = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([datetime(2026, 3, 8), datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2011, 12, 30)]),  # noqa: DTZ001 - local
    st.integers(-2_000, 2_000),
)


@given(moments | around_clock_changes, st.sampled_from(ZONES), st.sampled_from(FORMATS))
def test_the_quick_way_and_the_slow_way_agree(moment: datetime, zone: str, time_format: str | None) -> None:
    year = f"{moment.year:04}"
    text = moment.isoformat() if time_format is None else moment.strftime(time_format.replace("%Y", year))
    slow = datetime.fromisoformat(text) if time_format is None else datetime.strptime(text, time_format)  # noqa: DTZ007 - local
    assert time_reader(ZoneInfo(zone), time_format)(text) == slow.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing() -> None:
    read = time_reader(UTC_ZONE, None)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    texts = [(first + timedelta(seconds=second)).isoformat() for second in range(REMEMBERED + 10)]
    assert [read(text).isoformat() for text in texts] == texts
    assert read(texts[0]) == first
