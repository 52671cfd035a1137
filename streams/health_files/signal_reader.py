"""The `signals:` of a profile file: how values become sub-scores and how they age; built-in ones may be overridden.

Used by `profile_reader`; gives `agents.domain.health_profile.SignalRule`s with raw values in millionths.
"""

from collections.abc import Callable, Mapping
from typing import cast

from msgspec.structs import replace

from agents.domain.health_profile import Missing, SignalRule
from agents.domain.instant import SECOND_US
from agents.domain.normalisation import BEST, MILLION, Curve, Normalisation, Steps, Tiers, Trajectory, tier_key
from agents.domain.signal_catalogue import built_in_rules
from streams.health_files.exact_numbers import millionths_in, score_of, value_of
from streams.policy_files.duration_reader import seconds_of
from streams.policy_files.fields import choice_of, fields_of, required, word_of
from streams.policy_files.located_yaml import Node, Table
from streams.policy_files.problem import Place, Problems

MISSING = ("exclude", "neutral", "worst")

_SIGNAL_KEYS = ("normalise", "half_life", "ttl", "missing")
_UNREADABLE: Curve = ((0, 0),)
"""Stands for what has been complained about, so that nobody complains that it is not there."""
_DURATION_EXAMPLE = "for example 14d"


def signals_of(node: Node, problems: Problems) -> dict[str, SignalRule]:
    """The signals of the section, by name; built-in ones with what the file changes."""
    if not isinstance(node, Table):
        way_out = "for example logins_per_week: {normalise: {linear: {from: 0, to: 20}}}"
        problems.error(node.place, "signals must be a table of names and signals", way_out)
        return {}
    known = built_in_rules()
    found: dict[str, SignalRule] = {}
    for entry in node:
        name = entry.key.text
        if name in RESERVED:
            way_out = "choose another name"
            problems.error(entry.key.place, f"{name!r} means something else in conditions", way_out)
            continue
        bare = SignalRule(name=name, label=name.replace("_", " "), raw_unit=MILLION)
        found[name] = _SignalReader(name, problems).read(entry.value, known.get(name, bare))
    return found


RESERVED = ("account", "band", "score", "coverage", "profile", "not")
"""What conditions ask for besides signals. A signal may be called `tier`, `segment` or `contract`, as columns of real
histories are: caps, floors and plays then ask for the signal, and the `when` of a profile for the account."""


class _SignalReader:
    """One signal."""

    def __init__(self, name: str, problems: Problems) -> None:
        self._what = f"signal {name!r}"
        self._problems = problems

    def read(self, node: Node, base: SignalRule) -> SignalRule:
        errors_before = len(self._problems.errors)
        fields = fields_of(node, _SIGNAL_KEYS, self._what, self._problems)
        normalise = self._normalise(fields["normalise"]) if "normalise" in fields else None
        if normalise is None and len(self._problems.errors) > errors_before:
            normalise = _UNREADABLE
        missing = fields.get("missing")
        chosen = choice_of(missing, MISSING, "missing", self._problems) if missing is not None else None
        return replace(
            base,
            normalise=normalise or base.normalise,
            half_life_us=self._duration(fields, "half_life", base.half_life_us),
            ttl_us=self._duration(fields, "ttl", base.ttl_us),
            missing=cast("Missing", chosen) if chosen is not None else base.missing,
        )

    def _duration(self, fields: Mapping[str, Node], key: str, otherwise: int | None) -> int | None:
        if key not in fields:
            return otherwise
        return positive_duration_us(fields[key], key, self._problems) or otherwise

    def _normalise(self, node: Node) -> Normalisation | None:
        kinds: dict[str, Callable[[Node], Normalisation | None]] = {
            "linear": self._linear,
            "steps": self._steps,
            "tiers": self._tiers,
            "trajectory": self._trajectory,
        }
        errors_before = len(self._problems.errors)
        fields = fields_of(node, tuple(kinds), f"the normalise of {self._what}", self._problems)
        if len(fields) > 1 or (not fields and len(self._problems.errors) == errors_before):
            message = f"{self._what} is normalised in {len(fields) or 'no'} ways"
            self._problems.error(node.place, message, f"choose one of: {', '.join(kinds)}")
            return None
        return next((kinds[kind](value) for kind, value in fields.items()), None)

    def _linear(self, node: Node) -> Curve | None:
        what = f"the linear of {self._what}"
        fields = fields_of(node, ("from", "to"), what, self._problems)
        return self._line(node, fields, what)

    def _line(self, node: Node, fields: Mapping[str, Node], what: str) -> Curve | None:
        """A line from 0 at `from` to 100 at `to`, whichever of them is larger."""
        if not required(fields, node, ("from", "to"), what, self._problems):
            return None
        worst = value_of(fields["from"], "from", self._problems)
        best = value_of(fields["to"], "to", self._problems)
        if worst is None or best is None:
            return None
        if worst == best:
            way_out = "0 is at `from`, 100 at `to`; use `steps` for a threshold"
            self._problems.error(fields["to"].place, f"{what} begins where it ends", way_out)
            return None
        return tuple(sorted(((worst, 0), (best, BEST))))

    def _trajectory(self, node: Node) -> Trajectory | None:
        what = f"the trajectory of {self._what}"
        fields = fields_of(node, ("from", "to", "over"), what, self._problems)
        line = self._line(node, fields, what)
        if not required(fields, node, ("over",), what, self._problems):
            return None
        over_us = positive_duration_us(fields["over"], "over", self._problems)
        return Trajectory(line, over_us) if line and over_us else None

    def _steps(self, node: Node) -> Steps | None:
        found: dict[int, int] = {}
        places: dict[int, Place] = {}
        for key, place, score in self._scores(node, "steps", "{0: 100, 3: 0}"):
            reached = millionths_in(key)
            if reached is None:
                self._problems.error(place, f"the step {key!r} is not a number", "use `tiers` for words")
            elif reached in found:
                first = places[reached].line
                self._problems.error(place, f"the step {key} occurs twice, first in line {first}", "keep one of them")
            else:
                found[reached], places[reached] = score, place
        return Steps(tuple(sorted(found.items()))) if found else None

    def _tiers(self, node: Node) -> Tiers | None:
        found: dict[str, int] = {}
        for key, place, score in self._scores(node, "tiers", "{enterprise: 100, trial: 30}"):
            if tier_key(key) in found:
                self._problems.error(place, f"the tier {key!r} occurs twice", "case makes no difference; keep one")
            found[tier_key(key)] = score
        return Tiers(found) if found else None

    def _scores(self, node: Node, kind: str, example: str) -> list[tuple[str, Place, int]]:
        """Keys with their scores."""
        if not isinstance(node, Table) or not node.entries:
            message = f"the {kind} of {self._what} must be a table of values and scores"
            self._problems.error(node.place, message, f"for example {example}")
            return []
        scores = [(entry.key, score_of(entry.value, f"{kind} {entry.key.text}", self._problems)) for entry in node]
        return [(key.text, key.place, score) for key, score in scores if score is not None]


def positive_duration_us(node: Node, what: str, problems: Problems) -> int | None:
    """A duration above zero, in microseconds."""
    word = word_of(node, what, problems)
    seconds = seconds_of(word, what, problems) if word is not None else None
    if seconds == 0:
        problems.error(node.place, f"{what} cannot be 0", f"{_DURATION_EXAMPLE}, or leave it out")
    return seconds * SECOND_US if seconds else None
