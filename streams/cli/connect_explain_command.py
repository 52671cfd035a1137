"""`careline connect explain`: what a provider's payload would become, without a broker, a secret or a configuration.

Exit status 0: every file was explained, be it with a reason for nothing · 2: wrong connector, file or configuration.
`streams.connectors.payload_explanation` does the work.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from streams.connectors.connector_contract import ConnectorKind, Instance
    from streams.connectors.payload_explanation import PayloadExplained, PayloadExplainer

_WRONG = 2

_Connector = Annotated[str, typer.Argument(metavar="CONNECTOR", help="The kind of connector: zendesk, slack ...")]
_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Bodies as the provider sent them; - is stdin.")]
_Config = Annotated[
    Path | None,
    typer.Option("--config", help="A connectors.yaml: whose domains and ids are ours, and the accounts. No secrets."),
]
_Headers = Annotated[
    Path | None,
    typer.Option("--headers", help="The request's headers: lines of Name: value, or a JSON object. For all files."),
]
_Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each file.")]


def connect_explain(
    connector: _Connector,
    files: _Files,
    config: _Config = None,
    headers: _Headers = None,
    as_json: _Json = False,
) -> None:
    """Show what a payload would become, or why nothing is published.

    Nothing is sent and nothing is verified: no broker, no secret and no configuration are needed. With --config the
    file's own domains, ids and accounts decide who is an agent and whose an event is.

    Example: careline connect explain zendesk payload.json --json
    """
    kind, instance, explainer = _explainer(connector, config)
    sent = _headers(headers)
    now = datetime.now(UTC)
    console = Console(highlight=False, emoji=False)
    for path in files:
        explained = explainer.explain(_content(path), sent, now)
        if as_json:
            line: dict[str, Any] = {
                "file": str(path),
                "events": explained.events,
                "ignored": explained.ignored,
                "rejected": explained.rejected,
            }
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            _show(console, path, explained)
    if not as_json and instance.name != kind.id:
        console.print(f"[dim]as the instance {escape(instance.name)} of {escape(str(config))}")


def _explainer(connector: str, config: Path | None) -> "tuple[ConnectorKind, Instance, PayloadExplainer]":
    from streams.connectors.accounts_directory import AccountsDirectory
    from streams.connectors.connector_contract import Instance
    from streams.connectors.connector_registry import known_connectors
    from streams.connectors.connectors_file import ConfiguredInstances, ConnectorsMistake, read_instances
    from streams.connectors.payload_explanation import PayloadExplainer
    from streams.policy_files.problem import did_you_mean

    kinds = known_connectors()
    configured = ConfiguredInstances(())
    if config is not None:
        try:
            configured = read_instances(config, kinds)
        except ConnectorsMistake as mistake:
            raise _stop(str(mistake)) from None
    named = [each for each in configured.instances if connector in {each.name, each.connector}]
    instance = named[0] if named else Instance(connector, connector)
    kind = kinds.get(instance.connector)
    if kind is None:
        hint = did_you_mean(connector, kinds) or "one of " + ", ".join(sorted(kinds))
        raise _stop(f"careline connect explain: there is no connector {connector!r}; {hint}")
    return kind, instance, PayloadExplainer(kind, instance, AccountsDirectory(configured.accounts))


def _content(path: Path) -> bytes:
    try:
        return typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise _stop(f"careline connect explain: {path}: {error.strerror or error}") from None


def _headers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    text = _content(path).decode("utf-8", "surrogateescape")
    if text.lstrip().startswith("{"):
        try:
            said = json.loads(text)
        except ValueError as error:
            raise _stop(f"careline connect explain: {path} is no JSON object: {error}") from None
        return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _show(console: Console, path: Path, explained: "PayloadExplained") -> None:
    console.print(f"[bold]{escape(str(path))}")
    for event in explained.events:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        for key, value in event.items():
            if value is not None:
                table.add_row(f"[dim]{escape(key)}", escape(_as_text(value)))
        console.print(table)
        console.print()
    for word, reason in (("ignored", explained.ignored), ("rejected", explained.rejected)):
        if reason is not None:
            console.print(f"  [yellow]{word}[/]  {escape(reason)}")


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _stop(message: str) -> typer.Exit:
    Console(stderr=True, highlight=False).print(escape(message), style="red", soft_wrap=True)
    return typer.Exit(_WRONG)
