"""`careline simulate --months`: the life of a company as a file of events, and the truth behind it as another.

Made by `streams.simulation.company_life`; nothing is sent anywhere.
"""

from pathlib import Path

import msgspec
import typer

_FAILED = 1


def write_life(seed: int, months: int, events_path: Path | None, truth_path: Path | None) -> None:
    """Write events (a line of JSON each, interactions and signals as the contracts have them) and truth."""
    from schemas.codec import encode
    from streams.simulation.company_life import CompanyLife

    events, truth = CompanyLife(seed, months).told()
    if events_path is not None:
        _write(events_path, b"".join(encode(event) + b"\n" for _, event in events))
    if truth_path is not None:
        _write(truth_path, msgspec.json.format(msgspec.json.encode(truth), indent=2) + b"\n")
    leaving = sum(fate.leaves_at is not None for fate in truth.fates)
    typer.echo(
        f"{len(events):,} events of {len(truth.fates)} accounts over {months} months; {leaving} of them leave", err=True
    )


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        typer.echo(f"careline simulate: {path} cannot be written: {error.strerror or error}", err=True)
        raise typer.Exit(_FAILED) from None
