"""Parents and children: how the scores of children make that of a parent, and what they tell each other to that end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.account_agent import LEDGER_KEY, AccountAgent
from agents.domain.children import BEYOND, Child, ends_circle, parts_of_children
from agents.domain.family import SOURCE
from agents.domain.health_profile import Aggregation
from agents.domain.health_shelf import to_published
from agents.domain.instant import from_datetime
from agents.partition_controls import tick
from schemas.account_state import AccountLedger, AccountState, decode_account_state
from schemas.control import Control
from schemas.health_score import HealthScore
from schemas.signal import Signal, SignalKind
from schemas.topics import HEALTH, SIGNALS
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.problem import Problems
from tests.doubles import DictStates, ListEffects, record_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PROFILE = """
version: 1
profiles:
  - id: groups
    when: {tier: group}
    children: %s
    components: {all: {weight: 1, signals: {pulse: 1}}}
  - {id: everyone, components: {all: {weight: 1, signals: {pulse: 1}}}}
"""

scores = st.one_of(st.none(), st.integers(min_value=0, max_value=100_00))
families = st.lists(
    st.builds(
        Child, st.text("abc", min_size=1), scores, st.one_of(st.none(), st.integers(0, 10**9)), counts=st.booleans()
    ),
    max_size=8,
    unique_by=lambda child: child.id,
)


@given(families, st.sampled_from(["mean", "by_value", "worst"]), st.randoms(use_true_random=False))
def test_points_of_children_sum_to_the_score_whatever_their_order(
    children: list[Child], how: Aggregation, random: Any
) -> None:
    parts, coverage = parts_of_children(children, how)
    shuffled = list(children)
    random.shuffle(shuffled)

    assert parts_of_children(shuffled, how) == (parts, coverage)
    known = [child.score for child in children if child.counts and child.score is not None]
    score = sum(part.points for part in parts)
    if coverage:
        assert min(known) <= score <= max(known)
        assert sum(part.share for part in parts) == 10_000
        assert how != "worst" or score == min(known)
    else:
        assert score == sum(part.share for part in parts) == 0
        assert not known or how == "by_value"


@pytest.mark.parametrize(
    ("how", "score", "coverage"),
    [("mean", 60_00, 10_000), ("worst", 20_00, 10_000), ("by_value", 84_00, 10_000)],
)
def test_the_three_ways(how: Aggregation, score: int, coverage: int) -> None:
    children = [Child("a", 100_00, 900_00), Child("b", 20_00, 100_00), Child("c", 60_00, 0)]
    if how == "by_value":
        children = [Child("a", 100_00, 800_00), Child("b", 20_00, 200_00)]

    parts, covered = parts_of_children(children, how)

    assert (sum(part.points for part in parts), covered) == (score, coverage)


@pytest.mark.parametrize(("how", "covered"), [("mean", 5_000), ("by_value", 7_500), ("worst", 5_000)])
def test_whose_score_is_not_known_lowers_the_coverage(how: Aggregation, covered: int) -> None:
    parts, coverage = parts_of_children([Child("a", 80_00, 300_00), Child("b", None, 100_00)], how)

    assert ([part.points for part in parts], coverage) == ([80_00, 0], covered)


def test_a_circle_ends_at_one_account_and_who_hangs_below_it_does_not() -> None:
    assert [
        ends_circle(*each) for each in (("a", ["b", "c", "a"]), ("b", ["c", "a", "b"]), ("c", ["a", "b", "c"]))
    ] == [
        False,
        False,
        True,
    ]
    assert not ends_circle("z", ["a", "b", "a"])


class Group:
    """Every account in a partition of its own, and what they tell each other in between, in any order of delivery."""

    def __init__(self, how: str = "mean") -> None:
        file = read_profile_text(PROFILE % how, Problems("profile"))
        assert file is not None
        self._active = Control(id="h", kind="health_activated", as_of=NOON, policy_text=to_published(file))
        self.houses: dict[str, tuple[DictStates, ListEffects]] = {}
        self._offsets: dict[str, int] = {}
        self._heard: dict[str, int] = {}

    def _process(self, account: str, events: Sequence[tuple[str | None, Any]]) -> None:
        if account not in self.houses:
            self.houses[account] = DictStates(), ListEffects()
            self._offsets[account] = self._heard[account] = 0
            self._process(account, [(None, self._active)])
        records = []
        for key, event in events:
            at = from_datetime(NOON + timedelta(days=900))
            records.append(record_of(SIGNALS, key, event, offset=self._offsets[account], appended_at=at))
            self._offsets[account] += 1
        AccountAgent(*self.houses[account]).process(records, 0)

    def hears(self, *signals: Signal) -> "Group":
        """Each in a batch of its own."""
        for signal in signals:
            self._process(signal.account_id, [(signal.account_id, signal)])
        return self

    def settle(self, random: Any = None) -> "Group":
        """Deliver what they tell each other until nobody has anything to say; of each sender in its order."""
        for _ in range(2_000):
            waiting = [each for each in self.houses if self._heard[each] < len(self._said(each))]
            if not waiting:
                return self
            sender = waiting[0] if random is None else random.choice(waiting)
            said = self._said(sender)[self._heard[sender]]
            self._heard[sender] += 1
            self._process(said.account_id, [(said.account_id, said)])
        raise AssertionError("they never stop talking")

    def _said(self, account: str) -> list[Signal]:
        return [each for each in self.houses[account][1].on(SIGNALS) if isinstance(each, Signal)]

    def passes(self, days: float) -> "Group":
        at = from_datetime(NOON + timedelta(days=days))
        for account in list(self.houses):
            self._process(account, [(None, tick("wall", at))])
        return self.settle()

    def forgets(self, account: str) -> "Group":
        control = Control(
            id="f",
            kind="account_forgotten",
            as_of=NOON + timedelta(days=1),
            account_id=account,
            relayed_from=0,
            relays=1,
        )
        for each in list(self.houses):
            self._process(each, [(None, control)])
        return self.settle()

    def score(self, account: str) -> HealthScore | None:
        found = self.houses[account][1].latest(HEALTH).get(account)
        return found if isinstance(found, HealthScore) else None

    def exact(self, account: str) -> int | None:
        """The score of today in hundredths, whether or not it was told: what a parent would be told of it."""
        self.hears(belongs(account, "Z", days=1)).hears(belongs(account, None, days=1.01))
        told = [each.value for each in self._said(account) if each.account_id == "Z" and each.text is None]
        return None if told[-1] is None else round(told[-1] * 100)

    def points(self, account: str) -> dict[str | None, float]:
        told = self.score(account)
        assert told is not None
        assert told.score == pytest.approx(sum(part.points for part in told.contributions))
        return {part.signal: part.points for part in told.contributions}


def signal(
    account: str, kind: SignalKind, name: str, value: float | None = None, days: float = 0, **more: Any
) -> Signal:
    return Signal(
        id=f"{account}/{name}/{days}",
        source="test",
        account_id=account,
        occurred_at=NOON + timedelta(days=days),
        kind=kind,
        name=name,
        value=value,
        tier="group" if account.isupper() else None,
        **more,
    )


def pulse(account: str, value: float, days: float = 0) -> Signal:
    return signal(account, "pulse", "pulse", value, days)


def belongs(account: str, parent: str | None, days: float = 0) -> Signal:
    return signal(account, "parent", "parent", days=days, text=parent)


def mrr(account: str, value: float) -> Signal:
    return signal(account, "subscription", "mrr", value)


def test_a_parent_has_the_mean_of_its_children_and_ignores_itself() -> None:
    group = Group().hears(pulse("a", 80), pulse("b", 40), belongs("a", "P"), belongs("b", "P"), pulse("P", 5)).settle()

    assert group.points("P") == {"a": 40, "b": 20}


def test_a_child_that_pays_more_weighs_more() -> None:
    group = Group("by_value").hears(mrr("a", 300), mrr("b", 100), pulse("a", 80), pulse("b", 40))
    group.hears(belongs("a", "P"), belongs("b", "P"), pulse("P", 5)).settle()

    assert group.points("P") == {"a": 60, "b": 10}


def test_what_changes_below_is_heard_above_over_two_levels() -> None:
    group = Group("worst").hears(
        pulse("a", 80), pulse("b", 70), belongs("a", "P"), belongs("b", "P"), belongs("P", "Q")
    )
    group.hears(pulse("P", 5), pulse("Q", 5)).settle()
    assert group.points("Q") == {"P": 70}

    group.hears(pulse("b", 30, days=0.5)).settle()
    assert group.points("Q")["P"] < 70


def test_a_child_that_leaves_is_taken_out_and_so_is_one_that_is_forgotten() -> None:
    group = Group().hears(
        *(pulse(each, value) for each, value in (("a", 80), ("b", 40), ("c", 60), ("P", 5), ("Q", 5)))
    )
    group.hears(belongs("a", "P"), belongs("b", "P"), belongs("c", "P")).settle()
    assert group.hears(belongs("a", "Q", days=0.1)).settle().points("P") == {"b": 20, "c": 30}
    assert group.points("Q") == {"a": 80}

    group.forgets("b")
    assert group.points("P") == {"c": 60}
    family = decode_account_state(AccountState, group.houses["P"][0].states["P"]).memory.family
    assert family is not None
    assert list(family.children) == ["c"]
    assert group.hears(belongs("c", None, days=2)).settle().points("P") == {"pulse": 5}  # as before it had children


def test_the_word_of_a_relative_is_in_no_books_whatever_becomes_of_it() -> None:
    """What nobody outside has said is not accepted: `applied + duplicate + late + rejected` leave it out."""
    word = Signal(
        id="w", source=SOURCE, account_id="a", occurred_at=NOON, kind="ancestors", name="above", accounts=("P",)
    )
    group = Group().hears(pulse("a", 80), word).settle()
    group.forgets("a")
    group.hears(replace(word, id="w2"), replace(word, id="w3", source="somebody", occurred_at=NOON + timedelta(days=2)))

    books = decode_account_state(AccountLedger, group.houses["a"][0].states[LEDGER_KEY])
    assert (books.applied, books.duplicate, books.late, books.rejected) == (1, 0, 0, 1)


def test_a_child_too_many_does_not_count_and_is_said_once_without_dead_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.domain.family.MOST_CHILDREN", 2)
    values = {"a": 80, "b": 40, "c": 60, "d": 20, "P": 5}
    group = Group().hears(*(pulse(each, value) for each, value in values.items()))
    group.hears(*(belongs(each, "P") for each in "abcd")).settle()
    group.hears(pulse("c", 10, days=0.5), pulse("d", 90, days=0.5)).settle()

    told = group.score("P")
    assert told is not None
    assert [(part.signal, part.points, part.because) for part in told.contributions] == [
        ("a", 40, None),
        ("b", 20, None),
        ("c", 0, BEYOND),
    ]
    states, effects = group.houses["P"]
    assert effects.rejected == []
    ledger = decode_account_state(AccountLedger, states.states[LEDGER_KEY])
    assert ledger.rejected == 0

    group.hears(belongs("a", None, days=0.6)).hears(pulse("d", 70, days=0.7)).settle()
    assert group.points("P").keys() == {"b", "c", "d"}  # whose word came when there was room
    group.hears(belongs("b", None, days=0.8)).hears(pulse("c", 50, days=0.9)).settle()
    assert all(group.points("P")[each] > 0 for each in "cd")
    assert group.points("P").keys() == {"c", "d"}


def test_a_child_too_many_is_forgotten_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.domain.family.MOST_CHILDREN", 1)
    group = Group().hears(pulse("a", 80), pulse("longname", 40), pulse("P", 5))
    group.hears(belongs("a", "P"), belongs("longname", "P")).settle().forgets("longname")

    assert group.points("P") == {"a": 80}
    assert b"longname" not in group.houses["P"][0].states["P"]


def test_a_word_under_way_brings_no_forgotten_child_back() -> None:
    group = Group().hears(pulse("a", 80), pulse("b", 40), pulse("P", 5), belongs("a", "P"), belongs("b", "P")).settle()
    group.hears(pulse("b", 90, days=0.5))  # which it tells its parent, whose partition forgets it first

    group.forgets("b")

    assert group.points("P") == {"a": 80}


def test_an_idle_child_decays_and_its_parent_with_it() -> None:
    group = Group().hears(pulse("a", 80), belongs("a", "P"), pulse("P", 5)).settle()
    told = group.score("P")
    assert told is not None
    assert told.score == 80

    group.passes(91)  # a pulse is of no use after 90 days
    told = group.score("P")
    assert told is not None
    assert told.score is None


def test_nobody_else_may_say_how_a_child_is() -> None:
    group = Group().hears(pulse("P", 50), signal("P", "child", "x", 90), belongs("P", "P"))

    rejected = group.houses["P"][1].rejected
    assert ["only accounts tell" in rejected[0][2], "its own parent" in rejected[1][2]] == [True, True]


@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.generate))  # a smaller family says no more
@given(st.randoms(use_true_random=False), st.data())
def test_order_does_not_matter_and_circles_end_the_same_way(random: Any, data: st.DataObject) -> None:
    names = ["A", "B", "C", "D"]
    parents = {each: data.draw(st.sampled_from([other for other in [*names, None] if other != each])) for each in names}
    events = [
        *(pulse(f"{each.lower()}", 10.0 + 20 * number) for number, each in enumerate(names)),
        *(belongs(each.lower(), each) for each in names),
        *(belongs(each, parents[each]) for each in names),
    ]
    ticked = [replace(pulse("A", 1), id="first")]
    plain = Group().hears(*ticked, *events).settle().passes(1)
    random.shuffle(events)
    mixed = Group().hears(*ticked)
    for event in events:
        mixed.hears(event)
        if random.random() < 0.5:
            mixed.settle(random)
    mixed.settle(random).passes(1)

    for each in names:  # points are those of when the score last moved, as everywhere
        one, other = mixed.score(each), plain.score(each)
        assert one is not None
        assert other is not None
        assert one.score == pytest.approx(other.score, abs=0.1)  # a smaller move is not told
        assert mixed.exact(each) == plain.exact(each)
        assert [(part.signal, part.because) for part in one.contributions] == [
            (part.signal, part.because) for part in other.contributions
        ]


def test_a_circle_says_why_it_ends_and_is_whole_again_when_it_is_broken() -> None:
    group = Group().hears(pulse("a", 80), pulse("A", 1), pulse("B", 1), belongs("a", "A"), belongs("A", "B"))
    group.hears(belongs("B", "A")).settle()
    told = group.score("A")
    assert told is not None
    assert [(part.signal, part.points, part.because) for part in told.contributions] == [
        ("B", 0, "it is above its parent: a circle of parents, which ends here"),
        ("a", 80, None),
    ]

    group.hears(belongs("A", None, days=0.2)).settle()
    assert group.points("A") == {"B": 0.5, "a": 40}
