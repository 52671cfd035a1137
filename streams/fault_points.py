"""Named places in the worker at which a test may break the process. Without being asked for they do nothing.

`CARELINE_FAULT=PLACE:COUNT:ACTION` breaks the process when it passes a place for the COUNTth time:
`transaction.sent:3:kill`. The places are `PLACES`: first those that a batch passes, in order. `tests/faults` uses it to
put a crash exactly between two steps; `streams.worker` hands it to the lanes.
"""

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

log = logging.getLogger("careline.work")

Place = Literal[
    "batch.taken",
    "batch.decided",
    "transaction.sent",
    "transaction.committed",
    "tick.due",
    "batch.counted",
    "worker.leaving",
]
"""Taken from the queue · decided in memory · sent, not committed · committed, not acknowledged · a timer's turn · told
to the metrics · told to stop, or unable to go on."""
PLACES: tuple[Place, ...] = get_args(Place)
ACTIONS = ("kill", "stop", "hang", "raise")

AtPlace = Callable[[Place], None]


class PlantedFault(RuntimeError):  # noqa: N818 - a fault on purpose
    """Raised where a test asked for it."""


class _Plan(NamedTuple):
    place: str
    turn: int
    action: str


def nothing_planted(place: Place) -> None:
    """What every process does that no test has asked for more."""


def planted(text: str | None) -> AtPlace:
    """What to call at each place.

    Raises:
        ValueError: the text names no place, count or action.
    """
    if not text:
        return nothing_planted
    plan = _read(text)
    passed = 0

    def at_place(place: Place) -> None:
        nonlocal passed
        if place != plan.place:
            return
        passed += 1
        if passed == plan.turn:
            _break(plan)

    return at_place


def check_fault(text: str) -> str:
    """The text, if it can be understood.

    Raises:
        ValueError: it cannot.
    """
    _read(text)
    return text


def _read(text: str) -> _Plan:
    place, _, rest = text.partition(":")
    count, _, action = rest.partition(":")
    if place not in PLACES or not count.isdigit() or int(count) < 1 or action not in ACTIONS:
        raise ValueError(f"{text!r} is not PLACE:COUNT:ACTION with one of {', '.join(PLACES)} and {', '.join(ACTIONS)}")
    return _Plan(place, int(count), action)


def _break(plan: _Plan) -> None:
    log.warning("a planted fault: %s at %s", plan.action, plan.place)
    if plan.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if plan.action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    if plan.action == "hang":
        while True:
            time.sleep(3600)
    raise PlantedFault(f"at {plan.place}")
