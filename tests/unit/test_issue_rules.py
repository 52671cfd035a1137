"""Files of issue rules: every mistake with its place, and the words of the example."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.domain.instant import DAY_US, HOUR_US
from agents.domain.issue_rules import (
    DEFAULT_RULES,
    IssueRules,
    OwnerRule,
    UnusableRulesError,
    from_published,
    owner_of,
    to_published,
)
from agents.domain.message_words import words_of
from agents.domain.topic_surge import Sensitivity
from streams.cli.main import app
from streams.policy_files.issue_rules_reader import read_issue_rules, read_issue_rules_text
from streams.policy_files.problem import Problems

EXAMPLE = Path(__file__).parents[2] / "examples/issues/support.yaml"


def test_the_example_says_the_defaults_and_whose_an_issue_is() -> None:
    problems = Problems(str(EXAMPLE))
    rules = read_issue_rules(EXAMPLE, problems)

    assert rules is not None
    assert [*problems.errors, *problems.warnings] == []
    assert rules.sensitivity == Sensitivity() == DEFAULT_RULES.sensitivity
    assert rules.rest_us == DAY_US
    assert from_published(to_published(rules)) == rules
    assert owner_of(rules, "issue_surge", ["cod", "authenticator cod"]) == "team-identity"
    assert owner_of(rules, "issue_surge", ["invoic"]) == "team-billing"
    assert owner_of(rules, "issue_surge", ["printer"]) == "support"
    assert owner_of(rules, "issue_silence") == "customer-success"
    assert owner_of(DEFAULT_RULES, "issue_silence") is None


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("owners: []", (1, 1), "has no 'version'"),
        ("version: 1\nsurges: {accounts: 1}", (2, 20), "accounts cannot be 1"),
        ("version: 1\nsurges: {accounts: 4.5}", (2, 20), "accounts cannot be 4.5"),
        ("version: 1\nsurges: {growth: 1}", (2, 18), "growth cannot be 1"),
        ("version: 1\nsurges: {clarity: much}", (2, 19), "clarity must be a number"),
        ("version: 1\nsurges: {rest: 0s}", (2, 16), "longer than nothing"),
        ("version: 1\nsurges: {rest: a day}", (2, 16), "not a duration"),
        ("version: 1\nsurge: {}", (2, 1), "unknown key 'surge'"),
        ("version: 1\nowners:\n  - when: {kind: surge}\n    owner: a", (3, 18), "kind cannot be 'surge'"),
        ("version: 1\nowners:\n  - when: {kind: issue_surge}", (3, 5), "has no 'owner'"),
        ("version: 1\nowners:\n  - {when: {kind: issue_silence, words: [x1y]}, owner: a}", (3, 42), "no words"),
        ("version: [1]", (1, 10), "version"),
        ("", (1, 1), ""),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: tuple[int, int], message: str) -> None:
    problems = Problems("rules.yaml")

    assert read_issue_rules_text(text, problems) is None
    assert any((each.line, each.column) == place and message in each.message for each in problems.errors), (
        problems.errors
    )


def test_what_is_never_asked_is_doubted() -> None:
    problems = Problems("rules.yaml")
    rules = read_issue_rules_text(
        "version: 1\nsurges: {rest: 12h}\nowners:\n  - owner: a\n  - {when: {words: [not]}, owner: b}", problems
    )

    assert rules == IssueRules(
        version="1", owners=(OwnerRule(owner="a"), OwnerRule(owner="b", words=("not",))), rest_us=12 * HOUR_US
    )
    assert [each.line for each in problems.warnings] == [5, 5]


def test_words_of_a_language_without_spaces_name_an_owner() -> None:
    problems = Problems("rules.yaml")
    text = "version: 1\nowners:\n  - {when: {words: [支払い, l'application]}, owner: a}"
    rules = read_issue_rules_text(text, problems)
    assert rules is not None
    assert not problems.warnings

    owners = [
        owner_of(rules, "issue_surge", [word.stem for word in words_of(told)])
        for told in ("支払いができません", "l'application plante", "支店はどこ")
    ]
    assert owners == ["a", "a", None]


@pytest.mark.parametrize("text", ["", "{}", '{"version": ""}', '{"version": "1", "growth": 1}', "[1]"])
def test_published_rules_that_nobody_can_judge_with_are_refused(text: str) -> None:
    with pytest.raises(UnusableRulesError):
        from_published(text)


def test_the_command_ends_with_the_status_of_what_it_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nowner: x")
    runner = CliRunner()

    assert runner.invoke(app, ["issues", "check", str(EXAMPLE)]).exit_code == 0
    told = runner.invoke(app, ["issues", "check", str(wrong)])
    as_json = runner.invoke(app, ["issues", "check", "--json", str(wrong)])

    assert told.exit_code == as_json.exit_code == 2
    assert "wrong.yaml:2:1: error: unknown key 'owner'" in told.output
    assert '"line": 2' in as_json.output


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"CARELINE_MODEL_URL": "ftp://x", "CARELINE_MODEL": "m"}, "CARELINE_MODEL_URL"),
        ({"CARELINE_MODEL_URL": "http://x/v1"}, "CARELINE_MODEL: the name"),
        ({"CARELINE_MODEL_URL": "http://x", "CARELINE_MODEL": "m", "CARELINE_MODEL_KEY_FILE": "/no/such"}, "KEY_FILE"),
        ({"CARELINE_MODEL_CALLS_PER_DAY": "-1"}, "CARELINE_MODEL_CALLS_PER_DAY"),
    ],
)
def test_settings_of_a_model_that_do_not_fit_together_are_the_users_mistake(
    settings: dict[str, str], told: str
) -> None:
    outcome = CliRunner().invoke(app, ["enrich", "--metrics", "127.0.0.1:0"], env=settings)

    assert outcome.exit_code == 2
    assert told in outcome.output
