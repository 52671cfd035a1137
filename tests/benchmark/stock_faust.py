"""What is compared with: the same events through stock Faust with a table, as its own guide would write it.

The agent keeps a count and the last status per conversation, far less than a clock; so the comparison flatters it.
"""

import asyncio
import json
import logging
import os
import sys
import time

import faust
from faust.types import StreamT

from schemas.topics import INTERACTIONS


def main(servers: str, prefix: str, enough: int) -> None:
    """Consume so many events, then print one line of JSON."""
    logging.disable(logging.WARNING)
    app = faust.App(
        "stock",
        broker=f"kafka://{servers}",
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=4,
        autodiscover=False,
    )
    topic = app.topic(prefix + INTERACTIONS.name, value_serializer="json", key_serializer="raw")
    table = app.Table("state", partitions=4)
    seen = 0
    began = 0.0

    @app.agent(topic)
    async def count(stream: StreamT[dict[str, str]]) -> None:
        nonlocal seen, began
        async for event in stream:
            if not seen:
                began = time.perf_counter()
            seen += 1
            conversation = event.get("conversation_id", "control")
            state = table.get(conversation) or {"events": 0}
            table[conversation] = {"events": state["events"] + 1, "status": event.get("status")}
            if seen == enough:
                seconds = time.perf_counter() - began
                sys.stdout.write(json.dumps({"records": seen, "events_per_second": seen / seconds}) + "\n")
                sys.stdout.flush()
                os._exit(0)

    async def run() -> None:
        await app.start()
        await app.wait_until_stopped()

    asyncio.run(run())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
