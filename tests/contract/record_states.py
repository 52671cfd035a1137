"""Records what today's agents remember: `python -m tests.contract.record_states NAME`.

It writes `recorded_states/NAME.json`. Run it for a release, never to make a test pass: a recording stands for bytes
that lie in somebody's changelog, and `test_recorded_states` reads every one of them for ever.
"""

import json
import sys
from base64 import b64encode
from pathlib import Path

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.domain.instant import DAY_US, HOUR_US, to_datetime
from agents.domain.issue_rules import IssueRules, OwnerRule
from agents.domain.issue_rules import to_published as to_published_rules
from agents.issue_agent import IssueAgent
from agents.ports import Record
from schemas.control import Control
from schemas.mention import Mention
from schemas.policy import to_published
from schemas.sla_event import SlaEvent
from schemas.topics import INTERACTIONS, MENTIONS, SLA_EVENTS
from streams.lane.changelog import to_value
from streams.lane.partition_states import PartitionStates
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.doubles import ListEffects, record_of
from tests.faults.fault_story import POLICY, invent
from tests.second_opinion.plain_calendar import moment_of

NOW = 1_772_452_800_000_000
"""2026-03-02 12:00 UTC."""
FOLDER = Path(__file__).resolve().parent / "recorded_states"


def main(name: str) -> None:
    """Let all agents live through a story and write down what they remember."""
    conversations, effects = PartitionStates(), ListEffects()
    agent = ConversationAgent(conversations, effects)
    agent.process([activation(), *_story()], NOW)
    accounts = PartitionStates()
    events = [event for event in effects.on(SLA_EVENTS) if isinstance(event, SlaEvent)]
    AccountAgent(accounts, ListEffects()).process(
        [record_of(SLA_EVENTS, each.account_id, each, offset=at, appended_at=NOW) for at, each in enumerate(events)],
        NOW,
    )
    issues = PartitionStates()
    IssueAgent(issues, ListEffects()).process(_mentions(), NOW)
    recorded = {
        "conversation": _values(conversations),
        "account": _values(accounts),
        "issue": _values(issues),
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def activation() -> Record:
    """The policies of the stories, in force since long ago."""
    policy_file = read_policy_text(POLICY.format(version="1"), Problems("recorded"))
    if policy_file is None:
        raise SystemExit("the policy of the story cannot be read")
    control = Control(
        id="policy",
        kind="policy_activated",
        as_of=moment_of(0).replace(year=2020),
        policy_text=to_published(policy_file),
    )
    return record_of(INTERACTIONS, None, control, offset=0, appended_at=NOW)


def _story() -> list[Record]:
    story = invent(7, 12, NOW)
    return [
        Record(INTERACTIONS, 0, offset, record.key, record.value, [], NOW)
        for offset, record in enumerate(story.records(), start=1)
    ]


def _mentions() -> list[Record]:
    """A day of three accounts, and rules, so that the state stands there whole and steps behind it."""
    rules = Control(
        id="rules",
        kind="issues_activated",
        as_of=moment_of(0).replace(year=2020),
        policy_text=to_published_rules(IssueRules(version="1", owners=(OwnerRule(owner="support"),))),
    )
    found = [
        Mention(
            id=f"c{number}/m",
            account_id=f"account-{number % 3}",
            occurred_at=to_datetime(NOW - DAY_US + number * HOUR_US),
            words=("printer", "smoke", "again"),
        )
        for number in range(24)
    ]
    log: list[Mention | Control] = [*found[:20], rules, *found[20:]]
    keys = [each.account_id if isinstance(each, Mention) else None for each in log]
    return [
        record_of(MENTIONS, key, each, offset=at, appended_at=NOW)
        for at, (key, each) in enumerate(zip(keys, log, strict=True))
    ]


def _values(states: PartitionStates) -> dict[str, str]:
    return {key: b64encode(to_value(kept)).decode() for key, kept in sorted(states.changes.items()) if kept is not None}


if __name__ == "__main__":
    main(*sys.argv[1:])
