"""Inputs that a model cannot take are mistakes of port.yaml, told before the model is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.errors import CorpusError
from conformance.port import portfile, signature
from conformance.worker.port import Session

TEXT = """\
port: some
torch: a:b
mindspore: c:d
inputs:
"""


class Model:
    def two(self, image: Any, question: Any) -> None: ...

    def default(self, image: Any, question: Any = None) -> None: ...

    def more(self, image: Any, *rest: Any, scale: float = 1) -> None: ...


class Holding(Session):
    """A session whose model's forward pass is given."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self) -> Any:
        return self.function


def said(tmp_path: Path, function: Any, *names: str, framework: str = "torch") -> str:
    """Return what is wrong with inputs called `names` for a model that runs `function`."""
    path = tmp_path / "port.yaml"
    path.write_text(TEXT + "".join(f"  {name}: {{rand: [2]}}\n" for name in names))
    try:
        file = portfile.load(path)
        signature.check(file, framework, Holding(function).answer("parameters", {})[1])
    except CorpusError as error:
        return str(error).removeprefix(f"{path}:")
    return ""


@pytest.mark.parametrize(
    ("method", "names", "wrong"),
    [
        ("two", ("image", "question"), ""),
        ("two", ("x", "y"), ""),
        (
            "two",
            ("image", "question", "z"),
            "7:6: inputs.z: the torch model's Model.two takes 2 inputs (image, question), "
            "and this is one more",
        ),
        (
            "two",
            ("image",),
            "5:3: inputs: the torch model's Model.two needs question as well: add it, in its place",
        ),
        (
            "two",
            ("question", "image"),
            "5:3: inputs: inputs are given in the order they stand here; "
            "Model.two takes image, question",
        ),
        ("default", ("image",), ""),
        ("more", ("a", "b", "c"), ""),
    ],
)
def test_inputs(tmp_path: Path, method: str, names: tuple[str, ...], wrong: str) -> None:
    assert said(tmp_path, getattr(Model(), method), *names) == wrong


def test_the_order_of_a_port_is_its_own_mistake(tmp_path: Path) -> None:
    given = ("question", "image")
    assert said(tmp_path, Model().two, *given, framework="mindspore") == ""


@pytest.mark.parametrize("function", [None, dict])
def test_what_nobody_knows_is_not_judged(tmp_path: Path, function: Any) -> None:
    assert said(tmp_path, function, "x", "y", "z") == ""


@pytest.mark.frameworks
def test_the_frameworks_models_tell() -> None:
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from conformance.worker.port_mindspore import MindSporeSession  # noqa: PLC0415
    from conformance.worker.port_torch import TorchSession  # noqa: PLC0415

    for session, model, called in (
        (TorchSession(), torch.nn.Bilinear(2, 2, 2), "Bilinear.forward"),
        (MindSporeSession(), mindspore.nn.BiDense(2, 2, 2), "BiDense.construct"),
    ):
        session.adopt(model)
        outcome, told = session.answer("parameters", {})
        assert (outcome, told["called"], told["needed"], told["more"]) == ("ok", called, 2, False)
        assert told["names"] == ["input1", "input2"]
