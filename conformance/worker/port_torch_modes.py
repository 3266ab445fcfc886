"""PyTorch without its dropout, and PyTorch in float64 where a model asks for float32.

`TorchFunctionMode` sees every function of torch that Python code calls, however it was imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from conformance.worker.port_drops import ELEMENTS, OWN, Listener, how, share

_DROPOUTS = {
    *(getattr(functional, f"{kind}dropout{n}") for kind in ("",) for n in ("", "1d", "2d", "3d")),
    *(getattr(functional, name) for name in ("alpha_dropout", "feature_alpha_dropout")),
    *(getattr(torch, f"{name}dropout{end}") for end in ("", "_")
      for name in ("", "alpha_", "feature_", "feature_alpha_")),
}  # fmt: skip
_OPTIONS: dict[Any, tuple[str, Any]] = {
    functional.multi_head_attention_forward: ("dropout_p", 0.0),
    functional.rrelu: ("training", False),
}
"""Functions whose randomness is an argument, and the value that ends it."""
_ATTRIBUTES = ("p", "prob", "drop_prob", "drop_rate")
"""What classes whose name says drop or stochastic depth call their probability."""
_HOLDERS = (torch.nn.MultiheadAttention, torch.nn.RNNBase)
"""Layers that keep the probability in an attribute `dropout`."""


class Stilled(TorchFunctionMode):  # type: ignore[misc]
    """Inside, functional dropout returns what it was given."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func` without its randomness."""
        given = dict(kwargs or {})
        if func in _DROPOUTS:
            return args[0] if args else given["input"]
        if func is functional.scaled_dot_product_attention:
            args, given = _attention(args, given)
        elif func in _OPTIONS:
            name, value = _OPTIONS[func]
            bound = inspect.signature(func).bind(*args, **given)
            bound.arguments[name] = value
            args, given = bound.args, bound.kwargs
        return func(*args, **given)


def _attention(args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    if len(args) > 4:  # (query, key, value, attn_mask, dropout_p, ...)
        return (*args[:4], 0.0, *args[5:]), given
    return args, {**given, "dropout_p": 0.0}


class Widened(TorchFunctionMode):  # type: ignore[misc]
    """Inside, what asks for float32 gets float64.

    A reference that casts to float32 on its way, as many a normalisation does, would be none.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func` with float64 for float32."""
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        args = tuple(_wide(arg) for arg in args)
        return func(*args, **{name: _wide(arg) for name, arg in (kwargs or {}).items()})


def _wide(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def widened() -> Iterator[None]:
    """Compute in float64, also what is created without saying in which dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with Widened():
            yield
    finally:
        torch.set_default_dtype(before)


class Listening(TorchFunctionMode):  # type: ignore[misc]
    """Inside, a listener hears of every dropout function."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func`, and tell of it."""
        given = dict(kwargs or {})
        if func in _DROPOUTS:
            self.listener.hear(func.__name__, args, given, on="alpha" not in func.__name__)
        elif func is functional.scaled_dot_product_attention:
            # (query, key, value, attn_mask, dropout_p, ...)
            self.listener.heard(args[4] if len(args) > 4 else given.get("dropout_p", 0.0), ELEMENTS)
        elif func is functional.multi_head_attention_forward:
            bound = inspect.signature(func).bind(*args, **given)
            bound.apply_defaults()
            if bound.arguments["training"]:
                self.listener.heard(bound.arguments["dropout_p"], ELEMENTS)
        return func(*args, **given)


def droppers(model: Any) -> dict[str, tuple[float | None, str]]:
    """Return by layer what it drops in training, and how: those that `silence` sets to 0."""
    found: dict[str, tuple[float | None, str]] = {}
    for layer, module in model.named_modules():
        values = [share(getattr(module, name, None)) for name in _probabilities(module)]
        dropped = next((value for value in values if value), 0.0)
        if isinstance(module, torch.nn.RNNBase) and module.num_layers < 2:
            continue  # it drops between its layers
        if dropped:
            native = type(module).__module__.startswith("torch.nn.")
            found[layer] = dropped, how(type(module).__name__) if native else OWN
    return found


def silence(model: Any) -> dict[str, list[tuple[Any, str, Any]]]:
    """Set every probability of dropping to 0.

    Returns by layer what was changed: (module, attribute, value before).
    """
    changed: dict[str, list[tuple[Any, str, Any]]] = {}
    for layer, module in model.named_modules():
        for name in _probabilities(module):
            value = getattr(module, name, None)
            if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                setattr(module, name, 0.0)
                changed.setdefault(layer, []).append((module, name, value))
        if isinstance(module, torch.nn.RReLU):
            changed.setdefault(layer, [])  # `Stilled` takes its mean slope
    return changed


def _probabilities(module: Any) -> tuple[str, ...]:
    if isinstance(module, _HOLDERS):
        return ("dropout",)
    name = type(module).__name__.lower()
    return _ATTRIBUTES if "drop" in name or "stochasticdepth" in name else ()


def restore(changed: dict[str, list[tuple[Any, str, Any]]]) -> None:
    """Undo `silence`."""
    for entries in changed.values():
        for module, name, value in entries:
            setattr(module, name, value)
