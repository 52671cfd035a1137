"""Zendesk's SLA policies and schedules as a policy file: what can be said is said, the rest stands as a comment."""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.policy import Condition, PolicyFile
from streams.backfill.policy_text import policy_text
from streams.backfill.rails_time_zones import ZONES, iana_zone
from streams.backfill.zendesk_policies import METRICS, policies_of
from streams.backfill.zendesk_schedules import calendars_of, weekly_hours
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems

WEEKDAYS = [{"start_time": day * 1440 + 540, "end_time": day * 1440 + 1020} for day in range(1, 6)]
OFFICE = {"id": 7, "name": "Office", "time_zone": "Eastern Time (US & Canada)", "intervals": WEEKDAYS}
EVER = datetime(2025, 1, 1, tzinfo=UTC)


def target(metric: str, priority: str, minutes: int, *, business: bool = True) -> dict[str, Any]:
    return {"metric": metric, "priority": priority, "target": minutes, "business_hours": business}


def sla(title: str, *metrics: dict[str, Any], **filters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": title, "title": title, "filter": {"all": [], "any": []} | filters, "policy_metrics": list(metrics)}


def condition(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def written(policies: list[Any], schedules: list[Any] | None = None, holidays: dict[str, Any] | None = None) -> str:
    calendars = calendars_of([OFFICE] if schedules is None else schedules, holidays or {})
    drafts = policies_of([each | {"position": place} for place, each in enumerate(policies)], "zendesk_org:{}".format)
    return policy_text(drafts, calendars, origin="acme.zendesk.com", version="zendesk-1", effective_from=EVER)


def read(text: str) -> PolicyFile:
    problems = Problems("written.yaml")
    found = read_policy_text(text, problems)
    assert found is not None, ([each.as_line() for each in problems.errors], text)
    return found


@pytest.mark.parametrize(
    ("zendesk", "ours", "pauses_by_default"),
    [
        ("first_reply_time", "first_response", True),
        ("next_reply_time", "next_response", True),
        ("agent_work_time", "agent_work", True),
        ("requester_wait_time", "requester_wait", True),
        ("pausable_update", "pausable_update", True),
        ("pausable_update_time", "pausable_update", True),
        ("periodic_update", "periodic_update", True),
        ("periodic_update_time", "periodic_update", True),
        ("resolution_time", "total_resolution", False),
        ("total_resolution_time", "total_resolution", False),
        ("group_ownership_time", "group_ownership", True),
    ],
)
@pytest.mark.parametrize("business", [True, False])
def test_every_metric(zendesk: str, ours: str, pauses_by_default: bool, business: bool) -> None:
    metrics = [
        target(zendesk, priority, minutes, business=business)
        for priority, minutes in (("urgent", 30), ("high", 90), ("normal", 480), ("low", 2880))
    ]
    (policy,) = read(written([sla("Everyone", *metrics)])).policies
    promised = policy.targets[ours]
    assert {key: each.seconds for key, each in promised.by_priority.items()} == {
        "urgent": 1800,
        "high": 5400,
        "normal": 28_800,
        "low": 172_800,
    }
    assert (promised.calendar or policy.calendar) == ("office" if business else "always")
    assert promised.pause_when == (None if pauses_by_default else Condition())


def test_every_metric_is_in_the_table() -> None:
    assert len(METRICS) == 11


def test_a_metric_with_other_hours_than_the_rest_says_so() -> None:
    metrics = [target("first_reply_time", "high", 60), target("agent_work_time", "high", 60)]
    metrics.append(target("requester_wait_time", "high", 60, business=False))
    (policy,) = read(written([sla("Everyone", *metrics)])).policies
    assert (policy.calendar, policy.targets["first_response"].calendar) == ("office", None)
    assert policy.targets["requester_wait"].calendar == "always"


def test_hours_that_differ_by_priority_divide_the_policy() -> None:
    metrics = [
        target("first_reply_time", "urgent", 60, business=False),
        target("first_reply_time", "low", 60),
        target("next_reply_time", "low", 60),
    ]
    urgent, low = read(written([sla("Everyone", *metrics)])).policies
    assert (urgent.id, urgent.calendar, low.id, low.calendar) == ("everyone", "always", "everyone-2", "office")
    assert "urgent" in urgent.when.any_of["priority"]
    assert "low" in low.when.any_of["priority"]
    assert {*urgent.when.any_of["priority"], *low.when.any_of["priority"]} == {"low", "normal", "high", "urgent"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"all": [condition("organization_id", "is", 9)]}, [Condition({"account": ("zendesk_org:9",)})]),
        ({"all": [condition("group_id", "includes", ["3", 4])]}, [Condition({"team": ("3", "4")})]),
        ({"all": [condition("brand_id", "is_not", "1")]}, [Condition({}, Condition({"inbox": ("1",)}))]),
        ({"all": [condition("current_tags", "includes", "vip gold")]}, [Condition({"tag": ("vip", "gold")})]),
        ({"all": [condition("ticket_type_id", "is", 2)]}, [Condition({"type": ("incident",)})]),
        ({"all": [condition("via_id", "is", 4)]}, [Condition({"channel": ("email",)})]),
        (
            {"any": [condition("type", "is", "incident"), condition("type", "is", "problem")]},
            [Condition({"type": ("incident", "problem")})],
        ),
        (
            {
                "all": [condition("priority", "is", "urgent")],
                "any": [condition("group_id", "is", 3), condition("current_tags", "includes", "vip")],
            },
            [
                Condition({"priority": ("urgent",), "team": ("3",)}),
                Condition({"priority": ("urgent",), "tag": ("vip",)}),
            ],
        ),
        (
            {"all": [condition("priority", "is_not", "low"), condition("priority", "includes", ["low", "high"])]},
            [Condition({"priority": ("high",)})],
        ),
    ],
)
def test_filters(filters: dict[str, Any], expected: list[Condition]) -> None:
    file = read(written([sla("Some", target("first_reply_time", "urgent", 60), **filters)]))
    assert [policy.when for policy in file.policies] == expected


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"all": [condition("custom_fields_123", "is", "gold")]}, "custom_fields_123 is 'gold'"),
        ({"all": [condition("priority", "less_than", "high")]}, "priority less_than 'high'"),
        ({"all": [condition("organization_id", "is", "")]}, "organization_id is"),
        (
            {"all": [condition("group_id", "is_not", 3), condition("brand_id", "is_not", 1)]},
            "several things that must not be at once",
        ),
        (
            {"all": [condition("current_tags", "includes", "a"), condition("current_tags", "includes", "b")]},
            "beside another condition on tags",
        ),
        ({"any": [condition("requester_role", "is", "agent")]}, "requester_role is 'agent'"),
        ({"all": [condition("priority", "is", "low"), condition("priority", "is", "high")]}, "contradict each other"),
    ],
)
def test_what_cannot_be_said_is_a_comment_with_its_whole_policy(filters: dict[str, Any], said: str) -> None:
    some = sla("Some", target("first_reply_time", "urgent", 60), **filters)
    text = written([some, sla("Everyone", target("first_reply_time", "low", 60))])
    assert [policy.id for policy in read(text).policies] == ["everyone"]
    assert "LEFT OUT" in text
    assert said in " ".join(text.replace("#", " ").split())
    assert "# - id: some" in text


