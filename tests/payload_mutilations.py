"""Payloads that were broken on their way: keys dropped, values of other kinds, bytes cut off or changed.

`mutilations` goes through all of a payload, `mutilated` draws some changes at once; whatever comes of it, a connector's
reading must be sound (`assert_sound`).
"""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from schemas.codec import encode
from schemas.interaction import Interaction
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused

STRANGERS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    7,
    1.5,
    10**30,
    10**400,
    1e308,
    -1e308,
    253402300800,
    "",
    " ",
    "\x00",
    "@",
    "a@",
    "@b",
    "<![if x",
    "NaN",
    "teleported",
    "{{ticket.id}}",
    "2026-13-45",
    "0001-01-01T00:00:00+14:00",
    "9" * 600,
    "é" * 600,
    [],
    [None],
    [[]],
    ["a", {"b": 1}],
    {},
    {"a": None},
    {"id": 5},
    {"id": [1]},
)
"""What stands in a payload where something else should."""

_DROPPED = object()


def assert_sound(reading: Reading) -> None:
    """Whatever a reading holds can travel or says why not; an interaction knows where it belongs and who did it."""
    assert reading
    for item in reading:
        if isinstance(item, Draft):
            event = stamp(item, AccountsDirectory())
            assert encode(event)
            assert event.id
            if isinstance(event, Interaction):
                assert event.conversation_id.partition(":")[2]
                assert event.author.kind in {"customer", "agent", "bot", "system"}
            else:
                assert event.name
        elif isinstance(item, Ignored):
            assert item.reason.replace("_", "").isalpha()
        else:
            assert isinstance(item, Refused)
            assert item.detail


def mutilations(payload: Any) -> Iterator[bytes]:
    """A payload with each of its values dropped or exchanged, and cut off at many places."""
    whole = json.dumps(payload).encode()
    yield from (whole[: len(whole) * part // 40] for part in range(40))
    yield whole.replace(b"a", b"\xff", 1)
    for path in _places(payload):
        yield json.dumps(_changed(payload, path, _DROPPED)).encode()
        for stranger in STRANGERS:
            yield json.dumps(_changed(payload, path, stranger)).encode()


@st.composite
def mutilated(draw: st.DrawFn, samples: Sequence[Any]) -> bytes:
    """The bytes of one of these payloads with a few changes."""
    payload = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(_places(payload))))
        instead = _DROPPED if draw(st.booleans()) else copy.deepcopy(draw(st.sampled_from(STRANGERS)))
        payload = _changed(payload, path, instead) if path else payload
    body = json.dumps(payload).encode()
    if draw(st.booleans()):
        return body
    at = draw(st.integers(0, len(body)))
    if draw(st.booleans()):
        return body[:at]
    return body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 3)) :]


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield before
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from _places(each, (*before, key))


def _changed(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return None if by is _DROPPED else by
    first, *rest = path
    copied = dict(value) if isinstance(value, dict) else list(value)
    if not rest and by is _DROPPED:
        del copied[first]
    else:
        copied[first] = _changed(copied[first], tuple(rest), by)
    return copied
