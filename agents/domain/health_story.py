"""An account followed through time: every change of its health, each with its cause in one sentence.

It is judged whenever something was observed, a value, a limit or an override expires, and when a band has been kept
for its dwell: those are the only instants at which a band may change, so whoever follows along hears the same as
whoever reads it all afterwards. Between them a score fades without a new verdict; `standing` says how it is right now.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush

from agents.domain.health_profile import HealthFile
from agents.domain.health_verdict import Account, HealthBook, Observations, Override, Part, Verdict, ordered
from agents.domain.instant import Instant
from agents.domain.normalisation import rounded
from agents.domain.scoring import SHARE_UNITS
from agents.domain.signal_reading import Observation


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
            told = verdict._replace(previous=None)
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
    before = last._replace(previous=None) if last is not None else None
    return book.judge(account, ordered(observed), now, before, override)


def reason_of(verdict: Verdict) -> str:
    """The move in one sentence, with the part that pulled most in its direction."""
    before, score = verdict.previous, verdict.score
    if verdict.profile is None:
        return "No profile is for this account."
    if score is None:
        return "Nothing is known yet." if before is None or before.score is None else "Nothing is known any more."
    if before is None or before.score is None:
        return _first(verdict, score)
    return _move(verdict, before, score - before.score)


def _first(verdict: Verdict, score: int) -> str:
    known = [(part.sub_score, part.signal) for part in verdict.parts if part.sub_score is not None and part.weight]
    if not known:
        return f"First score {score / 100:.2f}."
    lowest, signal = min(known, key=lambda part: part[0])
    return f"First score {score / 100:.2f}; lowest part is {signal} at {lowest / 100:.2f}."


def _move(verdict: Verdict, before: Verdict, moved: int) -> str:
    to = f"{(verdict.score or 0) / 100:.2f}"
    into = f" into {verdict.band}" if verdict.band != before.band else ""
    if not moved:
        return f"Still {to}, now{into}." if into else f"As before, {to}."
    name, most = _largest(verdict, before, 1 if moved > 0 else -1)
    direction = "Up" if moved > 0 else "Down"
    return f"{direction} {abs(moved) / 100:.2f} to {to}{into}, most by {name} ({most / 100:+.2f})."


def _largest(verdict: Verdict, before: Verdict, sign: int) -> tuple[str, int]:
    """The part that pulled most in a direction, and by how much.

    A part pulls the score away from where it stood, by its weight: so what has just come to be known is blamed, and
    not those that make room for it. All pulls together are the whole move.
    """
    stood_at = sum([part.points for part in before.parts if part.signal is not None])
    moves = {(part.signal or part.component, part.because or ""): _pull(part, stood_at) for part in verdict.parts}
    for part in before.parts:
        key = (part.signal or part.component, part.because or "")
        moves[key] = moves.get(key, 0) - _pull(part, stood_at)
    (name, because), most = max(moves.items(), key=lambda move: sign * move[1])
    return f"the {name} ({because})" if because else name, most


def _pull(part: Part, stood_at: int) -> int:
    if part.signal is None:
        return part.points
    weight = part.weight
    return rounded(weight * ((part.sub_score or 0) - stood_at), SHARE_UNITS) if weight else 0


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
