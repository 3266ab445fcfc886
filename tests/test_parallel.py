"""Work over several processes gives what it gives in one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

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
