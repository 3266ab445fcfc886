"""Input specifications to arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.arrays import Generated, Input
from conformance.corpus.model import MAX_ELEMENTS
from conformance.errors import CaseError
from conformance.reference.dtypes import cast

Array = np.ndarray[Any, Any]


def draw(spec: Input, random: np.random.RandomState, dtype: str | None, folder: Path) -> Array:
    """Return the array that `spec` describes.

    `dtype` is the dtype of the case, used when the input has none of its own; without either,
    real literals and draws are float32, integers int64, booleans bool, complex numbers complex64.
    Raises CaseError when a literal is ragged, or a file is missing, too large or outside `folder`.
    """
    raw = moved(_raw(spec, random, folder), spec)
    if spec.reshape is not None:
        raw = raw.reshape(spec.reshape)
    return cast(raw, spec.dtype or dtype or natural(raw))


def generated(spec: Generated, random: np.random.RandomState) -> Array | None:
    """Return what the generator of `spec` makes, None where it has another source."""
    if spec.rand is not None:
        return np.asarray(random.rand(*spec.rand))
    if spec.randn is not None:
        return np.asarray(random.randn(*spec.randn))
    if (ints := spec.randint) is not None:
        low, high = (0, ints.low) if ints.high is None else (ints.low, ints.high)
        return np.asarray(random.randint(low, high, size=ints.size))
    if spec.zeros is not None:
        return np.zeros(spec.zeros)
    if spec.ones is not None:
        return np.ones(spec.ones)
    return None if spec.full is None else np.full(spec.full.size, _number(spec.full.value))


def moved(raw: Array, spec: Generated) -> Array:
    """Return `raw` multiplied by the scale of `spec`, if it has one, and shifted then."""
    if spec.scale is not None:
        raw = raw * spec.scale
    return raw if spec.shift is None else raw + spec.shift


def _raw(spec: Input, random: np.random.RandomState, folder: Path) -> Array:
    if (made := generated(spec, random)) is not None:
        return made
    if spec.arange is not None:
        return np.arange(spec.arange)
    if spec.linspace is not None:
        return np.linspace(*spec.linspace)
    if spec.npy is not None:
        return _file(spec.npy, folder)
    return _literal(spec.value)


def _literal(value: Any) -> Array:
    try:
        return np.asarray(_numbers(value))
    except ValueError as error:
        raise CaseError(f"not an array: {error}") from None


def _numbers(value: Any) -> Any:
    return [_numbers(item) for item in value] if isinstance(value, list) else _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        raise CaseError(f"{value!r} is not a number; write .nan for NaN")
    try:
        return complex(value.replace(" ", "")) if value.rstrip().endswith("j") else float(value)
    except ValueError:
        raise CaseError(f"{value!r} is not a number") from None


def natural(array: Array) -> str:
    """Return the dtype that an array gets where nobody says one."""
    return {"b": "bool", "i": "int64", "u": "int64", "c": "complex64"}.get(
        array.dtype.kind, "float32"
    )


def _file(name: str, folder: Path) -> Array:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or path.suffix != ".npy":
        raise CaseError(f"{name!r} must be a .npy file inside {folder.name}/")
    return load(path, name, MAX_ELEMENTS)


def load(path: Path, name: str, most: int) -> Array:
    """Return the array in a .npy file, which the case file or the port file calls `name`.

    Raises CaseError when it has none, or more than `most` elements.
    """
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CaseError(f"cannot read {name!r}: {error}") from None
    if mapped.size > most:
        raise CaseError(f"{name!r} holds {mapped.size:,} elements; the limit is {most:,}")
    return np.array(mapped)
