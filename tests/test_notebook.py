"""`conformance.verify_port`: both models in one process, and what it leaves of them."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import conformance
from conformance.errors import CallerError, PortFailed
from conformance.port.result import PortResult, Verdict

if TYPE_CHECKING:
    import mindspore as ms
    import torch
else:
    torch = pytest.importorskip("torch")
    ms = pytest.importorskip("mindspore")
    # It has an effect before the first kernel of a process alone; tests of memory that runs out,
    # which may come later in this one, would end it with SIGSEGV else.
    ms.set_context(pynative_synchronize=True)

pytestmark = pytest.mark.frameworks

X = np.random.RandomState(7).randn(6, 4, 5, 5)


class Torch(torch.nn.Module):  # type: ignore[misc]
    """A convolution, statistics, dropout, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 8, 3)
        self.bn = torch.nn.BatchNorm2d(8)
        self.drop = torch.nn.Dropout(0.3)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn(self.conv(x))).mean(dim=(2, 3))
        head: torch.Tensor = self.head(self.drop(y))
        return head


class Cell(ms.nn.Cell):  # type: ignore[misc]
    """Its port; `first` is what the convolution is called."""

    def __init__(self, *, eps: float = 1e-5, classes: int = 3) -> None:
        super().__init__()
        self.first = ms.nn.Conv2d(4, 8, 3, pad_mode="valid", has_bias=True)
        self.bn = ms.nn.BatchNorm2d(8, eps=eps)
        self.drop = ms.nn.Dropout(p=0.3)
        self.head = ms.nn.Dense(8, classes)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        y = ms.ops.relu(self.bn(self.first(x))).mean(axis=(2, 3))
        return self.head(self.drop(y))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """The context that a notebook has, whatever ran in this process before."""
    before = ms.get_context("pynative_synchronize")
    ms.set_context(pynative_synchronize=False)
    yield
    ms.set_context(pynative_synchronize=before)


def values(cell: Any) -> dict[str, bytes]:
    return {name: p.asnumpy().tobytes() for name, p in cell.parameters_dict().items()}


def verified(port: Any, inputs: Any = X, **options: Any) -> PortResult:
    options = {"seeds": 2, "modes": ["pynative"], **options}
    return conformance.verify_port(Torch(), port, inputs, **options)


def test_a_right_port_with_training_is_the_same(tmp_path: Path) -> None:
    result = conformance.verify_port(
        Torch(),
        Cell(),
        lambda size, seed: np.random.RandomState(seed).randn(6, 4, *SIDES[size]),
        targets=lambda size, seed: np.random.RandomState(seed).randint(0, 3, 6),
        sizes=list(SIDES),
        seeds=2,
        loss=(torch.nn.functional.cross_entropy, ms.ops.cross_entropy),
        optimizer=(
            lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
            lambda cell: ms.nn.SGD(cell.trainable_params(), learning_rate=0.1),
        ),
        steps=3,
        name="small",
        out=tmp_path,
    )
    assert result.verdict is Verdict.SAME, result
    assert {(row.size, row.mode) for row in result.forward} == {
        (size, mode) for size in SIDES for mode in ("pynative", "graph")
    }
    assert all(len(row.measures) == 2 for row in result.forward)
    assert len(result.trajectory) == 3
    assert {row.torch for row in result.step if row.verdict is Verdict.SAME} >= {
        "bn.weight", "bn.bias", "head.weight", "head.bias", "conv.weight",
    }  # fmt: skip
    assert "Same function" in (tmp_path / "ports" / "small.html").read_text(encoding="utf-8")


SIDES = {"odd": (5, 7), "even": (6, 6)}


def test_a_wrong_port_is_judged_as_on_the_command_line() -> None:
    result = verified(Cell(eps=1e-2))
    assert result.verdict is Verdict.DIFFERS
    cause = result.causes[0]
    assert (cause.what, cause.where, cause.confirmed, cause.page) == (
        "eps", "bn", True, "batch_norm2d",
    )  # fmt: skip
    assert "bn" in repr(result)
    assert len(repr(result)) < 300
    shown = result._repr_html_()
    assert "eps" in shown
    assert "(confirmed)" in shown


