"""What graph mode compiles: each thing that a compiler may treat apart, once in an operation."""

from __future__ import annotations

import pytest

from conformance.run.select import Selection
from conformance.run.session import make_plan
from conformance.run.target import parse
from tests.fakes import corpus

HEAD = """
operation: op
no_reference: {en: a fake, zh: 虚构}
accuracy: exact
parameters:
  input: {role: input}
  k: {role: option}
  flag: {role: option}
pairs:
  - {torch: torch.abs, mindspore: mindspore.ops.abs}
  - {torch: torch.Tensor.abs, mindspore: mindspore.Tensor.abs, call: method}
  - {torch: torch.absolute, mindspore: mindspore.ops.abs}
"""
FIRST = "{id: first, parameters: {k: 1}, inputs: {input: [1.0, 2.0]}}"


def compiled(*cases: str, covering: bool = True, head: str = HEAD) -> list[str]:
    """Return case and MindSpore API of what graph mode compiles of the cases after the first."""
    body = "".join(f"  - {case}\n" for case in (FIRST, *cases))
    plan = make_plan(
        corpus(f"{head}cases:\n{body}"),
        [parse("mindspore:cpu:graph")],
        Selection(covering=covering),
    )
    return [f"{item.case} {item.pair}" for item in plan.items]


ALL_FIRST = [
    "op/first torch.abs=mindspore.ops.abs",
    "op/first torch.Tensor.abs=mindspore.Tensor.abs",
    "op/first torch.absolute=mindspore.ops.abs",
]


def test_other_numbers_alone_are_not_compiled_again() -> None:
    assert compiled("{id: again, parameters: {k: 1}, inputs: {input: [5.0, 6.0]}}") == ALL_FIRST


@pytest.mark.parametrize(
    "case",
    [
        "{id: new, dtype: float16, parameters: {k: 1}, inputs: {input: [1.0, 2.0]}}",
        "{id: new, parameters: {k: 1}, inputs: {input: 1.0}}",
        "{id: new, parameters: {k: 1}, inputs: {input: [1.0, .nan]}}",
        "{id: new, parameters: {k: 1}, inputs: {input: {value: [], dtype: float32}}}",
        "{id: new, parameters: {k: 1}, inputs: {input: {value: [1.0], as: parameter}}}",
        "{id: new, parameters: {k: 2}, inputs: {input: [1.0, 2.0]}}",
        "{id: new, parameters: {k: 1, flag: true}, inputs: {input: [1.0, 2.0]}}",
        "{id: new, parameters: {k: 1}, inputs: {input: [1.0, 2.0]}, training: true}",
    ],
)
def test_what_is_new_is_compiled_through_one_api(case: str) -> None:
    # The third pair asks for the call of the first: it costs nothing more.
    assert compiled(case) == [
        *ALL_FIRST,
        "op/new torch.abs=mindspore.ops.abs",
        "op/new torch.absolute=mindspore.ops.abs",
    ]


def test_dtypes_together_and_settings_of_one_framework_are_new() -> None:
    two = HEAD.replace("  k: {role", "  other: {role: input}\n  k: {role")
    narrow, wide = ("{value: [1.0, 2.0], dtype: float16}", "{value: [1.0, 2.0], dtype: float32}")
    mixed = [
        f"{{id: {name}, parameters: {{k: 1}}, inputs: {{input: {a}, other: {b}}}}}"
        for name, a, b in (("nn", narrow, narrow), ("ww", wide, wide), ("nw", narrow, wide))
    ]
    found = compiled(*mixed, head=two)
    assert "op/nw torch.abs=mindspore.ops.abs" in found
    extra = "{id: e, parameters: {k: 1}, extra: {mindspore: {z: %d}}, inputs: {input: [%d.0, 2.0]}}"
    found = compiled(extra % (1, 1), (extra % (2, 1)).replace("id: e", "id: f"))
    assert "op/f torch.abs=mindspore.ops.abs" in found


def test_each_api_raises_once_and_each_case_that_raises_is_compiled() -> None:
    raising = "parameters: {k: 1}, inputs: {input: [1.0, 2.0]}, expect: {raises: {mindspore: X}}"
    found = compiled(f"{{id: r1, {raising}}}", f"{{id: r2, {raising.replace('2.0', '9.0')}}}")
    assert found[3:] == [line.replace("first", "r1") for line in ALL_FIRST] + [
        "op/r2 torch.abs=mindspore.ops.abs",
        "op/r2 torch.absolute=mindspore.ops.abs",
    ]


@pytest.mark.parametrize(("target", "spoken"), [("mindspore:cpu:graph", 6), ("mindspore", 3)])
def test_what_the_file_says_of_graph_mode_alone_is_compiled(target: str, spoken: int) -> None:
    said = (
        f"{HEAD}differences:\n"
        f"  - {{kind: value, cases: [again], pairs: ['*'], targets: ['{target}'],"
        " note: {en: n, zh: n}}\n"
    )
    found = compiled("{id: again, parameters: {k: 1}, inputs: {input: [5.0, 6.0]}}", head=said)
    assert len(found) == spoken


def test_an_exception_of_graph_mode_alone_is_compiled() -> None:
    raising = "parameters: {k: 1}, inputs: {input: [1.0, 2.0]}, expect: {raises: "
    apart = f"{raising}{{mindspore: X, mindspore_graph: Y}}}}"
    found = compiled(f"{{id: r1, {raising}{{mindspore: X}}}}}}", f"{{id: r2, {apart}}}")
    assert [line for line in found if "op/r2" in line] == [
        line.replace("first", "r2") for line in ALL_FIRST
    ]


def test_everything_is_compiled_when_everything_is_asked_for() -> None:
    again = "{id: again, parameters: {k: 1}, inputs: {input: [5.0, 6.0]}}"
    assert len(compiled(again, covering=False)) == 6


def test_other_modes_run_everything() -> None:
    text = f"{HEAD}cases:\n  - {FIRST}\n  - {FIRST.replace('first', 'again')}\n"
    for name in ("torch", "mindspore", "mindspore:gpu"):
        plan = make_plan(corpus(text), [parse(name)], Selection(covering=True))
        assert len(plan.items) == 6
    assert Selection(covering=True).everything


def test_operations_do_not_cover_for_each_other() -> None:
    text = f"{HEAD}cases:\n  - {FIRST}\n"
    plan = make_plan(
        corpus(text, text.replace("operation: op", "operation: po")),
        [parse("mindspore:cpu:graph")],
        Selection(covering=True),
    )
    assert len(plan.items) == 6
