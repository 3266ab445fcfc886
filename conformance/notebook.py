"""A port verified where both models are at hand: in a notebook, in a test, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from conformance import porting
from conformance.errors import CallerError, PortFailed
from conformance.port.both import Plan
from conformance.port.config import DEFAULT_SIZE, MODES, Mode, Weights
from conformance.port.model import Array
from conformance.port.remote import LocalSide
from conformance.port.result import PortResult
from conformance.port.ruled import RuleError
from conformance.port.side import Side
from conformance.port.verify import Known, verify
from conformance.report import port_pages

Arrays = Any
"""One array or tensor, or a sequence of them."""
Source = Arrays | Callable[[str, int], Arrays]
"""Arrays, or a function of the name of a size and a seed that returns them."""
Each = tuple[Callable[..., Any], Callable[..., Any]]
"""PyTorch's and MindSpore's."""
Values = Literal["calibrated", "as-built", "loaded"]


def verify_port(
    torch_model: Any,
    mindspore_cell: Any,
    inputs: Source,
    *,
    targets: Source = (),
    loss: Each | None = None,
    optimizer: Each | None = None,
    schedule: Each | None = None,
    steps: int = 8,
    sizes: Sequence[str] = (DEFAULT_SIZE,),
    seeds: int = 5,
    values: Values = "calibrated",
    rules: Mapping[str, str | tuple[str, str]] | None = None,
    ignore: Mapping[str, Sequence[str]] | None = None,
    layers: Mapping[str, str] | None = None,
    modes: Sequence[Mode] = MODES,
    memory: int = 2**30,
    name: str = "port",
    cases: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    echo: Callable[[str], None] = lambda _: None,
) -> PortResult:
    """Tell whether a ``mindspore.nn.Cell`` is the same function as a ``torch.nn.Module``.

    Both are copied first: the caller's models keep their values, their mode of training and their
    hooks, and MindSpore keeps its context.  All else is as ``conformance port`` does it; see
    docs/port.md.

    `inputs` are the model's positional arguments: arrays, or a function that draws them for a size
    of `sizes` and a seed; `targets` likewise what `loss` is called with after the output.  `loss`,
    `optimizer` and `schedule` are pairs, PyTorch's first; an optimizer is called with the model, a
    schedule with the optimizer (PyTorch) or for the optimizer's rate (MindSpore).

    `values` are "calibrated", so that mistakes show; "as-built": PyTorch's own, given to the port;
    or "loaded": each side keeps its own, as where the port has loaded a converted checkpoint.
    `rules` say which tensor is which: a regular expression of PyTorch's names, and MindSpore's name
    or a pair of that and a transform; `ignore` has lists of expressions by framework; `layers`
    aligns layers.

    Writes the page into the folder `out`, if given; where this raises, the page says why.  Raises
    CallerError for arguments that cannot be, PortFailed when a model cannot be run.
    """

    def draw(size: str, seed: int) -> tuple[list[Array], list[Array]]:
        return _drawn("inputs", inputs, size, seed), _drawn("targets", targets, size, seed)

    def leave(result: PortResult) -> None:
        if out is not None:
            port_pages.write(result, Path(out))

    varies = callable(inputs) or values == "calibrated"
    plan = Plan(
        name=name,
        draw=draw,
        sizes=list(sizes),
        seeds=seeds if varies else 1,
        modes=list(modes),
        calibrated=values == "calibrated",
        loaded=values == "loaded",
        weights=_weights(rules or {}, ignore or {}),
        layers=dict(layers or {}),
        steps=steps if optimizer else 0,
        memory=memory,
    )
    _checked(plan, values)
    known = _knowledge(None if cases is None else Path(cases))
    trained = loss, optimizer, schedule
    with (
        porting.leaving(name, leave),
        _sides(torch_model, mindspore_cell, trained) as (torch, port),
    ):
        try:
            result = porting.noted(verify(torch, port, plan, known, echo), known)
        except RuleError as error:
            raise CallerError(str(error).replace("weights.rules", "rules")) from None
    leave(result)
    return result


def _knowledge(cases: Path | None) -> Known | None:
    """Read the corpus in another thread, where no processes are forked beside the frameworks."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(porting.knowledge, cases).result()


def _checked(plan: Plan, values: str) -> None:
    if values not in ("calibrated", "as-built", "loaded"):
        raise CallerError(f"values {values!r}: one of calibrated, as-built, loaded")
    if plan.seeds < 1 or (plan.steps < 0):
        raise CallerError("seeds are at least 1, steps at least 0")
    if not plan.sizes:
        raise CallerError("sizes: name at least one")
    if not plan.modes or not set(plan.modes) <= set(MODES):
        raise CallerError(f"modes are of {', '.join(MODES)}")


def _weights(
    rules: Mapping[str, str | tuple[str, str]], ignore: Mapping[str, Sequence[str]]
) -> Weights:
    made = []
    for pattern, told in rules.items():
        target, transform = (told, "") if isinstance(told, str) else told
        made.append({"torch": pattern, "mindspore": target, "transform": transform})
    try:
        return Weights.model_validate(
            {"rules": made, "ignore": {key: list(value) for key, value in ignore.items()}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CallerError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


@contextmanager
def _sides(
    torch_model: Any, mindspore_cell: Any, trained: Sequence[Each | None]
) -> Iterator[tuple[Side, Side]]:
    with ExitStack() as stack:
        sides = []
        for n, (framework, model) in enumerate(
            (("torch", torch_model), ("mindspore", mindspore_cell))
        ):
            loss, optimizer, schedule = (each and each[n] for each in trained)
            try:
                session = import_module(f"conformance.worker.port_{framework}").SESSION()
                side = LocalSide(session, model, loss=loss, optimizer=optimizer, schedule=schedule)
            except ImportError as error:
                words = f"{framework} is not to be had in this process: {error}"
                raise CallerError(words) from None
            except PortFailed as error:
                if error.kind != "Build":
                    raise
                words = str(error).rpartition("what it built is ")[2]
                swapped = _of(torch_model, "mindspore") and _of(mindspore_cell, "torch")
                hint = "; the two are swapped: PyTorch's comes first" if swapped else ""
                raise CallerError(f"the {framework} model is {words}{hint}") from None
            stack.callback(side.close)
            sides.append(side)
        yield sides[0], sides[1]


def _of(model: Any, framework: str) -> bool:
    """Whether the class of `model` is made of one of `framework`'s."""
    return any(base.__module__.partition(".")[0] == framework for base in type(model).__mro__)


def _drawn(what: str, source: Source, size: str, seed: int) -> list[Array]:
    given = source(size, seed) if callable(source) else source
    items = list(given) if isinstance(given, tuple | list) else [given]
    return [_array(f"{what}[{n}]", item) for n, item in enumerate(items)]


def _array(what: str, value: Any) -> Array:
    """Return an array or a framework's tensor as an array; floating ones in float32."""
    if hasattr(value, "asnumpy"):
        value = value.asnumpy()
    elif hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise CallerError(f"{what} is a {type(value).__name__}, no array of numbers")
    return array.astype(np.float32) if array.dtype.kind == "f" else array
