"""`careline connect backfill`: history from a provider's API, resumable, within the provider's limits.

Exit status 0: done · 1: the provider or Kafka does not let it go on · 2: the command line is wrong · 130: stopped with
Ctrl-C. The work is done in `streams.backfill`; `backfill_parts` puts together what the command line says.
"""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from streams.cli.admin_options import FAILED, WRONG_USE, JsonOption, KafkaOption, settings_of, stop, tell
from streams.cli.backfill_parts import WayIn, chosen_instance, kept_in, on_clock, position_of
from streams.cli.history_files import instant_of
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.backfill.backfill_position import Positions
    from streams.backfill.backfill_run import Backfill
    from streams.backfill.directory_writing import DirectoryInKafka, DirectoryInMemory
    from streams.backfill.history_api import HistoryApi
    from streams.backfill.history_sink import HistorySink
    from streams.connectors.connector_contract import Instance

INTERRUPTED = 130

_Provider = Annotated[str, typer.Argument(metavar="PROVIDER", help="zendesk, intercom or hubspot.")]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="INSTANT", help="Conversations that moved since then, each as a whole.")
]
_Until = Annotated[
    str | None,
    typer.Option("--until", metavar="INSTANT", help="Where the history ends. Default: a minute before it begins."),
]
_Subdomain = Annotated[
    str | None, typer.Option("--subdomain", metavar="NAME", help="Zendesk: acme for https://acme.zendesk.com.")
]
_BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="Another address of the API, such as a region's.")
]
_User = Annotated[
    str | None,
    typer.Option("--user", metavar="EMAIL", help="Zendesk: the token is an API token, and this is whose."),
]
_TokenFrom = Annotated[
    str | None,
    typer.Option(
        "--token-from",
        metavar="VARIABLE",
        help="Where the token is. Default: ZENDESK_API_TOKEN, INTERCOM_ACCESS_TOKEN, HUBSPOT_ACCESS_TOKEN.",
    ),
]
_Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The connectors.yaml of the live connector. Default: CARELINE_CONNECTORS, else none."
    ),
]
_Instance = Annotated[
    str | None, typer.Option("--instance", metavar="NAME", help="The live connector's name. Default: the provider.")
]
_State = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="Keep the position in this file instead of in Kafka.")
]
_FromStart = Annotated[bool, typer.Option("--from-start", help="Forget how far an earlier run has come.")]
_Accounts = Annotated[bool, typer.Option(help="Bring the provider's companies into the directory first.")]
_PoliciesOut = Annotated[
    Path | None,
    typer.Option("--policies-out", metavar="FILE", help="Zendesk: write SLA policies and schedules as a policy file."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Fetch and count everything, send and remember nothing.")]


def connect_backfill(
    context: typer.Context,
    provider: _Provider,
    since: _Since = None,
    until: _Until = None,
    subdomain: _Subdomain = None,
    base_url: _BaseUrl = None,
    user: _User = None,
    token_from: _TokenFrom = None,
    config: _Config = None,
    instance: _Instance = None,
    state: _State = None,
    from_start: _FromStart = False,
    accounts: _Accounts = True,
    policies_out: _PoliciesOut = None,
    dry_run: _DryRun = False,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch history from a provider's API and bring it into Kafka.

    What is fetched becomes the same events, with the same ids, as what the live connector receives: both may overlap,
    and each event counts once. Give it the --config and --instance of the live connector.

    The history has a clock of its own. Its conversations are judged when all of it is there, by the policies in force
    at the time of each event, and then go over to the live clock. So publish policies before (--policies-out writes
    Zendesk's), with an effective_from that reaches back far enough.

    It keeps to the provider's limits and leaves a tenth to others. Ctrl-C stops it; the same command goes on where it
    stopped.

    Examples:
      export ZENDESK_API_TOKEN=...
      careline connect backfill zendesk --subdomain acme --user me@acme.example --policies-out acme.yaml
      careline connect backfill zendesk --subdomain acme --user me@acme.example --since 2026-01-01 --dry-run
    """
    if since is None and policies_out is None:
        raise stop("say from when with --since, for example --since 2026-01-01", WRONG_USE)
    way_in = WayIn(provider=provider, subdomain=subdomain, base_url=base_url, user=user, token_from=token_from)
    if policies_out is not None and way_in.found().id != "zendesk":
        raise stop("--policies-out: only Zendesk's policies can be taken over", WRONG_USE)
    if policies_out is not None and policies_out.exists():
        raise stop(f"--policies-out: {policies_out} exists, and somebody may have worked on it", WRONG_USE)
    settings = settings_of(context, kafka)
    order = _Order(
        way_in=way_in,
        instance=chosen_instance(way_in.found().id, instance, config or settings.connectors_file),
        since=instant_of(since, "--since") if since is not None else None,
        until=instant_of(until, "--until") if until is not None else None,
        state=state,
        from_start=from_start,
        accounts=accounts,
        policies_out=policies_out,
        dry_run=dry_run,
        settings=settings,
    )
    summary = _carry_out(order)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What the command line asks for."""

    way_in: WayIn
    instance: "Instance"
    since: datetime | None
    until: datetime | None
    state: Path | None
    from_start: bool
    accounts: bool
    policies_out: Path | None
    dry_run: bool
    settings: Settings


@dataclass(slots=True)
class _Parts:
    """What a run works with: Kafka's side of it, or its like for a dry run."""

    directory: "DirectoryInKafka | DirectoryInMemory"
    sink: "HistorySink"
    positions: "Positions"
    summary: dict[str, Any] = field(default_factory=dict)


def _carry_out(order: _Order) -> dict[str, Any]:
    """Do it, and say how it ended. Ends the program where it could not be done."""
    from streams.backfill.backfill_position import UnreadablePosition
    from streams.backfill.backfill_run import Stopped
    from streams.backfill.history_api import ApiRefused
    from streams.history.history_sender import ImportFailed
    from streams.kafka_admin import KafkaUnavailable

    api = order.way_in.api(tell)
    begun = time.monotonic()
    try:
        with _parts(order) as parts:
            asyncio.run(_run(order, api, parts))
            return parts.summary | {"seconds": round(time.monotonic() - begun, 3)}
    except Stopped:
        tell("stopped; the same command goes on there" if not order.dry_run else "stopped")
        raise typer.Exit(INTERRUPTED) from None
    except ApiRefused as refused:
        raise stop(f"{refused}; the same command goes on where this one ended", FAILED) from None
    except ImportFailed as error:
        raise stop(f"{error.message} ({error.suggestion})", FAILED) from None
    except (KafkaUnavailable, UnreadablePosition, OSError) as error:
        raise stop(str(error), FAILED) from None


@contextmanager
def _parts(order: _Order) -> Iterator[_Parts]:
    from streams.backfill.backfill_position import KafkaPositions, NoPositions
    from streams.backfill.directory_writing import DirectoryInKafka, DirectoryInMemory
    from streams.backfill.history_sink import KafkaSink, NoSink
    from streams.history.history_sender import ImportTarget, history_sender

    if order.dry_run or order.since is None:
        yield _Parts(DirectoryInMemory(), NoSink(), NoPositions())
        return
    target = ImportTarget(order.settings.kafka, order.settings.topic_prefix)
    positions = kept_in(order.settings, order.instance, order.since, order.state)
    with history_sender(target) as sender:
        if isinstance(positions, KafkaPositions):
            positions.sender = sender
        yield _Parts(DirectoryInKafka(target), KafkaSink(sender), positions)


async def _run(order: _Order, api: "HistoryApi", parts: _Parts) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with api:
        if order.since is None:
            await _write_policies(order, api, parts)
            return
        backfill = _backfill(order, api, parts, stopped)
        if order.accounts:
            await backfill.learn()
        if order.policies_out is not None:
            await _write_policies(order, api, parts)
        try:
            await _with_progress(backfill)
        finally:
            parts.summary |= _summary(order, api, backfill)
            _tell_counts(backfill)


def _backfill(order: _Order, api: "HistoryApi", parts: _Parts, stopped: asyncio.Event) -> "Backfill":
    from streams.backfill.backfill_run import Backfill
    from streams.backfill.story_teller import StoryTeller

    if order.since is None:
        raise TypeError("a backfill has a beginning")
    stored = None if order.from_start else parts.positions.load()
    position = position_of(stored, order.instance, order.since, order.until)
    if position.threads:
        tell(f"going on behind {position.threads:,} conversations of {position.events:,} events")
    if not order.accounts:
        position = msgspec.structs.replace(position, with_accounts=True)
    instance = on_clock(order.instance, position.clock)
    return Backfill(
        source=order.way_in.found().source(api, instance),
        teller=StoryTeller(instance, parts.directory.directory, position.until),
        sink=parts.sink,
        positions=parts.positions,
        position=position,
        stop=stopped,
        learn_accounts=parts.directory.learn,
    )


async def _with_progress(backfill: "Backfill") -> None:
    from streams.backfill.history_source import Span
    from streams.cli.history_progress import counting

    total = await backfill.source.count(Span(backfill.position.since, backfill.position.until))
    with counting("conversations", total) as progress:
        backfill.progress = progress
        await backfill.run()


async def _write_policies(order: _Order, api: "HistoryApi", parts: _Parts) -> None:
    from streams.backfill.zendesk_policy_file import zendesk_policy_file

    def account_of(organisation: str) -> str:
        return parts.directory.directory.find((f"zendesk_org:{organisation}",)).account_id

    if order.policies_out is None:
        return
    said = await zendesk_policy_file(api, account_of, datetime.now(UTC), order.since)
    with order.policies_out.open("x", encoding="utf-8") as file:
        file.write(said)
    left_out = said.count("LEFT OUT")
    tell(f"{order.policies_out} is written; look at its comments, {left_out} policies could not be taken over whole")
    parts.summary["policies"] = {"file": str(order.policies_out), "left_out": left_out}


def _tell_counts(backfill: "Backfill") -> None:
    from streams.backfill.history_sink import NoSink

    counts, position = backfill.counts, backfill.position
    tell(f"{counts.threads:,} conversations, {counts.events.total():,} events; {position.threads:,} in all so far")
    if counts.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.rejected.most_common())
        tell(f"rejected: {reasons} (careline rejected list)")
    if isinstance(backfill.sink, NoSink):
        tell("nothing was sent (--dry-run)")
    elif position.finished:
        tell(f"finished, on the clock {position.clock} up to {position.until.isoformat()}")


def _summary(order: _Order, api: "HistoryApi", backfill: "Backfill") -> dict[str, Any]:
    counts, position = backfill.counts, backfill.position
    return {
        "provider": order.way_in.provider,
        "instance": order.instance.name,
        "clock": position.clock,
        "since": position.since.isoformat(),
        "until": position.until.isoformat(),
        "conversations": counts.threads,
        "events": dict(counts.events),
        "rejected": dict(counts.rejected),
        "after_until": counts.later,
        "accounts": counts.accounts,
        "conversations_in_all": position.threads,
        "events_in_all": position.events,
        "finished": position.finished,
        "dry_run": order.dry_run,
        "requests": api.counts.requests,
        "tried_again": api.counts.tried_again,
        "waited_seconds": round(api.counts.waited_seconds, 3),
    }
