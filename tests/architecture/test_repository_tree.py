"""The rules of the house that no other tool sees: sizes, names, clocks, the environment, places, dependencies."""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.repository_files import ROOT, project_files, python_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
TOP_LEVEL = {"agents", "schemas", "streams", "deploy", "docs", "examples", "tests", ".ci"}
FIRST_PARTY = {"agents", "schemas", "streams", "tests"}
# Picked up by others: codecs and checksums by both Kafka clients, the engine by clickhouse-connect, zones by zoneinfo.
USED_BY_OTHERS = {"chdb", "cramjam", "crc32c", "lz4", "python-snappy", "tzdata", "zstandard"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
# A place of one machine, or the host of a package registry: neither means anything on another machine. The letters in
# brackets keep these lines from finding themselves.
PLACE = re.compile(
    r"(?:^|[^A-Za-z0-9_.$\-/}])/(?:wor[k]|far[m]|roo[t])/[A-Za-z.]"
    r"|https?://(?:files|registry|repo1?|proxy|static|index|deb)\.[a-z]"
    r"|pyp[i]\.org|pythonhoste[d]\.org|maven\.apach[e]\.org|crate[s]\.io|npmj[s]\.(?:org|com)"
)


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def matches(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def test_the_top_level_holds_the_rooms_and_nothing_else() -> None:
    assert {path.parts[0] for path in project_files() if len(path.parts) > 1} <= TOP_LEVEL


def test_every_folder_of_tests_is_a_package() -> None:
    # Without its __init__.py a folder such as tests/unit/agents would itself become the package `agents`.
    folders = {parent for path in python_files() for parent in path.parents if parent.parts[:1] == ("tests",)}

    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


def test_a_name_of_a_python_file_occurs_once() -> None:
    names = Counter(path.name for path in python_files() if not path.name.startswith("__"))

    assert [name for name, count in names.items() if count > 1] == []


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [str(path) for path in python_files() if DRAWERS & set(path.stem.split("_"))] == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path): len(text_of(path).splitlines()) for path in python_files()}

    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    # Tests are free: a test that holds a whole document is read like one.
    product = [path for path in python_files() if path.parts[0] in {"agents", "schemas", "streams"}]
    too_long = [
        f"{path}:{function.lineno} {function.name}"
        for path in product
        for function in functions(path)
        if (function.end_lineno or function.lineno) - function.lineno + 1 > LONGEST_FUNCTION
    ]

    assert too_long == []


def test_every_product_module_says_what_it_is_for() -> None:
    product = [path for path in python_files() if path.parts[0] in {"agents", "schemas", "streams"}]

    assert [str(path) for path in product if not ast.get_docstring(ast.parse(text_of(path)))] == []


def test_the_domain_never_asks_for_the_time() -> None:
    # `datetime.now` passes every import contract; ruff's DTZ objects only to the naive one.
    domain = [path for path in python_files() if path.parts[0] in {"agents", "schemas"}]

    assert matches(re.compile(r"\.(now|today|utcnow)\("), domain) == []


def test_nothing_in_the_domain_is_asynchronous() -> None:
    domain = [path for path in python_files() if path.parts[:2] == ("agents", "domain")]

    found = [f"{path}:{f.lineno}" for path in domain for f in functions(path) if isinstance(f, ast.AsyncFunctionDef)]
    assert found == []


def test_only_settings_reads_the_environment() -> None:
    product = [path for path in python_files() if path.parts[0] in {"agents", "schemas", "streams"}]
    allowed = Path("streams/settings.py")

    assert matches(re.compile(r"\bos\.environ\b|\bgetenv\b"), [path for path in product if path != allowed]) == []


def test_no_file_names_a_place_of_one_machine() -> None:
    assert matches(PLACE, [path for path in project_files() if path.suffix not in {".svg", ".png"}]) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("cd /" + "work/main", id="a folder of one machine"),
        pytest.param("see '/" + "root/.cache'", id="somebody's own folder"),
        pytest.param("--index-url https://" + "registry.example/simple", id="a registry"),
        pytest.param("from pypi" + ".org", id="a registry by name"),
    ],
)
def test_a_place_of_one_machine_is_recognised(line: str) -> None:
    assert PLACE.search(line)


@pytest.mark.parametrize("line", ["docs.example/work/x", "$PWD/work/x", "the network/root/cause", "./work/x"])
def test_other_paths_are_left_alone(line: str) -> None:
    assert not PLACE.search(line)


def test_the_lock_files_name_no_place_and_hash_everything() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        lines = text_of(Path(lock)).splitlines()
        entries = [line for line in lines if not line.startswith(" ")]
        assert all(re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; .+)? \\", line) for line in entries), lock
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line not in entries)
        assert not any(
            line.endswith("\\") and not following.startswith("    --hash")
            for line, following in zip(lines, [*lines[1:], ""], strict=True)
        )


def declared_dependencies() -> list[str]:
    project = tomllib.loads(text_of(Path("pyproject.toml")))
    declared = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *(one for group in project["dependency-groups"].values() for one in group),
    ]
    return sorted({re.split(r"[^A-Za-z0-9._-]", one)[0] for one in declared})


@pytest.mark.parametrize("name", declared_dependencies())
def test_a_dependency_is_locked_and_its_purpose_is_said(name: str) -> None:
    normal = re.sub(r"[-_.]+", "-", name).lower()

    assert f"\n{normal}==" in f"\n{text_of(Path('requirements-dev.lock'))}", "run `make lock`"
    assert re.search(rf"^\| `{re.escape(name)}` \|", text_of(Path("docs/dependencies.md")), re.MULTILINE)


def imported_modules(paths: list[Path]) -> set[str]:
    """Top-level names that are imported anywhere in these files, also inside functions and by `import_module`."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(text_of(path)))]
    absolute = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    late = [found for path in paths for found in re.findall(r"import_module\(\"([\w.]+)\"\)", text_of(path))]
    return {name.split(".")[0] for name in absolute + plain + late} - set(sys.stdlib_module_names) - FIRST_PARTY


def declared_for_running() -> set[str]:
    project = tomllib.loads(text_of(Path("pyproject.toml")))["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    return {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in declared}


def test_what_the_product_imports_is_declared_and_what_is_declared_is_used() -> None:
    # A package that came along with another one disappears when that one changes its mind.
    product = [path for path in python_files() if path.parts[0] in {"agents", "schemas", "streams"}]
    homes = packages_distributions()
    imported = {homes[name][0].lower().replace("_", "-") for name in imported_modules(product)}

    assert imported <= declared_for_running()
    assert declared_for_running() - imported <= USED_BY_OTHERS


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    def pins(lock: str) -> set[str]:
        return {line for line in text_of(Path(lock)).splitlines() if "==" in line}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")
