"""Work over several processes gives what it gives in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import conformance
from conformance.parallel import mapped


def test_results_come_in_the_order_of_the_items() -> None:
    assert mapped(lambda n: n * n, list(range(40))) == [n * n for n in range(40)]


def test_few_items_are_done_in_this_process() -> None:
    assert mapped(lambda _: os.getpid(), [1, 2, 3]) == [os.getpid()] * 3


def test_a_thread_beside_the_main_one_does_not_fork() -> None:
    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(mapped, lambda _: os.getpid(), list(range(40))).result()
    assert set(found) == {os.getpid()}


def test_nested_work_is_done_where_it_is_met() -> None:
    found = mapped(lambda n: sum(mapped(lambda m: m, list(range(n)))), list(range(20)))
    assert found == [sum(range(n)) for n in range(20)]


def test_an_exception_reaches_the_caller_and_leaves_nothing_behind() -> None:
    def picky(n: int) -> int:
        if n == 7:
            raise ValueError("seven")
        return n

    with pytest.raises(ValueError, match="seven"):
        mapped(picky, list(range(20)))
    assert mapped(picky, list(range(5)), least=2) == [0, 1, 2, 3, 4]


INTERRUPTED = """\
import sys, time
from pathlib import Path
from conformance.parallel import mapped

def work(n):
    Path("started").touch()
    try:
        time.sleep(0.5)
    except KeyboardInterrupt:
        print("a process that shares the work was interrupted")

try:
    mapped(work, range(40))
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def test_ctrl_c_of_a_terminal_reaches_this_process_alone(tmp_path: Path) -> None:
    """Else one of the others may end with a lock that the rest then waits for."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(conformance.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert process.returncode == 1
