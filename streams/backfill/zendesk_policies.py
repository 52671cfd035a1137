"""Zendesk's SLA policies in our terms: targets by metric and priority, hours of business or of the calendar. Pure.

Source: Zendesk developer documentation, "SLA Policies" and "Group SLA Policies": `policy_metrics` with a target in
minutes for each priority and metric. `zendesk_conditions` reads the filters, `policy_text` writes the file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from schemas.policy import PRIORITIES, Condition
from streams.backfill.zendesk_conditions import AccountOf, filter_of
from streams.backfill.zendesk_schedules import unique_name
from streams.connectors.payload_reading import Json, flag, id_text, number, tables, text, word
from streams.policy_files.policy_overlap import never_reached

METRICS = {
    "agent_work_time": "agent_work",
    "first_reply_time": "first_response",
    "group_ownership_time": "group_ownership",
    "next_reply_time": "next_response",
    "pausable_update": "pausable_update",
    "pausable_update_time": "pausable_update",
    "periodic_update": "periodic_update",
    "periodic_update_time": "periodic_update",
    "requester_wait_time": "requester_wait",
    "resolution_time": "total_resolution",
    "total_resolution_time": "total_resolution",
}
NEVER_PAUSED = frozenset({"total_resolution"})
"""Zendesk counts it through every status; ours would pause while somebody else is to act."""
ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """The seconds promised for a metric by priority, and by which hours (true: those of business)."""

    metric: str
    seconds: Mapping[str, int]
    business: bool


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A policy to be written down. With something `unsaid` it becomes a comment, since it would hold for others."""

    name: str
    title: str
    when: Condition
    targets: Sequence[TargetDraft]
    notes: Sequence[str] = field(default=())
    unsaid: Sequence[str] = field(default=())

    @property
    def business(self) -> bool:
        """Whether most of its targets count business hours."""
        return Counter(target.business for target in self.targets).most_common(1)[0][0]


def policies_of(policies: Iterable[Json], account_of: AccountOf) -> list[PolicyDraft]:
    """Every policy, in the order in which Zendesk tries them."""
    found: list[PolicyDraft] = []
    taken: set[str] = set()
    for policy in sorted(policies, key=_position):
        found += _drafts(policy, account_of, taken)
    return _reachable(found)


def _position(policy: Json) -> float:
    place = number(policy, "position")
    return place if place is not None else float("inf")


def _drafts(policy: Json, account_of: AccountOf, taken: set[str]) -> Iterator[PolicyDraft]:
    title = text(policy, "title") or text(policy, "name") or f"policy {id_text(policy, 'id')}"
    said = filter_of(policy, account_of)
    notes = [*said.notes]
    by_metric = _targets(policy, notes)
    if not by_metric:
        yield PolicyDraft(unique_name(title, taken), title, Condition(), (), notes, ["it promises nothing"])
        return
    for condition in said.alternatives or [Condition()]:
        for priorities, targets in _by_hours(by_metric):
            when = condition
            if priorities:
                allowed = condition.any_of.get("priority", PRIORITIES)
                kept = tuple(each for each in allowed if each in priorities)
                if not kept:
                    continue
                when = Condition(condition.any_of | {"priority": kept}, condition.negated)
            yield PolicyDraft(
                unique_name(title, taken), title, when, _within(targets, when), tuple(notes), tuple(said.unsaid)
            )


def _targets(policy: Json, notes: list[str]) -> dict[str, dict[str, tuple[int, bool]]]:
    """By metric and priority the seconds and whether they are hours of business."""
    found: dict[str, dict[str, tuple[int, bool]]] = {}
    for each in tables(policy, "policy_metrics"):
        named, priority = word(each, "metric") or "", word(each, "priority") or ""
        minutes, seconds = number(each, "target"), number(each, "target_in_seconds")
        allowed = seconds if seconds is not None else minutes * 60 if minutes is not None else None
        if named not in METRICS or priority not in PRIORITIES or allowed is None or allowed < 0:
            length = f"{allowed / 60:g} min" if allowed is not None else "nothing"
            notes.append(f"left out: the target of {length} for {priority or 'no priority'}, metric {named}")
            continue
        found.setdefault(METRICS[named], {})[priority] = int(allowed), flag(each, "business_hours") is True
    return found


def _by_hours(
    by_metric: Mapping[str, Mapping[str, tuple[int, bool]]],
) -> Iterator[tuple[tuple[str, ...], list[TargetDraft]]]:
    """The targets, divided by priorities where one metric counts business hours for one and all hours for another.

    A clock has one calendar, so such a policy becomes several. No priorities: there is nothing to divide.
    """
    groups: dict[tuple[bool | None, ...], list[str]] = {}
    for priority in reversed(PRIORITIES):
        hours = tuple(of.get(priority, (0, None))[1] for of in by_metric.values())
        fitting = next((known for known in groups if _agree(known, hours)), None)
        if fitting is None:
            groups[hours] = [priority]
            continue
        members = groups.pop(fitting)
        groups[tuple(a if a is not None else b for a, b in zip(fitting, hours, strict=True))] = [*members, priority]
    for priorities in groups.values():
        targets = []
        for metric, of in by_metric.items():
            within = {priority: of[priority] for priority in priorities if priority in of}
            if within:
                business = next(iter(within.values()))[1]
                targets.append(TargetDraft(metric, {each: value[0] for each, value in within.items()}, business))
        if targets:
            yield (tuple(priorities) if len(groups) > 1 else ()), targets


def _agree(one: Sequence[bool | None], other: Sequence[bool | None]) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _within(targets: Sequence[TargetDraft], when: Condition) -> list[TargetDraft]:
    """The targets for priorities that the policy is for at all."""
    allowed = when.any_of.get("priority", PRIORITIES)
    kept = [replace(each, seconds={p: s for p, s in each.seconds.items() if p in allowed}) for each in targets]
    return [each for each in kept if each.seconds] or list(targets)


def _reachable(drafts: Sequence[PolicyDraft]) -> list[PolicyDraft]:
    """The drafts, those marked that never get a turn at Zendesk either."""
    said = [draft for draft in drafts if not draft.unsaid]
    hidden = {
        said[index].name: [said[taker].name for taker in takers]
        for index, takers in never_reached([draft.when for draft in said])
    }
    return [
        replace(draft, unsaid=(f"it never gets a turn: {' and '.join(hidden[draft.name])} takes all it could",))
        if draft.name in hidden
        else draft
        for draft in drafts
    ]
