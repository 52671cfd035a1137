"""When Python looks for garbage, in processes that make very little of it.

`worker` and `streams.cli.connect_command` call it once their parts are made: what they hold lasts, and what comes and
goes is freed by its reference count.
"""

import gc


def calm_the_collector() -> None:
    """Let the garbage collector look less often, and never again at what exists now.

    In a worker states are bytes, results die young, and full collections cost 20 %. In `connect` a request leaves no
    cycle behind, and a full collection would hold up every request in progress.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
