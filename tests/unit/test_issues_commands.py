"""`careline issues`: lines for machines, a table for people, mistakes in words; and what docs/issues.md shows is so."""

import csv
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.domain.instant import DAY_US, HOUR_US, to_datetime
from schemas.issue_state import CustomerMessage
from streams.cli.issues_commands import issues_app
from tests.message_stories import MONDAY, quiet_story, story_with_issue

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/messages"
MAPPING = """\
format: csv
conversation: "{ticket}"
account: "{customer}"
events:
  - {at: "{at}", from: "{who}", text: "{text}", public: "{public}"}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(issues_app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def written(folder: Path, messages: list[CustomerMessage], **columns: str) -> tuple[Path, Path]:
    (folder / "m.yaml").write_text(MAPPING)
    with (folder / "h.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ticket", "customer", "at", "who", "text", "public"])
        for message in messages:
            who, public = columns.get("who", "customer"), columns.get("public", "true")
            rows.writerow([message.id, message.account, to_datetime(message.at).isoformat(), who, message.text, public])
    return folder / "m.yaml", folder / "h.csv"


def test_the_document_shows_what_the_command_prints() -> None:
    document = (ROOT / "docs/issues.md").read_text()
    (shown,) = re.findall(r"^```json\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    table = re.findall(r"^```text\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)[0]

    result = run("run", "--mapping", EXAMPLE / "mapping.yaml", EXAMPLE / "messages.csv")

    assert [json.loads(shown)] == lines(result)
    assert result.stderr == table


def test_a_line_has_the_promised_keys_and_nothing_else(tmp_path: Path) -> None:
    story = story_with_issue(21, is_novel=True, per_hour=30, days=8, per_day=300)
    mapping, history = written(tmp_path, story.messages)

    result = run("run", "--mapping", mapping, "--json", history)

    line = lines(result)[0]
    assert list(line) == ["at", "topic", "growth", "accounts", "messages"]
    assert re.fullmatch(r"2026-03-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(line["at"]))
    assert isinstance(line["growth"], float)
    assert set(line["accounts"]) <= story.planted_accounts | {one.account for one in story.messages}  # type: ignore[call-overload]
    assert all(text in {one.text for one in story.messages} for text in line["messages"])  # type: ignore[attr-defined]
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [{"who": "agent"}, {"who": "bot"}, {"public": "false"}])
def test_only_public_messages_of_customers_count(tmp_path: Path, columns: dict[str, str]) -> None:
    mapping, history = written(tmp_path, quiet_story(1, days=2, per_day=50).messages, **columns)

    result = run("run", "--mapping", mapping, history)

    assert lines(result) == []
    assert "no message of a customer has a text" in result.stderr


def test_the_order_of_rows_and_files_does_not_matter(tmp_path: Path) -> None:
    story = story_with_issue(21, is_novel=True, per_hour=30, days=8, per_day=300)
    mapping, history = written(tmp_path, story.messages)
    (tmp_path / "other").mkdir()
    (tmp_path / "more").mkdir()
    _, first = written(tmp_path / "other", story.messages[1::2][::-1])
    _, second = written(tmp_path / "more", story.messages[::2])

    assert lines(run("run", "--mapping", mapping, history)) == lines(run("run", "--mapping", mapping, first, second))


def test_a_message_that_stands_twice_counts_once(tmp_path: Path) -> None:
    story = story_with_issue(21, is_novel=True, per_hour=30, days=8, per_day=300)
    mapping, history = written(tmp_path, story.messages)

    assert lines(run("run", "--mapping", mapping, history)) == lines(run("run", "--mapping", mapping, history, history))


def test_a_file_that_is_too_short_to_judge_is_said_to_be(tmp_path: Path) -> None:
    messages = quiet_story(1, days=9, per_day=60).messages
    told = {}
    for count in (60, 150, len(messages)):
        mapping, history = written(tmp_path, messages[:count])
        told[count] = run("run", "--mapping", mapping, "--json", history).stderr

    assert "60 messages are too few: the first 60 only show what is usual" in told[60]
    assert re.search(r"150 messages of \d\.\d days say little of what is usual", told[150])
    assert told[len(messages)] == ""
    mapping, history = written(tmp_path, [one for one in messages if one.account == messages[0].account])
    assert "1 accounts wrote, and a surge needs 4" in run("run", "--mapping", mapping, "--json", history).stderr


def test_mistakes_are_told_to_programs_as_well(tmp_path: Path) -> None:
    mapping, history = written(tmp_path, quiet_story(1, days=1, per_day=20).messages)
    text = history.read_text()
    history.write_text(text.replace("2026-03-02T", "today ", 1))

    strict = run("run", "--mapping", mapping, "--json", "--strict", history)
    loose = run("run", "--mapping", mapping, "--json", history)
    mapping.write_text(MAPPING.replace("{text}", "{words}"))
    wrong = run("run", "--mapping", mapping, "--json", history)

    assert (strict.exit_code, loose.exit_code, wrong.exit_code) == (2, 0, 2)
    (error,) = json.loads(strict.stdout)["errors"]
    assert (error["file"], error["line"]) == (str(history), 2)
    assert error["message"].startswith("unreadable_time")
    assert "rejected, unreadable_time: 1" in loose.stderr
    (error,) = json.loads(wrong.stdout)["errors"]
    assert (error["file"], error["line"], error["column"]) == (str(mapping), 5, 39)


def test_how_much_is_a_surge_can_be_said(tmp_path: Path) -> None:
    story = story_with_issue(21, is_novel=True, per_hour=30, days=8, per_day=300)
    mapping, history = written(tmp_path, story.messages)

    assert lines(run("run", "--mapping", mapping, "--clarity", "200", history)) == []
    assert run("run", "--mapping", mapping, "--accounts", "1", history).exit_code == 2


def test_a_wrong_mapping_is_told_with_its_place(tmp_path: Path) -> None:
    mapping, history = written(tmp_path, [])
    mapping.write_text(MAPPING.replace("{ticket}", "{tikket}"))

    result = run("run", "--mapping", mapping, history)

    assert result.exit_code == 2
    assert "m.yaml:2" in result.stderr
    assert "ticket" in result.stderr


def test_who_stops_writing_is_told(tmp_path: Path) -> None:
    contacts = [
        CustomerMessage(id=f"{account}-{day}", at=MONDAY + day * DAY_US + 9 * HOUR_US, account=account, text="Hello")
        for account in ("acme", "beta", "gamma", "delta")
        for day in range(60)
        if account != "acme" or day < 30
    ]
    mapping, history = written(tmp_path, sorted(contacts, key=lambda one: one.at))

    (line,) = lines(run("silent", "--mapping", mapping, history))

    assert list(line) == ["at", "account", "last_at", "missing"]
    assert (line["account"], line["last_at"]) == ("acme", "2026-03-31T09:00:00Z")
