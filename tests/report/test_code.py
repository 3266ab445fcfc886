"""Programs are text that a porter would write; that they run is proven in test_code_runs."""

import ast

import numpy as np
import pytest

from conformance.report.code import source
from conformance.report.literals import literal, scalar
from tests.report import handmade


def program(framework: str, number: int = 0, pair: int = 0) -> str:
    case = handmade.cases()[number]
    return source(case, case.pairs()[pair], framework)


def test_literals_keep_the_authors_digits() -> None:
    assert program("torch") == (
        "import numpy as np\n"
        "import torch\n\n"
        "input = torch.tensor([0.1, np.nan, np.inf], dtype=torch.float32)\n\n"
        "module = torch.nn.Hardshrink()\n"
        "output = module(input)\n"
        "print(output)\n"
    )


def test_mindspore_uses_its_own_names_and_forms() -> None:
    text = program("mindspore", number=2)
    assert "random = np.random.RandomState(3)" in text
    assert "input_x = mindspore.Tensor(random.randn(2, 3), mindspore.float32)" in text
    assert "cell = mindspore.nn.HShrink(lambd=1)\noutput = cell(input_x)\n" in text
    assert "output = mindspore.ops.hardshrink(input, lambd=1)" in program("mindspore", 2, 1)


def test_no_reference_no_program() -> None:
    assert program("numpy") == ""


def test_numpys_own_api_in_its_own_names() -> None:
    text = handmade.YAML.replace(
        "pairs:", "pairs:\n  - {numpy: numpy.shrink, numpy_names: {lambd: by}}", 1
    )
    case = handmade.cases(text)[2]
    pair = next(p for p in case.pairs() if p.numpy)
    assert source(case, pair, "numpy", full=True) == (
        "import numpy as np\n\n"
        "random = np.random.RandomState(3)\n"
        "input = random.randn(2, 3).astype(np.float32)\n\n"
        "output = np.shrink(input, by=1)\n"
        "print(output)\n"
    )
    text = text.replace("{randn: [2, 3]}", "{randn: [2, 3], layout: transposed}")
    case = handmade.cases(text)[2]
    strided = "np.ascontiguousarray(random.randn(2, 3).astype(np.float32).swapaxes(-1, -2))"
    assert f"input = {strided}.swapaxes(-1, -2)" in source(case, pair, "numpy")


def test_draws_that_a_framework_lacks_are_still_drawn() -> None:
    text = handmade.YAML.replace(
        "inputs: {seed: 3, input: {randn: [2, 3]}}",
        "inputs: {seed: 3, inplace: {rand: [4]}, input: {randn: [2, 3]}}",
    ).replace("  lambd: {role", "  inplace: {role: option}\n  lambd: {role")
    case = handmade.cases(text)[1]
    written = source(case, case.pairs()[0], "mindspore")
    assert written.index("random.rand(4)") < written.index("random.randn(2, 3)")
    assert "inplace =" not in written


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.1, -0.0, np.nan, np.inf, -np.inf, 1e-45]),
        np.array([[1, 2], [3, -4]]),
        np.array([True, False]),
        np.array([1 + 2j, complex(np.nan, np.inf), -0.5j]),
        np.array(2.5),
        np.zeros((0, 3)),
        np.arange(400.0).reshape(20, 20) / 7,
    ],
)
def test_literals_give_the_array_back(array: np.ndarray) -> None:  # type: ignore[type-arg]
    back = np.array(eval(literal(array), {"np": np}), dtype=array.dtype)
    assert back.shape == array.shape
    assert np.array_equal(back, array, equal_nan=True)
    assert np.array_equal(np.signbit(back.real), np.signbit(array.real))


@pytest.mark.parametrize("value", [None, True, 3, 0.1, "a'b", float("inf"), -float("inf"), 1 - 2j])
def test_scalars_give_the_value_back(value: object) -> None:
    assert eval(scalar(value)) == value


def test_every_program_is_python() -> None:
    for case in handmade.cases():
        for pair in case.pairs():
            for framework in ("torch", "mindspore"):
                ast.parse(source(case, pair, framework, full=True))
