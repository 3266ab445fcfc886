"""Transforms: what they do, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.port.transforms import PARTS, TRANSFORMS, chain

ARRAY = np.arange(24, dtype=np.float32).reshape(6, 4)


def test_transpose() -> None:
    np.testing.assert_array_equal(chain("transpose").forward(ARRAY, (4, 6)), ARRAY.T)


def test_axis_of_one_dimensional_convolutions() -> None:
    weight = np.arange(24.0).reshape(2, 3, 4)
    found = chain("insert_axis_2").forward(weight, (2, 3, 1, 4))
    np.testing.assert_array_equal(found, weight[:, :, None, :])
    np.testing.assert_array_equal(chain("remove_axis_2").forward(found, (2, 3, 4)), weight)


def test_parts_are_thirds_in_order() -> None:
    for k, letter in enumerate("qkv"):
        part = chain(f"{letter}_of_qkv").forward(ARRAY, (2, 4))
        np.testing.assert_array_equal(part, ARRAY[2 * k : 2 * k + 2])
    np.testing.assert_array_equal(chain("k_of_qkv+transpose").forward(ARRAY, (4, 2)), ARRAY[2:4].T)


def test_blocks() -> None:
    found = chain("blocks_120").forward(ARRAY, (6, 4))
    np.testing.assert_array_equal(found, ARRAY[[2, 3, 4, 5, 0, 1]])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("transposed", "no transform 'transposed'; there are transpose"),
        ("transpose+q_of_qkv", "q_of_qkv must come first"),
        ("q_into_qkv+transpose", "q_into_qkv must come last"),
        ("blocks_113", "no transform 'blocks_113'"),
        ("reshape+transpose", "reshape must be the last"),
        ("transpose+", "no transform ''"),
    ],
)
def test_what_is_none_is_said(names: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chain(names)


def test_shapes_that_do_not_fit_raise() -> None:
    assert chain("").between((2, 3), (3, 2)) is None
    with pytest.raises(ValueError, match="does not become"):
        chain("insert_axis_2").forward(ARRAY, (6, 1, 4))


NAMES = st.sampled_from([*TRANSFORMS, "blocks_10", "blocks_201", "blocks_3021", *PARTS, ""])


@given(NAMES, NAMES, st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
def test_inverse_undoes(first: str, second: str, a: int, b: int, c: int) -> None:
    """Whatever the shape: where a chain takes it, its inverse brings every number back."""
    for shape in ((12 * a, b), (12 * a,), (12 * a, b, c), (12 * a, b, 1, c)):
        try:
            steps = chain("+".join(filter(None, (first, second))))
        except ValueError:
            return
        array = np.random.RandomState(a).randn(*shape)
        part = array[steps.source.rows(shape[0])]
        wanted = part.shape
        for step in steps.steps:
            if (next_ := step.shape(wanted, wanted)) is None:
                return
            wanted = next_
        whole = (wanted[0] * steps.target.count, *wanted[1:])
        held = np.zeros(whole)
        held[steps.target.rows(whole[0])] = steps.forward(array, whole)
        np.testing.assert_array_equal(steps.inverse(held, shape), part)
