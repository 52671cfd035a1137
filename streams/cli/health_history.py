"""What `careline health run`, `explain` and `backtest` share: profiles, mapping and rows from the command line.

Mistakes are told in words with their places before the program ends with status 2, as `streams.cli.history_files` does
it for histories of events.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agents.domain.health_profile import HealthFile
from agents.domain.instant import Instant
from streams.cli.history_files import file_troubles_told, stop, tell
from streams.health_files.profile_reader import read_profile_file
from streams.health_files.snapshot_mapping import SnapshotMapping, read_snapshot_mapping, unused_signals
from streams.health_files.snapshot_rows import POSITIVE, SnapshotCounts, Snapshots, read_snapshots
from streams.policy_files.problem import Problems

ProfileOption = Annotated[Path, typer.Option("--profile", metavar="PROFILE.yaml", help="The profiles that score.")]
MappingOption = Annotated[
    Path, typer.Option("--mapping", metavar="MAPPING.yaml", help="How rows become values of signals.")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Stop at the first row that cannot be used, with exit status 2.")
]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV or NDJSON as the mapping says; plain, gzip or zip.")
]
_MOST_EXAMPLES = 3


def load_snapshots(
    profile: Path,
    mapping: Path,
    files: Sequence[Path],
    *,
    strict: bool,
    as_json: bool,
    needs_label: bool = False,
    undated_at: Instant = 0,
) -> tuple[HealthFile, SnapshotMapping, Snapshots]:
    """Profiles, mapping and all rows. Ends the program when any of the files is wrong; all mistakes are told at once.

    Args:
        profile: a profile file.
        mapping: of signals.
        files: of rows.
        strict: whether the first row that cannot be used ends the program.
        as_json: whether mistakes are told on standard output as well, as `careline health test --json` tells them.
        needs_label: whether the mapping must say who has left.
        undated_at: when everything happened where the mapping has no `at`.
    """
    problems, of_mapping = Problems(str(profile)), Problems(str(mapping))
    profiles = read_profile_file(profile, problems)
    found = read_snapshot_mapping(mapping, profiles, of_mapping, needs_label=needs_label)
    if profiles is None or found is None:
        stop([*problems.errors, *of_mapping.errors], as_json=as_json)
    for warning in (*problems.warnings, *of_mapping.warnings):
        tell(warning.as_line())
    with file_troubles_told(str(mapping), as_json=as_json):
        return profiles, found, read_snapshots(found, profiles, files, strict=strict, undated_at=undated_at)


def tell_snapshots(counts: SnapshotCounts, mapping: SnapshotMapping, profiles: HealthFile) -> None:
    """What became of rows and values, on standard error."""
    used = counts.rows - counts.rejected.total()
    tell(f"{counts.rows:,} rows: {used:,} used, {counts.rejected.total():,} rejected")
    for reason, count in counts.rejected.most_common():
        tell(f"  rejected, {reason}: {count:,}")
    for path in counts.rejected_files:
        tell(f"  the rejected rows and what is wrong with them: {path}")
    for trouble in counts.unwritten:
        tell(f"  the list of rejected rows could not be written: {trouble}")
    for name, texts in counts.unreadable.items():
        examples = ", ".join(repr(text) for text, _ in texts.most_common(_MOST_EXAMPLES))
        tell(f"  no value of {name}, taken as missing: {texts.total():,} (such as {examples})")
    missing = unused_signals(mapping, profiles)
    if missing:
        tell(f"  signals of the profiles that the mapping does not name: {', '.join(missing)}")


def tell_labels(counts: SnapshotCounts) -> None:
    """What the labels were, on standard error."""
    if counts.missing_labels:
        tell(f"  without a label, left out: {counts.missing_labels:,}")
    for word, count in counts.odd_labels.most_common(_MOST_EXAMPLES):
        known = ", ".join(sorted(POSITIVE))
        tell(f"  label {word!r} is none of {known}, so they have stayed: {count:,} (`value_map` translates)")
