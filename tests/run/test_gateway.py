"""Workers are started from several threads at once, and serve in their main thread."""

from __future__ import annotations

import ast
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conformance.run.gateway import Worker
from tests.fakes import fake


def test_workers_serve_in_their_main_thread() -> None:
    """Always: with execnet's default model it is a race, lost once in many starts."""
    worker = Worker(fake("main_thread"))
    try:
        assert worker.info["thread"] == "MainThread"
        assert worker._gateway.spec.execmodel == "main_thread_only"
    finally:
        worker.close()


def test_nothing_is_parsed_in_two_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CPython 3.11 two threads in ast.parse end in `SystemError: AST constructor …`."""
    parse, inside, most = ast.parse, [0], [0]
    count = threading.Lock()

    def watched(*args: Any, **options: Any) -> Any:
        with count:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        with count:
            inside[0] -= 1
        return parse(*args, **options)

    monkeypatch.setattr(ast, "parse", watched)
    with ThreadPoolExecutor(3) as threads:
        workers = list(threads.map(Worker, [fake("right")] * 3))
    for worker in workers:
        worker.close()
    assert most == [1]
