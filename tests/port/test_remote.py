"""Sides that ask a worker, and sides that ask this process: the same answers, the same lines."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port import asking
from conformance.port.model import CallKey, Captured, LayerCall, TensorInfo
from conformance.port.remote import Build, LocalSide, RemoteSide
from conformance.port.side import Side
from conformance.run.target import Target
from conformance.worker.port_errors import SessionError
from tests.fakes import fake

USERS = """
    import os, signal, sys, time
    from pathlib import Path
    import numpy as np

    class Model:
        def __init__(self, **chain):
            self.chain = chain
            self.weights = {"w": np.ones((2, 3), np.float32), "asked": np.zeros((), np.float32)}

    def twice(x):
        return 2 * x

    def last(x):
        return {"y": x + 1, "more": (x, [x.sum(keepdims=True)])}

    def noisy():
        print("a print of the user's", flush=True)
        os.write(1, b"and one below Python")
        return Model(twice=twice, last=last)

    def reading(file):
        factor = float(Path(file).read_text())
        return Model(twice=lambda x: x * factor)

    def broken():
        raise KeyError("no such\\nthing")

    def crash(x):
        os.kill(os.getpid(), signal.SIGSEGV)

    def killed(x):
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(x):
        time.sleep(100)

    def fail(x):
        return x @ np.ones((7, 7), np.float32)

    def greedy(x):
        raise MemoryError

    def failing(how):
        return Model(first=twice, second=globals()[how])

    def twofold():
        return Model(first=fail, second=crash)

    def mean(a, b):
        return float((a - b).mean())

    def optimizer(model, rate):
        return rate * len(model.chain)
"""
X = np.array([[1.0, -2.0, 3.0]], np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a module of models."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "users.py").write_text(textwrap.dedent(USERS))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., RemoteSide]]:
    """Start a worker of the fake framework that builds a model of `folder`."""
    started = []

    def begin(build: str, timeout: float = 60.0, **arguments: Any) -> RemoteSide:
        message = Build(
            f"users:{build}",
            arguments,
            path=["models"],
            folder=folder,
            loss={"build": "users:mean"},
            optimizer={"build": "users:optimizer", "arguments": {"rate": 0.5}},
        )
        started.append(RemoteSide(fake("ported"), message, timeout=timeout))
        return started[-1]

    yield begin
    for side in started:
        side.close()


@pytest.fixture
def side(start: Callable[..., RemoteSide]) -> Side:
    """A side whose model prints to the worker's standard output while it is built."""
    return start("noisy")


def test_every_question_is_answered_across_the_channel(side: Side) -> None:
    assert side.info["version"] == "1.0.0"
    first, second = side.layers()
    assert (first.name, first.type, second.name) == ("twice", "fakes.twice", "last")
    assert first.settings == {"dtype": "<class 'numpy.float32'>", "sizes": (1, 2)}
    assert side.tensors()[0] == TensorInfo("w", (2, 3), "float32", True, "")
    assert side.still() == ["dropout"]
    assert side.trace([X]) == [
        LayerCall(CallKey("twice"), ((1, 3),), ((1, 3),)),
        LayerCall(CallKey("last"), ((1, 3),), ((1, 3), (1, 1), (1, 3))),  # by their keys
    ]
    backward = side.differentiate([X], [X + 1])
    assert backward.loss == 2.0
    np.testing.assert_array_equal(backward.gradients["w"], X + 1)  # type: ignore[arg-type]
    assert backward.gradients["frozen"] is None
    np.testing.assert_array_equal(backward.state["mean"], X)
    side.begin()
    step = side.step([X], [X - 1])
    assert (step.loss, step.rates) == (1.0, (1.0,))
    (replayed,) = side.replay("twice", [X])
    np.testing.assert_array_equal(replayed, 2 * X)


def test_a_forward_pass_brings_what_was_asked_for_and_no_more(side: Side) -> None:
    forward = side.run([X], precision="float64", capture=[CallKey("twice"), CallKey("twice", 1)])
    assert [output.dtype.name for output in forward.outputs] == ["float64"] * 3
    np.testing.assert_array_equal(forward.outputs[0], 2 * X + 1)
    assert list(forward.captured) == [CallKey("twice")]
    captured = forward.captured[CallKey("twice")]
    assert isinstance(captured, Captured)
    np.testing.assert_array_equal(captured.inputs[0], X)
    np.testing.assert_array_equal(captured.outputs[0], 2 * X)


