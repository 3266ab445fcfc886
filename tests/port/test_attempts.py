from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from conformance.errors import HarnessError
from conformance.port.attempts import Attempts
from conformance.port.both import Both
from conformance.port.evidence import Suspect
from conformance.port.model import LayerInfo
from conformance.port.result import Cause, StaticDifference, Verdict

RELU6 = LayerInfo("bn.act", "torch.nn.ReLU6", "relu6", True)
FUSED = LayerInfo("bn", "timm.BatchNormAct2d", "batch_norm2d+relu6", False, settings={"eps": 1e-5})
RELU = LayerInfo("act", "mindspore.nn.ReLU", "relu", True)
NORM = LayerInfo("norm", "mindspore.nn.BatchNorm2d", "batch_norm2d", True, settings={"eps": 1e-3})
KIND = StaticDifference("bn", "act", "kind", "relu6", "relu")
EPS = StaticDifference("bn", "norm", "eps", "1e-05", "0.001")


@dataclass
class Patched:
    """A side that only notes how it is patched, or refuses."""

    refuses: bool = False
    framework: str = "mindspore"
    patches: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        if self.refuses:
            raise ValueError("cannot be patched")
        self.patches.append((layer, settings))


def tried(
    port: Patched, torch: Patched, item: StaticDifference, measured: Verdict = Verdict.SAME
) -> Verdict | None:
    layers = ([FUSED, RELU6], [RELU, NORM])
    inventories = tuple(SimpleNamespace(layers=side) for side in layers)
    both = SimpleNamespace(torch=torch, port=port, inventories=inventories, mended=set())
    attempts = Attempts(cast("Both", both), [KIND, EPS], lambda: measured)
    cause = Cause(item.setting, "", "")
    return attempts([Suspect(cause, 0, (item.mindspore_layer,), item.setting)])


@pytest.mark.parametrize(
    ("item", "there", "back"),
    [
        (KIND, ("act", {"kind": "relu6"}), ("act", {"kind": "relu"})),
        (EPS, ("norm", {"eps": 1e-5}), ("norm", {"eps": 1e-3})),
    ],
)
def test_the_port_gets_pytorchs_setting_and_its_own_back(
    item: StaticDifference, there: object, back: object
) -> None:
    port, torch = Patched(), Patched()
    assert tried(port, torch, item) is Verdict.SAME
    assert (port.patches, torch.patches) == ([there, back], [])


def test_where_the_port_cannot_pytorch_gets_the_ports() -> None:
    torch = Patched()
    assert tried(Patched(refuses=True), torch, KIND) is Verdict.SAME
    assert torch.patches == [
        ("bn", {"kind": "batch_norm2d+relu"}),
        ("bn", {"kind": "batch_norm2d+relu6"}),
    ]
    assert tried(Patched(refuses=True), Patched(refuses=True), KIND) is None


def test_what_cannot_be_put_back_ends_the_verification() -> None:
    class Once(Patched):
        def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
            super().patch(layer, settings)
            self.refuses = True

    with pytest.raises(HarnessError, match=r"norm: eps .* could not be put back"):
        tried(Once(), Patched(), EPS)


def test_an_attempt_that_measures_nothing_proves_nothing() -> None:
    assert tried(Patched(), Patched(), EPS, Verdict.NOT_COMPARED) is None
