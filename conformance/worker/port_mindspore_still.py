"""Switching off what is random in a MindSpore model's training: dropout in all its forms."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mindspore import mint, nn, ops

from conformance.worker.port_drops import ELEMENTS, OWN, Listener, how, share

_DROPS = re.compile(r"drop|stochastic.?depth", re.IGNORECASE)
_ZERO = ("p", "prob", "drop_prob", "drop_rate", "drop", "dropout_p", "dropout", "rate", "prob_drop")
_ONE = ("keep_prob", "keep_rate", "survival_prob", "survival_rate")
_PRIMITIVES = (ops.Dropout, ops.Dropout2D, ops.Dropout3D)
_RNNS = nn.LSTM | nn.GRU | nn.RNN
_FUNCTIONS = tuple(
    (module, name)
    for module in (ops, mint.nn.functional, ops.function.nn_func)
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "dropout_ext", "dropout2d_ext")
    if hasattr(module, name)
)


def unchanged(input: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
    """Stand in for ``ops.dropout`` and its kin, also compiled."""
    return input


def still(cells: Mapping[str, Any]) -> list[str]:
    """Set the probabilities of layers that drop to none; return the layers that were concerned.

    Such a layer is MindSpore's own, or has a name with "drop" in it and a probability among its
    attributes; layers that call a dropout function are returned too, which `functions_still`
    replaces.  Something random of another kind is not recognised.
    """
    return [name for name, cell in cells.items() if _still(cell) | _calls_dropout(cell)]


def _still(cell: Any) -> bool:
    changes = _changes(cell)
    for name, value in changes:
        setattr(cell, name, value)
    return bool(changes)


@contextlib.contextmanager
def layers_still(cells: Mapping[str, Any]) -> Iterator[None]:
    """Let layers drop nothing inside: some have no kernel to drop with on this device."""
    before = [
        (cell, name, getattr(cell, name)) for cell in cells.values() for name, _ in _changes(cell)
    ]
    for cell in cells.values():
        _still(cell)
    try:
        yield
    finally:
        for cell, name, value in before:
            setattr(cell, name, value)


def _changes(cell: Any) -> list[tuple[str, Any]]:
    """Return attributes of a cell with the values by which it drops nothing."""
    if isinstance(cell, nn.Dropout):
        return [("p", 0.0)] if _dropped(cell) else []
    changes: list[tuple[str, Any]] = []
    if _drops(cell):
        for names, value in ((_ZERO, 0.0), (_ONE, 1.0)):
            changes += [(n, value) for n in names if share(vars(cell).get(n)) not in (None, value)]
    return changes + [
        (name, type(primitive)(keep_prob=1.0))
        for name, primitive in [*vars(cell).items(), *cell._primitives.items()]
        if isinstance(primitive, _PRIMITIVES) and primitive.keep_prob != 1.0
    ]


def droppers(cells: Mapping[str, Any]) -> dict[str, tuple[float | None, str]]:
    """Return by cell what it drops in training, and how: those that `still` sets to none."""
    found: dict[str, tuple[float | None, str]] = {}
    for name, cell in cells.items():
        dropped = _dropped(cell)
        native = type(cell).__module__.startswith("mindspore.")
        known = ELEMENTS if isinstance(cell, nn.MultiheadAttention | _RNNS) else ""
        if dropped:
            found[name] = dropped, (known or how(type(cell).__name__)) if native else OWN
    return found


def _dropped(cell: Any) -> float:
    """Return the share that a cell drops, 0 for one that drops nothing."""
    if isinstance(cell, _RNNS):  # It drops between its layers.
        return (share(vars(cell).get("dropout")) or 0.0) if cell.num_layers > 1 else 0.0
    if isinstance(cell, nn.Dropout):
        return float(cell.p) if cell.p is not None else round(1 - cell.keep_prob, 9)
    held = vars(cell)
    found = [share(held.get(n)) for n in _ZERO] if _drops(cell) else []
    found += [1 - v for n in _ONE if (v := share(held.get(n))) is not None] if _drops(cell) else []
    found += [1 - float(p.keep_prob) for p in _primitives(cell)]
    return next((round(value, 9) for value in found if value), 0.0)


def _drops(cell: Any) -> bool:
    return bool(_DROPS.search(type(cell).__name__)) or isinstance(cell, nn.MultiheadAttention)


def _primitives(cell: Any) -> list[Any]:
    held = [*vars(cell).values(), *cell._primitives.values()]
    return [primitive for primitive in held if isinstance(primitive, _PRIMITIVES)]


def _calls_dropout(cell: Any) -> bool:
    """Whether the user's own code of a cell calls a dropout function."""
    if type(cell).__module__.split(".")[0] == "mindspore":
        return False
    code = getattr(type(cell).construct, "__code__", None)
    names = set(code.co_names) if code else set()
    known = {name for _, name in _FUNCTIONS}
    space = getattr(type(cell).construct, "__globals__", {})
    bare = {n for n in names if any(space.get(n) is f for f in _originals())}
    return bool(bare) or any(n in known and not hasattr(cell, n) for n in names)


def _originals() -> list[Callable[..., Any]]:
    return [getattr(module, name) for module, name in _FUNCTIONS]


@contextlib.contextmanager
def functions_still(cells: Mapping[str, Any]) -> Iterator[None]:
    """Let ``ops.dropout`` and its kin return their input, also where a model imported them."""
    with _replaced(cells, lambda _: unchanged):
        yield


@contextlib.contextmanager
def functions_heard(cells: Mapping[str, Any], listener: Listener) -> Iterator[None]:
    """Let `listener` hear of ``ops.dropout`` and its kin, which drop nothing meanwhile."""

    def hearing(function: Callable[..., Any]) -> Callable[..., Any]:
        def heard(input: Any, *args: Any, **kwargs: Any) -> Any:
            listener.hear(function.__name__, (input, *args), kwargs, on=True)
            return input

        return heard

    with _replaced(cells, hearing):
        yield


@contextlib.contextmanager
def _replaced(
    cells: Mapping[str, Any], made: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Put what is `made` of them in place of all dropout functions."""
    originals = _originals()
    places: list[tuple[Any, str]] = list(_FUNCTIONS)
    for module in {sys.modules.get(type(cell).__module__) for cell in cells.values()} - {None}:
        if not str(getattr(module, "__name__", "")).startswith("mindspore."):
            places += [
                (module, name)
                for name, value in vars(module).items()
                if any(value is original for original in originals)
            ]
    before = [getattr(module, name) for module, name in places]
    try:
        for (module, name), function in zip(places, before, strict=True):
            setattr(module, name, made(function))
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)
