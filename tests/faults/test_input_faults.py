"""F9, F10, F12 to F16: what comes in is broken, doubled, out of order, from the wrong time or release, or huge."""

import json
import random
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from schemas.topics import REJECTED
from tests.faults.fault_story import DAY, HOUR, Conversation, Record, invent
from tests.faults.house import House
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 600
EVERY = 7
"""Every seventh record is a poisonous one."""


def poison(number: int, conversation: Conversation) -> Record:
    """One of many things that nobody can understand, keyed like a good one beside it."""
    key = conversation.id.encode()
    good = conversation.body(conversation.events[0])
    nested = b"[" * 10_000
    kinds: list[Record] = [
        Record(key, b"{"),
        Record(key, b'{"id": 1}'),
        Record(key, good.replace(b'"id"', b'"id": NaN, "x"', 1)),
        Record(key, json.dumps({"id": "x", "version": 10**40}).encode()),
        Record(key, b'{"a":' * 10_000),
        Record(key, nested),
        Record(key, good.replace(b"customer", b"\xff\xfe", 1)),
        Record(key, None),
        Record(None, good),
        Record(b"another key", good),
        Record(key, conversation.body(conversation.events[0], type="teleported")),
        Record(key, conversation.body(conversation.events[0], occurred_at="1970-01-01T00:00:00Z")),
        Record(key, conversation.body(conversation.events[0], occurred_at="2999-01-01T00:00:00Z")),
        Record(key, conversation.body(conversation.events[0], occurred_at="2026-03-02T09:00:00")),
        Record(key, b""),
    ]
    return kinds[number % len(kinds)]


@pytest.mark.quick
def test_f9_poison_beside_good_ones(house: House, seed: int, now: int) -> None:
    """All of it ends in the dead letters with reason, place and bytes; the neighbours are as if it had never come."""
    story = invent(seed, CONVERSATIONS, now)
    conversations = list(story.conversations.values())
    figures = Figures("F9 poison", seed)
    mixed: list[Record] = []
    bad: list[Record] = []
    for number, record in enumerate(story.records()):
        mixed.append(record)
        if number % EVERY == 0:
            bad.append(poison(len(bad), conversations[number % len(conversations)]))
            mixed.append(bad[-1])
    house.publish_policy()
    worker = house.worker()
    house.send(mixed)
    wait_until_judged(house, len(mixed))

    letters = _letters(house)
    figures.lost += len(bad) - len(letters)
    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "rejected": len(bad)}
    assert Counter(letter.get("value") for letter in letters) == Counter(_base64(record.value) for record in bad)
    assert all({"reason", "origin"} <= letter.keys() and "offset" in letter["origin"] for letter in letters)
    assert worker.poll() is None


def test_f10_nothing_but_poison(house: House, seed: int, now: int) -> None:
    """A flood of it is a bad deployment: the worker stops and says why instead of emptying the topic."""
    story = invent(seed, 10, now)
    conversation = next(iter(story.conversations.values()))
    figures = Figures("F10 poison flood", seed)
    house.publish_policy()
    house.send([poison(0, conversation) for _ in range(30_000)])
    worker = house.worker()

    assert worker.wait(timeout=60) == 1
    assert "of the last records were rejected" in house.log_of(worker)
    judged = counted(house)["rejected"]
    figures.notes["judged of 30,000"] = judged
    figures.tell()
    assert judged < 30_000


@pytest.mark.quick
def test_f12_everything_three_times(house: House, seed: int, now: int) -> None:
    """The same events again and again, shuffled into one another: each counts once, and the count says so."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F12 duplicates", seed)
    once = story.records()
    house.publish_policy()
    house.worker()
    house.send(once)
    house.send(once)
    wait_until_judged(house, 2 * story.events)
    house.send(once)
    wait_until_judged(house, 3 * story.events)

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "duplicate": 2 * story.events}


@pytest.mark.quick
def test_f13_out_of_order(house: House, seed: int, now: int) -> None:
    """Within the bound any order gives the same; beyond it an event is counted as late and changes nothing."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F13 out of order and late", seed)
    records = story.records()
    random.Random(seed).shuffle(records)
    house.publish_policy()
    house.worker()
    house.send(records)
    wait_until_judged(house, story.events)
    conversations = list(story.conversations.values())
    too_late = [
        Record(
            each.id.encode(),
            each.body(replace(each.events[0], id=f"{each.id}-late", at=each.events[-1].at - 8 * DAY)),
        )
        for each in conversations[:50]
    ]
    house.send(too_late)
    wait_until_judged(house, story.events + len(too_late))

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "late": len(too_late)}


