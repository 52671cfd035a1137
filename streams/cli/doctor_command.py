"""`careline doctor`: is everything there, does it fit together, is nothing lost?

Exit status 0: all is well or needs a look at most · 1: something is broken · 77: Kafka does not let us. The checks are
in `streams.deployment_check`.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli.admin_options import FAILED, JsonOption, KafkaOption, say, settings_of, stop
from streams.kafka_refusal import REFUSED_STATUS

if TYPE_CHECKING:
    from streams.audit import AuditLine

_MARKS = {"ok": "[green]ok  [/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]FAIL[/red]"}


def doctor(
    context: typer.Context,
    audit: Annotated[
        bool, typer.Option("--audit", help="Recount the whole log against the ledgers and ClickHouse, by partition.")
    ] = False,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this deployment: Kafka, topics, policies, workers and enrich with their lag, what was counted, ClickHouse.

    Looks where CARELINE_KAFKA, CARELINE_TOPIC_PREFIX, CARELINE_GROUP, CARELINE_CLICKHOUSE and CARELINE_SQL_ADDRESS
    point, changes nothing, and tells for whatever is not well what to do about it.

    With --audit the books are closed: for every partition applied + duplicate + late + rejected = accepted, and what
    stands in ClickHouse. That reads whole topics. What workers or sink have not come to yet is waiting and no fault;
    the exit status is 1 only for what is missing or there too often.
    """
    if audit:
        _audit(context, kafka, as_json=as_json)
        return
    from streams.deployment_check import Refusal, examine

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
        raise typer.Exit(REFUSED_STATUS if any(isinstance(finding, Refusal) for finding in findings) else FAILED)


def _audit(context: typer.Context, kafka: str | None, *, as_json: bool) -> None:
    from kafka.errors import KafkaError

    from streams.audit import audit
    from streams.kafka_admin import KafkaUnavailable
    from streams.lane.changelog import ChangelogDamaged
    from streams.topic_reader import TopicAbsent

    lines = []
    try:
        for line in audit(settings_of(context, kafka)):
            lines.append(line)
            if not as_json:
                say(_as_text(line), style=None if line.is_even else "red")
    except (KafkaUnavailable, TopicAbsent, ChangelogDamaged, KafkaError) as error:
        raise stop(f"careline doctor --audit: {error}") from None
    if as_json:
        told = [asdict(line) | {"missing": line.missing, "surplus": line.surplus} for line in lines]
        print(json.dumps(told, ensure_ascii=False))
    if not all(line.is_even for line in lines):
        raise typer.Exit(FAILED)


def _as_text(line: "AuditLine") -> str:
    place = line.book if line.partition < 0 else f"{line.book}[{line.partition}]"
    sums = f"{line.applied:,} applied + {line.duplicate:,} duplicate + {line.late:,} late + {line.rejected:,} rejected"
    counted = sums if line.applied or line.duplicate or line.late or line.rejected else f"{line.accounted:,} stored"
    verdict = "even" if line.is_even else f"{line.missing:,} missing, {line.surplus:,} too many"
    parts = [f"{place:<26} {line.accepted:,} accepted = {counted}: {verdict}"]
    if line.waiting:
        parts.append(f"{line.waiting:,} waiting")
    if line.note:
        parts.append(line.note)
    return "; ".join(parts)
