"""Work that is the same for many items, on every processor at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from conformance.errors import HarnessError

T = TypeVar("T")
R = TypeVar("R")

_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None
"""What forked processes do; they inherit it, so nothing but results is serialised."""


def mapped(function: Callable[[T], R], items: Sequence[T], *, least: int = 16) -> list[R]:
    """Return ``[function(item) for item in items]``; results, and exceptions, must pickle.

    With fewer than `least` items, on one processor, without ``fork`` (not Linux), or in another
    thread than the main one it is done right here.  HarnessError when a process is killed.
    """
    global _work  # noqa: PLW0603
    processes = min(len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1, len(items))
    # Two threads that fork while the other works leave a child with a lock that nobody frees.
    beside = threading.current_thread() is not threading.main_thread()
    if len(items) < least or processes < 2 or _work is not None or beside:
        return [function(item) for item in items]
    _work = (function, items)
    try:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            with _uninterrupted():
                results = pool.map(_one, range(len(items)))
            return list(results)
    except BrokenProcessPool:
        raise HarnessError("a process that shared the work was killed; out of memory?") from None
    finally:
        _work = None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which a terminal sends to all: this one ends them.

    One that is interrupted while it holds the lock of the queue leaves the others waiting for ever.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one(index: int) -> Any:
    assert _work is not None
    function, items = _work
    return function(items[index])
