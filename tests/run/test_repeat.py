from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conformance.corpus.loader import Corpus
from conformance.errors import HarnessError
from conformance.run import session
from conformance.run.pool import Done
from conformance.run.repeat import repeat
from conformance.run.select import Selection
from conformance.run.store import RunFile
from conformance.run.target import Target
from tests import fakes

UNLUCKY = 13.0


def run(path: Path, target: Target, *, times: int = 1) -> tuple[Corpus, RunFile]:
    corpus = fakes.abs_corpus([1.0, UNLUCKY, 2.0])
    file = RunFile.create(path)
    session.execute(corpus, [target], file, selection=Selection(), jobs=2, timeout=30, repeat=times)
    return corpus, file


def test_what_does_not_repeat_is_kept(tmp_path: Path) -> None:
    _, file = run(tmp_path / "run.sqlite", fakes.fake("dice"), times=4)
    unlucky = next(item.call for item in file.items() if item.case == "abs/c1")
    assert file.variants().keys() == {("torch", unlucky)}
    assert 1 <= len(file.variants()["torch", unlucky]) <= 3
    assert file.manifest["repeat"] == 4
    assert file.finished
    file.close()


def test_what_repeats_is_not_stored_twice(tmp_path: Path) -> None:
    _, file = run(tmp_path / "run.sqlite", fakes.fake("right"), times=3)
    assert file.variants() == {}
    assert file.variant_count() == 0
    file.close()


def test_a_repetition_that_crashes_is_a_variant(tmp_path: Path) -> None:
    corpus, file = run(tmp_path / "run.sqlite", fakes.fake("right"))
    made = session.make_plan(corpus, [fakes.fake("right")], Selection())
    crasher = fakes.fake("crasher")
    assert repeat(file, [crasher], made.calls, times=1, jobs=1, timeout=30) == 1
    ((outcome,),) = file.variants().values()
    assert outcome.kind == "crashed"
    file.close()


def test_a_row_shows_what_hangs_on_how_often_was_asked(tmp_path: Path) -> None:
    """Every seventh call of the same does another thing, as kernels do that try out threads."""
    target = fakes.fake("seventh")
    corpus, file = run(tmp_path / "run.sqlite", target)
    calls = session.make_plan(corpus, [target], Selection()).calls
    assert repeat(file, [target], calls, times=2, jobs=1, timeout=30) == 0
    assert repeat(file, [target], calls, times=1, row=8, jobs=1, timeout=30) == 3
    named = {(item.target, item.call) for item in file.items()}
    assert {*file.variants()} <= named
    file.close()


def test_graph_mode_is_asked_once_since_it_compiles_every_call_anew(tmp_path: Path) -> None:
    target = replace(fakes.fake("right"), mode="graph")
    corpus, file = run(tmp_path / "run.sqlite", target)
    calls = session.make_plan(corpus, [target], Selection()).calls
    done: list[str] = []
    repeat(file, [target], calls, times=1, row=8, jobs=1, timeout=30,
           observer=lambda e: done.append(e.call) if isinstance(e, Done) else None)  # fmt: skip
    assert sorted(done) == sorted(calls[target.name])
    file.close()


def test_each_time_in_another_order(tmp_path: Path) -> None:
    """A result may hang on what ran before it."""
    target = fakes.fake("right")
    corpus, file = fakes.abs_corpus([float(i) for i in range(20)]), RunFile.create(tmp_path / "run")
    made = session.make_plan(corpus, [target], Selection())
    done: list[str] = []
    repeat(file, [target], made.calls, times=2, jobs=1, timeout=30,
           observer=lambda e: done.append(e.call) if isinstance(e, Done) else None)  # fmt: skip
    file.close()
    planned = list(made.calls[target.name])
    assert sorted(done[:20]) == sorted(done[20:]) == sorted(planned)
    assert len({tuple(planned), tuple(done[:20]), tuple(done[20:])}) == 3


def test_the_shortest_duration_is_kept(tmp_path: Path) -> None:
    target = fakes.fake("right")
    corpus, file = run(tmp_path / "run.sqlite", fakes.fake("sleeper"))
    assert min(file.durations().values()) > 0.09
    made = session.make_plan(corpus, [target], Selection())
    repeat(file, [target], made.calls, times=1, jobs=1, timeout=30)
    assert max(file.durations().values()) < 0.09
    file.close()


@pytest.mark.parametrize(
    ("other", "why"),
    [("newer", "had version 1.0.0, and now has 2.0.0"), ("absent", "not installed")],
)
def test_another_version_repeats_nothing(tmp_path: Path, other: str, why: str) -> None:
    corpus, file = run(tmp_path / "run.sqlite", fakes.fake("right"))
    target = fakes.fake(other)
    made = session.make_plan(corpus, [target], Selection())
    with pytest.raises(HarnessError, match=why):
        repeat(file, [target], made.calls, times=1, jobs=1, timeout=30)
    file.close()
