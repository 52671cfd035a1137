"""Payloads that were broken on their way: keys dropped, values of other kinds, bytes cut off or changed."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from schemas.codec import encode
from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Reading

ODD = st.sampled_from([None, True, 0, -1, 7, 1.5, 1e300, 10**30, "", " ", "odd", "\x00", [], [None], {}, {"id": 5}])
"""Values that may stand where another was expected."""


@st.composite
def mutilated(draw: st.DrawFn, samples: Sequence[Any]) -> bytes:
    """The bytes of one of these payloads with a few changes."""
    payload = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 3))):
        _change(draw, payload)
    body = json.dumps(payload).encode()
    if draw(st.booleans()):
        return body
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 3)) :]


def _change(draw: st.DrawFn, payload: Any) -> None:
    holder = payload
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inside = holder[key]
        if isinstance(inside, dict | list) and inside and draw(st.booleans()):
            holder = inside
            continue
        if draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = copy.deepcopy(draw(ODD))  # the next change may go into it
        return


def assert_sound(reading: Reading) -> None:
    """Whatever a reading holds can travel, and an interaction knows where it belongs and who did it."""
    assert reading
    for item in reading:
        if isinstance(item, Draft):
            assert encode(item.event)
            if isinstance(item.event, Interaction):
                event = item.event
                assert event.conversation_id.partition(":")[2]
                assert event.id
                assert event.author.id or event.author.kind in {"system", "bot"}
