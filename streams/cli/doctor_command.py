"""`careline doctor`: is everything there, does it fit together, is nothing lost?

Exit status 0: all is well or needs a look at most · 1: something is broken. The checks are in
`streams.deployment_check`.
"""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli.admin_options import FAILED, JsonOption, KafkaOption, settings_of

_MARKS = {"ok": "[green]ok  [/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]FAIL[/red]"}


def doctor(context: typer.Context, kafka: KafkaOption = None, as_json: JsonOption = False) -> None:
    """Check this deployment: Kafka, topics, policies, workers and their lag, what was counted, ClickHouse.

    Looks where CARELINE_KAFKA, CARELINE_TOPIC_PREFIX, CARELINE_GROUP, CARELINE_CLICKHOUSE and CARELINE_SQL_ADDRESS
    point, changes nothing, and tells for whatever is not well what to do about it.
    """
    from streams.deployment_check import examine

    console = Console(highlight=False)
    findings = []
    for finding in examine(settings_of(context, kafka)):
        findings.append(finding)
        if as_json:
            continue
        console.print(f"{_MARKS[finding.verdict]} {finding.check:<10} {escape(finding.detail)}", soft_wrap=True)
        if finding.advice:
            console.print(f"     {'':<10} {escape(finding.advice)}", style="dim", soft_wrap=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(FAILED)
