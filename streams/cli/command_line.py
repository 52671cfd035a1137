"""Runs the command line: the whole one of `streams.cli.main`, or of it only the command that is timed from its start.

A command of the whole waits for all of them to be loaded and put together. `careline policy run` over a file is a
matter of two seconds, of which that would be one fifth.
"""

import errno
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from streams.cli.quiet_pipes import end_quietly_when_nobody_reads, forget_the_rest

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def command_line(words: Sequence[str]) -> typer.Typer:
    """What understands these words, which follow `careline`, and says the same about them as the whole."""
    if [*words[:2]] == ["policy", "run"]:
        return _policy_run_alone()
    from streams.cli.main import app

    return app


def _policy_run_alone() -> typer.Typer:
    from streams.cli.plain_values import PlainGroup
    from streams.cli.policy_run_command import PolicyRunCommand, policy_run
    from streams.cli.root_command import root_app

    app, family = root_app(), typer.Typer(name="policy", cls=PlainGroup)
    family.command("run", cls=PolicyRunCommand)(policy_run)
    app.add_typer(family)
    return app


def run() -> None:
    """Run the command line. Ctrl-C ends it quietly with status 130, as shells expect, `| head` with 0."""
    end_quietly_when_nobody_reads()
    try:
        try:
            command_line(sys.argv[1:])()
        finally:
            _print_the_rest()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        typer.echo(f"careline: the output cannot be written: {error.strerror}", err=True)
        forget_the_rest(sys.stdout)
        sys.exit(1)


def _print_the_rest() -> None:
    """What is still buffered leaves now: at its exit Python would speak of what it cannot write, in its own words."""
    with suppress(SystemExit):  # nobody reads it; the command has ended by itself, with its own status
        if sys.stdout:  # none where it was closed from the beginning
            sys.stdout.flush()
