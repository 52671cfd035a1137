"""Laws of the care figures: parts add up to the whole, in any order, and what is taken back was never there."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agents.account_agent import AccountAgent
from agents.care_buckets import TOLD_EVERY_US
from agents.domain.care_metrics import Sums, care_of, figures_of, merge
from agents.domain.instant import DAY_US, Instant, from_datetime
from agents.domain.percentile_sketch import RELATIVE_ERROR, bin_of, quantile
from agents.domain.revenue_retention import month_begins_at, month_number
from schemas.rollup import Rollup
from schemas.signal import Signal
from schemas.topics import ROLLUPS
from tests.account_stories import END, Event, interleaved, log, tick
from tests.care_recount import cases_of, counted, durations, stand
from tests.care_stories import ACCOUNTS, answers, care_threads, talk
from tests.doubles import DictStates, ListEffects, batches

NOW = END + DAY_US
sizes = st.lists(st.integers(1, 8), max_size=8)
homes = st.fixed_dictionaries({account: st.integers(0, 1) for account in ACCOUNTS})
"""Which partition an account lives in."""


def told(events: list[Any], home: dict[str, int], cuts: list[int] | None = None) -> list[Rollup]:
    """What the topic holds when two partitions have worked through the events: the newest part of every key."""
    newest: dict[str, Any] = {}
    for partition in (0, 1):
        own = [event for event in events if home[event.account_id] == partition]
        effects, states = ListEffects(), DictStates()
        records = [record._replace(partition=partition) for record in log([*own, tick(NOW)], appended_at=NOW)]
        for batch in batches(records, cuts or []):
            AccountAgent(states, effects).process(batch, 0)
        assert effects.rejected == []
        newest |= effects.latest(ROLLUPS)
    return list(newest.values())


def window(parts: list[Rollup], scope: str, value: str | None, name: Any, as_of: Instant = NOW) -> Sums:
    own = [part for part in parts if (part.scope, part.scope_value) == (scope, value)]
    found = care_of(own, name, as_of).window
    return Sums({measure: count for measure, count in found.counts.items() if count}, found.timings)


def plain(parts: list[Rollup]) -> dict[Any, Any]:
    """Parts by what they are about, whatever partition they come from, but for hours that no window reaches.

    Those lie in their slot until a newer one comes to it.
    """
    found: dict[Any, list[Rollup]] = defaultdict(list)
    for part in parts:
        if part.bucket == "hour" and from_datetime(part.begins_at) < NOW - DAY_US:
            continue
        found[part.scope, part.scope_value, part.bucket, part.begins_at].append(part)
    return {place: sums for place, each in found.items() if any(sums := merge(each))}


@given(st.lists(st.integers(0, 10**14), min_size=1), st.integers(1, 1000))
def test_a_percentile_is_right_within_its_error(durations_us: list[int], permille: int) -> None:
    sketch: dict[int, int] = defaultdict(int)
    for each in durations_us:
        sketch[bin_of(each)] += 1
    rank = -(-len(durations_us) * permille // 1000)
    exact = sorted(durations_us)[rank - 1] / 1e6
    found = quantile(sketch, permille)
    assert found is not None
    assert (found == 0.5 and exact <= 1) or abs(found - exact) <= exact * RELATIVE_ERROR * 1.000_001 or exact > 9e7


@given(st.data(), care_threads(), homes)
def test_the_figures_equal_a_recount(data: st.DataObject, threads: list[list[Event]], home: dict[str, int]) -> None:
    events = data.draw(interleaved(threads))
    parts, cases = told(events, home, data.draw(sizes)), cases_of(events)
    places = {("company", None)} | {(scope, value) for case in cases for scope, value in case.labels.items() if value}
    for scope, value in places - {(scope, value) for scope, value in places if scope == "account"}:
        for name in ("24h", "30d"):
            found = window(parts, scope, value, name)
            assert found.counts == counted(cases, scope, value, name, NOW)
            exact = durations(cases, scope, value, name, NOW)
            assert {measure: sum(bins.values()) for measure, bins in found.timings.items() if bins} == {
                measure: len(each) for measure, each in exact.items()
            }
            for measure, each in exact.items():
                middle = quantile(found.timings[measure], 500)
                assert middle == pytest.approx(each[(len(each) - 1) // 2], rel=RELATIVE_ERROR * 1.001, abs=0.5)


@given(st.data())
def test_answers_about_hard_cases_and_forced_switches_equal_a_recount(data: st.DataObject) -> None:
    """Whichever is heard first: the answer, its correction, or that its case was a hard one."""
    threads = [data.draw(talk(0, "acme"))] + [data.draw(answers(number, "acme")) for number in (1, 2)]
    events = data.draw(interleaved(threads))
    found = window(told(events, dict.fromkeys(ACCOUNTS, 0), data.draw(sizes)), "company", None, "30d")
    assert found.counts == counted(cases_of(events), "company", None, "30d", NOW)


@given(st.data(), care_threads(), homes, homes)
def test_order_batches_and_partitions_do_not_matter(
    data: st.DataObject, threads: list[list[Event]], home: dict[str, int], other: dict[str, int]
) -> None:
    # Corrections of a survey are in order, and so is what is said of one clock; everything else may change places.
    one = told(data.draw(interleaved(threads)), home, data.draw(sizes))
    assert plain(one) == plain(told(data.draw(interleaved(threads)), other, data.draw(sizes)))


@given(st.data(), care_threads(), homes)
def test_merging_is_commutative_and_associative(
    data: st.DataObject, threads: list[list[Event]], home: dict[str, int]
) -> None:
    parts = told(data.draw(interleaved(threads)), home)
    shuffled = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(0, len(parts)))
    first, second = merge(shuffled[:cut]), merge(shuffled[cut:])
    whole = merge(parts)
    assert {name: first.of(name) + second.of(name) for name in whole.counts} == whole.counts
    for measure, bins in whole.timings.items():
        halves = [each.timings.get(measure, {}) for each in (first, second)]
        assert {number: sum(half.get(number, 0) for half in halves) for number in bins} == bins


@given(st.data(), care_threads(), homes)
def test_customers_and_revenue_equal_those_of_every_account(
    data: st.DataObject, threads: list[list[Event]], home: dict[str, int]
) -> None:
    events = data.draw(interleaved(threads))
    own = [part for part in told(events, home) if part.scope == "company"]
    figures = {figure.name: figure.value for figure in figures_of(care_of(own, "30d", NOW))}
    notes: dict[str, list[Signal]] = defaultdict(list)
    for event in events:
        if isinstance(event, Signal):
            notes[event.account_id].append(event)
    now = [stand(each, NOW) for each in notes.values()]
    assert (figures["customers"] or 0) == sum(each.is_customer for each in now)
    for months in (1, 12):
        begin = month_begins_at(month_number(NOW) - months)
        pairs = [(stand(each, begin), stand(each, NOW)) for each in notes.values()]
        before = [(then, after) for then, after in pairs if then.is_customer]
        kept = sum(after.is_customer for _, after in before)
        assert figures[f"logo_retention_{months}m_ratio"] == (kept / len(before) if before else None)
        revenue = sum(then.revenue for then, _ in before)
        for name, part in (
            ("gross", sum(min(then.revenue, after.revenue) for then, after in before)),
            ("net", sum(after.revenue for _, after in before)),
        ):
            found = figures.get(f"{name}_revenue_retention_{months}m_eur_ratio")
            assert found == (pytest.approx(part / revenue) if revenue else None)


@given(st.data(), care_threads(), homes)
def test_a_part_is_told_no_more_often_than_promised(
    data: st.DataObject, threads: list[list[Event]], home: dict[str, int]
) -> None:
    events = data.draw(interleaved(threads))
    assume(events)
    effects, states = ListEffects(), DictStates()
    for batch in batches(log(events), data.draw(sizes)):
        AccountAgent(states, effects).process(batch, 0)
    instants = sorted({from_datetime(part.as_of) for part in effects.on(ROLLUPS) if isinstance(part, Rollup)})
    assert all(later - earlier >= TOLD_EVERY_US for earlier, later in pairwise(instants))
