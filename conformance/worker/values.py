"""Values on their way: nested results, wire arrays compared, and cotangents for outputs.

Runs inside a framework's interpreter: standard library and NumPy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance.worker import wire

Message = dict[str, Any]


def same(before: Message, after: Message) -> bool:
    """Tell whether two wire arrays hold the same values; NaN equals NaN, -0.0 not 0.0."""
    if tuple(before[wire.ARRAY]) == tuple(after[wire.ARRAY]):
        return True
    if tuple(before[wire.ARRAY][:2]) != tuple(after[wire.ARRAY][:2]):
        return False
    a, b = (wire.unpack(v) for v in (before, after))
    if before[wire.ARRAY][0] == "bfloat16":
        a, b = wire.bfloat16_values(a), wire.bfloat16_values(b)
    if a.dtype.kind not in "fc":
        return False
    a, b = (v.view(v.real.dtype) if v.ndim else v.reshape(1).view(v.real.dtype) for v in (a, b))
    nan = np.isnan(a) & np.isnan(b)
    return bool(np.all(nan | ((a == b) & (np.signbit(a) == np.signbit(b)))))


def named_fields(value: Any) -> tuple[str, ...]:
    """Return the field names of a named tuple or a struct sequence such as torch.return_types."""
    fields = getattr(value, "_fields", None)
    if fields:
        return tuple(fields)
    if hasattr(type(value), "n_sequence_fields"):
        return tuple(type(value).__match_args__)
    return ()


def leaves(value: Any) -> Iterator[Any]:
    """Yield the leaves of nested tuples and lists, left to right."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def rebuild(value: Any, items: Iterator[Any]) -> Any:
    """Return the nesting of `value` as tuples, with `items` for its leaves."""
    if isinstance(value, tuple | list):
        return tuple(rebuild(item, items) for item in value)
    return next(items)


def cotangents(
    shapes: list[tuple[int, ...] | None], order: Sequence[int] = ()
) -> list[np.ndarray[Any, Any] | None]:
    """Return the fixed cotangent of each output; None (no shape) for one that has no derivative.

    `order` gives for each canonical output the number of this framework's; others have none.
    """
    number = {own: i for i, own in enumerate(order)}
    if not order or max(order) >= len(shapes):
        number = {i: i for i in range(len(shapes))}
    return [
        None if s is None or i not in number else wire.cotangent(s, number[i])
        for i, s in enumerate(shapes)
    ]
