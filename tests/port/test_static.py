"""Settings of aligned layers that differ, and initialisers that show in the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.loader import load
from conformance.port.align import align
from conformance.port.aligned import Aligned
from conformance.port.initialisers import differ, initialisers
from conformance.port.model import CallKey, LayerCall, LayerInfo
from conformance.port.static import Pages, differences, pages
from tests.port.traces import layer, run

CASES = Path(__file__).parents[2] / "cases"


def compared(one: LayerInfo, two: LayerInfo, where: Pages | None = None) -> list[tuple[Any, ...]]:
    key = CallKey("x")
    call = LayerCall(key, ((2, 3, 4),), ((2, 3, 4),))
    found = differences([Aligned((call,), (call,), one.kind, "")], [one], [two], where)
    return [(d.setting, d.torch, d.mindspore, d.trains) for d in found]


def test_settings_that_differ() -> None:
    one = layer("x", "batch_norm2d", eps=1e-5, momentum=0.1, num_features=4)
    two = layer("x", "batch_norm2d", eps=1e-3, momentum=0.9, num_features=4)
    assert compared(one, two) == [
        ("eps", "1e-05", "0.001", False), ("momentum", "0.1", "0.9", True),
    ]  # fmt: skip
    assert compared(one, one) == []


def test_padding_is_shown_as_people_write_it() -> None:
    pads: list[Any] = [((1, 1), (2, 2)), ((0, 1), (0, 1)), "same"]
    one, two, three = (layer("x", "conv2d", padding=p) for p in pads)
    assert compared(one, three) == [("padding", "(1, 2)", "same", False)]
    assert compared(two, one)[0][1] == "((0, 1), (0, 1))"


def test_another_class_is_a_difference_of_its_own() -> None:
    assert compared(layer("x", "relu6"), layer("x", "relu")) == [("kind", "relu6", "relu", False)]
    pools = layer("x", "max_pool2d", stride=(2, 2)), layer("x", "avg_pool2d", stride=(1, 1))
    assert [row[0] for row in compared(*pools)] == ["kind", "stride"]
    unknown = layer("x", "", eps=1e-7), layer("x", "layer_norm", eps=1e-6, elementwise_affine=True)
    assert compared(*unknown) == [("eps", "1e-07", "1e-06", False)]


def test_dropout_of_nothing_is_the_identity() -> None:
    assert compared(layer("x", "identity"), layer("x", "dropout", p=0.0)) == []
    dropped = compared(layer("x", "identity"), layer("x", "dropout", p=0.1))
    assert dropped == [("kind", "identity", "dropout", True)]
    kept = compared(layer("x", "dropout", p=0.1), layer("x", "dropout", p=0.9))
    assert kept == [("p", "0.1", "0.9", True)]


def test_axes_counted_from_the_end_are_the_same_axes() -> None:
    assert compared(layer("x", "softmax", dim=-1), layer("x", "softmax", dim=2)) == []
    assert compared(layer("x", "softmax", dim=-2), layer("x", "softmax", dim=2)) != []


def test_a_setting_one_side_has_and_the_other_has_not() -> None:
    one, two = layer("x", "conv2d", bias=True), layer("x", "conv2d", bias=True, data_format="NHWC")
    assert compared(one, two) == [("data_format", "not set", "NHWC", False)]


def test_fused_layers_are_compared_part_by_part() -> None:
    torch = [layer("bn", "batch_norm2d+leaky_relu", "w", eps=0.1, negative_slope=0.01)]
    port = [layer("n", "batch_norm2d", "w", eps=0.2), layer("r", "leaky_relu", negative_slope=0.2)]
    aligned = align((torch, run("bn")), (port, run("n", "r")), [("bn.w", "n.w")])
    found = differences(aligned, torch, port)
    assert [(d.torch_layer, d.mindspore_layer, d.setting) for d in found] == [
        ("bn", "n", "eps"), ("bn", "r", "negative_slope"),
    ]  # fmt: skip
    other = [layer("bn", "batch_norm2d+relu", "w", eps=0.3)]
    aligned = align((torch, run("bn")), (other, run("bn")), [("bn.w", "bn.w")])
    found = differences(aligned, torch, other)
    assert [(d.setting, d.torch, d.mindspore) for d in found] == [
        ("eps", "0.1", "0.3"), ("kind", "leaky_relu", "relu"),
    ]  # fmt: skip


def test_padding_by_a_layer_of_its_own_is_padding() -> None:
    def found(kind: str, pads: tuple[tuple[int, int], ...], **how: Any) -> list[tuple[str, str]]:
        torch = [layer("p", kind, padding=((1, 1), (1, 1)))]
        port = [layer("pad", "pad", padding=pads, **how)]
        port += [layer("p", kind, padding=((0, 0), (0, 0)))]
        aligned = align((torch, run("p")), (port, run("pad", "p")), [])
        assert [len(a.mindspore) for a in aligned] == [2]
        return [(d.setting, d.mindspore) for d in differences(aligned, torch, port)]

    ones = ((1, 1), (1, 1))
    assert found("conv2d", ones, mode="constant", value=0.0) == []
    assert found("max_pool2d", ones, mode="constant", value=0.0) == [("padding_value", "0.0")]
    assert found("conv2d", ((0, 1),), mode="reflect") == [
        ("padding", "((0, 0), (0, 1))"), ("padding_mode", "reflect"),
    ]  # fmt: skip


def test_a_layer_called_twice_is_told_of_once() -> None:
    torch, port = [layer("r", "relu6")], [layer("r", "relu")]
    aligned = align((torch, run("r", "r")), (port, run("r", "r")), [])
    assert len(aligned) == 2
    assert len(differences(aligned, torch, port)) == 1


def test_layers_on_one_side_only_are_not_compared() -> None:
    torch = [layer("r", "relu6")]
    assert differences(align((torch, run("r")), ([], []), []), torch, []) == []


def test_pages_of_the_corpus() -> None:
    where = pages(load([CASES / "nn", CASES / "activation"]))

    def typed(torch: str, mindspore: str, kind: str) -> str:
        one = LayerInfo("x", torch, kind, True)
        return where.of(one, LayerInfo("x", mindspore, kind, True))

    assert typed("torch.nn.LayerNorm", "mindspore.nn.LayerNorm", "layer_norm") == "layer_norm"
    assert typed("torch.nn.ConvTranspose2d", "mindspore.nn.Conv2dTranspose", "") == (
        "conv_transpose2d"
    )
    assert (
        typed("timm.layers.norm.LayerNorm", "mindspore.nn.LayerNorm", "layer_norm") == "layer_norm"
    )
    assert typed("timm.BatchNormAct2d", "mindspore.nn.BatchNorm2d", "batch_norm2d+relu") == (
        "batch_norm2d"
    )
    one, two = layer("x", "batch_norm2d+relu6"), layer("x", "batch_norm2d+relu")
    assert where.of(one, two, "relu6", "relu") == "relu"
    assert typed("torch.nn.Unheard", "mindspore.nn.Unheard", "unheard") == ""
    one = layer("x", "leaky_relu", negative_slope=0.01)
    key = LayerCall(CallKey("x"), (), ())
    found = differences(
        [Aligned((key,), (key,), "", "")],
        [one],
        [layer("x", "leaky_relu", negative_slope=0.2)],
        where,
    )
    assert [d.page for d in found] == ["leaky_relu"]


# ------------------------------------------------------------------------------------- initialisers

Draw = Callable[[np.random.Generator], Any]
DRAWS: dict[str, tuple[Draw, Draw, bool]] = {
    "same-normal": (lambda g: g.normal(size=(50, 40)), lambda g: g.normal(size=(50, 40)), False),
    "scale": (lambda g: g.normal(size=(50, 40)), lambda g: g.normal(0, 0.01, (50, 40)), True),
    "shape": (
        lambda g: g.uniform(-1, 1, (300, 40)),
        lambda g: g.normal(0, 3**-0.5, (300, 40)),
        True,
    ),
    "constant-against-drawn": (lambda g: np.zeros(6), lambda g: g.uniform(-0.1, 0.1, 6), True),
    "constants": (lambda g: np.zeros(6), lambda g: np.zeros(6), False),
    "other-constants": (lambda g: np.zeros(6), lambda g: np.ones(6), True),
    "too-few-to-tell": (lambda g: g.normal(size=3), lambda g: g.normal(0, 2, 3), False),
    "single": (lambda g: np.zeros(1), lambda g: np.ones(1), False),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_other_distributions(name: str) -> None:
    one, two, expected = DRAWS[name]
    assert [differ(one(g), two(g)) for g in map(np.random.default_rng, range(20))] == [
        expected
    ] * 20


def test_initialisers_that_differ_are_told_with_their_layers() -> None:
    draws = np.random.default_rng(0)
    torch = [layer("emb", "embedding", "weight"), layer("fc", "linear", "weight")]
    port = [layer("e", "embedding", "embedding_table"), layer("d", "linear", "weight")]
    tensors = [("emb.weight", "e.embedding_table"), ("fc.weight", "d.weight"), ("gone", "lost")]
    one = {"emb.weight": draws.normal(size=(90, 8)), "fc.weight": draws.uniform(size=(8, 90))}
    two = {
        "e.embedding_table": draws.normal(0, 0.01, (90, 8)),
        "d.weight": draws.uniform(size=(8, 90)),
    }
    where = Pages({}, frozenset({"embedding"}))
    (found,) = initialisers(tensors, (torch, one), (port, two), where)
    assert (found.torch_layer, found.mindspore_layer) == ("emb", "e")
    assert found.setting == "initialiser of weight"
    assert "standard deviation 1" in found.torch
    assert "standard deviation 0.01" in found.mindspore
    assert found.trains
    assert found.page == "embedding"
