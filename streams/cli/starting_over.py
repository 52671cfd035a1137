"""Begin again as a new process, under the same number: what a process does whose memory is not to be trusted any more.

`careline work` and `careline enrich` do it; as from the first start they wait for Kafka with back-off.
"""

import logging
import os
import sys
from typing import NoReturn


def start_over(logger: str, why: str) -> NoReturn:
    """Replace this process by a new one of the same command, and say why."""
    logging.getLogger(logger).warning("%s: starting over, and waiting for Kafka", why)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "streams", *sys.argv[1:]])  # noqa: S606 - this very program
