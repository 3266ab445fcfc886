"""Switching off what is random in a MindSpore model's training: dropout in all its forms."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mindspore import mint, nn, ops

_DROPS = re.compile(r"drop|stochastic.?depth", re.IGNORECASE)
_ZERO = ("p", "prob", "drop_prob", "drop_rate", "drop", "dropout_p", "dropout", "rate", "prob_drop")
_ONE = ("keep_prob", "keep_rate", "survival_prob", "survival_rate")
_PRIMITIVES = (ops.Dropout, ops.Dropout2D, ops.Dropout3D)
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
    if isinstance(cell, nn.Dropout):
        dropped = bool(cell.p if cell.p is not None else cell.keep_prob != 1)
        cell.p = 0.0
        return dropped
    changes: list[tuple[str, Any]] = []
    if _DROPS.search(type(cell).__name__) or isinstance(cell, nn.MultiheadAttention):
        for names, value in ((_ZERO, 0.0), (_ONE, 1.0)):
            changes += [
                (n, value) for n in names if _number(vars(cell).get(n)) not in (None, value)
            ]
    changes += [
        (name, type(primitive)(keep_prob=1.0))
        for name, primitive in [*vars(cell).items(), *cell._primitives.items()]
        if isinstance(primitive, _PRIMITIVES) and primitive.keep_prob != 1.0
    ]
    for name, value in changes:
        setattr(cell, name, value)
    return bool(changes)


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else None


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
        for module, name in places:
            setattr(module, name, unchanged)
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)
