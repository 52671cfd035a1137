"""A policy file means what `docs/policy-format.md` says: one file with everything, read into its resolved form."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schemas.policy import (
    CalendarSpec,
    Condition,
    DeclaredClock,
    Duration,
    MetricTarget,
    Objective,
    Policy,
    PolicyFile,
    RegionHolidays,
    WallInterval,
    WarningThreshold,
    from_published,
    to_published,
)
from streams.policy_files.ical_holidays import UnreadableHolidays, holidays_in
from streams.policy_files.policy_reader import read_policy_file
from streams.policy_files.problem import Problems

EXAMPLES = Path(__file__).parents[2] / "examples/policies"

EVERYTHING = """
version: 2026-03
effective_from: 2026-03-01T01:00:00+01:00
calendars:
  berlin:
    time_zone: Europe/Berlin
    weekly:
      mon-tue: [13:00-18:00, 09:00-12:00]
      sat-sun: [22:00-06:00]
      fri: [0:00-24:00]
    holidays:
      - 2026-12-25
      - {country: DE, subdivision: BE}
      - {ical: free.ics}
    exceptions:
      2026-12-24: [09:00-12:00]
      2026-12-31: []
    breaks:
      2026-03-05: [14:00-15:00]
  both: {intersection: [berlin, always]}
clocks:
  triage:
    start: {type: message, from: customer}
    satisfy: {type: assigned}
policies:
  - id: gold
    when: {tier: [gold, platinum], channel: no, not: {tag: on, not: {team: 7}}}
    calendar: both
    edge: next_open
    targets:
      first_response: {urgent: 90s, normal: 1h30m, low: 2d}
      triage: 0h5m
      total_resolution:
        target: {urgent: 8h, normal: 3 business_days}
        calendar: always
        pause_when: {status: [waiting_on_customer, on_hold]}
        reopen: new_cycle
      first_resolution: {target: 1 business_days, pause_when: {}}
    warn_at: [75%, 12.5%, 30m]
    on_change: forward
    applies_to_changes: new
    objective: {ratio: 0.95, over: 30d}
  - id: everyone
    objective: {ratio: 1, over: month}
"""

ICAL = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260105
DTEND;VALUE=DATE:20260107
SUMMARY:two days
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;VALUE=DATE:20240229
RRULE:FREQ=YEARLY;UNTIL=20330101
EXDATE;VALUE=DATE:20280229
SUMMARY:leap day
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;VALUE=DATE:20261126
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2
SUMMARY:fourth Thursday
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART:20260401T090000Z
SUMMARY:a meeting is no holiday
END:VEVENT
BEGIN:VEVENT
UID:5
DTSTART;VALUE=DATE:20260501
STATUS:CANCELLED
SUMMARY:called off
END:VEVENT
END:VCALENDAR
"""
FREE = frozenset(
    date.fromisoformat(day)
    for day in ("2026-01-05", "2026-01-06", "2024-02-29", "2032-02-29", "2026-11-26", "2027-11-25")
)


def hours(opens: float, closes: float) -> WallInterval:
    return WallInterval(int(opens * 3600), int(closes * 3600))


def test_everything(tmp_path: Path) -> None:
    (tmp_path / "free.ics").write_text(ICAL)
    path = tmp_path / "policies.yaml"
    path.write_text(EVERYTHING)
    problems = Problems(str(path))
    office = (hours(9, 12), hours(13, 18))
    berlin = CalendarSpec(
        name="berlin",
        time_zone="Europe/Berlin",
        weekly={1: office, 2: office, 5: (hours(0, 24),), 6: (hours(22, 30),), 7: (hours(22, 30),)},
        holidays=FREE | {date(2026, 12, 25)},
        region_holidays=(RegionHolidays("DE", "BE"),),
        exceptions={date(2026, 12, 24): (hours(9, 12),), date(2026, 12, 31): ()},
        breaks={date(2026, 3, 5): (hours(14, 15),)},
    )
    gold = Policy(
        id="gold",
        when=Condition(
            {"tier": ("gold", "platinum"), "channel": ("no",)},
            Condition({"tag": ("on",)}, Condition({"team": ("7",)})),
        ),
        calendar="both",
        edge="next_open",
        targets={
            "first_response": MetricTarget(
                metric="first_response",
                by_priority={
                    "urgent": Duration(seconds=90, text="90s"),
                    "normal": Duration(seconds=5_400, text="1h30m"),
                    "low": Duration(seconds=172_800, text="2d"),
                },
            ),
            "triage": MetricTarget(metric="triage", target=Duration(seconds=300, text="0h5m")),
            "total_resolution": MetricTarget(
                metric="total_resolution",
                by_priority={
                    "urgent": Duration(seconds=28_800, text="8h"),
                    "normal": Duration(business_days=3, text="3 business_days"),
                },
                calendar="always",
                pause_when=Condition({"status": ("waiting_on_customer", "on_hold")}),
                reopen="new_cycle",
            ),
            "first_resolution": MetricTarget(
                metric="first_resolution",
                target=Duration(business_days=1, text="1 business_days"),
                pause_when=Condition(),
            ),
        },
        warn_at=(
            WarningThreshold(used_ratio=0.75, text="75%"),
            WarningThreshold(used_ratio=0.125, text="12.5%"),
            WarningThreshold(left_seconds=1_800, text="30m"),
        ),
        on_change="forward",
        applies_to_changes="new",
        objective=Objective(0.95, 30),
    )
    expected = PolicyFile(
        version="2026-03",
        effective_from=datetime(2026, 3, 1, tzinfo=UTC),
        calendars={"berlin": berlin, "both": CalendarSpec(name="both", intersection=("berlin", "always"))},
        policies=(gold, Policy(id="everyone", objective=Objective(1))),
        clocks={
            "triage": DeclaredClock(
                name="triage",
                start=Condition({"type": ("message",), "from": ("customer",)}),
                satisfy=Condition({"type": ("assigned",)}),
            )
        },
    )
    read = read_policy_file(path, problems)
    assert problems.errors == []
    assert read == expected
    assert from_published(to_published(expected)) == expected
    # Releases before this one published a word that nothing ever asked.
    before = to_published(expected).replace('"pause_when":', '"pauses_by_default":false,"pause_when":')
    assert "pauses_by_default" in before
    assert from_published(before) == expected


def test_holidays_of_an_ical_file(tmp_path: Path) -> None:
    path = tmp_path / "free.ics"
    path.write_text(ICAL)
    assert holidays_in(path) == FREE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("nothing of the kind", "is not an iCalendar file"),
        (ICAL.replace("FREQ=YEARLY", "FREQ=SOMETIMES"), "is not an iCalendar file|is impossible"),
    ],
)
def test_ical_files_that_cannot_be_read(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "free.ics").write_text(content)
    with pytest.raises(UnreadableHolidays, match=said):
        holidays_in(tmp_path / "free.ics")


def test_the_example_has_nothing_to_complain_about() -> None:
    problems = Problems("support.yaml")
    assert read_policy_file(EXAMPLES / "support.yaml", problems) is not None
    assert (problems.errors, problems.warnings) == ([], [])
