"""What `docs/sla.md` shows is what the engine does: every block of policy tests in it is run, and every log is read."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.control import Control
from schemas.interaction import Interaction
from schemas.policy import METRICS, PolicyFile
from streams.policy_files.case_reader import PolicyCase, read_cases
from streams.policy_files.located_yaml import Items, Node, Table, Text, parse_yaml
from streams.policy_files.policy_cases import run_cases
from streams.policy_files.policy_reader import read_policy_node
from streams.policy_files.problem import Problems
from tests.conversation_stories import Desk, activation, event, moment, seconds

DOCUMENT = (Path(__file__).parents[2] / "docs/sla.md").read_text()


def blocks() -> Iterator[tuple[str, str]]:
    """Every YAML block, named by the heading that it stands under and its place there."""
    for part in re.split(r"^#+ ", DOCUMENT, flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```$", part, re.DOTALL | re.MULTILINE), start=1):
            yield f"{heading}, block {number}", text


BLOCKS = [block for block in blocks() if "\ntests:" in block[1]]
LOGS = [block for block in blocks() if "\nlog:" in block[1]]


def cases_of(name: str, text: str, folder: Path) -> list[PolicyCase]:
    path = folder / "block.yaml"
    path.write_text(text)
    cases, problems = read_cases(path)
    found = [error for problem in problems for error in problem.errors]
    assert found == [], f"{name} cannot be read: {found}"
    assert cases, f"{name} has no tests"
    return cases


@pytest.mark.parametrize(("name", "text"), [pytest.param(*block, id=block[0]) for block in BLOCKS])
def test_a_block(name: str, text: str, tmp_path: Path) -> None:
    differences = [
        f"{name}: {result.case.name}: {list(result.differences)}"
        for result in run_cases(cases_of(name, text, tmp_path))
        if not result.passed
    ]
    assert differences == [], "\n".join(differences)


def test_every_metric_and_a_clock_of_ones_own_have_an_example(tmp_path: Path) -> None:
    cases = [case for name, text in BLOCKS for case in cases_of(name, text, tmp_path)]
    assert all(case.expected for case in cases), [case.name for case in cases if not case.expected]
    shown = {expectation.metric for case in cases for expectation in case.expected}
    assert set(METRICS) - shown == set()
    assert shown - set(METRICS) != set()


def test_every_fenced_block_is_a_test() -> None:
    assert DOCUMENT.count("```yaml") == DOCUMENT.count("```") / 2 == len(BLOCKS) + len(LOGS)
    assert BLOCKS
    assert LOGS


@pytest.mark.parametrize(("name", "text"), [pytest.param(*block, id=block[0]) for block in LOGS])
def test_a_log(name: str, text: str) -> None:
    problems = Problems(name)
    tree = parse_yaml(text, problems)
    assert isinstance(tree, Table), problems.errors
    written = {entry.key.text: entry.value for entry in tree}
    promised = read_policy_node(written.pop("inline"), problems)
    assert promised is not None, problems.errors
    block = {key: plain(node) for key, node in written.items()}
    desk = Desk(promised)
    for line in block["log"]:
        if "until" in line:
            desk.until(line["until"])
        else:
            desk.take(record_of(line, promised))
    assert {metric: desk.story(metric) for metric in block["says"]} == block["says"]
    flags = {view.id.removeprefix("c1/"): list(view.flags) for view in desk.views if view.flags}
    assert flags == block.get("flags", flags)
    for clock, outcomes in block.get("outcomes", {}).items():
        revised = [each.outcome for each in desk.events if each.kind == "outcome_revised" and f"c1/{clock}/" in each.id]
        assert revised == outcomes


def record_of(line: dict[str, Any], promised: PolicyFile) -> Interaction | Control:
    """A line of a log as the record that it stands for."""
    at = line["at"]
    if "heartbeat" in line:
        return Control(id=f"heartbeat/{at}", kind="heartbeat", as_of=moment(at), source="test")
    if "linked" in line:
        as_of, into = moment(at), line["linked"]
        return Control(id="linked", kind="account_linked", as_of=as_of, account_id="acme", into=into)
    if "first_response" in line:
        return activation(edited(promised, line["version"], line["first_response"]), moment(at))
    what = next(each for each in ("customer", "agent", "note", "status", "deleted", "team") if each in line)
    more = {key: value for key, value in line.items() if key not in {"at", what}}
    if "version" in more:
        more["version"] = int(more["version"])
    if what == "deleted":
        more["id"] = line["deleted"]
    elif what == "team":
        return event(at, "assigned", {"team": line["team"]})
    return event(at, what, line[what] if what == "status" else None, **more)


def edited(promised: PolicyFile, version: str, hours: str) -> PolicyFile:
    """Another version of a file, with another target of its first response."""
    (policy,) = promised.policies
    first = replace(policy.targets["first_response"], target=seconds(f"{hours.removesuffix('h')}:00"))
    return replace(promised, version=version, policies=(replace(policy, targets={"first_response": first}),))


def plain(node: Node) -> Any:
    """A tree as tables, lists and text."""
    if isinstance(node, Table):
        return {entry.key.text: plain(entry.value) for entry in node}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, Text)
    return node.text