def test_a_caller_without_gradients_gets_them_compared() -> None:
    with torch.no_grad():
        result = verified(Cell(), seeds=1)
    assert result.verdict is Verdict.SAME, result
    assert {row.torch for row in result.gradients} >= {"conv.weight", "head.bias"}
    assert "training is not compared" not in " ".join(result.notes)


def test_what_is_shown_is_text_and_no_markup() -> None:
    result = PortResult("<b>", Verdict.DIFFERS, "a < b & c", {}, notes=("<script>",))
    shown = result._repr_html_()
    assert "a &lt; b &amp; c" in shown
    assert "<script>" not in shown
    assert "<b>:" not in shown


def test_the_callers_models_stay_what_they_are() -> None:
    """Values, modes of training, hooks and dropout of both, context and generators."""
    model, cell = Torch(), Cell(eps=1e-2)
    model.conv.weight.requires_grad = False
    model.head.eval()
    cell.set_train(True)
    cell.bn.set_train(False)
    cell.first.weight.requires_grad = False
    called: list[str] = []
    model.head.register_forward_hook(lambda *_: called.append("torch"))
    cell.head.register_forward_hook(lambda *_: called.append("mindspore"))
    ms.set_context(mode=ms.GRAPH_MODE)
    try:
        before = {name: v.clone() for name, v in model.state_dict().items()}, values(cell)
        hooks = {n: len(m._forward_hooks) for n, m in model.named_modules()}
        generator = torch.get_rng_state()
        conformance.verify_port(model, cell, X, seeds=1, loss=None)
        assert ms.get_context("mode") == ms.GRAPH_MODE
        assert not ms.get_context("pynative_synchronize")
        assert torch.equal(torch.get_rng_state(), generator)
    finally:
        ms.set_context(mode=ms.PYNATIVE_MODE)
    assert all(torch.equal(v, before[0][name]) for name, v in model.state_dict().items())
    assert values(cell) == before[1]
    assert [m.training for m in (model, model.bn, model.head)] == [True, True, False]
    assert [c.training for c in (cell, cell.head, cell.bn)] == [True, True, False]
    assert {n: len(m._forward_hooks) for n, m in model.named_modules()} == hooks
    assert (model.drop.p, cell.drop.p) == (0.3, 0.3)
    assert [p.grad for p in model.parameters()] == [None] * 6
    assert not model.conv.weight.requires_grad
    assert not cell.first.weight.requires_grad
    called.clear()
    model(torch.zeros(1, 4, 5, 5))
    cell(ms.ops.zeros((1, 4, 5, 5), ms.float32))
    assert called == ["torch", "mindspore"]
    assert cell.bn.eps == 1e-2


def loaded(model: Any, cell: Any) -> None:
    """Give the port the model's values by hand, as a porter does."""
    names = {"weight": "weight", "bias": "bias"}
    scale = {"weight": "gamma", "bias": "beta"}
    scale |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
    layers = {"conv": (cell.first, names), "bn": (cell.bn, scale), "head": (cell.head, names)}
    for key, value in model.state_dict().items():
        layer, _, name = key.partition(".")
        if name != "num_batches_tracked":
            target, renamed = layers[layer]
            getattr(target, renamed[name]).set_data(ms.Tensor(value.numpy()))


def test_values_that_each_side_has_loaded_are_compared_as_they_are() -> None:
    model, cell = Torch(), Cell()
    with torch.no_grad():
        model.train()(torch.tensor(X, dtype=torch.float32))
    loaded(model, cell)
    options: dict[str, Any] = {"values": "loaded", "modes": ["pynative"]}
    result = conformance.verify_port(model, cell, X, **options)
    assert result.verdict is Verdict.SAME, result
    assert len(result.forward[0].measures) == 1  # five draws of the same would be one
    cell.head.bias.set_data(ms.ops.zeros((3,), ms.float32))
    result = conformance.verify_port(model, cell, X, **options)
    assert result.verdict is Verdict.DIFFERS
    assert {(c.what, c.where, c.confirmed) for c in result.causes} == {
        ("weights", "head.bias", True)
    }


