"""The memory of a lane: wakes in order, changes since the last commit, and what the changelog gives back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ports import Record
from schemas.topics import ALERTS, INTERACTIONS, ISSUES, REJECTED, TopicSpec
from streams.lane.changelog import FORMAT, ChangelogDamaged, from_value, to_value
from streams.lane.lane_effects import MOST_REJECTED_BYTES, LaneEffects
from streams.lane.outbox import Outbox
from streams.lane.partition_states import PartitionStates, Remembered, Wake
from streams.record_batch import BATCH_BYTES

keys = st.text(min_size=1, max_size=4)
wakes = st.none() | st.builds(Wake, st.sampled_from(["wall", "simulation:7"]), st.integers(-(2**40), 2**40))


@given(st.lists(st.tuples(keys, st.binary(max_size=4), wakes), max_size=30), st.integers(-(2**40), 2**40))
def test_due_is_what_a_sorted_list_of_the_latest_wakes_says(
    puts: list[tuple[str, bytes, Wake | None]], before: int
) -> None:
    """However often a wake is moved, only the latest of a key counts, in order of (wake_at, key)."""
    states = PartitionStates()
    latest: dict[str, Wake | None] = {}
    for key, state, wake in puts:
        states.put(key, state, wake.clock if wake else "", wake.at if wake else None)
        latest[key] = wake

    due = states.due("wall", before)

    waiting = [(wake.at, key) for key, wake in latest.items() if wake and wake.clock == "wall" and wake.at < before]
    assert [key for _, key in sorted(waiting)] == due


@given(st.lists(st.tuples(keys, st.binary(max_size=4), wakes), max_size=30))
def test_a_memory_restored_from_its_changelog_is_the_same(puts: list[tuple[str, bytes, Wake | None]]) -> None:
    """What the next owner of the partition reads is what this one remembered."""
    states, restored = PartitionStates(), PartitionStates()
    for key, state, wake in puts:
        states.put(key, state, wake.clock if wake else "", wake.at if wake else None)
    for key, kept in states.changes.items():
        restored.restore(key, None if kept is None else from_value(to_value(kept)))

    assert all(states.get(key) == restored.get(key) for key, _, _ in puts)
    for clock in ("wall", "simulation:7"):
        assert states.earliest(clock) == restored.earliest(clock)
        assert states.due(clock, 2**41) == restored.due(clock, 2**41)


def test_a_dropped_key_is_gone_here_and_in_the_changelog() -> None:
    """Nothing wakes it any more, and the changelog gets a tombstone."""
    states = PartitionStates()
    states.put("k", b"s", "wall", 5)

    states.drop("k")

    assert states.get("k") is None
    assert states.due("wall", 10) == []
    assert states.changes == {"k": None}


def test_releasing_a_clock_names_everybody_on_it() -> None:
    """In the order in which they would have been woken."""
    states = PartitionStates()
    states.put("late", b"", "import:1", 9)
    states.put("early", b"", "import:1", 3)
    states.put("other", b"", "wall", 1)

    assert states.release("import:1", "wall") == ["early", "late"]
    assert states.earliest("import:1") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(bytes([FORMAT + 1]) + bytes(9), "upgrade all workers", id="written by a later release"),
        pytest.param(to_value(Remembered(b"", Wake("é", 1)))[:-1], "cannot be read", id="cut off"),
    ],
)
def test_a_changelog_value_that_cannot_be_read_is_loud(value: bytes, words: str) -> None:
    """Going on without one conversation would be a silent loss."""
    with pytest.raises(ChangelogDamaged, match=words):
        from_value(value)


@pytest.mark.parametrize(
    ("topic", "stands_alone", "told"),
    [(ALERTS, False, [2]), (ALERTS, True, [0, 1, 2, 3]), (ISSUES, True, [0])],
)
def test_a_key_is_forgotten_in_every_partition_that_its_lane_has_told(
    topic: TopicSpec, told: list[int], *, stands_alone: bool
) -> None:
    """A lane that stands alone spreads its alerts by their keys, and an account is in those of other keys too."""
    outbox = Outbox()
    effects = LaneEffects(0 if stands_alone else 2, 4, str, outbox, stands_alone=stands_alone)
    effects.forget(topic, "acme")

    assert [place for place, _ in outbox] == [(topic.name, partition) for partition in told]


@pytest.mark.parametrize("size", [0, 900_000, MOST_REJECTED_BYTES, MOST_REJECTED_BYTES + 1, 7_000_000])
def test_every_rejection_fits_into_a_transaction(size: int) -> None:
    """A huge poison record must not stop the worker again and again."""
    outbox = Outbox()
    effects = LaneEffects(0, 4, str, outbox)
    effects.reject(Record(INTERACTIONS, 0, 7, b"k", bytes(size), [], 0), "not_json", "nothing but zeros")
    ((place, batch),) = outbox
    (rejection,) = effects.rejections

    assert place == (REJECTED.name, 0)
    assert batch.record_count() == 1
    assert batch.size() < BATCH_BYTES
    assert (rejection.value == bytes(size)) is (size <= MOST_REJECTED_BYTES)
    assert (f"{size:,}" in rejection.detail) is (size > MOST_REJECTED_BYTES)
