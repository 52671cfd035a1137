"""What every test stands on: fixtures of other files, Hypothesis profiles, and the things a machine may lack.

A test that needs something absent is skipped with a reason that `-ra` prints. In CI the programs of `make tools` are
installed, so there their absence is a failure (`CARELINE_REQUIRE_TOOLS=1`).
"""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

pytest_plugins = [
    name for name in ("tests.fixtures_kafka", "tests.fixtures_clickhouse", "tests.fixtures_faults") if find_spec(name)
]

# Machines are shared and slow at times: how long an example takes says nothing about the code, so there is no deadline.
settings.register_profile(
    "local", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], max_examples=100
)
# In CI the examples are the same in every run: a red run is the fault of the change, and can be repeated anywhere.
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_report_header() -> str:
    """The first lines of a run name what could make two runs differ."""
    profile = "ci (fixed examples)" if os.environ.get("CI") else "local (random; a failure prints how to repeat it)"
    return f"careline: Hypothesis profile {profile}; shared data {'present' if SHARED.is_dir() else 'absent'}"


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder of pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with oracles, payloads and datasets that stands beside the project and is read in place."""
    if not SHARED.is_dir():
        pytest.skip("needs the folder ../shared (oracles, payloads, datasets), which is not here")
    return SHARED


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Finds a program of `make tools`, for example `tool("promtool")`; such tests carry the marker `tools`."""

    def find(program: str) -> str:
        found = shutil.which(program)
        if found is None and os.environ.get("CARELINE_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{program} is required here and missing: make tools")
        if found is None:
            pytest.skip(f"needs {program}: make tools")
        return found

    return find
