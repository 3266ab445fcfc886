"""Data movement, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.reference.shape import transpose_t


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0, 3)])
def test_every_element_goes_to_its_reversed_index(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    turned = transpose_t(x)
    assert turned.shape == shape[::-1]
    assert all(turned[index[::-1]] == x[index] for index in np.ndindex(*shape))
