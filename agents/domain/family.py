"""Parents and children live: who is above an account, who is below it, and what they have to tell each other.

Children and parents may live in different partitions, so they speak through the log, as signals that an account lane
writes in its own transaction. The directory tells an account its `parent`; the account tells its parent how it is
(`child`) whenever its score is another one; and a parent tells its children who is above them (`ancestors`), so that
every member of a circle of parents sees the whole circle, and the same one of them ends it (`agents.domain.children`).
What is said last counts. `agents.domain.account` takes it in; the score of the parent is `agents.domain.live_health`'s.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Protocol

from agents.domain.children import BEYOND, MOST_CHILDREN, Child, ends_circle
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import Instant, to_datetime
from agents.domain.normalisation import MILLION
from schemas.account_state import AccountState
from schemas.health_memory import ChildState, FamilyState, HealthMemory
from schemas.signal import Signal, SignalKind

WORDS: frozenset[SignalKind] = frozenset({"child", "ancestors"})
"""What accounts tell each other."""

FAMILY_KINDS: frozenset[SignalKind] = WORDS | {"parent"}

SOURCE = "careline/accounts"
"""Whose word the last two are: nobody else may tell a parent how its child is."""

MOST_LEVELS = 16
"""Further up nobody looks; a circle of more accounts than that is seen by the directory alone, which lets none in."""

_LEFT, _CIRCLE = "left", "circle"


class Said(Protocol):
    """A signal, as far as it tells who has said it."""

    @property
    def kind(self) -> str:
        """What is said."""

    @property
    def source(self) -> str:
        """By whom."""

    @property
    def via(self) -> str | None:
        """By which conversation."""


def is_word(said: Said) -> bool:
    """Whether an account or a conversation has said it: then nobody outside has, and it is in no books."""
    return said.via is not None or (said.kind in WORDS and said.source == SOURCE)


def take(account_id: str, memory: HealthMemory, signal: Signal, at: Instant) -> None:
    """Learn what a member of the family says.

    Raises:
        ImpossibleEventError: it cannot be, or nobody else may say it.
    """
    if signal.kind != "parent" and signal.source != SOURCE:
        raise ImpossibleEventError(f"only accounts tell each other `{signal.kind}` - at `$.kind`")
    if memory.family is None:
        memory.family = FamilyState()
    family = memory.family
    match signal.kind:
        case "parent":
            _take_parent(account_id, family, signal, at)
        case "child":
            _take_child(family, signal)
        case _:
            _take_ancestors(account_id, family, signal)


def _take_parent(account_id: str, family: FamilyState, signal: Signal, at: Instant) -> None:
    parent = signal.text or None
    if parent == account_id:
        raise ImpossibleEventError("an account cannot be its own parent - at `$.text`")
    if (at, signal.id) < (family.said_at, family.said_id):
        return
    family.said_at, family.said_id = at, signal.id
    if parent != family.parent:
        family.parent = parent
        family.above = [] if parent is None else [parent]


def _take_child(family: FamilyState, signal: Signal) -> None:
    if signal.text == _LEFT:
        _take_out(family, signal.name)
        return
    known = family.children.get(signal.name)
    if known is None and len(family.children) >= MOST_CHILDREN:
        family.beyond = family.beyond or signal.name
        return
    if signal.name == family.beyond:
        family.beyond = None  # there is room again
    family.children[signal.name] = ChildState(
        None if signal.value is None else round(signal.value * 100),
        None if signal.weight is None else round(signal.weight * 100),
        signal.text != _CIRCLE,
        known is not None and known.is_told,
    )


def _take_out(family: FamilyState, name: str) -> None:
    family.children.pop(name, None)
    if name == family.beyond:
        family.beyond = None


def _take_ancestors(account_id: str, family: FamilyState, signal: Signal) -> None:
    above = list(signal.accounts)
    if family.parent is None or above[:1] != [family.parent]:
        return  # a parent of before
    if account_id in above:
        del above[above.index(account_id) + 1 :]
    family.above = above


def children_of(state: AccountState) -> list[Child]:
    """The children of an account as they said last."""
    family = state.memory.family
    if family is None:
        return []
    children = [Child(name, each.score, each.revenue, each.counts) for name, each in family.children.items()]
    if family.beyond is not None:
        children.append(Child(family.beyond, None, counts=False, because=BEYOND))
    return children


def words(account_id: str, state: AccountState, score: int | None, cause_id: str | None) -> Iterator[Signal]:
    """What an account has to tell its parents and children now, each under the id of the account that it is for.

    Of an import's time nothing is told: its accounts tell it once they live by the wall.
    """
    family = state.memory.family
    if family is None or state.clock.startswith("import:"):
        return
    digest = blake2b((cause_id or "").encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    for number, (to, fields) in enumerate(_said(account_id, state, family, score)):
        yield Signal(
            # Not the cause's own id: where one word leads to the next, they would grow.
            id=f"{fields['kind']}/{account_id}/{digest}/{number}",
            source=SOURCE,
            account_id=to,
            occurred_at=to_datetime(state.as_of),
            clock=state.clock,
            raw_reference=cause_id,
            **fields,
        )


def _said(
    account_id: str, state: AccountState, family: FamilyState, score: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    parent, told = family.parent, family.told
    if told is not None and told[0] != parent:
        yield told[0], {"kind": "child", "name": account_id, "text": _LEFT}
        family.told = None
    if parent is not None:
        is_circle = ends_circle(account_id, family.above)
        now = (parent, None, None, False) if is_circle else (parent, score, _revenue(state), True)
        if now != family.told:
            family.told = now
            fields: dict[str, Any] = {"kind": "child", "name": account_id, "value": _in_units(now[1])}
            yield parent, fields | {"weight": _in_units(now[2]), "text": _CIRCLE if is_circle else None}
    line = [account_id, *family.above][:MOST_LEVELS]
    is_new = line != family.told_above
    for name, child in family.children.items():
        if is_new or not child.is_told:
            child.is_told = True
            yield name, {"kind": "ancestors", "name": account_id, "accounts": tuple(line)}
    family.told_above = line


def _revenue(state: AccountState) -> int | None:
    told = state.memory.told.get("mrr")
    value = told.heard[-1][2] if told is not None else None
    return value * 100 // MILLION if isinstance(value, int) else None


def _in_units(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100


def forget(memory: HealthMemory, account_id: str) -> bool:
    """Forget a member of the family; whether it was one."""
    family = memory.family
    if family is None:
        return False
    was_told = family.told is not None and family.told[0] == account_id
    is_known = account_id in family.children or account_id in family.above or account_id == family.parent or was_told
    is_known = is_known or account_id == family.beyond
    _take_out(family, account_id)
    if family.parent == account_id:
        family.parent, family.said_id = None, ""
    if was_told:
        family.told = None
    if account_id in family.above:
        del family.above[family.above.index(account_id) :]
        family.told_above = []
    return is_known