def test_values_travel_in_pieces(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = int(side.read(["asked"])["asked"])
    side.read()
    assert int(side.read(["asked"])["asked"]) == asked + 2
    monkeypatch.setattr(asking, "CHUNK", 40)
    side.write({"w": np.full((2, 3), 5, np.float32), "v": np.zeros(100, np.float32)})
    read = side.read()
    assert int(side.read(["asked"])["asked"]) == asked + 6  # w, asked and v, each alone
    assert list(read) == ["w", "asked", "v"]
    np.testing.assert_array_equal(read["w"], np.full((2, 3), 5))


def test_calibration_is_asked_with_inputs_and_seed(side: Side) -> None:
    side.calibrate([X], 4)
    np.testing.assert_array_equal(side.read(["w"])["w"], X + 4)


def test_a_patch_that_cannot_be_is_a_value_error(side: Side) -> None:
    side.patch("last", {"factor": 10})
    np.testing.assert_array_equal(side.run([X]).outputs[0], 20 * X)
    with pytest.raises(ValueError, match=r"^absent cannot be patched$"):
        side.patch("absent", {})


def test_relative_paths_are_the_users(
    start: Callable[..., RemoteSide], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "factor.txt").write_text("3")
    monkeypatch.chdir(folder.parent)
    side = start("reading", file="factor.txt")
    np.testing.assert_array_equal(side.run([X]).outputs[0], 3 * X)
    side.save("values.npz")
    assert (folder / "values.npz").exists()
    side.write({"w": np.zeros((1, 1), np.float32)})
    side.load("values.npz")
    assert side.read(["w"])["w"].shape == (2, 3)


def test_a_folder_is_made_absolute_where_it_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    message = Build("users:noisy", path=["../x", "models"], folder=Path(folder.name)).message()
    assert message["folder"] == str(folder)
    assert message["path"] == [str(folder.parent / "x"), str(folder / "models")]


def test_an_interpreter_is_named_relative_to_the_folder(folder: Path) -> None:
    """And its link is kept: an environment's interpreter is a link to one outside."""
    (folder / "python").symlink_to(sys.executable)
    target = Target("torch", "torch", adapter=fake("ported").adapter, python="./python")
    side = RemoteSide(target, Build("users:noisy", path=["models"], folder=folder))
    try:
        assert side._worker is not None
        assert side._worker.target.python == str(folder / "python")
    finally:
        side.close()


def failed(act: Callable[[], Any]) -> PortFailed:
    with pytest.raises(PortFailed) as caught:
        act()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    return caught.value


def line_of(text: str) -> int:
    return textwrap.dedent(USERS).splitlines().index(text) + 1


def test_a_model_that_does_not_build_names_the_users_line(
    start: Callable[..., RemoteSide], folder: Path
) -> None:
    error = failed(lambda: start("broken"))
    file = folder / "models" / "users.py"
    line = line_of('    raise KeyError("no such\\nthing")')
    said = str(error)
    assert said.startswith(f"{file}:{line}: torch side, build users:broken: KeyError: ")
    assert (error.side, error.method, error.kind) == ("torch", "build", "KeyError")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ("mean", "users:mean: missing a required argument: 'a'"),
        ("absent", "users.py has no 'absent'"),
        ("USERS", "users.py has no 'USERS'"),
        ("np", "users:np is not callable, but of type module"),
    ],
)
def test_what_is_no_builder_is_said(
    start: Callable[..., RemoteSide], build: str, said: str
) -> None:
    assert said in str(failed(lambda: start(build)))


def test_a_failure_in_a_layer_names_it(start: Callable[..., RemoteSide], folder: Path) -> None:
    error = failed(lambda: start("failing", how="fail").run([X]))
    place = f"{folder}/models/users.py:{line_of('    return x @ np.ones((7, 7), np.float32)')}"
    assert str(error).startswith(f"{place}: torch side, run in layer second: ValueError: matmul")
    assert error.layer == "second"


def test_memory_that_runs_out_is_called_that(start: Callable[..., RemoteSide]) -> None:
    error = failed(lambda: start("failing", how="greedy").trace([X]))
    assert error.kind == "OutOfMemory"
    assert str(error).endswith("torch side, trace in layer second: out of memory")


def test_a_crash_names_signal_layer_and_place(
    start: Callable[..., RemoteSide], folder: Path
) -> None:
    side = start("failing", how="crash")
    error = failed(lambda: side.run([X]))
    line = line_of("    os.kill(os.getpid(), signal.SIGSEGV)")
    place = f"{folder}/models/users.py:{line}"
    ended = "its process ended with SIGSEGV"
    assert str(error) == f"{place}: torch side, run in layer second: {ended}"
    assert (error.kind, error.layer) == ("Died", "second")
    again = failed(lambda: side.trace([X]))
    assert str(again) == "torch side, trace: the worker has ended"


