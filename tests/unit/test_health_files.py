"""Profile files: every mistake with its place and a way out, all at once; what is odd is doubted."""

from pathlib import Path

import pytest

from agents.domain.health_profile import HealthFile
from agents.domain.health_verdict import Account, HealthBook
from agents.domain.normalisation import MILLION, Steps
from agents.domain.signal_reading import Observation
from streams.health_files.health_case_reader import read_health_cases
from streams.health_files.profile_reader import read_profile_text
from streams.health_files.snapshot_mapping import read_snapshot_mapping
from streams.policy_files.problem import Problem, Problems

DOCUMENT = Path(__file__).parents[2] / "docs/health.md"
GOOD = """\
version: 1
signals:
  logins: {normalise: {linear: {from: 0, to: 20}}}
  plan: {normalise: {tiers: {gold: 100, trial: 0}}}
profiles:
  - id: everyone
    components:
      usage: {weight: 1, signals: {logins: 1, plan: 1}}
"""


def found(text: str) -> tuple[HealthFile | None, list[Problem], list[Problem]]:
    problems = Problems("p.yaml")
    return read_profile_text(text, problems), problems.errors, problems.warnings


def with_line(key: str, line: str) -> str:
    """The good file with another line in place of the one that has the key."""
    lines = GOOD.splitlines()
    (place,) = [number for number, each in enumerate(lines) if each.strip().startswith(f"{key}:")]
    indent = len(lines[place]) - len(lines[place].lstrip())
    return "\n".join([*lines[:place], " " * indent + line, *lines[place + 1 :]]) + "\n"


def test_a_signal_may_have_the_name_of_a_field_of_the_account() -> None:
    file, errors, _ = found(
        GOOD.replace("plan", "contract") + "    caps: [{when: {contract: trial}, at_most: 39, because: a trial}]\n"
    )
    assert (file is not None, errors) == (True, [])
    assert file is not None
    book = HealthBook(file)
    account = Account("a", {"account": "a", "contract": "gold"})
    verdict = book.judge(account, {"contract": [Observation(0, "trial")], "logins": [Observation(0, 20 * MILLION)]}, 1)
    assert (verdict.score, [part.because for part in verdict.parts if part.because]) == (39_00, ["a trial"])


def test_the_published_example_is_right() -> None:
    section = DOCUMENT.read_text().split("## A profile file")[1]
    file, errors, warnings = found(section.split("```yaml\n")[1].split("```")[0])
    assert errors == []
    assert [warning.message for warning in warnings] == ["signal 'plan' is declared and counts nowhere"]
    assert file is not None
    assert (file.profiles[0].dwell_us, file.profiles[0].hysteresis) == (3_600_000_000, 3_00)
    assert [(rule.name, rule.weight) for _, rule in file.profiles[0].signals[:2]] == [
        ("adherence_7d", 2),
        ("overdue_clocks", 1),
    ]
    assert file.signals["complaint"].normalise == Steps(((0, 100_00), (MILLION, 20_00), (3 * MILLION, 0)))


@pytest.mark.parametrize(
    ("key", "line", "place", "message", "suggestion"),
    [
        ("version", "verison: 1", (1, 1), "unknown key 'verison'", "did you mean 'version'?"),
        ("logins", "logins: {normalize: {linear: {from: 0, to: 2}}}", (3, 12), "unknown key", "'normalise'"),
        ("logins", "logins: {normalise: {linear: {from: 3, to: 3}}}", (3, 46), "begins where it ends", "`steps`"),
        ("logins", "logins: {normalise: {linear: {from: 3}}}", (3, 32), "has no 'to'", "add `to:`"),
        ("logins", "logins: {normalise: {steps: {}}}", (3, 31), "must be a table", "for example"),
        ("logins", "logins: {normalise: {steps: {a: 1}}}", (3, 32), "'a' is not a number", "`tiers`"),
        (
            "logins",
            "logins: {normalise: {steps: {1: 2, 1.0: 3}}}",
            (3, 38),
            "occurs twice, first in line 3",
            "keep one",
        ),
        ("logins", "logins: {normalise: {steps: {1: 101}}}", (3, 35), "101 is impossible", "0 to 100"),
        ("logins", "logins: {normalise: {steps: {1: 1}, tiers: {a: 1}}}", (3, 23), "in 2 ways", "choose one"),
        ("logins", "logins: {normalise: {trajectory: {from: 0, to: 1}}}", (3, 36), "has no 'over'", "add `over:`"),
        ("logins", "logins: {ttl: 0d, normalise: {steps: {1: 1}}}", (3, 17), "ttl cannot be 0", "14d"),
        ("logins", "logins: {half_life: 2 weeks, normalise: {steps: {1: 1}}}", (3, 23), "not a duration", "14d"),
        ("logins", "logins: {missing: none, normalise: {steps: {1: 1}}}", (3, 21), "cannot be 'none'", "neutral"),
        ("logins", "logins: {}", (8, 36), "has no `normalise`", "declare under `signals:`"),
        ("logins", "band: {normalise: {steps: {1: 1}}}", (3, 3), "means something else", "another name"),
        ("plan", "plan: {normalise: {tiers: {Gold: 1, gold: 2}}}", (4, 39), "occurs twice", "case"),
        ("usage", "usage: {weight: 0, signals: {logins: 1}}", (8, 23), "weight of 0 is impossible", "above 0"),
        ("usage", "usage: {weight: -1, signals: {logins: 1}}", (8, 23), "weight of -1 is impossible", "above 0"),
        ("usage", "usage: {weight: 1, signals: {login: 1}}", (8, 36), "nobody declares", "did you mean 'logins'?"),
        ("usage", "usage: {weight: 1, signals: {logins: x}}", (8, 44), "must be a number", "digits"),
        ("usage", "usage: {weight: 1, signals: {}}", (8, 35), "with something in it", "logins_per_week"),
        ("usage", "usage: {signals: {logins: 1}}", (8, 14), "has no 'weight'", "add `weight:`"),
    ],
)
def test_a_mistake_has_its_place_and_a_way_out(
    key: str, line: str, place: tuple[int, int], message: str, suggestion: str
) -> None:
    file, errors, _ = found(with_line(key, line))
    assert file is None
    told = [error for error in errors if message in error.message]
    assert told, [error.as_line() for error in errors]
    assert (told[0].line, told[0].column) == place, told[0].as_line()
    assert suggestion in (told[0].suggestion or "")


