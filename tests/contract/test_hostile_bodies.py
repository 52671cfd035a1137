"""A megabyte of anything takes no connector long, and breaks none: time is what an attacker would want of us.

Measured, a body takes a fifth of a second at most on a machine of 2024. Time is the processor's: that a machine is busy
with something else is no connector's doing.
"""

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, Refused, WebhookRequest
from streams.connectors.connector_registry import BUILT_IN
from tests.connect_bench import SENDERS
from tests.senders.sender import NOW

MEGABYTE = 1_000_000
MOST_SECONDS = 1.0

BODIES = {
    "a text that never ends": b'{"a": "' + b"x" * MEGABYTE,
    "lists in lists": b"[" * MEGABYTE,
    "objects in objects": b'{"a":' * (MEGABYTE // 5),
    "one key again and again": b"{" + b",".join([b'"a":1'] * (MEGABYTE // 6)) + b"}",
    "halves of characters": b'{"a":"' + rb"\ud83d" * (MEGABYTE // 6) + b'"}',
    "backslashes and half a character": b'{"a":"' + rb"\\" * (MEGABYTE // 2) + rb'\udc00"}',
    "many keys": b"{" + b",".join(b'"k%d":1' % index for index in range(MEGABYTE // 11)) + b"}",
    "a number of a million digits": b'{"id":' + b"9" * MEGABYTE + b"}",
    "many empty objects": b"[" + b"{}," * (MEGABYTE // 3) + b"{}]",
    "many numbers": b"[" + b"1," * (MEGABYTE // 2) + b"1]",
    "many fields of a form": b"a=1&" * (MEGABYTE // 4),
    "nothing but equals signs": b"=" * MEGABYTE,
    "many parts of a form": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * (MEGABYTE // 59),
    "nothing but delimiters": b"--x\n" * (MEGABYTE // 4),
    "a mail with many headers": b"From: a@b.example\r\n"
    + b"Received: from x; Mon, 2 Mar 2026 09:29:50 +0000\r\n" * (MEGABYTE // 51)
    + b"\r\nhi",
    "a mail to many": b"From: " + b"a@b.example," * (MEGABYTE // 12) + b"\r\n\r\nhi",
    "a mail with a long line": b"From: a@b.example\r\n\r\n" + b"> " * (MEGABYTE // 2),
    "a mail of attributions": b"From: a@b.example\r\n\r\n" + b"On Monday a wrote\n" * (MEGABYTE // 18),
    "a mail of parts": b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    + b"--x\r\n\r\n" * (MEGABYTE // 7),
    "a mail of open tags": b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + b"<div>" * (MEGABYTE // 5),
    "all bytes there are": bytes(range(256)) * (MEGABYTE // 256),
    "zero bytes": b"\0" * MEGABYTE,
}
TEXTS = ("<", "<!--", "<p>", "(", "> ", "\n", "a@", "<a@b>,", "=?utf-8?q?", "On a, b wrote:\n", "9", "aB", "{", "-")
"""What is repeated until it is a megabyte, and then stands in place of each text of a real payload."""

MANY_HEADERS = Headers([("content-type", "application/json"), *((f"x-{index}", "1") for index in range(20_000))])


@pytest.mark.parametrize("connector", [kind.id for kind in BUILT_IN])
def test_no_body_takes_a_connector_long(connector: str) -> None:
    for name, body in BODIES.items():
        _timed(connector, body, MANY_HEADERS if name == "many empty objects" else Headers([]), name)


@pytest.mark.parametrize("connector", [name for name, sender in SENDERS.items() if sender.json and not sender.kind])
def test_no_text_in_a_payload_takes_a_connector_long(connector: str) -> None:
    sender = SENDERS[connector]
    payload = json.loads(sender.payload)
    for turn, path in enumerate(_texts(payload)):
        piece = TEXTS[turn % len(TEXTS)]
        long = piece * (MEGABYTE // len(piece))
        _timed(connector, json.dumps(_with(payload, path, long)).encode(), Headers(sender.extra.items()), f"{path}")


def _timed(connector: str, body: bytes, headers: Headers, name: str) -> None:
    kind = next(kind for kind in BUILT_IN if kind.id == connector)
    normaliser = kind.normaliser(Instance(connector, connector))
    started = time.thread_time()
    reading = normaliser.normalise(WebhookRequest("POST", headers, body, NOW))
    seconds = time.thread_time() - started
    assert seconds < MOST_SECONDS, name
    assert reading, name
    assert all(isinstance(item, Draft | Ignored | Refused) for item in reading), name


def _texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from [(*path, key)] if isinstance(each, str) else _texts(each, (*path, key))


def _with(payload: Any, path: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(payload)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = text
    return changed
