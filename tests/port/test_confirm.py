"""What is called confirmed: measured where the port was wrong, and wrong there without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conformance.port.model import Array, Forward
from conformance.port.result import PortResult, Verdict
from tests.port.fake_side import FakeSide
from tests.port.test_verify import verified
from tests.port.trained import Parts


class Changed(FakeSide):
    """A port whose output `spoil` changes."""

    def run(self, inputs: Sequence[Array], **kwargs: Any) -> Forward:
        ran = super().run(inputs, **kwargs)
        return Forward(tuple(self.spoil(y, kwargs) for y in ran.outputs), ran.captured)

    def spoil(self, y: Array, asked: dict[str, Any]) -> Array:
        raise NotImplementedError


class OffInGraphs(Changed):
    """A percent off where it is compiled."""

    def spoil(self, y: Array, asked: dict[str, Any]) -> Array:
        return y * np.float32(1.01) if asked.get("graph") else y


class Drops(Changed):
    """Drops values in evaluation, too, until it is told to be still."""

    silent = False

    def still(self) -> list[str]:
        self.silent = True
        return [""]

    def spoil(self, y: Array, asked: dict[str, Any]) -> Array:
        return y if self.silent else y * np.random.binomial(1, 0.7, y.shape).astype(np.float32)


class DropsInEvaluation(Drops):
    """Being still is for training alone."""

    def spoil(self, y: Array, asked: dict[str, Any]) -> Array:
        return y if asked.get("training") else super().spoil(y, asked)

    def still(self) -> list[str]:
        return [""]


def extra(made: Parts) -> None:
    """Give the port a tensor that nothing uses."""
    made["act"].values["extra"] = np.zeros((3, 3))


def found(port: type[FakeSide], change: Callable[[Parts], None] = extra) -> PortResult:
    return verified(port, change)


def confirmed(result: PortResult) -> list[str]:
    return [cause.words for cause in result.causes if cause.confirmed]


def test_what_is_wrong_in_graph_mode_alone_is_measured_there() -> None:
    result = found(OffInGraphs)
    assert result.verdict is Verdict.DIFFERS
    assert not confirmed(result), result.sentence


def test_nothing_is_confirmed_where_the_port_agrees_as_it_is_when_measured_again() -> None:
    result = found(Drops)
    assert result.verdict is Verdict.DIFFERS
    assert not confirmed(result), result.sentence


def test_a_harmless_setting_is_not_confirmed_by_silence() -> None:
    """Dropout is off when the port is measured again, and any cause would make it agree."""

    def hardly(made: Parts) -> None:
        made["bn"].settings["eps"] = 1.1e-5

    result = found(Drops, hardly)
    assert [cause.confirmed for cause in result.causes if cause.what == "eps"] == [None]


def test_random_numbers_in_evaluation_are_named() -> None:
    for port in (Drops, DropsInEvaluation):
        result = found(port)
        assert result.causes[0].what == "random", result.sentence
        assert "the port draws random numbers in evaluation" in result.sentence


def test_a_model_of_pytorchs_that_draws_random_numbers_is_not_compared() -> None:
    result = verified(FakeSide, torch=Drops)
    assert result.verdict is Verdict.NOT_COMPARED
    assert result.sentence == ("Nothing was compared: torch draws random numbers in evaluation."), (
        result.sentence
    )
    assert not result.causes


def test_a_wrong_setting_is_still_confirmed_in_every_mode() -> None:
    def eps(made: Parts) -> None:
        made["bn"].settings["eps"] = 1e-3

    result = verified(FakeSide, eps)
    assert [(c.what, c.confirmed) for c in result.causes] == [("eps", True)], result.sentence
