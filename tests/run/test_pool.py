"""Workers that crash, hang, lie and shout: nothing else is lost, and the guilty case is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.errors import HarnessError
from conformance.run.outcome import Crashed, Returned, TimedOut
from conformance.run.pool import Done
from conformance.run.target import Target
from tests.fakes import FAKES, abs_corpus, fake, run

LUCKY = [float(i) for i in range(2, 22) if i != 13]
MIXED = [*LUCKY[:10], 13.0, *LUCKY[10:]]


def test_right_framework_returns_every_case(tmp_path: Path) -> None:
    found, _, file = run(abs_corpus(LUCKY), [fake("right")], tmp_path / "r")
    assert len(found) == len(LUCKY)
    for i, value in enumerate(LUCKY):
        outcome = found[f"c{i}", "torch"]
        assert isinstance(outcome, Returned)
        np.testing.assert_array_equal(outcome.output, np.array([1.5, value], np.float32))
    assert file.finished


def test_crash_names_the_guilty_case_and_loses_no_other(tmp_path: Path) -> None:
    found, _, _ = run(abs_corpus(MIXED), [fake("crasher")], tmp_path / "r")
    assert len(found) == len(MIXED)
    crashed = {case for (case, _), outcome in found.items() if isinstance(outcome, Crashed)}
    assert crashed == {"c10"}
    guilty = found["c10", "torch"]
    assert isinstance(guilty, Crashed)
    assert guilty.signal == "SIGFPE"
    assert "last words" in guilty.stderr
    assert all(isinstance(o, Returned) for (case, _), o in found.items() if case != "c10")


def test_hang_is_ended_and_named(tmp_path: Path) -> None:
    found, _, _ = run(abs_corpus(MIXED[8:14]), [fake("hanger")], tmp_path / "r", timeout=1.0)
    hung = {case for (case, _), outcome in found.items() if isinstance(outcome, TimedOut)}
    assert hung == {"c2"}
    assert len(found) == 6
    guilty = found["c2", "torch"]
    assert isinstance(guilty, TimedOut)
    assert guilty.limit == 1.0
    assert "run_function" in guilty.stderr


def test_death_that_no_case_repeats_is_noted(tmp_path: Path) -> None:
    """The flaky framework dies once per worker on its third call: alone, each case returns."""
    found, _, _ = run(abs_corpus(LUCKY[:3]), [fake("flaky")], tmp_path / "r")
    assert len(found) == 3
    notes = [o.note for o in found.values() if o.note]
    assert notes
    assert "SIGSEGV" in notes[0]


def test_noise_does_not_reach_the_channel(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found, _, _ = run(abs_corpus(LUCKY[:4]), [fake("noisy")], tmp_path / "r")
    assert all(isinstance(o, Returned) for o in found.values())
    assert len(found) == 4
    shown = capfd.readouterr()
    assert "noise" not in shown.out + shown.err


def test_slow_starter_delays_only_itself(tmp_path: Path) -> None:
    targets = [fake("right"), fake("slow_starter", "mindspore")]
    found, events, _ = run(abs_corpus(LUCKY[:3]), targets, tmp_path / "r")
    assert len(found) == 6
    order = [e.target for e in events if isinstance(e, Done)]
    assert order.index("torch") < order.index("mindspore")


def test_absent_framework_is_unavailable_and_the_other_still_runs(tmp_path: Path) -> None:
    targets = [fake("right"), fake("absent", "mindspore")]
    found, _, file = run(abs_corpus(LUCKY[:3]), targets, tmp_path / "r")
    assert {target for _, target in found} == {"torch"}
    assert file.targets()["mindspore"] == {"unavailable": "the fake framework is not installed"}


def test_no_framework_at_all_is_the_harness_failing(tmp_path: Path) -> None:
    targets = [fake("absent"), fake("absent", "mindspore")]
    with pytest.raises(HarnessError, match="no framework could be started"):
        run(abs_corpus([1.0]), targets, tmp_path / "r")


def test_version_asked_for_must_be_the_one_installed(tmp_path: Path) -> None:
    other = Target("torch@2.0", "torch", version="2.0", adapter=FAKES / "right.py")
    found, _, file = run(abs_corpus([1.0]), [other, fake("right", "mindspore")], tmp_path / "r")
    assert "1.0.0 is installed" in file.targets()["torch@2.0"]["unavailable"]
    assert {target for _, target in found} == {"mindspore"}


def test_missing_interpreter_is_unavailable(tmp_path: Path) -> None:
    nowhere = Target("torch:cpu", "torch", python="/nonexistent/python")
    _, _, file = run(abs_corpus([1.0]), [nowhere, fake("right", "mindspore")], tmp_path / "r")
    assert "/nonexistent/python" in file.targets()["torch:cpu"]["unavailable"]
