"""How far a port is from PyTorch's float64, next to how far PyTorch's own float32 is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from conformance.phrase import Phrase
from conformance.port.model import Array
from conformance.port.result import Measure, Verdict

ROUNDOFF = 2.0**-24
"""Unit roundoff of float32."""
TINY = float(np.finfo(np.float32).tiny)
"""Below the smallest normal float32 frameworks may flush to zero: no error is smaller than this."""
EFFECTIVE = 4.0
"""A part (a channel, a position) is looked at when its values are as many as four equal ones."""
RESOLVED = 1e-3
"""... and when float32 gives the part to three digits at least: a ReLU that is all but shut, or
probabilities that underflow, say nothing about who is right."""
MISMATCH = 2.0**-13
"""The floor of integers, in elements: a single wrong one against none is far beyond any budget."""


@dataclass(frozen=True)
class Unmeasured:
    """Why there is no measure, and the verdict that this alone means."""

    verdict: Verdict
    reason: str


Measured = Measure | Unmeasured


def measure(
    reference: Array,
    torch: Array,
    port: Array,
    *,
    varies: Literal["inputs", "values"] = "inputs",
    centre: Array | None = None,
    size: float | None = None,
) -> Measured:
    """Return the measure of one tensor: float64 truth, PyTorch's float32, the port's.

    `varies` says what the signal is: "inputs", the deviation from the mean over the first axis
    (from `centre`, of one input's shape, where given: see `centre_of`), or "values", all of it.
    `size` is the root mean square of the numbers whose rounding nobody can avoid, where these are
    not the tensor's own: an update is the difference of two parameters.
    """
    shapes = [np.shape(array) for array in (reference, torch, port)]
    if shapes[2] != shapes[0]:
        words = Phrase("its shape is {port}, PyTorch's {torch}", port=shapes[2], torch=shapes[0])
        return Unmeasured(Verdict.DIFFERS, words)
    if shapes[1] != shapes[0]:
        words = Phrase("PyTorch's own shape depends on the precision")
        return Unmeasured(Verdict.UNRESOLVED, words)
    if not np.size(reference):
        return Unmeasured(Verdict.NOT_COMPARED, Phrase("it is empty"))
    discrete = [np.asarray(array).dtype.kind in "biu" for array in (reference, port)]
    if discrete[0] != discrete[1]:
        return Unmeasured(Verdict.DIFFERS, Phrase("one side returns integers, the other does not"))
    if discrete[0]:
        return _counted(np.asarray(reference), np.asarray(torch), np.asarray(port), varies)
    if varies == "inputs" and centre is None and shapes[0][:1] in ((), (1,)):
        words = Phrase("one input: what varies between inputs cannot be told; give two or more")
        return Unmeasured(Verdict.UNRESOLVED, words)
    return _continuous(_wide(reference), _wide(torch), _wide(port), varies, centre, size)


def centre_of(references: Sequence[Array]) -> Array:
    """Return the mean of outputs over their first axis and over draws, for batches of one input."""
    means = [np.mean(_wide(array), axis=0) for array in references]
    return np.asarray(np.mean(means, axis=0))


def rms(array: Array) -> float:
    """Return the root mean square, without overflow; 0 for an empty array."""
    if not np.size(array):
        return 0.0
    wide = np.abs(_wide(array))
    greatest = float(wide.max())
    if greatest == 0 or not np.isfinite(greatest):
        return greatest
    return greatest * float(np.sqrt(np.square(wide / greatest).mean()))


def _wide(array: Array) -> Array:
    """Return float64; a complex number becomes two."""
    array = np.asarray(array)
    if array.dtype.kind == "c":
        return np.asarray(np.stack([array.real, array.imag], axis=-1), dtype=np.float64)
    return np.asarray(array, dtype=np.float64)


def _continuous(
    y: Array, torch: Array, port: Array, varies: str, centre: Array | None, size: float | None
) -> Measured:
    if (problem := _infinite(y, torch, port)) is not None:
        return problem
    finite = np.isfinite(y)
    if not finite.all():
        y, torch, port = (np.where(finite, array, 0.0) for array in (y, torch, port))
    magnitude = rms(y) if size is None else size
    if varies == "values":
        signal = rms(y)
    else:
        signal = rms(y - (y.mean(axis=0) if centre is None else centre))
    scale = signal or magnitude or TINY
    error = port - y
    noise = torch - y
    peak, place = _peak(y, noise, error) if size is None else (0.0, "")
    return Measure(
        port=rms(error) / scale,
        torch=rms(noise) / scale,
        floor=max(ROUNDOFF * magnitude, TINY) / scale,
        signal=signal,
        largest=float(np.abs(error).max()),
        peak=peak,
        place=place,
    )


def _infinite(y: Array, torch: Array, port: Array) -> Unmeasured | None:
    """Return what NaN and infinities alone decide; None where all agree on them."""
    if not _alike(y, port):
        wrong = ~np.isfinite(port) & np.isfinite(y)
        if not _alike(y, torch):
            words = Phrase("PyTorch's own float32 has NaN or Inf where float64 has none")
            return Unmeasured(Verdict.UNRESOLVED, words)
        words = (
            Phrase("{n} of {all} values are NaN or Inf", n=int(wrong.sum()), all=port.size)
            if wrong.any()
            else Phrase("it has numbers where PyTorch has NaN or Inf, or another of these")
        )
        return Unmeasured(Verdict.DIFFERS, words)
    if not _alike(y, torch):
        words = Phrase("PyTorch's own float32 has NaN or Inf where float64 has none")
        return Unmeasured(Verdict.UNRESOLVED, words)
    if not np.isfinite(y).any():
        words = Phrase("every value is NaN or Inf on both sides")
        return Unmeasured(Verdict.UNRESOLVED, words)
    return None


def _alike(one: Array, other: Array) -> bool:
    odd = ~(np.isfinite(one) & np.isfinite(other))
    return bool(np.array_equal(one[odd], other[odd], equal_nan=True))


def _peak(y: Array, noise: Array, error: Array) -> tuple[float, str]:
    """Return the worst part's error in units of what float32 shows in its own worst part.

    Parts are the slices along every axis.  Each error is taken relative to the part's own size,
    so a small channel next to a large one counts; comparing worst with worst, not part with part,
    keeps a part that PyTorch rounds luckily from accusing the port.
    """
    worst, place = 0.0, ""
    if y.ndim < 2 or not y.any():
        return worst, place
    unit = float(np.abs(y).max())
    size, squares = np.abs(y / unit), np.square(y / unit)
    noises, errors = np.square(noise / unit), np.square(error / unit)
    for axis in range(y.ndim):
        if y.shape[axis] < 2:
            continue
        others = tuple(other for other in range(y.ndim) if other != axis)
        own, total = squares.sum(others), size.sum(others)
        torch, port = noises.sum(others), errors.sum(others)
        seen = (own > 0) & (total**2 >= EFFECTIVE * own) & (torch <= RESOLVED**2 * own)
        if not seen.any():
            continue
        count = y.size // y.shape[axis]
        floor = np.maximum(ROUNDOFF * np.sqrt(own[seen]), TINY / unit * np.sqrt(count))
        allowed = max(1.0, float((np.sqrt(torch[seen]) / floor).max()))
        ratios = np.sqrt(port[seen]) / floor / allowed
        at = int(ratios.argmax())
        if ratios[at] > worst:
            worst, place = float(ratios[at]), f"axis {axis}, index {int(np.flatnonzero(seen)[at])}"
    return worst, place


def _counted(y: Array, torch: Array, port: Array, varies: str) -> Measure:
    """Return the share of integers that differ; float32's own share comes from ties alone."""
    wrong = port != y
    first = y[:1] if varies == "inputs" and y.ndim else np.zeros_like(y[:0])
    signal = float((y != first).any()) if first.size and len(y) > 1 else 1.0
    return Measure(
        port=float(wrong.mean()),
        torch=float((torch != y).mean()),
        floor=MISMATCH / y.size,
        signal=signal,
        largest=float(np.abs(port.astype(np.float64) - y.astype(np.float64)).max()),
    )
