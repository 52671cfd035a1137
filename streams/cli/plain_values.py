"""Plain values of options and arguments, read without what Typer loads for it, so that a command starts sooner.

Typer reads every value by pydantic (0.29 does), even one that is not given, and to load and prepare that takes a fifth
of a second: for `careline policy run` over 100,000 rows a tenth of all its time. What is not plainly right is left to
Typer still, so that a mistake is told as it is everywhere.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

Reader = Callable[[Any], Any]
"""From what stands on the command line to a value; null for what it cannot make one of."""

_MOST_DIGITS = 10


def path_of(text: str) -> Path:
    """A path that need not exist."""
    return Path(text)


def paths_of(texts: tuple[str, ...]) -> list[Path] | None:
    """One path or more."""
    return [Path(text) for text in texts] or None


def count_of(text: str) -> int | None:
    """A number from 1 on."""
    is_plain = text.isascii() and text.isdecimal() and len(text) < _MOST_DIGITS
    return (int(text) or None) if is_plain else None


class PlainGroup(TyperGroup):
    """A command family that loads nothing for options that are not given."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _read_plainly(self.get_params(ctx), {})
        return super().parse_args(ctx, args)


class PlainCommand(TyperCommand):
    """A command that reads the parameters named by `readers` with these."""

    readers: ClassVar[Mapping[str, Reader]] = {}

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _read_plainly(self.get_params(ctx), self.readers)
        return super().parse_args(ctx, args)


def _read_plainly(parameters: Iterable[Any], readers: Mapping[str, Reader]) -> None:
    for parameter in parameters:
        by_typer, reader = parameter.process_value, readers.get(parameter.name)
        parameter.process_value = partial(_value, parameter, reader, by_typer)


def _value(
    parameter: Any,  # noqa: ANN401 - click's own, which Typer brings along under a private name
    reader: Reader | None,
    by_typer: Callable[[Any, Any], Any],
    context: Any,  # noqa: ANN401 - as above
    said: Any,  # noqa: ANN401 - a text, several, or nothing
) -> Any:  # noqa: ANN401 - of any type
    if said is None:
        is_plain, found = not (parameter.required or parameter.multiple or parameter.nargs != 1), None
    else:
        found = None if reader is None else reader(said)
        is_plain = found is not None
    if not is_plain:
        return by_typer(context, said)
    return found if parameter.callback is None else parameter.callback(context, parameter, found)
