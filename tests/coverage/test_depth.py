"""Which boxes a pair ticks, which do not apply."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.corpus.expand import expand
from conformance.coverage.depth import Box, boxes
from tests.fakes import corpus

HEAD = """
operation: op
no_reference: {en: a fake, zh: 虚构}
accuracy: exact
gradients: [input]
parameters:
  input: {role: input}
  weight: {role: input, default: null}
  p: {role: option, default: 1}
  k: {role: option}
"""


def found(
    cases: str, pair: str = "", head: str = "", both_modes: bool = True, no_kernel: bool = False
) -> dict[str, Box]:
    text = f"{HEAD}{head}\npairs: [{{torch: torch.cat, mindspore: mindspore.ops.cat{pair}}}]\n"
    (document,) = corpus(text + "cases:\n" + cases).documents.values()
    operation = document.operation
    given = list(expand(operation, document.folder))
    return {b.name: b for b in boxes(operation, operation.pairs[0], given, both_modes, no_kernel)}


PLAIN = "  - {id: a, parameters: {k: 1}, inputs: {input: [1.0]}}\n"


def ticked(boxes_: dict[str, Box]) -> set[str]:
    return {name for name, box in boxes_.items() if box.ticked}


def test_a_plain_case_ticks_value_gradient_and_modes() -> None:
    assert ticked(found(PLAIN)) == {"value", "gradient", "modes"}
    assert "modes" not in ticked(found(PLAIN, both_modes=False))


def test_modes_do_not_apply_where_one_has_no_kernel() -> None:
    assert found(PLAIN, both_modes=False).get("modes") == Box("modes", False, None)
    without = found(PLAIN, both_modes=False, no_kernel=True)["modes"]
    assert (without.ticked, without.reason is not None) == (False, True)


def test_a_case_that_raises_ticks_no_parameter() -> None:
    raising = "inputs: {input: [1.0]}, expect: {raises: {torch: X, mindspore: X}}"
    cases = PLAIN + f"  - {{id: b, parameters: {{k: 1, p: 2}}, {raising}}}\n"
    assert "parameter p" not in ticked(found(cases))
    assert "parameter p" in ticked(
        found(cases.replace(", expect: {raises: {torch: X, mindspore: X}}", ""))
    )


@pytest.mark.parametrize(
    ("case", "box"),
    [
        ("{id: b, parameters: {k: 2}, inputs: {input: [1.0]}}", "parameter k"),
        ("{id: b, parameters: {k: 1, p: 2}, inputs: {input: [1.0]}}", "parameter p"),
        ("{id: b, parameters: {k: 1}, inputs: {input: 1.0, weight: 2.0}}", "parameter weight"),
        ("{id: b, dtype: float64, parameters: {k: 1}, inputs: {input: [1.0]}}", "dtypes"),
        ("{id: b, parameters: {k: 1}, inputs: {input: [-0.0]}}", "special-values"),
        ("{id: b, parameters: {k: 1}, inputs: {input: [.nan]}}", "special-values"),
        (
            "{id: b, inputs: {input: [1.0]}, expect: {raises: {torch: TypeError}}}",
            "exceptions",
        ),
        (
            "{id: b, parameters: {k: 1}, inputs: {input: 1.0}, expect: {torch: '1.'}}",
            "published-value",
        ),
    ],
)
def test_each_kind_of_case_ticks_its_box(case: str, box: str) -> None:
    assert ticked(found(f"{PLAIN}  - {case}\n")) - ticked(found(PLAIN)) >= {box}


def test_the_default_given_by_name_ticks_nothing() -> None:
    same = "  - {id: a, parameters: {k: 1, p: 1}, inputs: {input: [1.0]}}\n"
    assert "parameter p" not in ticked(found(same))


def test_a_parameter_of_one_side_has_no_box() -> None:
    assert "parameter p" in found(PLAIN)
    assert "parameter p" not in found(PLAIN, pair=", torch_only: {p: absent}")


def test_reasons_take_a_box_out_of_the_count_unless_it_is_ticked() -> None:
    reason = "not_applicable: {special-values: {en: r, zh: r}, value: {en: r, zh: r}}"
    some = found(PLAIN, head=reason)
    assert not some["special-values"].applies
    assert some["value"].applies
    other: dict[str, Any] = found(
        PLAIN, head="not_applicable: {special-values: {en: r, zh: r, pairs: ['*ops.cat']}}"
    )
    assert not other["special-values"].applies
