"""An account followed through time: every change of its health, each with its cause in one sentence.

It is judged whenever something was observed, a value, a limit or an override expires, and when a band has been kept
for its dwell: those are the only instants at which a band may change, so whoever follows along hears the same as
whoever reads it all afterwards. Between them a score fades without a new verdict; `standing` says how it is right now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from agents.domain.health_profile import HealthFile
from agents.domain.health_verdict import Account, HealthBook, Observations, Override, Verdict, ordered
from agents.domain.instant import Instant
from agents.domain.scoring import SHARE_UNITS
from agents.domain.signal_reading import Observation
from schemas.health_memory import TellablePart

_TWICE = 2 * SHARE_UNITS


def story(
    book: HealthBook,
    account: Account,
    observed: Mapping[str, Iterable[Observation]],
    until: Instant,
    override: Override | None = None,
) -> Iterator[Verdict]:
    """Every change up to and including an instant, in order; the first is `initial`, none is `unchanged`."""
    known = ordered(observed)
    scorer = book.scorer_for(account)
    dwell_us = scorer.profile.dwell_us if scorer is not None else 0
    moments = list(_moments(book.file, known, override))
    heapify(moments)
    told: Verdict | None = None
    passed: Instant | None = None
    while moments and moments[0] <= until:
        at = heappop(moments)
        if at == passed:
            continue
        passed = at
        verdict = book.judge(account, known, at, told, override)
        if verdict.change != "unchanged":
            told = replace(verdict, previous=None)
            yield verdict
        if verdict.band_since is not None and dwell_us and at < verdict.band_since + dwell_us:
            heappush(moments, verdict.band_since + dwell_us)


def standing(
    book: HealthBook,
    account: Account,
    observed: Mapping[str, Iterable[Observation]],
    now: Instant,
    override: Override | None = None,
) -> Verdict:
    """How an account is at an instant: the last change of its story, or what has faded since then."""
    last: Verdict | None = None
    for verdict in story(book, account, observed, now, override):
        last = verdict
    if last is not None and last.as_of == now:
        return last
    before = replace(last, previous=None) if last is not None else None
    return book.judge(account, ordered(observed), now, before, override)


def reason_of(verdict: Verdict) -> str:
    """The move in one sentence, with the part that pulled most in its direction."""
    before = verdict.previous
    return sentence(verdict, verdict.told_parts(), () if before is None else before.told_parts())


def sentence(verdict: Verdict, parts: Sequence[TellablePart], stood: Sequence[TellablePart]) -> str:
    """As `reason_of`, for whoever has the parts of the verdict and those of the one before at hand."""
    before, score = verdict.previous, verdict.score
    if verdict.profile is None:
        return "No profile is for this account."
    if score is None:
        return "Nothing is known yet." if before is None or before.score is None else "Nothing is known any more."
    if before is None or before.score is None:
        return _first(verdict, score)
    into = f" into {verdict.band}" if verdict.band != before.band else ""
    moved = score - before.score
    if not moved:
        return f"Still {score / 100:.2f}, now{into}." if into else f"As before, {score / 100:.2f}."
    name, most = _largest(parts, stood, is_up=moved > 0)
    direction = "Up" if moved > 0 else "Down"
    return f"{direction} {abs(moved) / 100:.2f} to {score / 100:.2f}{into}, most by {name} ({most / 100:+.2f})."


def _first(verdict: Verdict, score: int) -> str:
    known = [(part.sub_score, part.signal) for part in verdict.parts if part.sub_score is not None and part.weight]
    if not known:
        return f"First score {score / 100:.2f}."
    lowest, signal = min(known, key=lambda part: part[0])
    return f"First score {score / 100:.2f}; lowest part is {signal} at {lowest / 100:.2f}."


def _largest(parts: Sequence[TellablePart], stood: Sequence[TellablePart], *, is_up: bool) -> tuple[str, int]:
    """The part that pulled most in a direction, and by how much.

    A part pulls the score away from where it stood, by its weight: so what has just come to be known is blamed, and
    not those that make room for it. All pulls together are the whole move.
    """
    stood_at = sum([part[4] for part in stood if part[1] is not None])
    moves: dict[tuple[str, str], int] = {}
    for sign, told in ((1, parts), (-1, stood)):
        for component, signal, sub, weight, points, because in told:
            if signal is None:
                pull = points
            elif weight:
                pull = (2 * weight * ((sub or 0) - stood_at) + SHARE_UNITS) // _TWICE  # rounded, halves up
            else:
                pull = 0
            name = (signal or component, because or "")
            moves[name] = moves.get(name, 0) + sign * pull
    most = max(moves.values()) if is_up else min(moves.values())
    blamed, because = next(name for name, moved in moves.items() if moved == most)  # the first of equals
    return f"the {blamed} ({because})" if because else blamed, most


def _moments(file: HealthFile, observed: Observations, override: Override | None) -> Iterator[Instant]:
    for name, found in observed.items():
        rule = file.signals.get(name)
        for observation in found:
            yield observation.at
            if rule is not None and rule.ttl_us is not None:
                yield observation.at + rule.ttl_us
    for profile in file.profiles:
        for limit in (*profile.caps, *profile.floors):
            if limit.until is not None:
                yield limit.until
    if override is not None and override.until is not None:
        yield override.until
