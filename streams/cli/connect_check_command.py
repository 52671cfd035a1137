"""`careline connect check`: what is missing in a connectors.yaml, and what to enter at each provider.

Exit status 0: everything that it needs is there · 2: something is wrong or missing. Nothing is sent anywhere.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.admin_options import WRONG_USE, JsonOption, say, stop, tell
from streams.settings import Settings, process_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.connectors.connector_contract import ConnectorKind, Instance
    from streams.connectors.connectors_file import ConnectorSetup
    from streams.policy_files.problem import Problem


def connect_check(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="The connectors.yaml. Default: CARELINE_CONNECTORS.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing in a connectors.yaml, and print what to enter at each provider.

    Secrets are looked up as `careline connect` would, and never shown.

    Example: careline connect check --config connectors.yaml
    """
    from streams.connectors.connector_registry import known_connectors
    from streams.connectors.connectors_file import ConnectorsMistake, read_connectors

    settings: Settings = context.ensure_object(Settings)
    path = config or settings.connectors_file
    if path is None:
        raise stop("careline connect check: name a file with --config, or in CARELINE_CONNECTORS", WRONG_USE)
    kinds = known_connectors()
    try:
        setup = read_connectors(path, process_environment(), kinds)
    except ConnectorsMistake as mistake:
        _tell_problems(mistake.problems, as_json=as_json)
        raise typer.Exit(WRONG_USE) from None
    found = _instances(setup, kinds, f"http://{settings.connect_address}")
    if as_json:
        print(json.dumps({"problems": [], "connectors": found}, ensure_ascii=False))
        return
    for each in found:
        say(f"{each['name']}  ({each['connector']}: {each['title']})", style="bold")
        for line in (*each["does"], *each["setup"].splitlines()):
            say(f"    {line}")
        say(f"    redacted: {each['redacted']}")
        for name, meaning in each["options"].items():
            say(f"    option {name}: {meaning}")


def _tell_problems(problems: "list[Problem]", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"problems": [each.as_json() for each in problems], "connectors": []}, ensure_ascii=False))
        return
    for problem in problems:
        tell(problem.as_line(), style="red")


def _instances(setup: "ConnectorSetup", kinds: "Mapping[str, ConnectorKind]", here: str) -> list[dict[str, Any]]:
    does: dict[str, list[str]] = {}
    instances = {connector.instance.name: connector.instance for connector in setup.routes.values()}
    for source in setup.sources:
        instances.setdefault(source.instance.name, source.instance)
        does.setdefault(source.instance.name, []).append(_description(source.puller, "fetches by itself"))
    for listening in setup.listeners:
        instances[listening.instance.name] = listening.instance
        does.setdefault(listening.instance.name, []).append(_description(listening.listener, "listens by itself"))
    urls = {name: f"{(each.instance.public_url or here).rstrip('/')}/in/{name}" for name, each in setup.routes.items()}
    return [
        _told(instance, kinds[instance.connector], urls.get(name), does.get(name, []))
        for name, instance in instances.items()
    ]


def _description(what: object, otherwise: str) -> str:
    from streams.connectors.source_contract import Described

    return what.description if isinstance(what, Described) else otherwise


def _told(instance: "Instance", kind: "ConnectorKind", url: str | None, does: list[str]) -> dict[str, Any]:
    return {
        "name": instance.name,
        "connector": kind.id,
        "title": kind.title,
        "url": url,
        "does": [f"URL: {url}", *does] if url else does,
        "secrets": len(instance.secrets),
        "tokens": len(instance.tokens),
        "redacted": instance.redaction.in_words(),
        "setup": kind.setup,
        "options": dict(kind.options),
    }
