"""What both models drop in training is the same, or said; sides without a framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port.both import Plan
from conformance.port.dropping import Dropping, dropping
from conformance.port.model import Array, Drop
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify
from tests.port.fake_side import FakeSide, sequence
from tests.port.test_verify import draw
from tests.port.trained import parts

X = np.ones((8, 12), np.float32)
Path = Callable[[Array, np.random.RandomState], Array]


def path(share: float, whole: int = 1, kept: float | None = None) -> Path:
    """Return a layer that drops along the first `whole` axes, and multiplies what it keeps."""

    def dropped(x: Array, random: np.random.RandomState) -> Array:
        shape = (*x.shape[:whole], *(1 for _ in x.shape[whole:]))
        factor = 1 / (1 - share) if kept is None else kept
        return np.asarray(x * (random.rand(*shape) >= share) * factor, x.dtype)

    return dropped


class Side(FakeSide):
    """A side that says what it drops, and whose layer `path` does as it was given."""

    path: Path = staticmethod(path(0.2))
    seed = 0

    def replay(self, layer: str, inputs: Sequence[Array], **asked: Any) -> tuple[Array, ...]:
        if layer != "path":
            return super().replay(layer, inputs, **asked)
        assert asked == {"training": True}
        return (self.path(inputs[0], np.random.RandomState(self.seed)),)


def side(framework: Any, drops: Sequence[tuple[Any, ...]], layer: Path = Side.path) -> Side:
    made = parts()
    one = Side(framework, made, sequence(*made))
    one.dropped, one.path, one.seed = drops, layer, len(framework)
    return one


def compared(
    torch: Sequence[tuple[Any, ...]], port: Sequence[tuple[Any, ...]], *paths: Path
) -> Dropping:
    first, second = paths or (path(0.2), path(0.2))
    return dropping(side("torch", torch, first), side("mindspore", port, second), [X])


OWN = ("path", 0.2, "own", ((8, 12),))


@pytest.mark.parametrize(
    ("torch", "port", "words"),
    [
        (
            [("drop", 0.5, "elements")],
            [],
            "in training PyTorch drops 0.5 at drop, the port does not",
        ),
        (
            [],
            [("", 0.3, "elements")],
            "in training the port drops 0.3 at (the model), PyTorch does not",
        ),
        (
            [("a", 0.5, "elements"), ("b", 0.1, "elements")],
            [("a", 0.1, "elements"), ("b", 0.9, "elements")],
            "in training PyTorch drops 0.5 at a, where the port drops 0.9 at b",
        ),
        (
            [("a", 0.5, "channels")],
            [("a", 0.5, "elements")],
            "in training PyTorch drops 0.5 (channels) at a, where the port drops 0.5 at a",
        ),
        (
            [("a", 0.5, "elements")] * 2,
            [("a", 0.5, "elements")],
            "in training PyTorch drops 0.5 at a, the port does not",
        ),
    ],
)
def test_what_one_side_alone_drops_differs(torch: Any, port: Any, words: str) -> None:
    found = compared(torch, port)
    assert (found.verdict, found.words) == (Verdict.DIFFERS, words)


def test_the_same_shares_by_layers_and_by_functions_are_the_same() -> None:
    torch = [("a", 0.1, "elements"), ("b", 0.5, "channels")]
    port = [("", 0.5, "channels"), ("c", 1 - 0.9, "elements")]
    assert compared(torch, port) == Dropping(Verdict.SAME, "", "a, b, (the model) and 1 more", True)
    assert compared([], []) == Dropping()


def test_a_share_that_is_no_number_is_not_the_same() -> None:
    drops = [("a", None, "elements")]
    found = compared(drops, drops)
    assert found.verdict is Verdict.UNRESOLVED
    assert "the share that a drops" in found.unclear[0]


@pytest.mark.parametrize(
    ("port", "verdict"),
    [
        (path(0.2), Verdict.SAME),
        (path(0.2, kept=1.0), Verdict.DIFFERS),
        (path(0.2, whole=2), Verdict.DIFFERS),
        (path(0.8, kept=1.25), Verdict.DIFFERS),
        (lambda x, random: np.asarray(x * random.rand(*x.shape), x.dtype), Verdict.UNRESOLVED),
    ],
    ids=["right", "unscaled", "by element", "kept for dropped", "something else"],
)
def test_layers_of_the_users_own_are_given_ones(port: Path, verdict: Verdict) -> None:
    found = compared([OWN], [OWN], path(0.2), port)
    assert found.verdict is verdict, found.words
    assert bool(found.words) is (verdict is not Verdict.SAME)


def test_what_is_dropped_rarely_need_not_be_seen_to() -> None:
    rare = [("path", 0.0004, "own", ((8, 12),))]
    assert compared(rare, rare, path(0.0004), path(0.0004)).verdict is Verdict.SAME


def test_own_code_may_stand_for_the_frameworks_dropout() -> None:
    torch = [("drop", 0.2, "elements")]
    assert compared(torch, [OWN], path(0.2), path(0.2, whole=2)).verdict is Verdict.SAME
    assert compared(torch, [OWN], path(0.2), path(0.2)).verdict is Verdict.DIFFERS


def test_what_cannot_be_called_is_not_the_same() -> None:
    class Dead(Side):
        def drops(self, inputs: Sequence[Array]) -> list[Drop]:
            raise PortFailed("no pass in training", kind="NoKernel")

    made = parts()
    dead = Dead("mindspore", made, sequence(*made))
    found = dropping(side("torch", []), dead, [X])
    assert (found.verdict, "no pass in training" in found.words) == (Verdict.UNRESOLVED, True)
    blind = [("path", 0.2, "own", ())]
    assert compared(blind, blind).verdict is Verdict.UNRESOLVED


# In a verdict -----------------------------------------------------------------------------------


def verified(torch: Sequence[tuple[Any, ...]], port: Sequence[tuple[Any, ...]]) -> PortResult:
    plan = Plan("fake", draw, seeds=2, modes=["pynative"], calibrated=False)
    return verify(side("torch", torch), side("mindspore", port), plan)


def test_another_dropout_does_not_train_alike() -> None:
    found = verified([("drop", 0.5, "elements")], [])
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1)
    assert found.sentence == (
        "Same function forward, but it does not train alike: "
        "in training PyTorch drops 0.5 at drop, the port does not."
    )
    assert [(cause.what, cause.where) for cause in found.causes] == [("dropout", "drop")]


def test_a_dropout_that_cannot_be_compared_is_unresolved() -> None:
    found = verified([("drop", None, "elements")], [("drop", None, "elements")])
    assert found.verdict is Verdict.UNRESOLVED
    assert "the share that drop drops is no plain number" in found.sentence