def test_of_several_alternatives_those_that_can_be_said_stay() -> None:
    filters = [condition("custom_fields_1", "is", "x"), condition("group_id", "is", 3)]
    text = written([sla("Some", target("first_reply_time", "urgent", 60), any=filters)])
    assert [policy.when for policy in read(text).policies] == [Condition({"team": ("3",)})]
    assert "left out, one of several that would have done: custom_fields_1 is 'x'" in text


def test_what_never_gets_a_turn_is_a_comment() -> None:
    everyone = sla("Everyone", target("first_reply_time", "low", 60))
    late = sla("Late", target("first_reply_time", "low", 5), all=[condition("group_id", "is", 3)])
    text = written([everyone, late])
    assert [policy.id for policy in read(text).policies] == ["everyone"]
    assert "it never gets a turn: everyone takes all it could" in text


@pytest.mark.parametrize("policies", [[], [sla("Nothing")]])
def test_a_file_without_any_promise_can_be_read(policies: list[Any]) -> None:
    (policy,) = read(written(policies, schedules=[])).policies
    assert policy.targets == {}


def test_hours_holidays_and_zones() -> None:
    schedules = [
        OFFICE,
        {
            "id": 8,
            "name": "Round the clock",
            "time_zone": "London",
            "intervals": [{"start_time": 0, "end_time": 10_080}],
        },
        {"id": 9, "name": "Office", "time_zone": "Atlantis", "intervals": [{"start_time": 1380, "end_time": 1500}]},
        {"id": 10, "name": "Never", "time_zone": "London", "intervals": []},
    ]
    holidays = {"7": [{"name": "Christmas\n#1", "start_date": "2026-12-25", "end_date": "2026-12-26"}]}
    text = written([sla("Everyone", target("first_reply_time", "low", 60))], schedules, holidays)
    calendars = read(text).calendars
    assert set(calendars) == {"office", "round-the-clock", "office-2"}
    assert calendars["office"].time_zone == "America/New_York"
    assert {str(day) for day in calendars["office"].holidays} == {"2026-12-25", "2026-12-26"}
    assert set(calendars["office"].weekly) == {1, 2, 3, 4, 5}
    assert set(calendars["round-the-clock"].weekly) == set(range(1, 8))
    assert (calendars["office-2"].time_zone, set(calendars["office-2"].weekly)) == ("UTC", {7, 1})
    assert "its time zone 'Atlantis' is not known here" in text


