"""The `profiles:` of a profile file: whom each is for, its components, bands, caps and floors.

Used by `profile_reader`; gives `agents.domain.health_profile.HealthProfile`s.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import cast

from msgspec.structs import replace

from agents.domain.health_profile import (
    USUAL_BANDS,
    Aggregation,
    BandRule,
    ComponentRule,
    HealthProfile,
    Limit,
    Missing,
    SignalRule,
)
from agents.domain.instant import SECOND_US, from_datetime
from schemas.policy import Condition
from streams.health_files.exact_numbers import score_of, weight_of, whole_weights
from streams.health_files.health_condition_reader import ACCOUNT_KEYS, ConditionReader
from streams.health_files.signal_reader import MISSING
from streams.policy_files.condition_reader import condition_of
from streams.policy_files.duration_reader import seconds_of
from streams.policy_files.fields import choice_of, fields_of, instant_of, items_of, required, word_of
from streams.policy_files.located_yaml import Entry, Items, Node, Table, Text
from streams.policy_files.policy_overlap import never_reached
from streams.policy_files.problem import Place, Problems, did_you_mean, nearest

_PROFILE_KEYS = ("id", "when", "missing", "components", "children", "bands", "hysteresis", "dwell", "caps", "floors")
_AGGREGATIONS = ("mean", "by_value", "worst")
_MISSPELT = 0.75
"""From here on two words are one word mistyped, as for priorities (`streams.policy_files.condition_reader`)."""


class ProfileReader:
    """The ordered list of profiles."""

    def __init__(self, version: str, signals: Mapping[str, SignalRule], problems: Problems) -> None:
        self._version = version
        self._signals = signals
        self._problems = problems
        self._conditions = ConditionReader(signals, {}, problems)

    def read(self, node: Node) -> tuple[HealthProfile, ...]:
        """All profiles, in order."""
        items = items_of(node, "profiles", self._problems)
        if not items and isinstance(node, Items):
            self._problems.error(node.place, "profiles is empty", "a file has at least one profile")
        profiles: list[HealthProfile] = []
        conditions: list[Condition | None] = []
        seen: dict[str, Place] = {}
        for number, item in enumerate(items, start=1):
            fields = fields_of(item, _PROFILE_KEYS, f"profile {number}", self._problems)
            required(fields, item, ("id", "components"), f"profile {number}", self._problems)
            name = self._id(fields, number, seen)
            condition = self._when(fields, name) if isinstance(item, Table) else None
            conditions.append(condition)
            profiles.append(self._profile(name, condition or Condition(), fields))
        for index, takers in never_reached(conditions):
            names = " and ".join(f"{profiles[taker].name!r} (line {items[taker].place.line})" for taker in takers)
            verb = "takes" if len(takers) == 1 else "take"
            message = f"profile {profiles[index].name!r} can never match: {names} {verb} all it could"
            way_out = f"put it before {profiles[takers[0]].name!r} or narrow that one"
            # Several may leave nothing between them on purpose: that is doubted, as with policies.
            tell = self._problems.error if len(takers) == 1 else self._problems.warning
            tell(items[index].place, message, way_out)
        return tuple(profiles)

    def _id(self, fields: Mapping[str, Node], number: int, seen: dict[str, Place]) -> str:
        word = word_of(fields["id"], "id", self._problems) if "id" in fields else None
        if word is None:
            return f"number {number}"
        if word.text in seen:
            message = f"the id {word.text!r} occurs twice, first in line {seen[word.text].line}"
            self._problems.error(word.place, message, "rename one of them")
        seen.setdefault(word.text, word.place)
        return word.text

    def _when(self, fields: Mapping[str, Node], name: str) -> Condition | None:
        """The condition; null when there is a mistake in it, so that nobody else is accused because of it."""
        if "when" not in fields:
            return Condition()
        errors_before = len(self._problems.errors)
        condition = condition_of(fields["when"], ACCOUNT_KEYS, f"the condition of {name!r}", self._problems)
        return condition if len(self._problems.errors) == errors_before else None

    def _profile(self, name: str, condition: Condition, fields: Mapping[str, Node]) -> HealthProfile:
        missing = choice_of(fields["missing"], MISSING, "missing", self._problems) if "missing" in fields else None
        hysteresis = score_of(fields["hysteresis"], "hysteresis", self._problems) if "hysteresis" in fields else None
        dwell = word_of(fields["dwell"], "dwell", self._problems) if "dwell" in fields else None
        dwell_seconds = seconds_of(dwell, "dwell", self._problems) if dwell is not None else None
        children = (
            choice_of(fields["children"], _AGGREGATIONS, "children", self._problems) if "children" in fields else None
        )
        profile = HealthProfile(
            name=name,
            version=self._version,
            when=condition,
            missing=cast("Missing", missing or "exclude"),
            components=self._components(fields["components"], name) if "components" in fields else (),
            bands=self._bands(fields["bands"], name) if "bands" in fields else USUAL_BANDS,
            dwell_us=(dwell_seconds or 0) * SECOND_US,
            caps=self._limits(fields["caps"], "cap", "at_most") if "caps" in fields else (),
            floors=self._limits(fields["floors"], "floor", "at_least") if "floors" in fields else (),
            children=cast("Aggregation | None", children),
        )
        return profile if hysteresis is None else replace(profile, hysteresis=hysteresis)

    # components

    def _components(self, node: Node, profile: str) -> tuple[ComponentRule, ...]:
        what = f"the components of {profile!r}"
        found: list[tuple[str, Decimal, tuple[SignalRule, ...]]] = []
        used: dict[str, Place] = {}
        for entry in self._entries(node, what, "usage: {weight: 1, signals: {logins_per_week: 1}}"):
            name = entry.key.text
            fields = fields_of(entry.value, ("weight", "signals"), f"component {name!r}", self._problems)
            if not required(fields, entry.value, ("weight", "signals"), f"component {name!r}", self._problems):
                continue
            weight = weight_of(fields["weight"], f"component {name!r}", self._problems)
            signals = self._weighed(fields["signals"], name, used)
            if weight is not None and signals:
                found.append((name, weight, signals))
        weights = whole_weights([weight for _, weight, _ in found])
        return tuple(
            ComponentRule(name=name, weight=weight, signals=signals)
            for (name, _, signals), weight in zip(found, weights, strict=True)
        )

    def _weighed(self, node: Node, component: str, used: dict[str, Place]) -> tuple[SignalRule, ...]:
        found: list[tuple[SignalRule, Decimal]] = []
        for entry in self._entries(node, f"the signals of component {component!r}", "logins_per_week: 1"):
            weight = weight_of(entry.value, f"signal {entry.key.text!r}", self._problems)
            rule = self._rule(entry.key, used)
            if weight is not None and rule is not None:
                found.append((rule, weight))
        weights = whole_weights([weight for _, weight in found])
        return tuple(replace(rule, weight=weight) for (rule, _), weight in zip(found, weights, strict=True))

    def _rule(self, key: Text, used: dict[str, Place]) -> SignalRule | None:
        rule = self._signals.get(key.text)
        if rule is None:
            way_out = did_you_mean(key.text, self._signals, "declare it under `signals:`")
            self._problems.error(key.place, f"{key.text!r} is a signal that nobody declares", way_out)
            return None
        if key.text in used:
            message = f"signal {key.text!r} counts twice, first in line {used[key.text].line}"
            self._problems.error(key.place, message, "keep it in one component, with a larger weight")
        elif rule.normalise is None:
            message = f"signal {key.text!r} has no `normalise`, so its values come to no score"
            self._problems.error(key.place, message, f"declare under `signals:` how {key.text} is normalised")
        used.setdefault(key.text, key.place)
        return rule

    def _entries(self, node: Node, what: str, example: str) -> list[Entry]:
        if not isinstance(node, Table) or not node.entries:
            self._problems.error(node.place, f"{what} must be a table with something in it", f"for example {example}")
            return []
        return list(node)

    # bands and limits

    def _bands(self, node: Node, profile: str) -> tuple[BandRule, ...]:
        usual = [band.name for band in USUAL_BANDS]
        found: list[tuple[int, Text]] = []
        for entry in self._entries(node, "bands", "{red: 0, green: 70}"):
            key = entry.key
            meant = nearest(key.text, usual, _MISSPELT)
            if meant is not None and meant != key.text:
                self._problems.error(key.place, f"{key.text!r} is not a band", f"did you mean {meant!r}?")
            begins_at = score_of(entry.value, f"band {key.text!r}", self._problems)
            if begins_at is not None:
                found.append((begins_at, key))
        ordered = sorted(found, key=lambda band: band[0])
        self._check_bands(node, ordered, profile)
        return tuple(BandRule(key.text, begins_at) for begins_at, key in ordered)

    def _check_bands(self, node: Node, ordered: Sequence[tuple[int, Text]], profile: str) -> None:
        for (below, lower), (begins_at, key) in pairwise(ordered):
            if begins_at == below:
                message = f"bands {lower.text!r} and {key.text!r} begin at the same score"
                self._problems.error(key.place, message, "nobody could be in the first of them")
        if ordered and ordered[0][0] != 0:
            message = f"scores below {ordered[0][0] / 100:g} are in no band of {profile!r}"
            self._problems.error(ordered[0][1].place, message, f"write {ordered[0][1].text}: 0")
        usual = [band.name for band in USUAL_BANDS]
        names = [key.text for _, key in ordered]
        colours = [name for name in names if name in usual]
        if colours != sorted(colours, key=usual.index):
            way_out = "a high score means healthy: red begins at 0"
            self._problems.error(node.place, f"the bands of {profile!r} are upside down: {', '.join(names)}", way_out)

    def _limits(self, node: Node, kind: str, bound_key: str) -> tuple[Limit, ...]:
        limits: list[Limit] = []
        for number, item in enumerate(items_of(node, f"{kind}s", self._problems), start=1):
            what = f"{kind} {number}"
            fields = fields_of(item, ("when", bound_key, "because", "until"), what, self._problems)
            is_whole = required(fields, item, ("when", bound_key, "because"), what, self._problems)
            until = instant_of(fields["until"], "until", self._problems) if "until" in fields else None
            bound = score_of(fields[bound_key], bound_key, self._problems) if bound_key in fields else None
            because = word_of(fields["because"], "because", self._problems) if "because" in fields else None
            when = None
            if "when" in fields:
                when = self._conditions.read(fields["when"], f"the condition of {what}", with_outcome=False)
            if is_whole and when is not None and bound is not None and because is not None:
                at = from_datetime(until) if until is not None else None
                limits.append(Limit(when=when, bound=bound, because=because.text, until=at))
        return tuple(limits)
