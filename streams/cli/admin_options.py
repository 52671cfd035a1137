"""What the commands that look after a deployment share: their options, and how they say that something is wrong."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.settings import Settings

FAILED, WRONG_USE = 1, 2
"""Exit status: it could not be done or something is not as it should be · the command line is wrong."""

KafkaOption = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers, with commas. Default: CARELINE_KAFKA.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def settings_of(context: typer.Context, kafka: str | None) -> Settings:
    """The settings of this process, with the brokers of the command line where it names some.

    Clients are silenced: they tell a failure many times over, and the command says the same in one sentence.
    """
    for client in ("kafka", "clickhouse_connect"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
    settings = context.ensure_object(Settings)
    return replace(settings, kafka_servers=kafka or settings.kafka_servers)


def stop(message: str, status: int = FAILED) -> typer.Exit:
    """Tell on standard error what is wrong; raise the result to end the program."""
    tell(message, style="red")
    return typer.Exit(status)


def tell(line: str, style: str | None = None) -> None:
    """A line on standard error."""
    Console(stderr=True, highlight=False).print(escape(line), style=style, soft_wrap=True)


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need to be and never cut off, so that a line can be searched for and copied."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say("  ".join(padded).rstrip(), style=None if number else "bold")


def say(line: str, style: str | None = None) -> None:
    """A line on standard output, never broken."""
    Console(highlight=False).print(escape(line), style=style, soft_wrap=True)
