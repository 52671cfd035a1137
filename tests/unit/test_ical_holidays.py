"""What counts as a holiday in an iCalendar file."""

from datetime import date
from pathlib import Path

import pytest

from streams.policy_files.ical_holidays import UnreadableHolidays, holidays_in


def file_of(folder: Path, *events: str) -> Path:
    """A file of events; each is its lines, parted by blanks."""
    inside = ""
    for number, event in enumerate(events):
        lines = event.split() if event.startswith("UID") else [f"UID:{number}", *event.split()]
        inside += "\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])
    path = folder / "free.ics"
    path.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{inside}END:VCALENDAR\n")
    return path


@pytest.mark.parametrize(
    ("event", "days"),
    [
        pytest.param("DTSTART;VALUE=DATE:20261225", ["12-25"], id="one day"),
        pytest.param("DTSTART;VALUE=DATE:20261225 DTEND;VALUE=DATE:20261226", ["12-25"], id="DTEND is the day after"),
        pytest.param(
            "DTSTART;VALUE=DATE:20261224 DTEND;VALUE=DATE:20261227", ["12-24", "12-25", "12-26"], id="several"
        ),
        pytest.param("DTSTART;VALUE=DATE:20261224 DTEND;VALUE=DATE:20261224", ["12-24"], id="DTEND of the same day"),
        pytest.param("DTSTART;VALUE=DATE:20261224 DURATION:P2D", ["12-24", "12-25"], id="duration"),
        pytest.param("DTSTART:20261225T000000Z DTEND:20261226T000000Z", [], id="times, even around midnight"),
        pytest.param("DTSTART;TZID=Europe/Berlin:20261225T090000 DURATION:PT8H", [], id="time in a zone"),
        pytest.param(
            "DTSTART:20261225T000000 DTEND:20261227T000000 X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
            ["12-25", "12-26"],
            id="all day as Outlook says it",
        ),
        pytest.param("DTSTART;VALUE=DATE:20261225 STATUS:CANCELLED", [], id="cancelled"),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225 STATUS:CONFIRMED TRANSP:TRANSPARENT", ["12-25"], id="as Google says it"
        ),
        pytest.param("DTSTART;VALUE=DATE:20200501 RRULE:FREQ=YEARLY", ["05-01"], id="yearly"),
        pytest.param("DTSTART;VALUE=DATE:16010501 RRULE:FREQ=YEARLY", ["05-01"], id="yearly for centuries"),
        pytest.param("DTSTART;VALUE=DATE:20200501 RRULE:FREQ=YEARLY;UNTIL=20251231", [], id="until a date"),
        pytest.param(
            "DTSTART;VALUE=DATE:20200501 RRULE:FREQ=YEARLY;UNTIL=20260501T000000Z", ["05-01"], id="until an instant"
        ),
        pytest.param("DTSTART;VALUE=DATE:20200501 RRULE:FREQ=YEARLY;COUNT=6", [], id="six times"),
        pytest.param("DTSTART;VALUE=DATE:20200501 RRULE:FREQ=YEARLY;INTERVAL=2", ["05-01"], id="every other year"),
        pytest.param(
            "DTSTART;VALUE=DATE:20241128 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", ["11-26"], id="fourth Thursday"
        ),
        pytest.param("DTSTART;VALUE=DATE:20240229 RRULE:FREQ=YEARLY", [], id="a leap day"),
        pytest.param(
            "DTSTART;VALUE=DATE:20251224 DTEND;VALUE=DATE:20251226 RRULE:FREQ=YEARLY",
            ["12-24", "12-25"],
            id="several, yearly",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20251231 DURATION:P2D RRULE:FREQ=YEARLY", ["01-01", "12-31"], id="over new year"
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260105 RRULE:FREQ=WEEKLY;COUNT=3 EXDATE;VALUE=DATE:20260112",
            ["01-05", "01-19"],
            id="EXDATE",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260105 RRULE:FREQ=WEEKLY;COUNT=2 EXDATE:20260105T000000Z",
            ["01-12"],
            id="EXDATE with a time",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260105 RDATE;VALUE=DATE:20260301,20260401", ["01-05", "03-01", "04-01"], id="RDATE"
        ),
    ],
)
def test_days_of_an_event_in_2026(tmp_path: Path, event: str, days: list[str]) -> None:
    found = holidays_in(file_of(tmp_path, event))
    assert sorted(f"{day:%m-%d}" for day in found if day.year == 2026) == days


def test_an_occurrence_with_an_event_of_its_own_leaves_its_series(tmp_path: Path) -> None:
    series = "UID:s DTSTART;VALUE=DATE:20260105 RRULE:FREQ=WEEKLY;COUNT=3"
    moved = "UID:s RECURRENCE-ID;VALUE=DATE:20260112 DTSTART;VALUE=DATE:20260113"
    cancelled = "UID:s RECURRENCE-ID;VALUE=DATE:20260119 DTSTART;VALUE=DATE:20260119 STATUS:CANCELLED"
    path = file_of(tmp_path, series, moved, cancelled)
    assert holidays_in(path) == {date(2026, 1, 5), date(2026, 1, 13)}


def test_several_calendars_in_one_file_and_a_byte_order_mark(tmp_path: Path) -> None:
    one = file_of(tmp_path, "DTSTART;VALUE=DATE:20261225").read_text()
    path = file_of(tmp_path, "DTSTART;VALUE=DATE:20261226")
    path.write_text("\ufeff" + one + path.read_text())
    assert holidays_in(path) == {date(2026, 12, 25), date(2026, 12, 26)}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("DTSTART;VALUE=DATE:19000101 DTEND;VALUE=DATE:21000101", "covers more than 50000 days"),
        ("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=NEVER", "iCalendar file|impossible"),
    ],
)
def test_what_no_holiday_can_be(tmp_path: Path, event: str, said: str) -> None:
    with pytest.raises(UnreadableHolidays, match=said):
        holidays_in(file_of(tmp_path, event))


def test_an_empty_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.ics"
    path.write_text("")
    with pytest.raises(UnreadableHolidays, match="not an iCalendar file"):
        holidays_in(path)
