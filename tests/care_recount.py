"""The care figures counted by brute force: a model that knows no buckets, bins or sums, for the laws.

It keeps every clock's last word, plays every conversation and asks each contribution anew whether a window reaches it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, Instant, from_datetime
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

TIMED = ("first_response", "first_resolution", "follow_up")


class Case(NamedTuple):
    """One thing that counts: when, under which labels, under which measure, how much."""

    at: Instant
    labels: dict[str, str | None]
    measure: str
    amount: int = 1
    seconds: float | None = None


def labels_of(event: SlaEvent | Signal) -> dict[str, str | None]:
    found = {name: getattr(event, name, None) for name in ("channel", "team", "agent", "tier")}
    return found | {"company": None, "account": event.account_id}


def cases_of(events: Iterable[Any]) -> list[Case]:
    """Everything that counts, of events in the order of their threads."""
    clocks: dict[tuple[str, str], list[Case]] = defaultdict(list)
    talks: dict[str, list[SlaEvent]] = defaultdict(list)
    surveys: dict[str, Signal] = {}
    for event in events:
        if isinstance(event, Signal):
            surveys[event.id] = event
        elif event.metric is not None:
            follow(clocks[event.conversation_id, event.metric], event)
        else:
            talks[event.conversation_id].append(event)
    cases = [case for found in clocks.values() for case in found]
    cases += [case for talk in talks.values() for case in played(talk)]
    hard = {(talk[0].account_id, name) for name, talk in talks.items() if was_hard(talk)}
    cases += [case for answer in surveys.values() for case in answered(answer, hard)]
    return [case._replace(labels=case.labels | {"hours": hours_of(case.at)}) for case in cases]


def hours_of(at: Instant) -> str:
    begins = next(each for each in (20, 16, 12, 8, 4, 0) if at % DAY_US >= each * HOUR_US)
    return f"{begins:02}-{begins + 4:02}"


def was_hard(talk: list[SlaEvent]) -> bool:
    """Whether a conversation was escalated, came back, or took five answers."""
    kinds = [event.kind for event in talk]
    came_back = "resolved" in kinds and "reopened" in kinds[kinds.index("resolved") :]
    answers = sum(event.kind == "contact" and event.author_kind == "agent" for event in talk)
    return came_back or "escalated" in kinds or answers >= 5


def forced_away(talk: list[SlaEvent]) -> SlaEvent | None:
    """The first word of a customer by another channel than the one before, on which nobody of ours has answered."""
    said = [event for event in talk if event.kind == "contact" and event.author_kind in {"customer", "agent"}]
    ways = [(event.author_kind, event.by_channel or event.channel) for event in said]
    for place, (who, way) in enumerate(ways):
        before = [each for each in range(place) if ways[each][0] == "customer"]
        if who == "customer" and before and ways[before[-1]][1] != way:
            answers = [ways[each][1] for each in range(before[-1], place) if ways[each][0] == "agent"]
            if ways[before[-1]][1] not in answers:
                return said[place]
    return None


def follow(cases: list[Case], event: SlaEvent) -> None:
    """One clock, one event later."""
    metric, labels, kind = str(event.metric), labels_of(event), event.kind
    opened_at = from_datetime(event.started_at or event.occurred_at)
    if kind in {"retracted", "outcome_revised"}:
        cases[:] = [case for case in cases if kind == "outcome_revised" and case.measure == "feedback_opened"]
    if kind == "merged" and event.previous_decided_at is not None:
        cases.clear()
    if kind in {"cancelled", "merged"}:
        cases[:] = [case for case in cases if case.measure != "feedback_opened"]
    is_revived = kind == "outcome_revised" and event.previous_outcome == "cancelled"
    if (kind == "activated" or is_revived) and metric == "follow_up":
        cases.append(Case(opened_at, labels, "feedback_opened"))
    if kind in {"met", "breached"}:
        cases.append(Case(from_datetime(event.occurred_at), labels, f"{kind}/{metric}"))
    if kind == "outcome_revised":
        cases.append(Case(from_datetime(event.satisfied_at or event.occurred_at), labels, f"met/{metric}"))
    if kind in {"met", "satisfied_late", "outcome_revised"}:
        at = from_datetime(event.satisfied_at or event.occurred_at)
        if metric in TIMED:
            cases.append(Case(at, labels, metric, seconds=event.elapsed_seconds))
            cases.append(Case(at, labels, f"{metric}/wall", seconds=event.wall_elapsed_seconds))
        if metric == "follow_up":
            cases.append(Case(opened_at, labels, "feedback_closed"))


def played(talk: list[SlaEvent]) -> Iterable[Case]:
    """One conversation, from its opening on."""
    speaker, answers, resolved, resolutions = None, 0, None, 0
    found: list[Case] = []
    driven = forced_away(talk)
    if driven is not None:
        found.append(Case(from_datetime(driven.occurred_at), labels_of(driven), "forced_switches"))
    for event in talk:
        at, labels = from_datetime(event.occurred_at), labels_of(event)
        if event.kind == "contact" and event.author_kind in {"customer", "agent"}:
            if speaker is None:
                speaker = "customer" if event.author_kind == "customer" else "us"
                found.append(Case(at, labels, f"begun_by_{speaker}"))
            answers += event.author_kind == "agent"
        elif event.kind == "escalated":
            found.append(Case(at, labels, "escalations"))
        elif event.kind == "resolved" and resolved is None:
            resolved = at
            resolutions += 1
            found.append(Case(at, labels, "resolutions"))
            if resolutions == 1:
                found.append(Case(at, labels, "first_resolutions"))
                if answers <= 1:
                    found.append(Case(at, labels, "solved_at_first_contact"))
        elif event.kind == "reopened" and resolved is not None:
            found = [case for case in found if case.measure != "solved_at_first_contact"]
            found.append(Case(resolved, labels, "reopened"))
            resolved = None
    return found


def answered(signal: Signal, hard: Collection[tuple[str, str | None]]) -> Iterable[Case]:
    """An answer to a survey."""
    if signal.kind != "survey":
        return
    at, labels, value, scale = (
        from_datetime(signal.occurred_at),
        labels_of(signal),
        signal.value or 0,
        signal.scale or 1,
    )
    yield Case(at, labels, signal.name)
    if signal.name == "nps":
        if value >= 9:
            yield Case(at, labels, "nps_promoters")
        elif value <= 6:
            yield Case(at, labels, "nps_detractors")
        return
    yield Case(at, labels, f"{signal.name}_score", round((value - 1) / (scale - 1) * 10_000))
    is_hard = signal.name == "csat" and (signal.account_id, signal.conversation_id) in hard
    if is_hard:
        yield Case(at, labels, "csat_hard")
    if signal.name == "csat" and value >= 4:
        yield Case(at, labels, "csat_satisfied")
        if is_hard:
            yield Case(at, labels, "csat_hard_satisfied")


def reached(window: str, at: Instant, as_of: Instant) -> bool:
    width, count = {"24h": (HOUR_US, 24), "30d": (DAY_US, 30)}[window]
    return 0 <= as_of // width - at // width < count


def counted(cases: Iterable[Case], scope: str, value: str | None, window: str, as_of: Instant) -> Counter[str]:
    """The counts of one value of one scope in a window."""
    found: Counter[str] = Counter()
    for case in cases:
        if case.labels[scope] == value and reached(window, case.at, as_of) and case.seconds is None:
            found[case.measure] += case.amount
    return Counter({measure: count for measure, count in found.items() if count})


def durations(
    cases: Iterable[Case], scope: str, value: str | None, window: str, as_of: Instant
) -> dict[str, list[float]]:
    """The durations of one value of one scope in a window, ascending."""
    found: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        if case.labels[scope] == value and reached(window, case.at, as_of) and case.seconds is not None:
            found[case.measure].append(case.seconds)
    return {measure: sorted(each) for measure, each in found.items()}


class Stand(NamedTuple):
    """Customers and revenue at an instant, by account."""

    is_customer: bool = False
    revenue: float = 0


def stand(notes: Iterable[Signal], before: Instant) -> Stand:
    """How the subscription of an account stood just before an instant."""
    rank = {"started": 0, "mrr": 1, "cancelled": 2}
    known = [each for each in notes if each.name in rank and from_datetime(each.occurred_at) < before]
    at = Stand()
    for note in sorted(known, key=lambda each: (each.occurred_at, rank[each.name])):
        if note.name == "started":
            at = at._replace(is_customer=True)
        elif note.name == "cancelled":
            at = Stand()
        else:
            at = Stand((note.value or 0) > 0, note.value or 0)
    return at
