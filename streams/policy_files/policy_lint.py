"""What is allowed and still looks like a mistake: warnings about a policy file that has no errors.

Called by `policy_reader` at the end. The checks stand in `calendar_lint`, `clock_lint` and `target_lint`; here are
those of whole policies. Each check is a generator of `Doubt`s: a path in the file, what is odd, a way out.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from agents.domain.calendar import compile_calendars
from agents.domain.instant import from_datetime
from schemas.policy import Condition, Policy, PolicyFile
from streams.policy_files.calendar_lint import calendar_doubts
from streams.policy_files.clock_lint import clock_doubts
from streams.policy_files.condition_logic import can_hold
from streams.policy_files.doubt import Doubt, Path, place_of
from streams.policy_files.located_yaml import Node
from streams.policy_files.problem import Problems
from streams.policy_files.target_lint import target_doubts


def lint(policy_file: PolicyFile, root: Node, problems: Problems) -> None:
    """Add a warning for everything that looks like a mistake."""
    for doubt in _doubts(policy_file):
        problems.warning(place_of(root, doubt), doubt.message, doubt.suggestion)


def _doubts(policy_file: PolicyFile) -> Iterator[Doubt]:
    begins = policy_file.effective_from or datetime.now(UTC)
    yield from calendar_doubts(policy_file, begins.date())
    yield from clock_doubts(policy_file)
    calendars = compile_calendars(policy_file.calendars)
    for index, policy in enumerate(policy_file.policies):
        path: Path = ("policies", index)
        yield from _policy_doubts(path, policy)
        yield from _left_nothing(path, policy, policy_file.policies[:index])
        yield from target_doubts(policy_file, index, calendars, from_datetime(begins))
    if can_hold(*(Condition({}, policy.when) for policy in policy_file.policies)):
        message = "no policy is for everyone else: conversations that match none have no promise"
        yield Doubt(("policies", len(policy_file.policies) - 1), message, "end with a policy without `when`")


def _left_nothing(path: Path, policy: Policy, earlier: Sequence[Policy]) -> Iterator[Doubt]:
    """Beyond what `policy_reader` makes an error: one for a tier and one for all others leave nothing between them.

    A policy for everyone else is no mistake behind them: it is there for the day when one of them is narrowed.
    """
    rest = [Condition({}, other.when) for other in earlier]
    if policy.when != Condition() and can_hold(policy.when) and not can_hold(policy.when, *rest):
        message = f"policy {policy.id!r} can never match: the earlier ones together take all it could"
        yield Doubt(path, message, "narrow one of those, or put it before them")


def _policy_doubts(path: Path, policy: Policy) -> Iterator[Doubt]:
    if not can_hold(policy.when):
        message = f"policy {policy.id!r} can never match: its `not` forbids what its other keys ask for"
        yield Doubt((*path, "when"), message, "take out what its `not` forbids")
    if not policy.targets:
        yield Doubt(path, f"policy {policy.id!r} promises nothing", "add `targets:`")
    if policy.objective is None:
        return
    if not policy.targets:
        message = f"the objective of {policy.id!r} has no outcomes to count, as nothing is promised"
        yield Doubt((*path, "objective"), message, "add `targets:`, or leave the objective out")
    if policy.objective.ratio == 1:
        message = "an objective of 100 % leaves no error budget: the first breach ends it"
        yield Doubt((*path, "objective", "ratio"), message, "promise a share, for example 0.99")
