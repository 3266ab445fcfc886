"""Every generator, the dtypes they fall back on, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.corpus.arrays import Input
from conformance.corpus.inputs import Array, draw
from conformance.errors import CaseError
from conformance.reference.dtypes import cast, numpy_dtype
from conformance.taxonomy import DTYPES

HERE = Path()


def drawn(spec: Any, dtype: str | None = None, *, seed: int = 0, folder: Path = HERE) -> Array:
    return draw(Input.model_validate(spec), np.random.RandomState(seed), dtype, folder)


@pytest.mark.parametrize(
    ("spec", "dtype", "expected"),
    [
        (1.5, "float32", 1.5),
        (3, "int64", 3),
        (True, "bool", True),
        ([], "float32", []),
        ([[1, 2], [3, 4]], "int64", [[1, 2], [3, 4]]),
        ([1, 2.5], "float32", [1, 2.5]),
        ([True, False], "bool", [True, False]),
        ("1+2j", "complex64", 1 + 2j),
        (["1 + 2j", 3], "complex64", [1 + 2j, 3]),
        (["-1.5j", "nan"], "complex64", [-1.5j, complex("nan")]),
        ({"zeros": [2, 0]}, "float32", np.zeros((2, 0))),
        ({"zeros": []}, "float32", 0.0),
        ({"ones": [3]}, "float32", [1, 1, 1]),
        ({"full": {"size": [2], "value": 7}}, "float32", [7, 7]),
        ({"full": {"size": [1], "value": "-inf"}}, "float32", [-np.inf]),
        ({"full": {"size": [1], "value": "2j"}}, "complex64", [2j]),
        ({"arange": 4}, "int64", [0, 1, 2, 3]),
        ({"linspace": [0, 1, 3]}, "float32", [0, 0.5, 1]),
    ],
)
def test_deterministic_generators(spec: Any, dtype: str, expected: Any) -> None:
    found = drawn(spec)
    assert found.dtype == numpy_dtype(dtype)
    assert found.shape == np.shape(expected)
    np.testing.assert_array_equal(found, expected)


def test_draws_are_those_of_the_legacy_generator() -> None:
    random = np.random.RandomState(5)
    assert (drawn({"rand": [2, 3]}, "float64", seed=5) == random.rand(2, 3)).all()
    random = np.random.RandomState(5)
    assert (drawn({"randn": [4]}, "float64", seed=5) == random.randn(4)).all()
    random = np.random.RandomState(5)
    spec = {"randint": {"low": -3, "high": 9, "size": [50]}}
    assert (drawn(spec, seed=5) == random.randint(-3, 9, 50)).all()


def test_draws_are_float32_and_integers_int64_by_default() -> None:
    assert drawn({"rand": [1]}).dtype == np.float32
    assert drawn({"randn": [1]}).dtype == np.float32
    assert drawn({"randint": {"low": 2, "size": [1]}}).dtype == np.int64


def test_randint_with_one_bound_starts_at_zero() -> None:
    found = drawn({"randint": {"low": 3, "size": [200]}})
    assert set(found) == {0, 1, 2}


def test_zero_dimensional_draws() -> None:
    specs: list[Any] = [{"rand": []}, {"randn": []}, {"randint": {"low": 5, "size": []}}]
    for spec in specs:
        assert drawn(spec).shape == ()


def test_inputs_of_a_case_draw_from_one_stream() -> None:
    stream = np.random.RandomState(1)
    specs = [Input.model_validate({"rand": [2]}) for _ in range(2)]
    first, second = (draw(spec, stream, "float64", HERE) for spec in specs)
    expected = np.random.RandomState(1).rand(4)
    np.testing.assert_array_equal(np.concatenate([first, second]), expected)


def test_own_dtype_wins_over_the_cases() -> None:
    assert drawn({"ones": [1], "dtype": "int8"}, "float64").dtype == np.int8
    assert drawn({"ones": [1]}, "float64").dtype == np.float64


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    found = drawn([0, 1], dtype)
    assert found.dtype.name == dtype
    np.testing.assert_array_equal(found, np.array([0, 1], found.dtype))


def test_special_literals() -> None:
    found = drawn(["nan", "inf", "-inf", "-0.0", -0.0, "1e-45"])
    np.testing.assert_array_equal(found[:3], [np.nan, np.inf, -np.inf])
    assert np.signbit(found[3:5]).all()
    assert found[5] == np.float32(1e-45) != 0


def test_scale_then_shift_before_the_cast() -> None:
    # 0.3 * 10 + 0.5 = 3.5 is 3 as an integer; casting first would give 0 or 5.
    assert drawn({"value": [0.3], "scale": 10, "shift": 0.5, "dtype": "int32"}).tolist() == [3]
    assert drawn({"arange": 3, "scale": 0.5}).tolist() == [0, 0.5, 1]
    assert drawn({"arange": 3, "scale": 0.5}).dtype == np.float32


def test_reshape() -> None:
    assert drawn({"arange": 6, "reshape": [3, 2]}).tolist() == [[0, 1], [2, 3], [4, 5]]


def test_casts_are_silent_and_as_a_kernel_does_them() -> None:
    assert drawn([1e6], "float16").tolist() == [np.inf]
    assert drawn([300], "uint8").tolist() == [44]
    assert cast(np.array([1 + 2j]), "float32").tolist() == [1]
    assert cast(np.array([1 + 2j]), "complex128").tolist() == [1 + 2j]
    with np.errstate(all="raise"):
        assert drawn(["nan"], "int32").shape == (1,)


def test_bfloat16_rounds_to_even() -> None:
    # 8 bits: 257 lies between 256 and 258, 259 between 258 and 260; ties go to the even one.
    found = drawn([257, 259], "bfloat16")
    assert found.dtype == ml_dtypes.bfloat16
    assert found.astype(float).tolist() == [256, 260]


def test_npy(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3).T
    (tmp_path / "deep").mkdir()
    np.save(tmp_path / "deep" / "x.npy", array)
    found = drawn({"npy": "deep/x.npy"}, folder=tmp_path)
    assert found.dtype == np.int64  # as every integer without a dtype of its own
    np.testing.assert_array_equal(found, array)
    assert drawn({"npy": "deep/x.npy", "dtype": "float16"}, folder=tmp_path).dtype == np.float16
    found[0, 0] = 9  # a copy, not the mapped file
    assert np.load(tmp_path / "deep" / "x.npy")[0, 0] == 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ([[1, 2], [3]], "not an array"),
        (["one"], "'one' is not a number"),
        ("2+j2j", "is not a number"),
        ({"full": {"size": [1], "value": "x"}}, "'x' is not a number"),
        ({"npy": "absent.npy"}, "cannot read 'absent.npy'"),
        ({"npy": "text.npy"}, "cannot read 'text.npy'"),
        ({"npy": "x.txt"}, "must be a .npy file inside"),
    ],
)
def test_refusals(spec: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(CaseError, match=message):
        drawn(spec, folder=tmp_path)


@pytest.mark.parametrize("spec", [[[1, None]], {"value": None}, [{"a": 1}]])
def test_what_is_no_number_is_refused(spec: Any) -> None:
    with pytest.raises(CaseError, match="is not a number"):
        drawn(spec)
