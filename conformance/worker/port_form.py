"""What a model returns: its form, and its tensors in an order that does not hang on who wrote it.

Runs inside a framework's interpreter: standard library only.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from conformance.worker.values import named_fields

Form = tuple[Any, ...]
"""In wire form, its kind first: ``("tensor", dtype)``, ``("items", forms)``,
``("keys", ((name, form), ...))`` of a mapping, ``("fields", ...)`` likewise of a record,
``("none",)``, ``("number", value)``, ``("text", value)`` or ``("other", type)``.  An integer beyond
64 bits cannot be sent but as text."""


def form(value: Any, dtype: Callable[[Any], str | None]) -> Form:
    """Return the form of `value`; `dtype` names that of a tensor, None for what is none."""
    if (name := dtype(value)) is not None:
        return "tensor", name
    if (names := _names(value)) is not None:
        kind = "keys" if _plain(value) else "fields"
        parts = _parts(value, names)
        return kind, tuple((str(key), form(part, dtype)) for key, part in parts)
    if isinstance(value, tuple | list):
        return "items", tuple(form(part, dtype) for part in value)
    if value is None:
        return ("none",)
    for number in (bool, int, float):
        if isinstance(value, number) and (number is not int or abs(value) < 2**63):
            return "number", number(value)
    return ("text", str(value)) if isinstance(value, str | int) else ("other", type(value).__name__)


def leaves(value: Any, is_tensor: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the tensors of an output, in the order of its form: a mapping's by their keys."""
    if is_tensor(value):
        yield value
        return
    names = _names(value)
    items = value if isinstance(value, tuple | list) else ()
    for part in items if names is None else [part for _, part in _parts(value, names)]:
        yield from leaves(part, is_tensor)


def _plain(value: Any) -> bool:
    """Whether `value` is a mapping whose order means nothing; libraries' records are some, too."""
    return isinstance(value, Mapping) and not dataclasses.is_dataclass(value)


def _names(value: Any) -> list[Any] | None:
    """Return keys or fields in the order that counts; None for what has no names."""
    if isinstance(value, type):
        return None
    if _plain(value):
        return sorted(value, key=str)
    if dataclasses.is_dataclass(value):
        return [f.name for f in dataclasses.fields(value)]
    if isinstance(value, types.SimpleNamespace):
        return list(vars(value))
    return list(named_fields(value)) or None if isinstance(value, tuple) else None


def _parts(value: Any, names: list[Any]) -> list[tuple[Any, Any]]:
    if _plain(value):
        return [(name, value[name]) for name in names]
    return [(name, getattr(value, name)) for name in names]