def test_every_zone_of_zendesk_is_known() -> None:
    assert [name for name in ZONES if iana_zone(name) is None] == []


@given(st.lists(st.tuples(st.integers(-100, 11_000), st.integers(-100, 11_000)), max_size=8))
def test_hours_cover_the_same_minutes(intervals: list[tuple[int, int]]) -> None:
    said = {minute for begin, end in intervals for minute in range(max(begin, 0), min(end, 10_080))}
    hours = weekly_hours({"intervals": [{"start_time": begin, "end_time": end} for begin, end in intervals]})
    days = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    written_down = [
        days.index(day) * 1440 + minute
        for day, spans in hours.items()
        for begin, end in spans
        for minute in range(begin, end)
    ]
    assert sorted(written_down) == sorted(said)


words = st.text(max_size=8) | st.sampled_from(["vip", "9", "", "high", "no", "null"])
json_values = words | st.integers() | st.none() | st.lists(words | st.integers(), max_size=3)
fields = st.sampled_from(["priority", "type", "group_id", "organization_id", "current_tags", "via_id", "brand_id", "x"])
operators = st.sampled_from(["is", "is_not", "includes", "not_includes", "less_than"])
conditions = st.lists(st.builds(condition, fields, operators, json_values), max_size=3)
targets = st.builds(
    lambda metric, priority, minutes, business: target(metric, priority, minutes, business=business),
    st.sampled_from([*METRICS, "odd"]),
    st.sampled_from(["low", "normal", "high", "urgent", "odd"]),
    st.integers(-1, 100_000),
    st.booleans(),
)


@given(
    st.lists(
        st.builds(
            lambda title, all_of, any_of, metrics: sla(title, *metrics, all=all_of, any=any_of),
            st.text(max_size=12),
            conditions,
            conditions,
            st.lists(targets, max_size=5),
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_whatever_zendesk_has_the_file_can_be_read(policies: list[Any], with_hours: bool) -> None:
    read(written(policies, [OFFICE] if with_hours else []))


def test_the_published_shapes(shared: Path) -> None:
    """dbt_zendesk's seeds have the SLA policies, schedules and holidays of an account as rows of a warehouse."""
    folder = shared / "payloads" / "ticket"
    if not (folder / "zendesk_seed_schedule_data.csv").is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    metrics: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(folder / "zendesk_seed_sla_policy_metric_history_data.csv"):
        minutes = int(row["target"])
        business = row["business_hours"] == "TRUE"
        metrics[row["sla_policy_id"]].append(target(row["metric"], row["priority"], minutes, business=business))
    schedules: dict[str, dict[str, Any]] = {}
    for row in rows(folder / "zendesk_seed_schedule_data.csv"):
        schedule = schedules.setdefault(row["id"], {"id": row["id"], "name": row["name"], "intervals": []})
        schedule["time_zone"] = row["time_zone"]
        schedule["intervals"].append({"start_time": row["start_time"], "end_time": row["end_time"]})
    holidays: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(folder / "zendesk_seed_schedule_holiday_data.csv"):
        holidays[next(iter(schedules))].append(row)
    policies = [
        sla(f"policy {number}", *found, all=[condition("group_id", "is", number)]) for number, found in metrics.items()
    ]
    file = read(written(policies, list(schedules.values()), holidays))
    assert {policy.when.any_of["team"] for policy in file.policies} == {(number,) for number in metrics}
    (calendar,) = file.calendars.values()
    assert calendar.time_zone == "America/Los_Angeles"
    assert {str(day) for day in calendar.holidays} == {"2022-12-26", "2022-12-27", "2022-12-29"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
