"""Records what today's agents remember of a rich life: `make record NAME=1.0`, once for a release.

It writes `recorded_states/NAME.json`: what lies in the changelogs half way through `recorded_lives`, and the logs of
these lives, so that a later release can go on from there and be compared with one that was never interrupted. A
recording is never changed, and never made to let a test pass: it stands for bytes that lie in somebody's changelog.
`test_recorded_states` reads every one of them for ever.
"""

import json
import sys
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agents.account_agent import AccountAgent
from agents.conversation_agent import ConversationAgent
from agents.issue_agent import IssueAgent
from agents.ports import Record
from schemas.topics import TOPICS
from streams.lane.changelog import to_value
from streams.lane.partition_states import PartitionStates
from tests.contract.recorded_lives import lives
from tests.doubles import ListEffects

FOLDER = Path(__file__).resolve().parent / "recorded_states"
AGENTS: dict[str, Any] = {"conversation": ConversationAgent, "account": AccountAgent, "issue": IssueAgent}
BATCH = 20
"""Records that are decided together: what is told once for a batch follows from where one ends."""


def main(name: str) -> None:
    """Let all agents live half of a life and write down what they remember, and the whole of it."""
    path = FOLDER / f"{name}.json"
    if path.exists():
        raise SystemExit(f"{path} is recorded already and never changes. Give this release a name of its own")
    recorded: dict[str, Any] = {"lives": {}}
    for agent, log in lives().items():
        states = PartitionStates()
        first, rest = halves(log)
        live(agent, states, first)
        recorded[agent] = {
            key: b64encode(to_value(kept)).decode() for key, kept in sorted(states.changes.items()) if kept is not None
        }
        recorded["lives"][agent] = [packed(first), packed(rest)]
    FOLDER.mkdir(exist_ok=True)
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def halves(log: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """The log cut at the end of a batch."""
    middle = len(log) // 2 // BATCH * BATCH
    return log[:middle], log[middle:]


def live(agent: str, states: PartitionStates, log: Sequence[Record]) -> ListEffects:
    """Let an agent decide records in batches; what it has told."""
    effects = ListEffects()
    living = AGENTS[agent](states, effects)
    for start in range(0, len(log), BATCH):
        living.process(log[start : start + BATCH], log[start].appended_at)
    return effects


def packed(log: Sequence[Record]) -> str:
    """Records as text, compressed: topic, partition, offset, key, value, headers, when it was appended."""
    fields = [(each.topic.name, *each[1:]) for each in log]
    return b64encode(zlib.compress(msgspec.msgpack.encode(fields), 9)).decode()


def unpacked(text: str) -> Iterator[Record]:
    """The records again."""
    topics = {topic.name: topic for topic in TOPICS}
    for name, partition, offset, key, value, headers, appended_at in msgspec.msgpack.decode(
        zlib.decompress(b64decode(text))
    ):
        found = [(header, bytes(content)) for header, content in headers]
        yield Record(topics[name], partition, offset, key, value, found, appended_at)


if __name__ == "__main__":
    main(*sys.argv[1:])
