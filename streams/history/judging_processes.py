"""Judging on several cores: processes that take chunks of conversations and give verdicts back, in the order sent.

A process has one chunk at a time, so neither side ever waits for the other to read; the next one is packed while it
computes. Processes are forked where that is safe and cheap (Linux, one thread), else started anew. What was there when
they were forked is there in each of them too, so that of chunks of then only the number is sent. They ignore Ctrl-C,
which is for the program that started them to handle, and end when it does, however it ends.
"""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

from agents.domain.instant import Instant
from agents.domain.policy_book import PolicyBook
from schemas.policy import PolicyFile
from streams.history.history_summary import ChunkVerdict
from streams.history.judging import Judge, Together

Chunks = Sequence[list[Together]]

_CHUNKS_AHEAD = 8
"""Verdicts per process that may wait for a slower one before them."""
_END_WITHIN_SECONDS = 5.0


class JudgingStopped(Exception):  # noqa: N818 - what it is, in the words of the message
    """A process that judges has ended before its time."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: "Connection[Any, Any]"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_method() -> str:
    """How to start a process here: a fork copies only the thread that calls it, so there must be no other."""
    return "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"


@contextmanager
def judging_processes(
    policies: PolicyFile, now: Instant, jobs: int, method: str | None = None, inherited: Chunks = ()
) -> Iterator["Judges"]:
    """As many processes as `jobs`, each with a judge of its own; gone when the block is left.

    Args:
        policies: what judges.
        now: how far the clocks run after the last event.
        jobs: at least 1.
        method: how to start them; default: `start_method()`.
        inherited: chunks that forked processes need not be sent. To look at one copies its part of the memory, in each
            process that does: in the end each may hold all of them once more.
    """
    method = method or start_method()
    context = multiprocessing.get_context(method)
    if method != "fork":
        inherited = ()
    workers: list[_Worker] = []
    try:
        with _interrupts_held_back():
            workers.extend(_start(context, policies, now, inherited) for _ in range(jobs))
        yield Judges(workers, inherited)
        for worker in workers:
            with suppress(OSError):
                worker.connection.send(None)
            worker.process.join(_END_WITHIN_SECONDS)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()
            worker.connection.close()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started meanwhile never hear of Ctrl-C; this one hears of it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(context: BaseContext, policies: PolicyFile, now: Instant, inherited: Chunks) -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    process = context.Process(  # type: ignore[attr-defined]  # every context has it, its base class does not say so
        target=_judge_chunks, args=(theirs, ours, policies, now, inherited), name="careline-judging", daemon=True
    )
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _judge_chunks(
    connection: "Connection[Any, Any]",
    other_end: "Connection[Any, Any]",
    policies: PolicyFile,
    now: Instant,
    inherited: Chunks,
) -> None:
    """What such a process does, until it is told to end or there is nobody left to tell it."""
    other_end.close()
    gc.freeze()  # what was inherited is not looked at, lest its memory be copied
    judge = Judge(PolicyBook.of(policies), now)
    parent = multiprocessing.parent_process()
    watched: list[Any] = [connection, *([parent.sentinel] if parent is not None else [])]
    with suppress(EOFError, OSError):
        while connection in wait(watched):
            chunk = connection.recv()
            if chunk is None:
                return
            connection.send(judge.verdict(inherited[chunk] if isinstance(chunk, int) else chunk))


class Judges:
    """Processes that judge."""

    def __init__(self, workers: list[_Worker], inherited: Chunks) -> None:
        self._workers = workers
        self._inherited = inherited
        self.pids = [pid for worker in workers if (pid := worker.process.pid) is not None]

    def verdicts(self, chunks: Iterable[list[Together]]) -> Iterator[ChunkVerdict]:
        """The verdicts on chunks, in their order.

        Raises:
            JudgingStopped: a process has ended before its time.
        """
        sent = range(len(self._inherited)) if chunks is self._inherited else chunks
        packed = enumerate(map(ForkingPickler.dumps, sent))
        following = next(packed, None)
        idle, busy = list(self._workers), dict[Any, tuple[_Worker, int]]()
        done: dict[int, ChunkVerdict] = {}
        told = 0
        while busy or following is not None:
            while idle and following is not None and following[0] - told < _CHUNKS_AHEAD * len(self._workers):
                worker = idle.pop()
                _give(worker, following[1])
                busy[worker.connection] = worker, following[0]
                following = next(packed, None)
            for connection in wait(list(busy)):
                worker, number = busy.pop(connection)
                done[number] = _take(worker)
                idle.append(worker)
            while told in done:
                yield done.pop(told)
                told += 1


def _give(worker: _Worker, packed: memoryview) -> None:
    try:
        worker.connection.send_bytes(packed)
    except OSError:
        raise _stopped(worker) from None


def _take(worker: _Worker) -> ChunkVerdict:
    try:
        verdict: ChunkVerdict = worker.connection.recv()
    except (EOFError, OSError):
        raise _stopped(worker) from None
    return verdict


def _stopped(worker: _Worker) -> JudgingStopped:
    worker.process.join(_END_WITHIN_SECONDS)
    code = worker.process.exitcode
    how = f"by signal {-code}" if code is not None and code < 0 else f"with exit status {code}"
    return JudgingStopped(f"a process that judged conversations ended {how}, before it was done")
