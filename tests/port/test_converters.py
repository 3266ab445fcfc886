"""Each thing a converter can do wrong is named as what it is."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.phrase import Phrase
from conformance.port.converters import block_order, compare
from conformance.port.model import Array
from conformance.port.result import WeightRow
from conformance.port.weights import apply, map_weights
from tests.port.inventories import draws, model

TORCH = model(
    ("a.weight", (4, 4), "fc"),
    ("b.weight", (6, 4), "fc"),
    ("l.weight_ih_l0", (8, 3), "lstm"),
    ("n.running_mean", (4,), "bn"),
    ("m.running_mean", (4,), "bn"),
)
PORT = model(
    ("a.weight", (4, 4), "fc"),
    ("b.weight", (6, 4), "fc"),
    ("l.weight_ih_l0", (8, 3), "lstm"),
    ("n.moving_mean", (4,), "bn"),
    ("m.moving_mean", (4,), "bn"),
)
ROWS = map_weights(TORCH, PORT)
VALUES = draws(TORCH)
BUILT = draws(PORT, seed=9)


def converted(**changes: Array | None) -> dict[str, WeightRow]:
    """Return the rows by MindSpore's name, of a right converter but for `changes`."""
    given = {**apply(ROWS, VALUES), **{k.replace("__", "."): v for k, v in changes.items()}}
    kept = {name: value for name, value in given.items() if value is not None}
    rows = compare(ROWS, VALUES, kept, BUILT).rows
    assert all(isinstance(said, Phrase) for row in rows for said in (row.rule, row.problem) if said)
    return {row.mindspore: row for row in rows}


def test_right() -> None:
    rows = converted()
    assert {row.problem for row in rows.values()} == {""}
    assert all("the converter gives the same" in row.rule for row in rows.values())


A, B, LSTM = (VALUES[name] for name in ("a.weight", "b.weight", "l.weight_ih_l0"))


GATES = LSTM[[0, 1, 2, 3, 6, 7, 4, 5]]
MEAN = VALUES["m.running_mean"]
SHAPE = "shape changed: {} where the port has (6, 4)"
REORDERED = "rows reordered: with its {} blocks of rows in the order {} (blocks_{})"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("a.weight", A.T, "transposed"),
        ("b.weight", B[[2, 3, 0, 1, 4, 5]], REORDERED.format(3, "1, 0, 2", "102")),
        (
            "l.weight_ih_l0",
            GATES,
            REORDERED.format(4, "0, 1, 3, 2", "0132"),
        ),
        ("a.weight", A[:, ::-1], "flipped along axis 1"),
        ("n.moving_mean", MEAN, "swapped: these are the values of m.moving_mean"),
        ("a.weight", None, "never set: the converter does not give it"),
        ("a.weight", BUILT["a.weight"], "never set: it is what the port was built with"),
        ("a.weight", np.zeros((4, 4), np.float32), "constant: 0 everywhere"),
        ("a.weight", -A, "scaled: -1 times the values"),
        ("a.weight", A + np.float32(0.5), "shifted: +0.5 everywhere"),
        ("b.weight", B.T, SHAPE.format("(4, 6)") + "; it is the transpose"),
        ("b.weight", B.reshape(24), SHAPE.format("(24,)") + "; the numbers are right"),
        ("b.weight", B[:3], SHAPE.format("(3, 4)")),
    ],
)
def test_wrong(name: str, value: Array | None, problem: str) -> None:
    rows = converted(**{name.replace(".", "__"): value})
    assert rows[name].problem == problem
    assert [other for other, row in rows.items() if row.problem] == [name]


def test_other_values_are_counted() -> None:
    value = A.copy()
    value[0, :2] += 1
    assert converted(a__weight=value)["a.weight"].problem == "other values: 2 of 16, by 1 at most"


def test_a_rounding_on_the_way_is_no_change() -> None:
    assert converted(a__weight=A * np.float32(1 + 1e-7))["a.weight"].problem == ""


def test_a_name_that_the_port_lacks() -> None:
    rows = converted(gone__weight=A)
    assert (
        rows["gone.weight"].problem
        == "the converter gives it, and the port has no tensor of this name"
    )


def test_pytorchs_own_name_is_told_where_the_ports_is_lacking() -> None:
    rows = converted(n__moving_mean=None, n__running_mean=VALUES["n.running_mean"])
    said = "never set: the converter gives it under PyTorch's name, n.running_mean"
    assert rows["n.moving_mean"].problem == said
    assert "n.running_mean" not in rows


def test_only_what_fits_is_written() -> None:
    given = {**apply(ROWS, VALUES), "b.weight": B.T, "gone": A}
    values = compare(ROWS, VALUES, given, BUILT).values
    assert set(values) == {row.mindspore for row in ROWS} - {"b.weight"}


def test_a_converter_settles_what_was_ambiguous() -> None:
    torch, port = model(("x.weight", (4, 4), "fc")), model(("x.weight", (4, 4), "own"))
    rows = map_weights(torch, port)
    assert rows[0].problem.startswith("ambiguous")
    values = draws(torch)
    for value, transform in ((values["x.weight"], ""), (values["x.weight"].T, "transpose")):
        row = compare(rows, values, {"x.weight": value}, {}).rows[0]
        assert (row.transform, row.problem) == (transform, "")


def test_what_only_the_converter_knows() -> None:
    torch = model(("x.weight", (4, 4), "fc"))
    port = model(("x.weight", (4, 4), "fc"), ("y", (2,), "own"))
    values = draws(torch)
    given = {**values, "y": np.zeros(2, np.float32)}
    rows = {r.mindspore: r for r in compare(map_weights(torch, port), values, given, {}).rows}
    assert (rows["y"].rule, rows["y"].problem) == ("given by the converter alone", "")


def test_equal_blocks_have_no_order() -> None:
    assert block_order(np.zeros((6, 2)), np.zeros((6, 2))) == ""
    assert block_order(A, A) == ""
