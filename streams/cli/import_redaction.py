"""What `careline import` takes out of a history: what its options say, else what the connectors file says.

The same redaction as of live events (`streams.connectors.redaction`), so that a history adds to them and to nothing
that they leave out.
"""

from typing import TYPE_CHECKING

from streams.cli.history_files import stop
from streams.policy_files.problem import Problem
from streams.settings import Settings, process_environment

if TYPE_CHECKING:
    from streams.connectors.redaction import Redaction

WORDS = ("text", "addresses", "none")


def redaction_for(redact: str | None, key_variable: str | None, settings: Settings) -> "Redaction":
    """What to redact; ends the program where the options or the connectors file are wrong."""
    from streams.connectors.connectors_file import ConnectorsMistake, read_redaction
    from streams.connectors.redaction import NOTHING_REDACTED, Redaction

    variables = process_environment()
    if redact is None:
        if key_variable is not None:
            stop([Problem("--redact-key", None, None, "hashes nothing", "say --redact addresses")])
        if settings.connectors_file is None:
            return NOTHING_REDACTED
        try:
            return read_redaction(settings.connectors_file, variables)
        except ConnectorsMistake as mistake:
            stop(mistake.problems)
    said = {word.strip() for word in redact.split(",")}
    unknown = said - set(WORDS)
    if unknown or (len(said) > 1 and "none" in said):
        stop([Problem("--redact", None, None, f"{redact!r} is not known", "text, addresses, text,addresses or none")])
    key = variables.get(key_variable or "", "")
    try:
        return Redaction(
            "drop" if "text" in said else "keep", "hash" if "addresses" in said else "keep", key.strip().encode()
        )
    except ValueError as error:
        stop([Problem("--redact-key", None, None, str(error), "name an environment variable that holds one")])
