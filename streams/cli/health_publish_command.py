"""`careline health publish`: put a file of health profiles in force, on all workers at the same place in the log.

Exit status 0: published, or it was already · 1: Kafka is absent or has no topics · 2: the file is refused, and what was
in force stays in force. The work is done in `streams.file_publisher`.
"""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.admin_options import JsonOption, KafkaOption, settings_of
from streams.cli.policy_publish_command import tell_publication


def health_publish(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The profile file.")],
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a file of health profiles in force.

    The file is checked, kept under its version, and announced in every
    partition of the signals, so that all workers switch at the same place.
    It scores from its effective_from on, without one from now on. A version
    name is used once: a changed file needs a new one. Publishing the same
    file again changes nothing; after a crash it completes what was begun.

    Example: careline health publish examples/health/support.yaml
    """
    from streams.file_kinds import HEALTH_PROFILES
    from streams.file_publisher import publish_file

    settings = settings_of(context, kafka)
    tell_publication("careline health publish", lambda: publish_file(settings, HEALTH_PROFILES, file), as_json=as_json)