def test_names_and_tensors_to_ignore_are_rules() -> None:
    rules = {r"conv\.(weight|bias)": r"first.\1"}
    result = verified(Cell(), rules=rules, ignore={"torch": [".*tracked"]}, seeds=1)
    told = {row.torch: row.rule for row in result.weights}
    assert told["conv.weight"].startswith("weights.rules, number 1")
    assert told["bn.num_batches_tracked"].startswith("ignored")
    assert result.verdict is Verdict.SAME
    with pytest.raises(CallerError, match=r"^rules\.0: .*regular expression"):
        verified(Cell(), rules={"(": ""})
    with pytest.raises(CallerError, match=r"^rules\.0\.torch: covn matches .*did you mean conv\?"):
        verified(Cell(), rules={"covn": "first"})


def test_inputs_may_be_tensors_of_either_framework() -> None:
    for inputs in (torch.tensor(X), [ms.Tensor(X)], (X.astype(np.float32),)):
        assert verified(Cell(), inputs, seeds=1).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": "trained"}, "values 'trained': one of calibrated, as-built, loaded"),
        ({"modes": ["eager"]}, "modes are of pynative, graph"),
        ({"modes": []}, "modes are of pynative, graph"),
        ({"sizes": []}, "sizes: name at least one"),
        ({"seeds": 0}, "seeds are at least 1"),
        ({"inputs": ["x"]}, r"inputs\[0\] is a str, no array of numbers"),
        ({"cases": "nowhere"}, "nowhere: no case file here"),
    ],
)
def test_arguments_that_cannot_be_are_the_callers(change: dict[str, Any], said: str) -> None:
    with pytest.raises(CallerError, match=f"^{said}"):
        verified(Cell(), **{"inputs": X, **change})


def test_models_in_the_other_order_are_told() -> None:
    said = r"the torch model is a Cell, not a torch\.nn\.Module"
    with pytest.raises(CallerError, match=f"^{said}; the two are swapped: PyTorch's comes first$"):
        conformance.verify_port(Cell(), Torch(), X)
    with pytest.raises(CallerError, match=f"^{said}$"):
        conformance.verify_port(Cell(), Cell(), X)
    with pytest.raises(CallerError, match=r"^the mindspore model is a Torch, not a mindspore"):
        conformance.verify_port(Torch(), Torch(), X)
    assert not ms.get_context("pynative_synchronize")


def test_a_model_that_cannot_run_is_told_with_its_layer() -> None:
    with pytest.raises(PortFailed, match="torch side, calibrate in layer conv: RuntimeError") as e:
        verified(Cell(), X[:, :3])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("error", "models", "options", "said"),
    [
        (PortFailed, (Torch, Cell), {"inputs": X[:, :3]}, "in layer conv: RuntimeError"),
        (CallerError, (Cell, Torch), {}, "the two are swapped"),
        (CallerError, (Torch, Cell), {"rules": {"covn": "first"}}, "did you mean conv?"),
    ],
)
def test_no_earlier_page_stays_where_nothing_could_be_compared(
    error: type[Exception],
    models: tuple[Callable[[], Any], Callable[[], Any]],
    options: dict[str, Any],
    said: str,
    tmp_path: Path,
) -> None:
    verified(Cell(), seeds=1, name="small", out=tmp_path)
    page = tmp_path / "ports" / "small.html"
    assert "Same function" in page.read_text(encoding="utf-8")
    torch_model, cell = (make() for make in models)
    given = {"inputs": X, "seeds": 1, "name": "small", "out": tmp_path, **options}
    with pytest.raises(error):
        conformance.verify_port(torch_model, cell, **given)
    told = page.read_text(encoding="utf-8")
    assert "Nothing was compared" in told
    assert said in html.unescape(told)
    assert "Same function" not in told


def test_without_a_corpus_the_result_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = [verified(cell, seeds=1).notes for cell in (Cell(eps=0.1), Cell())]
    assert [any("no corpus in cases" in note for note in notes) for notes in told] == [True, False]