PROFILE_LINES = [
    ("when: {teir: gold}", "unknown key 'teir'", "did you mean 'tier'?"),
    ("bands: {red: 0, ambr: 40}", "'ambr' is not a band", "did you mean 'amber'?"),
    ("bands: {red: 0, amber: 140}", "140 is impossible", "0 to 100"),
    ("bands: {red: 70, green: 0}", "upside down", "red begins at 0"),
    ("bands: {red: 10, green: 70}", "below 10 are in no band", "write red: 0"),
    ("bands: {red: 0, amber: 0}", "begin at the same score", "nobody could be in the first"),
    ("hysteresis: -1", "-1 is impossible", "0 to 100"),
    ("dwell: soon", "not a duration", "write it as"),
    ("caps: [{at_most: 3, because: b}]", "has no 'when'", "add `when:`"),
    ("caps: [{when: {logins: 1}, at_most: 3}]", "has no 'because'", "add `because:`"),
    ("caps: [{when: {band: red}, at_most: 3, because: b}]", "cannot ask for the band", "ask for signals"),
    ("caps: [{when: {loggins: 1}, at_most: 3, because: b}]", "nobody declares", "did you mean 'logins'?"),
    ("caps: [{when: {logins: high}, at_most: 3, because: b}]", "not a comparison with a number", '">= 1"'),
    ('caps: [{when: {logins: "=> 1"}, at_most: 3, because: b}]', "is not a comparison", "did you mean '>= 1'?"),
    ('caps: [{when: {plan: ">= 1"}, at_most: 3, because: b}]', "compares what is a word", '"!= word"'),
    ("caps: [{when: {plan: silver}, at_most: 3, because: b}]", "no tier of 'plan'", "gold"),
    ("caps: [{when: {logins: 1}, at_most: 3, because: b, until: 2026-03-01}]", "has no offset", "2026-03-02"),
    ("floors: [{when: {logins: 1}, at_most: 3, because: b}]", "unknown key 'at_most'", "at_least"),
]


@pytest.mark.parametrize(("line", "message", "suggestion"), PROFILE_LINES)
def test_a_mistake_of_a_profile(line: str, message: str, suggestion: str) -> None:
    file, errors, _ = found(f"{GOOD}    {line}\n")
    assert file is None
    told = [error for error in errors if message in error.message]
    assert told, [error.as_line() for error in errors]
    assert told[0].line == 9
    assert suggestion in (told[0].suggestion or "")


@pytest.mark.parametrize(
    ("play", "message", "suggestion"),
    [
        ("{id: a, when: {band: gren}, action: x}", "there is no band 'gren'", "did you mean 'green'?"),
        ("{id: a, when: {}, action: 'Call {acount}'}", "stand for {acount}", "did you mean 'account'?"),
        ("{id: a, action: x}", "has no 'when'", "add `when:`"),
        ("{id: a, when: {profile: nobody}, action: x}", "no profile 'nobody'", "everyone"),
        ("{id: a, when: {score: good}, action: x}", "not a comparison with a number", ">= 1"),
    ],
)
def test_a_mistake_of_a_play(play: str, message: str, suggestion: str) -> None:
    _, errors, _ = found(f"{GOOD}plays: [{play}]\n")
    assert [error.message for error in errors if message in error.message], [error.as_line() for error in errors]
    assert suggestion in (errors[0].suggestion or "")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = with_line("usage", "usage: {weight: 0, signals: {login: -1}}").replace("trial: 0", "trial: 101")
    _, errors, _ = found(text + "    dwell: soon\n")
    assert [(error.line, error.column) for error in errors] == [(4, 48), (8, 23), (8, 36), (8, 43), (9, 12)]


