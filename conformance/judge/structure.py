"""The shape of what an API returns: one tensor, a tuple, a named tuple, a Python number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.judge.words import said
from conformance.phrase import Phrase
from conformance.run.outcome import Named, Other

TENSOR = said("a tensor")
OUTPUT, CALL, CLAIM, GRADIENT = said("output"), said("call"), said("claim"), said("gradient")
"""What findings call the only output, the call itself, what was published, and all gradients."""


def describe(output: Any) -> str:
    """Return the structure of `output` in words; equal texts mean equal structures."""
    if isinstance(output, np.ndarray | np.generic):
        return TENSOR
    if isinstance(output, Other):
        return said("an object {repr}", repr=output.repr[:80])
    if (fields := _fields(output)) is not None:
        inner = [said("{name}: {value}", name=n, value=describe(v)) for n, v in fields.items()]
        return said("a named tuple ({fields})", fields=inner)
    if isinstance(output, tuple | list):
        items = [describe(item) for item in output]
        return said("a {type} of ({items})", type=type(output).__name__, items=items)
    return "None" if output is None else said("a Python {type}", type=type(output).__name__)


def flatten(output: Any) -> list[Any]:
    """Return the leaves of `output`, depth first."""
    return list(_leaves(output))


def labels(count: int) -> list[str]:
    """Return what findings call each of `count` outputs."""
    if count == 1:
        return [OUTPUT]
    return [said("output {number}", number=i) for i in range(count)]


def state(name: str) -> Phrase:
    """Return what findings call the module's state `name`."""
    return said("state {name}", name=name)


def mutated(name: str) -> Phrase:
    """Return what findings call an input that the call writes into."""
    return said("mutated {name}", name=name)


def gradient(name: str) -> Phrase:
    """Return what findings call the gradient by `name`."""
    return said("gradient of {name}", name=name)


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
