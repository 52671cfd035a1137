"""The connector of `docs/add-a-connector.md`: installed, found by its entry point, heard by the server."""

import asyncio
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from streams.connectors.connector_contract import Instance
from streams.connectors.connector_registry import BUILT_IN, known_connectors
from tests.connect_bench import bench
from tests.payload_mutilations import assert_sound, mutilations
from tests.payload_readings import reading_of, request_of

DOCUMENT = (Path(__file__).parents[2] / "docs/add-a-connector.md").read_text()
SECRET = "what Deskly and we know"
MODULES = ("deskly_connector", "deskly_tests")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The document's package as an installer would leave it."""
    for name, code in zip(MODULES, blocks("python"), strict=True):
        (tmp_path / f"{name}.py").write_text(code)
    (declared,) = re.findall(r'^\[project\.entry-points\."(.*)"\]\n(.*)$', blocks("toml")[0], re.MULTILINE)
    info = tmp_path / "careline_deskly-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: careline-deskly\nVersion: 1.0\n")
    group, line = declared
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in MODULES:
        sys.modules.pop(name, None)


def test_it_is_found_beside_the_built_in_ones(installed: Path) -> None:
    assert set(known_connectors()) == {"deskly", *(kind.id for kind in BUILT_IN)}


def test_an_event_comes_in_through_it(installed: Path) -> None:
    kind = known_connectors()["deskly"]
    body = blocks("json")[0].encode()
    scheme: Any = sys.modules["deskly_connector"].SIGNATURE

    async def scene() -> None:
        async with bench(Instance("deskly", "deskly", secrets=(SECRET,))) as running:
            signed = {scheme.header: scheme.sign(SECRET, request_of(body))}
            assert (await running.post("/in/deskly", body, signed))[:2] == (
                200,
                {"accepted": 1, "repeated": 0, "ignored": 0, "rejected": 0},
            )
            assert (await running.post("/in/deskly", body, {scheme.header: "0" * 64}))[0] == 401
            (event,) = running.published.interactions
            assert (event.conversation_id, event.account_id, event.text) == (
                "deskly:7",
                "domain:acme.example",
                "It is broken",
            )

    asyncio.run(scene())
    for broken in mutilations(json.loads(body)):
        assert_sound(reading_of(kind, broken))


def test_its_own_tests_pass(installed: Path) -> None:
    tests = vars(importlib.import_module("deskly_tests"))
    named = [name for name in tests if name.startswith("test_")]
    assert len(named) == 3
    for name in named:
        tests[name]()


def test_explain_knows_it(installed: Path) -> None:
    payload = installed / "message.json"
    payload.write_text(blocks("json")[0])
    result = CliRunner().invoke(app, ["connect", "explain", "deskly", str(payload), "--json"])
    assert (result.exit_code, json.loads(result.stdout)["events"][0]["author"]) == (0, {"kind": "customer", "id": "42"})


def test_a_built_in_connector_cannot_be_replaced(installed: Path) -> None:
    module = installed / "deskly_connector.py"
    module.write_text(module.read_text().replace('id="deskly"', 'id="zendesk"'))
    assert known_connectors()["zendesk"] in BUILT_IN


def test_an_entry_point_that_is_no_connector_is_named(installed: Path) -> None:
    module = installed / "deskly_connector.py"
    module.write_text(module.read_text() + "\nDESKLY = 7\n")
    with pytest.raises(TypeError, match=r"deskly of careline\.connectors"):
        known_connectors()
