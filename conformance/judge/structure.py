"""The shape of what an API returns: one tensor, a tuple, a named tuple, a Python number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.run.outcome import Named, Other


def describe(output: Any) -> str:
    """Return the structure of `output` in words; equal texts mean equal structures."""
    if isinstance(output, np.ndarray | np.generic):
        return "a tensor"
    if isinstance(output, Other):
        return f"an object {output.repr[:80]}"
    if (fields := _fields(output)) is not None:
        inner = ", ".join(f"{name}: {describe(value)}" for name, value in fields.items())
        return f"a named tuple ({inner})"
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of ({', '.join(map(describe, output))})"
    return "None" if output is None else f"a Python {type(output).__name__}"


def flatten(output: Any) -> list[Any]:
    """Return the leaves of `output`, depth first."""
    return list(_leaves(output))


def labels(count: int) -> list[str]:
    """Return what findings call each of `count` outputs."""
    return ["output"] if count == 1 else [f"output {i}" for i in range(count)]


def _leaves(output: Any) -> Iterator[Any]:
    if (fields := _fields(output)) is not None:
        output = tuple(fields.values())
    if isinstance(output, tuple | list):
        for item in output:
            yield from _leaves(item)
    else:
        yield output


def _fields(output: Any) -> dict[str, Any] | None:
    if isinstance(output, Named):
        return output.fields
    names = getattr(output, "_fields", None) if isinstance(output, tuple) else None
    return None if names is None else dict(zip(names, output, strict=True))
