"""Clocks of one's own, and pauses, that contradict themselves: what starts, satisfies, pauses and cancels them.

When several hold at once, cancelling comes before satisfying, that before pausing, and starting last
(`docs/sla.md`); so what a clock starts with should be free of the others. Used by `policy_lint`.
"""

from collections.abc import Iterator

from agents.domain.clock_rules import EVENT_KEYS
from schemas.policy import Condition, DeclaredClock, Policy, PolicyFile
from streams.policy_files.condition_logic import STATUSES, always_in, can_hold, implies, keys_of
from streams.policy_files.doubt import Doubt, Path

_ACTIVE_STATUSES = ("new", "open")
_ENDED_STATUSES = frozenset({"resolved", "closed", "spam", "deleted"})
_CONSTANT_KEYS = frozenset({"account", "tier", "segment", "contract", "channel", "language"})
"""What hardly ever changes while a conversation lives, and so ends no pause."""
_PAUSED_BY = "pause by something that changes, such as `status`"


def clock_doubts(policy_file: PolicyFile) -> Iterator[Doubt]:
    """Everything doubtful about the clocks of one's own."""
    promised = {metric for policy in policy_file.policies for metric in policy.targets}
    for name, clock in policy_file.clocks.items():
        path: Path = ("clocks", name)
        if name not in promised:
            yield Doubt(path, f"no policy promises the clock {name!r}", "name it under `targets:`, or remove it")
        impossible = [(moment, word) for moment, condition, word in _moments(clock) if not can_hold(condition)]
        for moment, word in impossible:
            message = f"the clock {name!r} can never {word}: its `{moment}` contradicts itself"
            yield Doubt((*path, moment), message, "take out what its `not` forbids, or what it asks for")
        if not impossible:
            yield from _together(path, clock)


def _moments(clock: DeclaredClock) -> Iterator[tuple[str, Condition, str]]:
    yield "start", clock.start, "start"
    yield "satisfy", clock.satisfy, "be satisfied"
    if clock.pause is not None:
        yield "pause", clock.pause, "pause"
    if clock.cancel is not None:
        yield "cancel", clock.cancel, "be cancelled"


def _together(path: Path, clock: DeclaredClock) -> Iterator[Doubt]:
    """What two of its conditions, each possible by itself, do to each other."""
    name, cancel = clock.name, clock.cancel
    if clock.satisfy == Condition():
        message = f"the clock {name!r} can never be satisfied: an empty `satisfy` holds from the beginning"
        yield Doubt((*path, "satisfy"), message, "say what satisfies it, for example {type: message, from: agent}")
    elif _at_once(clock.start, clock.satisfy):
        message = f"whatever starts the clock {name!r} satisfies it too: it ends one instance and begins the next"
        yield Doubt((*path, "satisfy"), message, "if that is not meant, narrow `satisfy`, for example by `from`")
    elif _at_once(clock.satisfy, clock.start):
        message = f"the clock {name!r} never stays ended: whatever satisfies it starts it again"
        yield Doubt((*path, "start"), message, "narrow `start`, for example by `from` or by a `not`")
    if cancel is not None and _at_once(clock.start, cancel):
        message = f"the clock {name!r} can never start: whatever would start it cancels it"
        yield Doubt((*path, "cancel"), message, "narrow `cancel`, or start with something else")
    elif cancel is not None and _at_once(clock.satisfy, cancel):
        message = f"the clock {name!r} can never be satisfied: whatever would satisfy it cancels it first"
        yield Doubt((*path, "cancel"), message, "narrow `cancel`, or satisfy with something else")
    if clock.pause is not None:
        yield from _pause_of_a_clock((*path, "pause"), clock, clock.pause)


def _at_once(narrow: Condition, wide: Condition) -> bool:
    """Whether `wide` certainly happens at every event at which `narrow` does.

    A condition that asks nothing of the event happens when it becomes true, not as long as it is.
    """
    if keys_of(wide).isdisjoint(EVENT_KEYS):
        return wide != Condition() and implies(narrow, wide) and implies(wide, narrow)
    return implies(narrow, wide)


def _pause_of_a_clock(path: Path, clock: DeclaredClock, pause: Condition) -> Iterator[Doubt]:
    name = clock.name
    if pause == Condition():
        yield Doubt(path, f"the clock {name!r} is always paused: an empty `pause` always holds", "leave `pause` out")
    elif keys_of(pause) <= _CONSTANT_KEYS:
        yield Doubt(path, f"a pause of the clock {name!r} can never end: nothing that it asks for changes", _PAUSED_BY)
    elif implies(clock.start, pause):
        message = f"the clock {name!r} is paused from its start: whatever starts it pauses it too"
        yield Doubt(path, message, "narrow `pause`, or start with something else")
    elif clock.satisfy == pause:
        message = f"the clock {name!r} can never pause: whatever would pause it satisfies it first"
        yield Doubt(path, message, "pause by something else, or leave `pause` out")


def pause_doubts(path: Path, policy: Policy, condition: Condition) -> Iterator[Doubt]:
    """A `pause_when` that never begins or never ends, under the policy that it belongs to."""
    if not can_hold(condition):
        yield Doubt(path, "this pause can never begin: it contradicts itself", "take out what its `not` forbids")
        return
    if not can_hold(condition, policy.when):
        message = f"this pause can never begin: policy {policy.id!r} is for other conversations"
        yield Doubt(path, message, "compare it with the `when` of the policy")
        return
    if keys_of(condition) <= _CONSTANT_KEYS | {"type"}:
        message = "this pause can never end: nothing that it asks for changes"
        yield Doubt(path, message, _PAUSED_BY)
        return
    if implies(policy.when, condition):
        message = f"this pause can never end: it holds for all that policy {policy.id!r} is for"
        yield Doubt(path, message, _PAUSED_BY)
        return
    held = [status for status in STATUSES if always_in(condition, "status", status)]
    if set(held) >= set(STATUSES) - _ENDED_STATUSES:
        message = "this pause can never end: it holds in every status in which the clock could run"
        yield Doubt(path, message, "leave out the statuses in which somebody should be working")
    elif active := [status for status in _ACTIVE_STATUSES if status in held]:
        message = f"the clock pauses while the conversation is {' and '.join(active)}, when somebody should be working"
        yield Doubt(path, message, f"take {' and '.join(active)} out of it")
