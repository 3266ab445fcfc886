"""Sampling of images at given places."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]

CUBIC = -0.75
"""Keys' parameter a of the cubic convolution kernel."""


@reference(dtype="=input")
def grid_sample(
    input: Array,
    grid: Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Array:
    """Values of images (N, C, *S) at the places grid (N, *P, n), S of n = 2 or 3 axes.

    The coordinates of a place are in the reverse order of the axes, x first: from -1 to 1 over the
    centres of the first and last pixel with `align_corners`, else over the image, from the outer
    edge of the first pixel to that of the last.  NaN counts as -1.  `bilinear` weighs the 2ⁿ pixels
    around a place by its distance to them, `nearest` takes one (halves go to the even one),
    `bicubic` convolves 4 × 4 with the cubic kernel of a = -0.75.  Outside there are zeros, or the
    place moves to the nearest place inside (border), or it is reflected, at the centres or edges of
    the last pixels as `align_corners` says; bicubic does either to each of its pixels.
    Raises ValueError for other modes and shapes, TypeError for integers and different dtypes.
    Source: PyTorch documentation of torch.nn.functional.grid_sample; Keys, "Cubic convolution
    interpolation for digital image processing", 1981.
    """
    _check(input, grid, mode, padding_mode)
    corners = bool(align_corners)
    sizes = input.shape[:1:-1]  # in the order of the coordinates
    places = [
        _place(np.where(np.isnan(grid[..., i]), grid.dtype.type(-1), grid[..., i]), size, corners)
        for i, size in enumerate(sizes)
    ]
    if mode != "bicubic":
        places = [_inside(p, s, padding_mode, corners) for p, s in zip(places, sizes, strict=True)]
    taps = [_taps(place, mode) for place in places]
    result = np.zeros((*input.shape[:2], *grid.shape[1:-1]), input.dtype)
    for chosen in product(*taps):
        pixels, weights = zip(*chosen, strict=True)
        if mode == "bicubic":
            pixels = tuple(
                _inside(p, s, padding_mode, corners) for p, s in zip(pixels, sizes, strict=True)
            )
        weight = np.asarray(np.prod(np.stack(weights), axis=0)).astype(input.dtype)
        values, known = _gather(input, pixels, sizes)
        result += np.where(known[:, None], values * weight[:, None], input.dtype.type(0)).astype(
            input.dtype
        )
    return result


def _check(input: Array, grid: Array, mode: str, padding_mode: str) -> None:
    if not isinstance(mode, str) or not isinstance(padding_mode, str):
        raise TypeError(f"modes must be strings, got {mode} and {padding_mode}")
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"no mode {mode}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"no padding mode {padding_mode}")
    if input.dtype.kind not in "fV" or input.dtype != grid.dtype:
        raise TypeError(f"cannot sample {input.dtype} at {grid.dtype}")
    axes = input.ndim - 2
    fits = axes in (2, 3) and grid.ndim == input.ndim and grid.shape[-1] == axes
    if not fits or len(grid) != len(input) or 0 in input.shape[2:]:
        raise ValueError(f"cannot sample {input.shape} at {grid.shape}")
    if mode == "bicubic" and axes != 2:
        raise ValueError("bicubic is for images of two axes")


def _place(coordinate: Array, size: int, corners: bool) -> Array:
    """Return the place in pixels, 0 the centre of the first."""
    real = coordinate.dtype.type
    if corners:
        return np.asarray((coordinate + real(1)) / real(2) * real(size - 1))
    return np.asarray(((coordinate + real(1)) * real(size) - real(1)) / real(2))


def _inside(place: Array, size: int, padding_mode: str, corners: bool) -> Array:
    real = place.dtype.type
    if padding_mode == "reflection":
        low, span = (real(0), real(size - 1)) if corners else (real(-0.5), real(size))
        if span == 0:
            return np.zeros_like(place)
        distance = np.mod(place - low, real(2) * span)
        place = low + np.minimum(distance, real(2) * span - distance)
    if padding_mode != "zeros":
        place = np.clip(place, real(0), real(size - 1))
    return np.asarray(place)


def _taps(place: Array, mode: str) -> list[tuple[Array, Array]]:
    """Return the pixels along one axis that count, each with its weight."""
    if mode == "nearest":
        return [(np.rint(place), np.ones_like(place))]
    first = np.floor(place)
    real = place.dtype.type
    with np.errstate(invalid="ignore"):  # no pixel of a place at infinity exists
        t = place - first
    if mode == "bilinear":
        return [(first, real(1) - t), (first + real(1), t)]
    steps = [real(i) for i in range(-1, 3)]
    return [(first + step, _cubic(np.abs(t - step))) for step in steps]


def _cubic(x: Array) -> Array:
    a = x.dtype.type(CUBIC)
    one, two, three, five = (x.dtype.type(n) for n in (1, 2, 3, 5))
    near = ((a + two) * x - (a + three)) * x * x + one
    far = ((a * x - five * a) * x + two * two * two * a) * x - two * two * a
    return np.asarray(np.where(x <= one, near, far))


def _gather(input: Array, pixels: tuple[Array, ...], sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the pixels' values, (N, C, *P), and which of them exist, (N, *P)."""
    # Beside a Python integer NumPy now and then finds no dtype in common with bfloat16.
    ends = [
        (p.dtype.type(0), p.dtype.type(size - 1)) for p, size in zip(pixels, sizes, strict=True)
    ]
    exists = [(p >= low) & (p <= high) for p, (low, high) in zip(pixels, ends, strict=True)]
    known = np.asarray(np.all(np.stack(exists), axis=0))
    indices = [np.where(known, p, p.dtype.type(0)).astype(np.int64) for p in pixels]
    image = np.arange(len(input)).reshape(-1, *[1] * (known.ndim - 1))
    picked = np.moveaxis(input, 1, -1)[(image, *reversed(indices))]
    return np.moveaxis(picked, -1, 1), known
