"""Scenes on both event loops: `careline connect` runs on uvloop where there is one, whose transports differ."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

SCENE_SECONDS = 60


def on_every_loop(scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene from the beginning on each loop that there is."""
    factories: list[Any] = [None]
    if find_spec("uvloop") is not None:
        factories.append(import_module("uvloop").new_event_loop)

    async def in_time() -> None:
        async with asyncio.timeout(SCENE_SECONDS):
            await scene()

    for factory in factories:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(in_time())
