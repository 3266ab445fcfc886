"""Operations that move elements without changing them."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="=input")
def transpose_t(input: Array) -> Array:
    """All axes in reverse order: ``out[i_n, …, i_1] = input[i_1, …, i_n]``.

    Source: PyTorch documentation of torch.Tensor.T.
    """
    return np.asarray(np.transpose(input))
