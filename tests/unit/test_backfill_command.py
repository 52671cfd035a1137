"""`careline connect backfill` as it is called: mistakes with a way out, a dry run, policies in a file."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from streams.backfill.backfill_position import BackfillPosition
from streams.cli.backfill_command import connect_backfill
from streams.cli.backfill_parts import position_of
from streams.connectors.connector_contract import Instance
from streams.settings import Settings
from tests.backfill_bench import SINCE, UNTIL
from tests.fake_zendesk import TOKEN, FakeZendesk
from tests.unit.test_zendesk_backfill import tickets
from tests.unit.test_zendesk_policies import OFFICE, sla, target

SLA = {
    "slas/policies": {"sla_policies": [sla("Everyone", target("first_reply_time", "high", 60))]},
    "business_hours/schedules": {"schedules": [OFFICE]},
}


@contextmanager
def serving(provider: FakeZendesk) -> Iterator[str]:
    """The fake in a thread of its own, since the command has a loop of its own."""
    ready, done, address = threading.Event(), asyncio.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with provider.served() as found:
            address.append(found)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield address[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def call(*arguments: str) -> Result:
    app = typer.Typer()

    @app.callback()
    def main(context: typer.Context) -> None:
        context.obj = Settings()

    app.command("backfill")(connect_backfill)
    return CliRunner().invoke(app, ["backfill", *arguments])


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENDESK_API_TOKEN", TOKEN)


def test_a_dry_run_counts_everything_and_needs_no_kafka(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    with serving(FakeZendesk(tickets(3), sla=SLA)) as address:
        said = call(
            *("zendesk", "--base-url", address, "--since", "2026-01-01", "--policies-out", str(file)),
            *("--dry-run", "--json"),
        )
    assert said.exit_code == 0, said.output
    summary: dict[str, Any] = json.loads(said.stdout)
    assert (summary["conversations"], summary["accounts"], summary["finished"]) == (3, 1, True)
    assert summary["events"] == {"message": 12, "status_changed": 9, "assigned": 3, "tagged": 3}
    assert "first_response: {high: 1h}" in file.read_text()
    assert TOKEN not in said.output


def test_policies_alone_need_no_beginning(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    with serving(FakeZendesk(tickets(1), sla=SLA)) as address:
        said = call("zendesk", "--base-url", address, "--policies-out", str(file))
        again = call("zendesk", "--base-url", address, "--policies-out", str(file))
    assert said.exit_code == 0, said.output
    assert "effective_from" not in file.read_text()
    assert again.exit_code == 2
    assert "exists" in again.output


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["zendesk"], 2, "--since"),
        (["zendesk", "--since", "yesterday"], 2, "yesterday"),
        (["zendesk", "--since", "2026-01-01"], 2, "--subdomain"),
        (["zendesk", "--since", "2026-01-01", "--subdomain", "evil.example/"], 2, "--subdomain"),
        (["zendesk", "--since", "2026-01-01", "--subdomain", "a", "--token-from", "NOTHING"], 2, "NOTHING is not set"),
        (["zendesk", "--since", "2026-01-01", "--base-url", "http://acme.example"], 2, "--base-url"),
        (["zendesk", "--since", "2026-01-01", "--base-url", "file:///etc"], 2, "--base-url"),
        (
            ["zendesk", "--since", "2026-01-02", "--until", "2026-01-01", "--subdomain", "a", "--dry-run"],
            2,
            "not after",
        ),
        (["zendsk", "--since", "2026-01-01"], 2, "zendesk"),
        (
            ["zendesk", "--since", "2026-01-01", "--base-url", "http://127.0.0.1:9", "--kafka", "127.0.0.1:9"],
            1,
            "Kafka",
        ),
    ],
)
def test_mistakes_have_a_way_out(arguments: list[str], status: int, told: str) -> None:
    said = call(*arguments)
    assert (said.exit_code, told in said.output) == (status, True), said.output


def test_the_provider_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENDESK_API_TOKEN", "wr0ng")
    with serving(FakeZendesk(tickets(1))) as address:
        said = call("zendesk", "--base-url", address, "--since", "2026-01-01", "--dry-run")
    assert said.exit_code == 1
    assert "does not let us in" in said.output
    assert "wr0ng" not in said.output


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with serving(FakeZendesk(tickets(1), sla=SLA)) as address:
        said = call("zendesk", "--base-url", address, "--policies-out", str(tmp_path / "nowhere" / "acme.yaml"))
    assert said.exit_code == 1
    assert "nowhere" in said.output


STORED = BackfillPosition(clock="import:backfill-1", since=SINCE, until=UNTIL, at="c", threads=5)


@pytest.mark.parametrize(
    ("stored", "until", "goes_on"),
    [(None, None, False), (STORED, None, True), (STORED, UNTIL, True), (replace(STORED, finished=True), None, False)],
    ids=["none", "unfinished", "the same end", "finished"],
)
def test_where_to_begin(stored: BackfillPosition | None, until: datetime | None, goes_on: bool) -> None:
    found = position_of(stored, Instance("zendesk", "zendesk"), SINCE, until)
    assert (found == STORED) == goes_on
    assert goes_on or (found.clock.startswith("import:backfill-") and found.clock != STORED.clock)


def test_an_unfinished_backfill_keeps_its_times() -> None:
    with pytest.raises(typer.Exit):
        position_of(STORED, Instance("zendesk", "zendesk"), SINCE, UNTIL - timedelta(days=1))
