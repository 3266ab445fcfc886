"""Outcomes as text, as ``print`` would show them, and how far two of them are apart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.report.views import PeerView
from conformance.run.outcome import (
    Crashed,
    Named,
    Other,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
)

Array = np.ndarray[Any, Any]
_WRAP: Any = {"replace_whitespace": False, "drop_whitespace": False, "break_on_hyphens": False}
MAX_LINES = 14
WIDTH = 64


def printed(outcome: Outcome) -> str:
    """Return what a program that makes this call prints, shortened to a few lines."""
    if isinstance(outcome, Returned):
        return shorten(_text(outcome.output))
    return shorten(brief(outcome, lines=4))


def brief(outcome: Outcome, *, lines: int = 1) -> str:
    """Return what is not a result in few words: an exception, a signal, a limit, a reason."""
    if isinstance(outcome, Raised):
        message = "\n".join(outcome.message.strip().splitlines()[:lines])
        return f"{outcome.exception}: {message}" if message else outcome.exception
    if isinstance(outcome, Crashed):
        last = outcome.stderr.strip().splitlines()[-1:]
        return ": ".join(filter(None, (outcome.signal, *last)))
    if isinstance(outcome, TimedOut):
        return f"> {outcome.limit:g} s"
    if isinstance(outcome, Unavailable):
        return outcome.reason
    return outcome.note


def shorten(text: str) -> str:
    """Wrap `text` to the width of a program on a page, and keep its first lines."""
    lines = [
        part for line in text.splitlines() for part in textwrap.wrap(line, WIDTH, **_WRAP) or [""]
    ]
    return "\n".join(lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], "…"])


def peers(outcomes: dict[str, Outcome]) -> PeerView | None:
    """Return the greatest difference between any PyTorch and any MindSpore result.

    `outcomes` are by target.  None when there are no two results of one structure.  The relative
    difference is to the greater magnitude of the two elements; equal special values differ by 0.
    """
    sides: dict[str, dict[str, list[Array]]] = {"torch": {}, "mindspore": {}}
    for target, outcome in outcomes.items():
        framework = target.split(":")[0].split("@")[0]
        if framework in sides and isinstance(outcome, Returned):
            sides[framework][target] = list(_arrays(outcome.output))
    found = [
        PeerView(*distance, (a, b))
        for a, left in sides["torch"].items()
        for b, right in sides["mindspore"].items()
        if (distance := _distance(left, right)) is not None
    ]
    return max(found, key=lambda peer: peer.absolute, default=None)


def _distance(left: list[Array], right: list[Array]) -> tuple[float, float] | None:
    if not left or [a.shape for a in left] != [b.shape for b in right]:
        return None
    pairs = [_apart(a, b) for a, b in zip(left, right, strict=True)]
    return max(a for a, _ in pairs), max(r for _, r in pairs)


def _apart(left: Array, right: Array) -> tuple[float, float]:
    if left.size == 0:
        return 0.0, 0.0
    wide = np.complex128 if "c" in (left.dtype.kind, right.dtype.kind) else np.float64
    a, b = left.astype(wide), right.astype(wide)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
        gap = np.where(np.isnan(gap), np.inf, gap)
        scale = np.maximum(np.abs(a), np.abs(b))
        usable = ~same & (scale > 0) & np.isfinite(scale)
        ratio = np.divide(gap, scale, out=np.where(same, 0.0, np.inf), where=usable)
    return float(gap.max()), float(ratio.max())


def _arrays(value: Any) -> Iterator[Array]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, bool | int | float | complex):
        yield np.asarray(value)
    elif isinstance(value, Named):
        yield from _arrays(list(value.fields.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _arrays(item)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        plain = value.astype(np.float32) if value.dtype.name == "bfloat16" else value
        return np.array2string(plain, threshold=60, max_line_width=WIDTH)
    if isinstance(value, Named):
        fields = "\n".join(f"{name} = {_text(item)}" for name, item in value.fields.items())
        return f"{value.type}\n{fields}"
    if isinstance(value, tuple | list):
        return "\n".join(map(_text, value)) if value else repr(value)
    return value.repr if isinstance(value, Other) else repr(value)