def test_a_profile_out_of_reach_is_an_error() -> None:
    second = "  - id: gold\n    when: {tier: gold}\n    components: {usage: {weight: 1, signals: {logins: 1}}}\n"
    _, errors, _ = found(GOOD + second)
    assert [error.message for error in errors] == [
        "profile 'gold' can never match: 'everyone' (line 6) takes all it could"
    ]
    first, everyone = second, GOOD.split("profiles:\n")[1]
    file, errors, _ = found(GOOD.split("profiles:\n", maxsplit=1)[0] + "profiles:\n" + first + everyone)
    assert file is not None, errors


def test_a_profile_that_several_leave_nothing_to_is_a_doubt() -> None:
    profile = (
        "  - id: {0}\n    when: {{tier: [{1}]}}\n    components: {{usage: {{weight: 1, signals: {{logins: 1}}}}}}\n"
    )
    told = "".join(profile.format(*each) for each in (("a", "gold"), ("b", "silver"), ("c", "gold, silver")))
    head, everyone = GOOD.split("profiles:\n")
    file, errors, warnings = found(f"{head}profiles:\n{told}{everyone}")
    assert file is not None, errors
    assert [warning.message.split(" (")[0] for warning in warnings] == ["profile 'c' can never match: 'a'"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("    caps: [{when: {logins: 0}, at_most: 100, because: b}]", "without effect: no score is above 100"),
        ("    floors: [{when: {logins: 0}, at_least: 0, because: b}]", "without effect: no score is below 0"),
        ("    caps: [{when: {}, at_most: 50, because: b}]", "nobody can reach band 'green'"),
        (
            "    caps: [{when: {logins: 0}, at_most: 50, because: b, until: 2020-01-01T00:00:00Z}]",
            "without effect: it has expired",
        ),
        ("    hysteresis: 35", "nobody can rise into band 'green'"),
        ("    hysteresis: 40", "nobody can fall into band 'red'"),
        ("    when: {tier: gold}", "no profile is for everyone else"),
        ("    when: {tier: gold, not: {tier: gold}}", "can never match"),
        ("plays: [{id: a, when: {}, action: x}, {id: a, when: {plan: gold}, action: y}]", "is never taken"),
    ],
)
def test_what_is_odd_is_doubted(lines: str, message: str) -> None:
    file, errors, warnings = found(f"{GOOD}{lines}\n")
    assert file is not None, errors
    assert any(message in warning.message for warning in warnings), [warning.as_line() for warning in warnings]
    assert all(warning.line is not None and warning.suggestion for warning in warnings)


def test_a_signal_that_says_nothing_or_counts_nowhere_is_doubted() -> None:
    _, _, warnings = found(with_line("logins", "logins: {normalise: {steps: {0: 50, 3: 50}}}"))
    assert [warning.message for warning in warnings] == ["signal 'logins' comes to the same score whatever its value"]
    _, _, warnings = found(with_line("plan", "plan: {normalise: {tiers: {a: 1, b: 2}}}\n  csat: {ttl: 30d}"))
    assert [warning.message for warning in warnings] == ["signal 'csat' is declared and counts nowhere"]


def test_weights_are_any_positive_numbers() -> None:
    file, errors, _ = found(with_line("usage", "usage: {weight: 0.5, signals: {logins: 2.50, plan: 1e2}}"))
    assert file is not None, errors
    assert [rule.weight for _, rule in file.profiles[0].signals] == [25, 1000]


