"""A profile file from YAML to `agents.domain.health_profile.HealthFile`, with every mistake of the file told at once.

`read_profile_file` reads a file, `read_profile_node` a tree that is part of another file (a test with `inline:`).
`agents.domain.health_verdict` has the result next.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from agents.domain.health_profile import HealthFile, Play, SignalRule
from agents.domain.instant import from_datetime
from agents.domain.normalisation import Curve
from agents.domain.signal_catalogue import built_in_rules
from streams.health_files.calibration_file import read_calibration
from streams.health_files.component_reader import ProfileReader
from streams.health_files.health_condition_reader import ACCOUNT_KEYS, OUTCOME_KEYS, ConditionReader
from streams.health_files.profile_lint import lint
from streams.health_files.signal_reader import signals_of
from streams.policy_files.fields import fields_of, instant_of, items_of, required, word_of
from streams.policy_files.located_yaml import Items, Node, Table, Text, parse_yaml, read_file
from streams.policy_files.problem import Problems, did_you_mean

_FILE_KEYS = ("version", "effective_from", "calibration", "signals", "profiles", "plays")
_PLAY_KEYS = ("id", "when", "action", "owner")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def read_profile_file(path: Path, problems: Problems) -> HealthFile | None:
    """The profiles of a file, or null with its errors among the problems. Warnings are there in either case."""
    text = read_file(path, problems)
    return None if text is None else read_profile_text(text, problems, path.parent)


def read_profile_text(text: str, problems: Problems, folder: Path | None = None) -> HealthFile | None:
    """The profiles of a text; files that it names are looked for from `folder` on."""
    root = parse_yaml(text, problems)
    profiles = read_profile_node(root, problems, folder) if root is not None else None
    return None if problems.errors else profiles


def read_profile_node(root: Node, problems: Problems, folder: Path | None = None) -> HealthFile | None:
    """The profiles of a tree, or null with its errors among the problems."""
    errors_before = len(problems.errors)
    fields = fields_of(root, _FILE_KEYS, "a profile file", problems)
    required(fields, root, ("version", "profiles"), "a profile file", problems)
    version = word_of(fields["version"], "version", problems) if "version" in fields else None
    declared = signals_of(fields["signals"], problems) if "signals" in fields else {}
    # Names that are declared, readable or not: what refers to them is right.
    bare = {name: SignalRule(name=name, label=name) for name in _keys(fields.get("signals"))}
    signals = built_in_rules() | bare | declared
    reader = ProfileReader(version.text if version else "", signals, problems)
    profiles = reader.read(fields["profiles"]) if "profiles" in fields else ()
    bands = tuple(dict.fromkeys(band.name for profile in profiles for band in profile.bands))
    choices = {"band": bands, "profile": tuple(profile.name for profile in profiles)}
    conditions = ConditionReader(signals, choices, problems)
    plays = _plays(fields["plays"], conditions, signals, problems) if "plays" in fields else ()
    begins = instant_of(fields["effective_from"], "effective_from", problems) if "effective_from" in fields else None
    named = word_of(fields["calibration"], "calibration", problems) if "calibration" in fields else None
    calibration = _calibration(named, version, folder, problems) if named is not None else None
    if len(problems.errors) > errors_before or version is None:
        return None
    file = HealthFile(
        version=version.text,
        profiles=profiles,
        signals=signals,
        plays=plays,
        effective_from=from_datetime(begins) if begins is not None else None,
        calibration=calibration,
    )
    lint(file, frozenset(declared), root, problems)
    return file


def _calibration(named: Text, version: Text | None, folder: Path | None, problems: Problems) -> Curve | None:
    path = (folder or Path()) / named.text
    others = Problems(str(path))
    curve = read_calibration(path, version.text if version is not None else "", others)
    problems.take_over(others)
    return curve


def _keys(node: Node | None) -> list[str]:
    return [entry.key.text for entry in node] if isinstance(node, Table) else []


def _plays(
    node: Node, conditions: ConditionReader, signals: Mapping[str, SignalRule], problems: Problems
) -> tuple[Play, ...]:
    found = []
    items = items_of(node, "plays", problems)
    if not items and isinstance(node, Items):
        problems.error(node.place, "plays is empty", "leave it out")
    for number, item in enumerate(items, start=1):
        what = f"play {number}"
        fields = fields_of(item, _PLAY_KEYS, what, problems)
        if not required(fields, item, ("id", "when", "action"), what, problems):
            continue
        name, action = (word_of(fields[key], f"the {key} of {what}", problems) for key in ("id", "action"))
        owner = word_of(fields["owner"], f"the owner of {what}", problems) if "owner" in fields else None
        when = conditions.read(fields["when"], f"the condition of {what}", with_outcome=True)
        if action is not None:
            _check_placeholders(action, when.asks_for() if when is not None else signals, problems)
        if name is not None and action is not None and when is not None:
            text = owner.text if owner is not None else None
            found.append(Play(id=name.text, when=when, action=action.text, owner=text))
    return tuple(found)


def _check_placeholders(action: Text, asked: Collection[str], problems: Problems) -> None:
    known = (*ACCOUNT_KEYS, *OUTCOME_KEYS, *sorted(asked))
    for name in _PLACEHOLDER.findall(action.text):
        if name not in known:
            message = f"nothing can stand for {{{name}}} in an action"
            problems.error(action.place, message, did_you_mean(name, known))
