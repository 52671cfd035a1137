"""The import contracts hold, and each of them bites: a fault planted in a copy of the packages is found and named."""

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.architecture.repository_files import ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
STRAY = "stray.py"
CONNECTOR_PROTOCOL = "streams.connectors.connector_contract"


class Fault(NamedTuple):
    """`line` goes to the end of `file` (made if it is not there) and must break `contract`."""

    contract: str
    file: str
    line: str


FAULTS = {
    "contracts know agents": Fault("packages", "schemas/topics.py", "import agents.ports"),
    "contracts know streams": Fault("packages", "schemas/topics.py", "import streams"),
    "an agent knows streams": Fault("packages", "agents/ports.py", "import streams.settings"),
    "the domain knows the ports": Fault("agents", "agents/domain/instant.py", "import agents.ports"),
    "the domain knows a body": Fault("agents", "agents/domain/instant.py", "import agents.conversation_agent"),
    "the ports know a body": Fault("agents", "agents/ports.py", "import agents.conversation_agent"),
    "a module without a layer": Fault("agents", f"agents/{STRAY}", "STRAY = True"),
    "a setting knows the command line": Fault("streams", "streams/settings.py", "import streams.cli"),
    "the lane knows the command line": Fault("streams", "streams/lane/lane.py", "import streams.cli"),
    "a sink knows a connector": Fault("streams", "streams/sinks/recorder.py", "import streams.connectors"),
    "a connector knows another": Fault(
        "connectors",
        "streams/connectors/helpdesks/zendesk_channel.py",
        "import streams.connectors.own_words.webhook_generic",
    ),
    "the domain reads the clock": Fault("pure", "agents/domain/instant.py", "import time"),
    "the domain waits": Fault("pure", "agents/domain/instant.py", "import asyncio"),
    "the domain throws dice": Fault("pure", "agents/domain/instant.py", "import random"),
    "the domain writes a log": Fault("pure", "agents/domain/instant.py", "import logging"),
    "the domain reads the environment": Fault("pure", "agents/domain/instant.py", "from os import environ"),
    "a contract opens a file": Fault("pure", "schemas/topics.py", "from pathlib import Path"),
    "an agent knows Faust": Fault("framework", "agents/ports.py", "import faust"),
    "an agent knows Kafka": Fault("framework", "agents/ports.py", "from aiokafka import AIOKafkaProducer"),
    "a contract knows ClickHouse": Fault("framework", "schemas/topics.py", "import clickhouse_connect"),
    "an agent counts for Prometheus": Fault("framework", "agents/ports.py", "from prometheus_client import Counter"),
}


def lint_imports(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [part for contract in contracts for part in ("--contract", contract)]
    return subprocess.run(
        [sys.executable, "-c", LINT, "--config", "pyproject.toml", "--no-cache", "--no-logo", *chosen],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The three packages and their configuration, free to be spoilt."""
    for package in ("schemas", "agents", "streams"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(copy: Path) -> None:
    done = lint_imports(copy)

    assert done.returncode == 0, done.stdout


def test_every_registered_connector_is_under_contract() -> None:
    registry = ast.parse((ROOT / "streams/connectors/connector_registry.py").read_text())
    imported = {node.module for node in ast.walk(registry) if isinstance(node, ast.ImportFrom) and node.module}
    registered = {name for name in imported if name.startswith("streams.connectors.")} - {CONNECTOR_PROTOCOL}

    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independent,) = (contract["modules"] for contract in contracts if contract["id"] == "connectors")
    assert {module.rpartition(".")[0] for module in registered} <= set(independent)


def test_every_contract_has_a_planted_fault() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {contract["id"] for contract in contracts} == {fault.contract for fault in FAULTS.values()}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(copy: Path, fault: Fault) -> None:
    spoilt = copy / fault.file
    spoilt.write_text(f"{spoilt.read_text()}\n{fault.line}\n" if spoilt.exists() else f"{fault.line}\n")

    done = lint_imports(copy, fault.contract)

    assert done.returncode == 1, done.stdout
    if spoilt.name == STRAY:
        assert f"{fault.file.split('/')[0]}.{spoilt.stem}" in done.stdout
        return
    module = fault.file.removesuffix(".py").replace("/", ".")
    assert f"{module} -> {fault.line.split()[1].split('.')[0]}" in " ".join(done.stdout.split())
