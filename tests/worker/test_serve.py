"""What a worker says and answers, over a channel made of two lists."""

from __future__ import annotations

import faulthandler
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.worker import serve as server
from conformance.worker.numpy_ import NumpyAdapter
from tests.worker.calls import arr, equal, message, step


class Channel:
    """Requests to read, replies as they were sent."""

    def __init__(self, *requests: tuple[Any, ...]) -> None:
        self.requests = requests
        self.sent: list[Any] = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.requests)

    def send(self, reply: Any) -> None:
        self.sent.append(execnet.loads(execnet.dumps(reply)))


@pytest.fixture(autouse=True)
def _own_watchdog(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the test runner's own fault handler alone."""
    monkeypatch.setattr(faulthandler, "enable", lambda file: None)
    with np.errstate():
        yield


def served(*requests: tuple[Any, ...], framework: str = "numpy", device: str = "") -> list[Any]:
    channel = Channel(*requests)
    server.serve(channel, framework, device, "")
    return channel.sent


def call(value: float) -> dict[str, Any]:
    made = message(step("elementwise.abs", form="reference"), kind="reference", input=arr([value]))
    return {**made, "states": []}


def test_it_says_hello_with_what_it_is() -> None:
    ((kind, info),) = served()
    assert kind == "hello"
    assert (info["version"], info["device"]) == (np.__version__, "cpu")
    assert info["pid"] > 0
    assert info["python"].startswith("3.")


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="no Linux")
def test_it_names_the_processor() -> None:
    ((_, info),) = served()
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert info["cpu"]
    for part in info["cpu"].replace("/", " ").split():
        assert part in text


def test_a_processor_that_is_not_told_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(platform, "processor", lambda: "some chip")
    assert server._cpu() == "some chip"


def test_answers_carry_their_keys_in_order() -> None:
    _, first, second = served(("run", "a", call(-1), 9.0), ("run", "b", call(-2), 9.0))
    assert (first[0], second[0]) == ("a", "b")
    equal(first[1]["output"], [1.0], "float32")
    equal(second[1]["output"], [2.0], "float32")


def test_the_watchdog_guards_each_call_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Any] = []
    monkeypatch.setattr(
        faulthandler, "dump_traceback_later", lambda limit, exit, file: log.append((limit, exit))
    )
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: log.append("off"))
    execute = NumpyAdapter.execute

    def traced(self: NumpyAdapter, message: dict[str, Any]) -> dict[str, Any]:
        log.append("call")
        return execute(self, message)

    monkeypatch.setattr(NumpyAdapter, "execute", traced)
    served(("run", "a", call(1), 7.0), ("run", "b", {**call(1), "steps": []}, 8.0))
    assert log == [(7.0, True), "call", "off", (8.0, True), "call", "off"]


def test_signatures() -> None:
    _, (key, found) = served(("describe", "k", ["numpy.median", "numpy.absent"]))
    assert key == "k"
    assert [p["name"] for p in found[0]["parameters"]][:2] == ["a", "axis"]
    assert found[1]["api"] == "numpy.absent"
    assert not found[1].get("parameters")


def test_an_unknown_request_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="unknown request 'dance'"):
        served(("dance", "k"))


def test_a_target_that_cannot_be_is_unavailable() -> None:
    assert served(device="cuda") == [("unavailable", "NumPy runs on cpu, eager")]


def test_a_framework_that_fails_to_import_is_unavailable() -> None:
    ((kind, reason),) = served(framework="absent")
    assert kind == "unavailable"
    assert reason.startswith("ModuleNotFoundError: ")
