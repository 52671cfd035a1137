"""`careline policy publish`: put a policy file in force, on all workers at the same place in the log.

Exit status 0: published, or it was already · 1: Kafka is absent or has no topics · 2: the file is refused, and what was
in force stays in force. The work is done in `streams.file_publisher`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.admin_options import FAILED, JsonOption, KafkaOption, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.file_publisher import PublishOutcome

WRONG_FILE = 2


def publish(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The policy file.")],
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a policy file in force.

    The file is checked, kept under its version, and announced in every partition, so that all workers switch at the
    same place. It judges events from its effective_from on, without one from now on. A version name is used once: a
    changed file needs a new one. Publishing the same file again changes nothing; after a crash it completes what was
    begun.

    Example: careline policy publish examples/policies/support.yaml
    """
    from streams.file_kinds import POLICY
    from streams.file_publisher import publish_file

    settings = settings_of(context, kafka)
    tell_publication("careline policy publish", lambda: publish_file(settings, POLICY, file), as_json=as_json)


def tell_publication(command: str, publish_file: "Callable[[], PublishOutcome]", *, as_json: bool) -> None:
    """Publish, and say what came of it; the exit status says it too."""
    from streams.file_kinds import PolicyRefused
    from streams.kafka_admin import KafkaUnavailable
    from streams.partition_counts import TopicsMissing

    try:
        outcome = publish_file()
    except PolicyRefused as refused:
        if as_json:
            print(json.dumps({"errors": [problem.as_json() for problem in refused.problems]}, ensure_ascii=False))
        typer.echo(str(refused), err=True)
        raise typer.Exit(WRONG_FILE) from None
    except (TopicsMissing, KafkaUnavailable) as error:
        typer.echo(f"{command}: {error}", err=True)
        raise typer.Exit(FAILED) from None
    for warning in outcome.warnings:
        typer.echo(warning.as_line(), err=True)
    print(json.dumps(_as_json(outcome), ensure_ascii=False) if as_json else outcome)


def _as_json(outcome: "PublishOutcome") -> dict[str, object]:
    return {
        "status": outcome.status,
        "version": outcome.version,
        "in_force_from": outcome.in_force_from.isoformat().replace("+00:00", "Z"),
        "in_force": outcome.in_force,
        "warnings": [warning.as_json() for warning in outcome.warnings],
    }
