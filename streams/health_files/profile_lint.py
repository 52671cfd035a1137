"""What is allowed in a profile file and still looks like a mistake: warnings.

Called by `profile_reader` at the end. Each check is a generator of `Doubt`s: a path in the file, what is odd, a way
out. Only what is certain is said.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from agents.domain.health_condition import HealthCondition
from agents.domain.health_profile import HealthFile, HealthProfile, Limit
from agents.domain.instant import from_datetime
from agents.domain.normalisation import BEST, extremes
from schemas.policy import Condition
from streams.policy_files.condition_logic import can_hold
from streams.policy_files.doubt import Doubt, Path, place_of
from streams.policy_files.located_yaml import Node
from streams.policy_files.problem import Problems

_ALWAYS = HealthCondition()


def lint(file: HealthFile, declared: frozenset[str], root: Node, problems: Problems) -> None:
    """Add a warning for everything that looks like a mistake.

    Args:
        file: without errors.
        declared: the names under `signals:`.
        root: the tree that it was read from.
        problems: takes the warnings.
    """
    for doubt in (*_signal_doubts(file, declared), *_play_doubts(file)):
        problems.warning(place_of(root, doubt), doubt.message, doubt.suggestion)
    for index, profile in enumerate(file.profiles):
        for doubt in _profile_doubts(("profiles", index), profile):
            problems.warning(place_of(root, doubt), doubt.message, doubt.suggestion)
    if file.profiles[-1].when != Condition():
        message = "no profile is for everyone else: accounts that match none have no score"
        doubt = Doubt(("profiles", len(file.profiles) - 1), message, "end with a profile without `when`")
        problems.warning(place_of(root, doubt), doubt.message, doubt.suggestion)


def _signal_doubts(file: HealthFile, declared: frozenset[str]) -> Iterator[Doubt]:
    used = {rule.name for profile in file.profiles for _, rule in profile.signals}
    for profile in file.profiles:
        for limit in (*profile.caps, *profile.floors):
            used |= limit.when.asks_for()
    for play in file.plays:
        used |= play.when.asks_for()
    for name in sorted(declared):
        rule = file.signals[name]
        if name not in used:
            way_out = "put it into a component, or leave it out"
            yield Doubt(("signals", name), f"signal {name!r} is declared and counts nowhere", way_out)
        if rule.normalise is not None and len(set(extremes(rule.normalise))) == 1:
            message = f"signal {name!r} comes to the same score whatever its value"
            yield Doubt(("signals", name, "normalise"), message, "give other values another score")


def _profile_doubts(path: Path, profile: HealthProfile) -> Iterator[Doubt]:
    if not can_hold(profile.when):
        message = f"profile {profile.name!r} can never match: its `not` forbids what its other keys ask for"
        yield Doubt((*path, "when"), message, "take out what its `not` forbids")
    low, high = _reach(profile)
    for kind, limits in (("caps", profile.caps), ("floors", profile.floors)):
        for index, limit in enumerate(limits):
            yield from _limit_doubts((*path, kind, index), kind, limit, (low, high))
    low = max([low, *(limit.bound for limit in profile.floors if _holds_always(limit))])
    high = min([high, *(limit.bound for limit in profile.caps if _holds_always(limit))])
    yield from _band_doubts((*path, "bands"), profile, low, high)


def _holds_always(limit: Limit) -> bool:
    return limit.when == _ALWAYS and limit.until is None


def _reach(profile: HealthProfile) -> tuple[int, int]:
    """The lowest and the highest score that signals can come to, in hundredths."""
    low, high = BEST, 0
    for _, rule in profile.signals:
        if rule.normalise is not None:
            least, most = extremes(rule.normalise)
            low, high = min(low, least), max(high, most)
        stand_in = {"neutral": BEST // 2, "worst": 0}.get(rule.missing or profile.missing)
        if stand_in is not None:
            low, high = min(low, stand_in), max(high, stand_in)
    return low, high


def _limit_doubts(path: Path, kind: str, limit: Limit, reach: tuple[int, int]) -> Iterator[Doubt]:
    name = kind.removesuffix("s")
    if limit.until is not None and limit.until <= from_datetime(datetime.now(UTC)):
        yield Doubt((*path, "until"), f"this {name} is without effect: it has expired", "leave it out")
    low, high = reach
    if kind == "caps" and limit.bound >= high:
        message = f"this cap is without effect: no score is above {high / 100:g}"
        yield Doubt((*path, "at_most"), message, "cap at less")
    if kind == "floors" and limit.bound <= low:
        message = f"this floor is without effect: no score is below {low / 100:g}"
        yield Doubt((*path, "at_least"), message, "ask for more")
    if limit.when == _ALWAYS:
        yield Doubt((*path, "when"), f"this {name} holds for everyone, always", "say when it shall hold")


def _band_doubts(path: Path, profile: HealthProfile, low: int, high: int) -> Iterator[Doubt]:
    bands = profile.bands
    for index, band in enumerate(bands):
        ends_at = bands[index + 1].begins_at if index + 1 < len(bands) else BEST + 1
        place = (*path, band.name)
        rising, falling = band.begins_at + profile.hysteresis, ends_at - profile.hysteresis
        if band.begins_at > high:
            begins = f"it begins at {band.begins_at / 100:g}, and no score is above {high / 100:g}"
            way_out = "lower where it begins, or see what holds the scores down"
            yield Doubt(place, f"nobody can reach band {band.name!r}: {begins}", way_out)
        elif ends_at <= low:
            ends = f"it ends at {ends_at / 100:g}, and no score is below {low / 100:g}"
            yield Doubt(place, f"nobody can be in band {band.name!r}: {ends}", "let the next band begin higher")
        elif index and rising > high:
            needs = f"with the hysteresis that takes {rising / 100:g}"
            yield Doubt(place, f"nobody can rise into band {band.name!r}: {needs}", "lower the hysteresis")
        elif index + 1 < len(bands) and falling <= low:
            needs = f"with the hysteresis that takes less than {falling / 100:g}"
            yield Doubt(place, f"nobody can fall into band {band.name!r}: {needs}", "lower the hysteresis")


def _play_doubts(file: HealthFile) -> Iterator[Doubt]:
    always: set[str] = set()
    for index, play in enumerate(file.plays):
        if play.id in always:
            message = f"this alternative of {play.id!r} is never taken: one before it holds for everyone"
            yield Doubt(("plays", index), message, "put it before that one")
        elif play.when == _ALWAYS:
            always.add(play.id)