def test_a_kill_hints_at_memory(start: Callable[..., RemoteSide]) -> None:
    error = failed(lambda: start("failing", how="killed").run([X]))
    assert "in layer second: its process ended with SIGKILL, as the system does when memory" in str(
        error
    )


def test_a_hang_is_ended(start: Callable[..., RemoteSide]) -> None:
    side = start("failing", how="hang", timeout=3.0)
    assert side._worker is not None
    pid = side._worker.info["pid"]
    error = failed(lambda: side.run([X]))
    words = "no answer within 3 seconds; --timeout allows more"
    assert str(error) == f"torch side, run in layer second: {words}"
    assert error.kind == "Hung"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_layer_of_an_earlier_question_is_not_blamed(start: Callable[..., RemoteSide]) -> None:
    side = start("twofold")
    assert failed(lambda: side.run([X])).layer == "first"
    assert failed(lambda: side.replay("absent", [X])).layer is None
    died = failed(lambda: side.replay("second", [X]))
    assert (died.kind, died.layer) == ("Died", None)
    assert str(died).endswith("torch side, replay: its process ended with SIGSEGV")


def test_input_that_is_nan_is_said_before_a_model_is_blamed(side: Side) -> None:
    error = failed(lambda: side.trace([X, np.array([np.nan], np.float32)]))
    assert str(error) == "torch side, trace: input 1 holds NaN"
    assert error.kind == "NaN"


def test_an_interpreter_that_is_none_is_refused(folder: Path) -> None:
    target = Target("torch", "torch", python="/nonexistent/python")
    error = failed(lambda: RemoteSide(target, Build("users:noisy", folder=folder)))
    assert error.kind == "Unavailable"
    assert str(error).startswith("torch side, start: no worker in /nonexistent/python")


def test_an_interpreter_that_lacks_what_is_needed_is_named(folder: Path) -> None:
    bare = folder / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    error = failed(
        lambda: RemoteSide(Target("torch", "torch", python=str(bare)), Build("users:noisy"))
    )
    missing = "ModuleNotFoundError: No module named 'numpy'"
    assert str(error) == f"torch side, start: {bare}: {missing}"


def test_a_version_that_is_another_is_refused(folder: Path) -> None:
    target = Target("torch", "torch", adapter=fake("ported").adapter, version="9.9")
    error = failed(lambda: RemoteSide(target, Build("users:noisy", folder=folder)))
    assert "torch 1.0.0 is installed in" in str(error)


def local(chain: dict[str, Callable[..., Any]], **options: Any) -> LocalSide:
    """Return a side of the fake session in this process."""
    from tests.fake_frameworks import ported  # noqa: PLC0415

    class Model:
        def __init__(self) -> None:
            self.chain = chain
            self.weights = {"w": np.ones(2, np.float32), "asked": np.zeros((), np.float32)}

    return LocalSide(ported.PortedSession(), Model(), **options)


@pytest.fixture
def _adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fake framework find its neighbours in this process as it does in a worker."""
    import tests.fake_frameworks  # noqa: PLC0415
    from tests.fake_frameworks import right  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "conformance.worker.adapters", tests.fake_frameworks)
    monkeypatch.setitem(sys.modules, "conformance.worker.adapters.right", right)


@pytest.mark.usefixtures("_adapters")
def test_a_side_in_this_process_says_the_same() -> None:
    side: Side = local(
        {"double": lambda x: 2 * x},
        loss=lambda a, b: float((a - b).sum()),
        optimizer=lambda model: 0.25,
    )
    assert (side.framework, side.info["version"]) == ("torch", "1.0.0")
    np.testing.assert_array_equal(side.run([X]).outputs[0], 2 * X)
    side.begin()
    assert side.step([X], [X - 1]).rates == (0.25,)
    error = failed(lambda: side.replay("absent", [X]))
    assert str(error).endswith(": torch side, replay: KeyError: 'absent'")
    side.close()


@pytest.mark.usefixtures("_adapters")
def test_what_this_process_cannot_adopt_is_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fake_frameworks import ported  # noqa: PLC0415

    def refuse(self: Any, model: Any) -> None:
        raise SessionError("Build", "what it built has no chain")

    monkeypatch.setattr(ported.PortedSession, "hold", refuse)
    error = failed(lambda: local({}))
    assert str(error) == "torch side, adopt: what it built has no chain"
