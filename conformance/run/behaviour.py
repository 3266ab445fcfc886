"""What a call did, as one short hash: equal hashes, and nothing tells two outcomes apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.run.outcome import (
    Crashed,
    Named,
    Other,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
    Unsupported,
)

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def behaviour(outcome: Outcome) -> str:
    """Return 10 hexadecimal digits that stand for what the framework did; empty if it never ran.

    Every bit of outputs, gradients, state and mutated inputs counts, dtypes, shapes and structure
    too; all NaN are one.  Of an exception its class and stage count, and not its wording.
    Durations, warnings and stderr do not.
    """
    if isinstance(outcome, Unavailable):
        return ""
    digest = hashlib.sha256(outcome.kind.encode())
    for part in _parts(outcome):
        digest.update(part)
        digest.update(b"\0")
    return digest.hexdigest()[:10]


def outcome_label(outcome: Outcome) -> str:
    """Return in a word or two what happened, such as ``returned`` or ``raised ValueError``."""
    match outcome:
        case Unsupported():
            return f"unsupported ({outcome.reason})"
        case Raised(stage="resolve"):
            return "no such API"
        case Raised():
            return f"raised {outcome.exception}"
        case Crashed():
            return f"crashed {outcome.signal}".strip()
        case TimedOut():
            return "timed out"
        case _:
            return outcome.kind


def _parts(outcome: Outcome) -> Iterator[bytes]:
    match outcome:
        case Returned():
            yield from _value(outcome.output)
            for section in (outcome.gradients, outcome.mutated, outcome.state):
                yield from _value(dict(sorted(section.items())))
            if outcome.gradient_error is not None:
                yield from _parts(outcome.gradient_error)
        case Unsupported():
            yield from (outcome.reason.encode(), outcome.exception.encode())
        case Raised():
            yield from (outcome.exception.encode(), outcome.stage.encode())
        case Crashed():
            yield outcome.signal.encode()


def _value(value: Any) -> Iterator[bytes]:
    match value:
        case np.ndarray() | np.generic():
            array = np.asarray(value)
            yield f"{array.dtype.name}{array.shape}".encode()
            yield _canonical(array).tobytes()
        case Named():
            yield value.type.encode()
            yield from _value(value.fields)
        case dict():
            yield b"{"
            for name, item in value.items():
                yield name.encode()
                yield from _value(item)
            yield b"}"
        case tuple() | list():
            yield type(value).__name__.encode()
            for item in value:
                yield from _value(item)
            yield b")"
        case Other():
            yield _ADDRESS.sub("", value.repr).encode()
        case _:
            yield repr(value).encode()


def _canonical(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return `array` with one and the same NaN for all of them."""
    inexact = array.dtype.kind in "fc" or array.dtype.name == "bfloat16"
    if not inexact or not (missing := np.isnan(array)).any():
        return array
    # NaN + 1j is a NaN too; what its other part holds is an accident.
    return np.where(missing, array.dtype.type(np.nan), array)
