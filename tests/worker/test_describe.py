"""Signatures by introspection, from hand-made objects shaped like those of the frameworks."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import execnet
import pytest

from conformance.worker.base import Adapter
from conformance.worker.describe import describe, groups, parse, render


class Cell:
    """A framework's base class."""

    def __init__(self, auto_prefix: bool = True) -> None: ...


def registering(fn: Any) -> Any:
    def deco(self: Any, *args: Any, **kwargs: Any) -> None:
        fn(self, *args, **kwargs)

    return deco


def wrapping(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


class Loss(Cell):
    """Loss.

    Args:
        size_average (bool, optional): Deprecated (see :attr:`reduction`).
        reduction (str): the old value is deprecated.
        * **pos** (Tensor) - Deprecated, use something else.
    """

    def __init__(self, size_average: Any = None, reduction: str = "mean") -> None: ...

    def construct(self, logits: Any, labels: Any = None) -> None: ...


class Optimizer(Cell):
    @registering
    def __init__(self, params: Any, learning_rate: float = 0.1, *, fn: Any = abs) -> None: ...


class Recurrent(Cell):
    def __init__(self, mode: str, size: int, bias: bool = True) -> None: ...


class Lstm(Recurrent):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class Rnn(Recurrent):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        mode = kwargs.pop("nonlinearity", "tanh")
        super().__init__(mode, *args, **kwargs)


class Printed(Cell):
    """__init__(input_size,hidden=1)

    What torch.nn.LSTM does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


class Plain(Cell):
    def forward(self, input: Any) -> None: ...


class Tensor:
    T = property(lambda self: self)

    def split(self, size: int, dim: int = 0) -> None: ...


def opaque(doc: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> None: ...

    function.__doc__ = doc
    return function


FRAMEWORK = SimpleNamespace(
    Loss=Loss,
    Optimizer=Optimizer,
    Lstm=Lstm,
    Rnn=Rnn,
    Printed=Printed,
    Plain=Plain,
    Tensor=Tensor,
    wrapped=wrapping(Tensor.split),
    topk=opaque("topk(input, k, dim=None, *, out=None) -> (Tensor, LongTensor)\n\nReturns."),
    amax=opaque(
        "max(input) -> Tensor\n\nx\n\n.. function:: max(input, dim, keepdim=False) -> tuple\n"
        "   :noindex:\n\n>>> max(3)\n\n.. function:: max(input)\n"
    ),
    max=opaque(
        "\nmax(input: Tensor, *, out: Optional[Tensor]) -> Tensor\n\nx\n\nmax(prose) is max.\n\n"
        ".. function:: max(input, dim, keepdim=False) -> (Tensor, Tensor):\n"
    ),
    silent=opaque("Does something."),
)


def resolve(api: str) -> Any:
    """Resolve like an adapter: modules themselves are no APIs."""
    found: Any = FRAMEWORK
    for step in api.split(".")[1:]:
        found = getattr(found, step)
    if found is FRAMEWORK:
        raise AttributeError(api)
    return found


@pytest.mark.parametrize(
    ("api", "source", "text", "overloads", "call"),
    [
        (
            "fw.Loss",
            "signature",
            "(size_average=None, reduction='mean')",
            [],
            "(logits, labels=None)",
        ),
        ("fw.Optimizer", "signature", "(params, learning_rate=0.1, *, fn=abs)", [], None),
        ("fw.Lstm", "signature", "(size, bias=True)", [], None),
        ("fw.Rnn", "signature", "(size, bias=True, **kwargs)", [], None),
        ("fw.Printed", "docstring", "(input_size, hidden=1)", [], None),
        ("fw.Plain", "signature", "()", [], "(input)"),
        ("fw.Tensor.split", "signature", "(size, dim=0)", [], None),
        ("fw.Tensor.T", "signature", "", [], None),
        ("fw.wrapped", "signature", "(self, size, dim=0)", [], None),
        (
            "fw.topk",
            "docstring",
            "(input, k, dim=None, *, out=None) -> (Tensor, LongTensor)",
            [],
            None,
        ),
        (
            "fw.max",
            "docstring",
            "(input, *, out=None) -> Tensor",
            ["(input, dim, keepdim=False) -> (Tensor, Tensor)"],
            None,
        ),
        ("fw.amax", "docstring", "(input) -> Tensor", [], None),  # an alias
        ("fw.silent", "signature", "(*args, **kwargs)", [], None),
    ],
)
def test_text(api: str, source: str, text: str, overloads: list[str], call: str | None) -> None:
    message = describe(resolve, api)
    assert execnet.loads(execnet.dumps(message)) == message
    assert (message["exists"], message["source"], message["text"]) == (True, source, text)
    assert [o["text"] for o in message["overloads"]] == overloads
    assert message["call_text"] == call


def test_missing_api_says_why() -> None:
    message = describe(resolve, "fw.nothing")
    assert (message["exists"], message["source"], message["parameters"]) == (False, "none", [])
    assert "nothing" in message["error"]


def test_builtin_without_signature_or_docstring_is_none() -> None:
    message = describe(lambda api: object(), "fw.thing")
    assert (message["exists"], message["source"]) == (True, "none")


def test_deprecated_are_parameters_described_as_such() -> None:
    assert describe(resolve, "fw.Loss")["deprecated"] == ["size_average"]


@pytest.mark.parametrize(
    ("printed", "rendered"),
    [
        ("(input, weight=None)", "(input, weight=None)"),
        ("(start=0, end, step=1)", "(start=0, end, step=1)"),
        (r"low=0, size, \*, generator: Optional[Generator]", "(low=0, size, *, generator=None)"),
        ("(a, /, b, *c, d=(1, 2), **e)", "(a, /, b, *c, d=(1, 2), **e)"),
        ("(a: Dict[str, int] = {'x,': 1}, *, out)", "(a={'x,': 1}, *, out=None)"),
        ("(approximate = 'none')", "(approximate='none')"),
        ("()", "()"),
    ],
)
def test_parse_reads_what_documentation_prints(printed: str, rendered: str) -> None:
    assert render(parse(printed)) == rendered


@pytest.mark.parametrize("printed", ["(a, 3)", "(a", "(a, ...)", "(a b)"])
def test_parse_refuses_what_is_no_parameter_list(printed: str) -> None:
    with pytest.raises(ValueError, match="not "):
        parse(printed)


def test_groups() -> None:
    assert groups("(r='(')(a, (b)) -> Tensor") == (["(r='(')", "(a, (b))"], "-> Tensor")


TORCH = {
    "torch.abs": "(input, *, out=None) -> Tensor",
    "torch.topk": (
        "(input, k, dim=None, largest=True, sorted=True, *, out=None) -> (Tensor, LongTensor)"
    ),
    "torch.Tensor.add": "(other, *, alpha=1) -> Tensor",
    "torch.Tensor.T": "",
    "torch.Tensor.arccosh": "() -> Tensor",
    "torch.nn.LSTM": (
        "(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,"
        " bidirectional=False, proj_size=0, device=None, dtype=None)"
    ),
    "torch.nn.Sigmoid": "()",
    "torch.nn.BCEWithLogitsLoss": (
        "(weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None)"
    ),
    "torch.nn.functional.max_pool2d": (
        "(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,"
        " return_indices=False)"
    ),
}
MINDSPORE = {
    "mindspore.Tensor.add": "(other) -> Tensor",
    "mindspore.Tensor.T": "",
    "mindspore.mint.where": "(condition, input, other) -> Tensor",
    "mindspore.mint.nn.SELU": "()",
    "mindspore.nn.LSTM": (
        "(input_size, hidden_size, num_layers=1, has_bias=True, batch_first=False, dropout=0.0,"
        " bidirectional=False, dtype=mindspore.float32)"
    ),
    "mindspore.nn.SGD": (
        "(params, learning_rate=0.1, momentum=0.0, dampening=0.0, weight_decay=0.0,"
        " nesterov=False, loss_scale=1.0)"
    ),
    "mindspore.ops.binary_cross_entropy_with_logits": (
        "(input, target, weight=None, pos_weight=None, reduction='mean')"
    ),
    "mindspore.nn.BCEWithLogitsLoss": "(reduction='mean', weight=None, pos_weight=None)",
}


@pytest.mark.frameworks
@pytest.mark.parametrize(("root", "expected"), [("torch", TORCH), ("mindspore", MINDSPORE)])
@pytest.mark.filterwarnings("ignore")
def test_installed_frameworks(root: str, expected: dict[str, str]) -> None:
    """The texts are those of the releases' own documentation."""

    class Real(Adapter):
        pass

    Real.root = root
    adapter = Real("", "")
    assert {api: describe(adapter.resolve, api)["text"] for api in expected} == expected
