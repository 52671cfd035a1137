"""A Careline process of a release to come: `python -m tests.faults.next_release COMMAND...`.

It remembers one field more of everything, behind the others as the rule for states wants it, and says one more in
everything that it publishes. What it makes of both is nobody's business; what releases of today make of it is.
"""

import runpy
from typing import Any

import msgspec

from streams.lane import lane_effects
from streams.lane.lane import Lane

OF_TOMORROW = "of_tomorrow"
_JSON_FIELD = b',"of_tomorrow":{"x":[1,null]}}'


def become_the_next() -> None:
    """From now on this process writes what the next release does."""
    lanes: Any = Lane
    effects: Any = lane_effects
    write_changelog, encode = lanes._write_changelog, effects.encode

    def write_more(lane: Lane) -> None:
        if lane.kind.agent in {"conversation", "account"}:
            for key, kept in lane.states.changes.items():
                if kept is not None:
                    lane.states.changes[key] = kept._replace(state=_with_one_more(kept.state))
        write_changelog(lane)

    lanes._write_changelog = write_more
    effects.encode = lambda event: encode(event)[:-1] + _JSON_FIELD


def _with_one_more(state: bytes) -> bytes:
    """A state with a field more: an array, behind one byte for its version where there is one."""
    version = b"" if state[0] >= 0x90 else state[:1]
    fields = msgspec.msgpack.decode(state[len(version) :])
    return version + msgspec.msgpack.encode([*fields, {OF_TOMORROW: [1, None]}])


if __name__ == "__main__":
    become_the_next()
    runpy.run_module("streams", run_name="__main__", alter_sys=True)