def test_a_built_in_signal_keeps_what_a_file_does_not_change() -> None:
    file, _, _ = found(with_line("plan", "csat: {ttl: 10d, missing: worst}").replace("plan: 1", "csat: 1"))
    assert file is not None
    csat = file.signals["csat"]
    assert (csat.ttl_us, csat.missing, csat.half_life_us) == (10 * 86_400_000_000, "worst", 30 * 86_400_000_000)
    assert csat.normalise == ((0, 0), (100 * MILLION, 100_00))


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("account: acme\nsignals: {logins: '{l}'}", "`account` names no column", "{column}"),
        ("account: '{id}'\nsignals: {login: '{l}'}", "nobody declares", "did you mean 'logins'?"),
        ("account: '{id}'\nsignals: {logins: {l}}", "must be a text", '"{l}"'),
        ("account: '{id}'", "has no 'signals'", "add `signals:`"),
        ("account: '{id}'\nsignals: {logins: '{l}'}", "has no 'label'", "add `label:`"),
        ("account: '{id}'\nsignals: {logins: '{l}'}\ntime_zone: Mars", "not a time zone", "IANA"),
        ("account: '{id}'\nsignals: {logins: '{l}'}\nvalue_map: {plan: {a: b}}", "unknown key 'plan'", "label"),
    ],
)
def test_a_mistake_of_a_mapping(tmp_path: Path, text: str, message: str, suggestion: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"format: csv\n{text}\n")
    problems = Problems(str(path))
    profiles, _, _ = found(GOOD)
    assert read_snapshot_mapping(path, profiles, problems, needs_label=True) is None
    told = [error for error in problems.errors if message in error.message]
    assert told, [error.as_line() for error in problems.errors]
    assert suggestion in (told[0].suggestion or "")


@pytest.mark.parametrize(
    ("line", "message", "suggestion"),
    [
        ("- {expect: {score: 1}}", "has no 'signals'", "add `signals:`"),
        ("- {signals: high}", "must be a table of names and values", "{csat: 80}"),
        ("- {signals: {login: 1}}", "nobody declares", "did you mean 'logins'?"),
        ("- {signals: {logins: many}}", "must be a number", "digits"),
        ("- {signals: {logins: 9e99}}", "too large", "larger unit"),
        ("- {signals: {plan: silver}}", "'silver' is no tier of 'plan'", "gold"),
        ("- {signals: [{at: yesterday, logins: 1}]}", "'yesterday' is not an instant", "2026-03-02"),
        ("- {signals: {}, override: {score: 1}}", "has no 'because'", "add `because:`"),
        ("- {signals: {}, override: {score: 101, because: x}}", "101 is impossible", "0 to 100"),
        ("- {signals: {}, expect: {scores: 1}}", "unknown key 'scores'", "did you mean 'score'?"),
        ("- {signals: {}, expect: {change: new}}", "cannot be 'new'", "initial"),
        ("- {signals: {}, expect: {contributions: {login: 1}}}", "unknown key 'login'", "did you mean 'logins'?"),
        ("- {signals: {}, expect: {changes: [{bands: red}]}}", "unknown key 'bands'", "did you mean 'band'?"),
        ("- {signals: {}, expect: red}", "must be a table", "its keys"),
        ("- {signals: {}, now: 2026-03-02}", "has no offset", "2026-03-02T14:30:00Z"),
        ("- {signals: {}, children: [{id: a, score: 1}]}", "no profile scores by children", "`children: mean`"),
        ("- {signals: {}, children: [{id: a}]}", "a child has no 'score'", "add `score:`"),
        ("- {signals: {}, children: [{score: null}]}", "a child has no 'id'", "add `id:`"),
        ("- {signals: {}, children: [{id: a, score: null, band: null}]}", "unknown key 'band'", "id, score, mrr"),
        ("- {signals: {}, children: [{id: a, score: 101}]}", "101 is impossible", "0 to 100"),
        ("- {signals: {}, children: [{id: a, score: 1}, {id: a, score: 2}]}", "'a' is a child twice", "of its own"),
        ("- {signals: {}, account: {id: b}, children: [{id: b, score: 1}]}", "cannot be its own child", "of its own"),
        ("- {signals: {}, children: {id: a, score: 1}}", "children must be a list", "[ ]"),
    ],
)
def test_a_mistake_of_a_test(tmp_path: Path, line: str, message: str, suggestion: str) -> None:
    (tmp_path / "p.yaml").write_text(GOOD)
    path = tmp_path / "t.yaml"
    path.write_text(f"profiles: p.yaml\ntests:\n  {line}\n")
    cases, problems = read_health_cases(path)
    assert cases == []
    errors = [error for each in problems for error in each.errors]
    told = [error for error in errors if message in error.message]
    assert told, [error.as_line() for error in errors]
    assert (told[0].file, told[0].line) == (str(path), 3)
    assert suggestion in (told[0].suggestion or "")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("", "has no 'profiles'"),
        ("profiles: p.yaml\ninline: {}\n", "has both 'profiles' and 'inline'"),
        ("profiles: q.yaml\n", "there is no profile file 'q.yaml'"),
        ("inline: {version: 1}\n", "has no 'profiles'"),
        ("profiles: bad.yaml\n", "unknown key 'verison'"),
    ],
)
def test_a_mistake_of_a_test_file(tmp_path: Path, head: str, message: str) -> None:
    (tmp_path / "p.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("version", "verison"))
    path = tmp_path / "t.yaml"
    path.write_text(f"{head}tests: []\n")
    cases, problems = read_health_cases(path)
    assert cases == []
    assert any(message in error.message for each in problems for error in each.errors)
