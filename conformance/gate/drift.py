"""By how much two outcomes differ that the judge treats alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.gate.record import Record
from conformance.judge import structure
from conformance.run.outcome import Array, Outcome, Raised, Returned


def describe(
    old: Record, new: Record, before: Outcome | None = None, after: Outcome | None = None
) -> str:
    """Return by how much `new` drifted from `old`: of the values where both outcomes are at hand.

    Errors are in roundoffs, differences of values in spacings of the dtype and absolute.
    """
    told = []
    if before is not None and after is not None:
        told.append(values(before, after))
    for what, one, other in (
        ("error", old.ratio, new.ratio),
        ("gradient's error", old.gradient_ratio, new.gradient_ratio),
    ):
        if one != other:
            told.append(f"{what} {_number(one)} → {_number(other)} roundoffs")
    return "; ".join(filter(None, told)) or "another value, its error in roundoffs is the same"


def values(before: Outcome, after: Outcome) -> str:
    """Return where two outcomes differ, and by how much; the part that differs most."""
    if not (isinstance(before, Returned) and isinstance(after, Returned)):
        if isinstance(before, Raised) and isinstance(after, Raised):
            return f"{_raised(before)} → {_raised(after)}"
        return f"{before.kind} → {after.kind}"
    old, new = dict(_leaves(before)), dict(_leaves(after))
    if old.keys() != new.keys():
        return f"{', '.join(old)} → {', '.join(new)}"
    found = [told for name in old if (told := _leaf(name, old[name], new[name]))]
    return max(found)[1] if found else ""


def _leaf(name: str, old: Any, new: Any) -> tuple[float, str] | None:
    """Return (how many spacings, in words), or None where nothing differs."""
    if not (isinstance(old, np.ndarray | np.generic) and isinstance(new, np.ndarray | np.generic)):
        return (
            None if repr(old) == repr(new) else (np.inf, f"{name}: {_short(old)} → {_short(new)}")
        )
    a, b = np.asarray(old), np.asarray(new)
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return np.inf, f"{name}: {_form(a)} → {_form(b)}"
    if a.dtype.kind not in "iufc" and a.dtype.name != "bfloat16":
        wrong = np.asarray(a != b)
        return (np.inf, f"{name}: {_count(wrong)}") if wrong.any() else None
    return _numbers(name, a, b)


def _numbers(name: str, a: Array, b: Array) -> tuple[float, str] | None:
    with np.errstate(all="ignore"):
        same = (a == b) & (np.signbit(a.real) == np.signbit(b.real))
        differs = (
            ~(same | (np.isnan(a) & np.isnan(b))) if a.dtype.kind in "fc" else np.asarray(a != b)
        )
        if not differs.any():
            return None
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        x, y = a.astype(wide)[differs], b.astype(wide)[differs]
        absolute = np.abs(x - y)
        spacings = absolute / _spacing(a, np.maximum(np.abs(x), np.abs(y)))
    if not np.isfinite(absolute).all():
        return np.inf, f"{name}: {_count(differs)}, where one is not finite"
    most = float(spacings.max())
    amount = (
        "in the sign of a zero" if most == 0 else f"by at most {_size(a, most)}{absolute.max():.3g}"
    )
    return most, f"{name}: {_count(differs)}, {amount}"


def _size(array: Array, spacings: float) -> str:
    if array.dtype.kind in "iu":
        return ""
    return f"{spacings:.3g} spacing{'' if spacings == 1 else 's'}, "


def _spacing(array: Array, magnitude: Array) -> Array:
    """Return the distance between neighbours of the dtype of `array` at each `magnitude`."""
    match array.dtype.name:
        case "bfloat16":
            eps, tiny = 2.0**-7, 2.0**-126
        case _ if array.dtype.kind in "iu":
            return np.ones_like(magnitude)
        case _:
            info = np.finfo(array.dtype)
            eps, tiny = float(info.eps), float(info.tiny)
    exponent = np.floor(np.log2(np.maximum(magnitude, tiny)))
    return np.asarray(eps * 2.0**exponent)


def _leaves(outcome: Returned) -> Iterator[tuple[str, Any]]:
    flat = structure.flatten(outcome.output)
    yield from zip(structure.labels(len(flat)), flat, strict=True)
    for title, section in (
        ("gradient of", outcome.gradients),
        ("state", outcome.state),
        ("mutated", outcome.mutated),
    ):
        for name, value in section.items():
            yield f"{title} {name}", value
    if outcome.gradient_error is not None:
        yield "gradient", outcome.gradient_error.exception


def _count(differs: Any) -> str:
    wrong = np.asarray(differs)
    return "the value" if wrong.size == 1 else f"{int(wrong.sum())} of {wrong.size} elements"


def _form(array: Array) -> str:
    return f"{array.dtype.name}{list(array.shape)}"


def _raised(outcome: Raised) -> str:
    return f"{outcome.exception} ({_short(outcome.message)})"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return " ".join(text.split())[:120]


def _number(ratio: float | None) -> str:
    return "none" if ratio is None else f"{ratio:g}"
