"""Several partitions read as one: the earliest first, the log's order within each, nobody overtaken."""

from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition

from schemas.control import Control
from streams.enrich.time_merge import TimeMerge, Waiting

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)
SOMETHING = Control(id="c", kind="account_forgotten", as_of="2026-03-02T00:00:00Z")  # type: ignore[arg-type]  # any event


def record(offset: int, at: int | None) -> Waiting:
    return Waiting(offset, at, None if at is None else SOMETHING)


@given(*(st.lists(st.integers(0, 50), max_size=20).map(sorted) for _ in range(2)), st.integers(1, 7))
def test_what_is_all_here_comes_in_the_order_of_time(one: list[int], other: list[int], most: int) -> None:
    merge = TimeMerge()
    merge.watch({FIRST, SECOND})
    for place, times in ((FIRST, one), (SECOND, other)):
        for offset, at in enumerate(times):
            merge.put(place, record(2 * offset, None))
            merge.put(place, record(2 * offset + 1, at))

    taken = []
    while found := list(merge.take(most, lambda _: False)):
        assert sum(each.event is not None for _, each in found) <= most
        taken += found

    assert [each.at for _, each in taken if each.at is not None] == sorted([*one, *other])
    for place, times in ((FIRST, one), (SECOND, other)):
        assert [each.offset for at, each in taken if at == place] == list(range(2 * len(times)))


def test_nobody_is_overtaken_who_may_bring_something_earlier() -> None:
    merge = TimeMerge()
    merge.watch({FIRST, SECOND})
    merge.put(FIRST, record(0, 100))

    assert list(merge.take(10, lambda place: place == SECOND)) == []
    merge.put(SECOND, record(0, 50))
    assert [each.at for _, each in merge.take(10, lambda place: place == SECOND)] == [50]
    assert [each.at for _, each in merge.take(10, lambda _: False)] == [100]


def test_what_was_read_of_a_partition_that_has_moved_is_dropped() -> None:
    merge = TimeMerge()
    merge.put(FIRST, record(0, 1))
    merge.watch({SECOND})

    assert list(merge.take(10, lambda _: False)) == []
