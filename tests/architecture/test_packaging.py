"""The three packages are ours, wherever Python is started, and the wheel holds them and nothing else."""

import subprocess
import sys
import zipfile
from importlib.util import find_spec

import pytest

from tests.architecture.repository_files import ROOT

PACKAGES = ("agents", "schemas", "streams")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_resolves_to_our_tree(name: str) -> None:
    # `agents` is also what openai-agents installs: whoever puts it into this environment must hear of it here.
    spec = find_spec(name)

    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out], cwd=ROOT, check=True)
    (built,) = out.glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


def test_the_wheel_holds_exactly_three_packages(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_every_file_of_the_packages(wheel: set[str]) -> None:
    data = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert data - wheel == set()


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_that_it_is_typed(name: str, wheel: set[str]) -> None:
    assert f"{name}/py.typed" in wheel


def test_the_wheel_brings_the_migrations_of_clickhouse_in_one_place(wheel: set[str]) -> None:
    migrations = {f"streams/sinks/migrations/{path.name}" for path in (ROOT / "deploy" / "clickhouse").glob("*.sql")}

    assert migrations
    assert {name for name in wheel if name.endswith(".sql")} == migrations


IMPORT_EVERYTHING = f"""
import importlib, pkgutil, threading
from prometheus_client import REGISTRY
names = [module.name for package in {PACKAGES} for module in pkgutil.walk_packages([package], package + ".")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
assert len(names) > 20, names
assert threading.active_count() == 1, threading.enumerate()
assert not [metric.name for metric in REGISTRY.collect() if metric.name.startswith("careline")]
"""


def test_importing_every_module_has_no_effect() -> None:
    # No client, no metric and no thread comes to life before somebody asks for it.
    done = subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING], cwd=ROOT, check=False)

    assert done.returncode == 0
