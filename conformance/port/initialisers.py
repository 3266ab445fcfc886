"""Tensors of freshly built models that were drawn from other distributions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

from conformance.port.model import Array, LayerInfo
from conformance.port.result import StaticDifference
from conformance.port.static import Pages

INITIALISER = "initialiser of"
"""What the setting's name begins with; the tensor's follows."""
SURE = 1e-6
"""Greatest probability that two tensors called different were drawn alike: Kolmogorov and Smirnov's
test, for each tensor.  Of a thousand tensors drawn alike, one run in a thousand names one."""
MOST = 20_000
"""Elements of a tensor that are looked at, evenly spread."""


def initialisers(
    tensors: Iterable[tuple[str, str]],
    torch: tuple[Sequence[LayerInfo], Mapping[str, Array]],
    mindspore: tuple[Sequence[LayerInfo], Mapping[str, Array]],
    where: Pages | None = None,
) -> list[StaticDifference]:
    """Return the pairs of tensors whose values, as built, tell of other initialisers.

    Each side gives its layers and its values by name, before anything was loaded or calibrated.
    Small tensors of equal range tell nothing.
    """
    owners = [
        {t: layer for layer in layers for t in layer.tensors} for layers, _ in (torch, mindspore)
    ]
    found = []
    for name, other in tensors:
        layers = owners[0].get(name), owners[1].get(other)
        values = torch[1].get(name), mindspore[1].get(other)
        if layers[0] is None or layers[1] is None or values[0] is None or values[1] is None:
            continue
        if differ(values[0], values[1]):
            found.append(
                StaticDifference(
                    layers[0].name,
                    layers[1].name,
                    f"{INITIALISER} {name.rpartition('.')[2]}",
                    _words(values[0]),
                    _words(values[1]),
                    page=(where or Pages()).of(layers[0], layers[1]),
                    trains=True,
                )
            )
    return found


def differ(one: Array, two: Array) -> bool:
    """Tell whether two arrays are draws from different distributions, as far as they can show."""
    a, b = _some(one), _some(two)
    if min(a.size, b.size) < 2:
        return False
    constant = [bool(np.all(x == x[0])) for x in (a, b)]
    if all(constant):
        return not bool(np.isclose(a[0], b[0]))
    if any(constant):
        return True
    with warnings.catch_warnings():
        # Where the exact way fails it says so, and takes the asymptotic one.
        warnings.simplefilter("ignore", RuntimeWarning)
        return bool(stats.ks_2samp(a, b).pvalue < SURE)


def _some(values: Array) -> Array:
    flat = np.asarray(values, dtype=np.float64).ravel()
    return flat[:: max(1, flat.size // MOST)]


def _words(values: Array) -> str:
    x = np.asarray(values, dtype=np.float64)
    if np.all(x == x.flat[0]):
        return f"all {x.flat[0]:.3g}"
    return f"mean {x.mean():.2g}, standard deviation {x.std():.2g}"