def test_f14_clocks_that_are_wrong(house: House, seed: int, now: int) -> None:
    """Producers an hour and ten years off: what is ahead is put aside, and nobody else's time moves."""
    story = invent(seed, 200, now)
    figures = Figures("F14 clock skew", seed)
    conversations = list(story.conversations.values())
    ahead = [
        Record(each.id.encode(), each.body(replace(each.events[0], id=f"{each.id}-{offset}", at=now + offset)))
        for each in conversations[:20]
        for offset in (HOUR, 3650 * DAY)
    ]
    house.publish_policy()
    worker = house.worker()
    house.send([*story.records()[:100], *ahead, *story.records()[100:]])
    wait_until_judged(house, story.events + len(ahead))

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "rejected": len(ahead)}
    assert Counter(letter["reason"] for letter in _letters(house)) == {"from_the_future": len(ahead)}
    assert worker.poll() is None


def test_f15_events_of_other_releases(house: House, seed: int, now: int) -> None:
    """Fields of tomorrow are left alone, optional ones may be missing, unknown types are put aside."""
    story = invent(seed, 300, now)
    figures = Figures("F15 schema evolution", seed)
    mixed: list[Record] = []
    unknown = 0
    for number, record in enumerate(story.records()):
        event: dict[str, Any] = json.loads(record.value or b"")
        if number % 3 == 0:
            event |= {"of_tomorrow": {"x": [1, None]}, "sentiment": 0.3}
        if number % 3 == 1:
            event.pop("received_at")
        mixed.append(replace(record, value=json.dumps(event).encode()))
        if number % 20 == 0:
            unknown += 1
            mixed.append(replace(record, value=json.dumps(event | {"id": f"u{number}", "type": "levitated"}).encode()))
    house.publish_policy()
    house.worker()
    house.send(mixed)
    wait_until_judged(house, len(mixed))

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "rejected": unknown}


def test_f16_huge_messages(house: House, seed: int, now: int) -> None:
    """Texts of 0.9 and 1.1 MB, a conversation of 3,000 events: judged like any other, and the state stays small."""
    story = invent(seed, 100, now)
    figures = Figures("F16 huge", seed)
    conversations = list(story.conversations.values())
    records = [
        *story.records(),
        *(
            Record(each.id.encode(), each.body(each.events[0], text="x" * size))
            for each, size in zip(conversations[:2], (900_000, 1_100_000), strict=True)
        ),
    ]
    first = conversations[2]
    end = first.events[-1].at
    chatter = [
        Record(
            first.id.encode(),
            first.body(replace(first.events[0], id=f"{first.id}-b{n}", by="bot", automated=True, at=end + n)),
        )
        for n in range(3_000)
    ]
    house.publish_policy()
    worker = house.worker()
    house.send([*records, *chatter])
    wait_until_judged(house, len(records) + len(chatter))

    compare(house, story, figures, now)
    assert_clean(figures)
    assert counted(house)["rejected"] == 0
    assert worker.poll() is None


def _letters(house: House) -> list[dict[str, Any]]:
    return [json.loads(value) for _, value in everything_in(house, REJECTED) if value]


def _base64(value: bytes | None) -> str | None:
    from base64 import b64encode

    return None if value is None else b64encode(value).decode()


def test_f11_no_place_for_dead_letters(house: House, seed: int, now: int) -> None:
    """Without their topic nothing is passed over: the batch is not committed, and goes on once the topic is there."""
    story = invent(seed, 200, now)
    conversations = list(story.conversations.values())
    figures = Figures("F11 dead letters refused", seed)
    bad = [poison(number, conversations[number]) for number in range(20)]
    house.publish_policy()
    house.send(story.records()[:50])
    worker = house.worker()
    wait_until_judged(house, 50)
    house.drop(REJECTED)
    house.send([*bad, *story.records()[50:], poison(21, conversations[0])])
    time.sleep(10)
    before = counted(house)["rejected"]
    house.create_topics()
    began = time.monotonic()
    if worker.poll() is not None:
        house.worker()  # it said what is missing and left, as its supervisor would see
    wait_until_judged(house, story.events + len(bad) + 1)
    figures.recover_seconds = time.monotonic() - began

    compare(house, story, figures, now)
    figures.notes["rejected while there was no place"] = before
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events, "rejected": len(bad) + 1}
