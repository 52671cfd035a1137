"""What people get wrong on the command line comes back as a sentence and an exit status, never as a stack trace."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app


@pytest.fixture
def closed() -> Iterator[str]:
    """An address where nobody listens, and nobody else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text("version: v1\npolicies:\n  - {id: everyone, targets: {first_response: 4h}}\n", encoding="utf-8")
    return path


def careline(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"CARELINE_CLICKHOUSE": "chdb://memory", **variables})


def assert_told(result: Result, status: int, *words: str) -> None:
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output


@pytest.mark.parametrize(
    "command",
    [
        "topics list",
        "topics create",
        "topics describe interactions",
        "rejected list",
        "rejected show x",
        "rejected redrive x",
        "policy publish POLICY",
        "doctor",
    ],
)
def test_an_absent_kafka_is_told_with_its_address_and_the_way_out(command: str, closed: str, policy: Path) -> None:
    result = careline(*command.replace("POLICY", str(policy)).split(), CARELINE_KAFKA=closed)

    assert_told(result, 1, closed, "CARELINE_KAFKA")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("topics describe interaction", ["did you mean 'interactions'"]),
        ("rejected list --reason not-json", ["did you mean 'not_json'"]),
        ("rejected redrive", ["--all with --reason"]),
        ("rejected redrive --all", ["--all with --reason"]),
        ("rejected redrive x --all --reason not_json", ["--all with --reason"]),
    ],
)
def test_a_wrong_command_line_is_told_before_kafka_is_asked(command: str, words: list[str], closed: str) -> None:
    assert_told(careline(*command.split(), CARELINE_KAFKA=closed), 2, *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["there is no such file"]),
        ("version: v1\npolicies:\n  - {id: a, targets: {first_response: soon, first_reply: 4h}}\n", [":3:", "soon"]),
        ("version: [\n", ["policy.yaml:"]),
    ],
    ids=["absent", "two mistakes", "no YAML"],
)
def test_a_wrong_policy_file_is_told_with_every_mistake_before_kafka_is_asked(
    text: str | None, words: list[str], closed: str, policy: Path
) -> None:
    if text is None:
        policy.unlink()
    else:
        policy.write_text(text, encoding="utf-8")

    assert_told(careline("policy", "publish", str(policy), CARELINE_KAFKA=closed), 2, *words)


@pytest.mark.parametrize("folder", [".", "/"], ids=["here", "the root"])
@pytest.mark.parametrize(
    "command",
    [
        "policy run --policies POLICY --mapping MAPPING FOLDER",
        "policy diff POLICY POLICY --mapping MAPPING --events FOLDER",
        "policy explain c1 --policies POLICY --mapping MAPPING FOLDER",
        "import --dry-run --mapping MAPPING FOLDER",
    ],
)
def test_a_folder_where_history_is_asked_for_is_told(command: str, folder: str, policy: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text('format: csv\nconversation: "{id}"\nevents: [{at: "{at}", from: customer}]\n', encoding="utf-8")
    words = {"POLICY": str(policy), "MAPPING": str(mapping), "FOLDER": folder}

    assert_told(careline(*(words.get(word, word) for word in command.split())), 2, f"{folder}: error: ", "directory")


def test_a_variable_that_cannot_be_understood_is_named() -> None:
    assert_told(careline("topics", "list", CARELINE_PARTITIONS="many"), 2, "CARELINE_PARTITIONS", "'many'")


@pytest.mark.parametrize("command", ["topics", "rejected", "policy"])
def test_a_family_of_commands_explains_itself(command: str) -> None:
    assert "Usage" in careline(command).output
