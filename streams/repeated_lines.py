"""Keeps a log readable while Kafka is away: the same complaint of a client is written once in a while.

aiokafka tries again every few milliseconds, which is what a transaction wants, and says so each time, which nobody
wants. `streams.cli.work_command` and other long-running commands put the filter before their handlers.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from typing_extensions import override

from streams.kafka_refusal import is_refusal

EVERY_SECONDS = 10.0
"""How often the same complaint is let through."""
MOST_REMEMBERED = 500
_NUMBERS = re.compile(r"[0-9]+")


class RepeatedLines(logging.Filter):
    """Lets a line of the named loggers through if none like it came within `EVERY_SECONDS`; counts the others.

    Lines are alike when they differ in numbers only. The next one that is let through says how many were left out. A
    refusal by Kafka comes without its stack trace.
    """

    def __init__(self, *loggers: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._loggers = loggers
        self._clock = clock
        self._said_at: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is worth reading."""
        if not any(record.name == name or record.name.startswith(f"{name}.") for name in self._loggers):
            return True
        if record.exc_info and isinstance(record.exc_info[1], BaseException) and is_refusal(record.exc_info[1]):
            # Whoever ends because of it says it in one line.
            record.exc_info = None
        text = _NUMBERS.sub("#", record.getMessage())
        now = self._clock()
        said_at, left_out = self._said_at.get(text, (-EVERY_SECONDS, 0))
        if now - said_at < EVERY_SECONDS:
            self._said_at[text] = (said_at, left_out + 1)
            return False
        self._said_at[text] = (now, 0)
        self._said_at.move_to_end(text)
        if len(self._said_at) > MOST_REMEMBERED:
            self._said_at.popitem(last=False)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like it meanwhile)", ()
        return True
