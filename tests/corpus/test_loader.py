"""Errors are found all at once, each at its place; grids expand to stable ids."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest

from conformance.corpus.loader import load, load_texts
from conformance.corpus.schema import Operation
from conformance.errors import CallerError, CorpusError

TEXT = textwrap.dedent("""\
    operation: scale
    no_reference: {en: a fake, zh: 虚构}
    accuracy: exact
    parameters:
      input: {role: input}
      factor: {role: option, default: 1}
    pairs:
      - torch: torch.mul
        mindspore: mindspore.ops.mul
    cases:
      - id: grid
        inputs: {seed: 3, input: {rand: [2, 3]}}
        grid: {factor: [1, null, [2, 3]], dtype: [float16, float64]}
      - id: plain
        inputs: {input: [[1, 2], [3, 4]]}
    """)


def error_lines(text: str) -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load_texts([("f.yaml", text, Path())])
    return [str(p) for p in caught.value.problems]


def test_every_error_at_its_place() -> None:
    text = TEXT.replace("role: option", "role: optoin").replace(
        "accuracy: exact", "accuracy: exakt"
    )
    text = text.replace("torch: torch.mul", "torch: torch.mul\n    nickname: x")
    lines = error_lines(text)
    assert [line.split(":")[:3] for line in lines] == [
        ["f.yaml", "3", "11"],
        ["f.yaml", "6", "18"],
        ["f.yaml", "9", "5"],
    ]
    assert "exakt" in lines[0]
    assert "optoin" in lines[1]
    assert "nickname" in lines[2]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("id: plain", "id: grid", "14:9", "listed twice"),
        ("factor: [1,", "facto: [1,", "13:19", "'facto' is not a parameter"),
        ("float64]", "float65]", "13:56", "'float65' is not a dtype"),
        ("[[1, 2], [3, 4]]", "[[1, 2], [3]]", "15:13", "not an array"),
        ("torch: torch.mul", "torch: mindspore.ops.mul", "8:12", "is not an API of torch"),
        ("accuracy", "reference: elementwise.nope\naccuracy", "1:1", "no_reference"),
    ],
)
def test_rules(old: str, new: str, place: str, message: str) -> None:
    lines = error_lines(TEXT.replace(old, new))
    assert any(line.startswith(f"f.yaml:{place}: ") and message in line for line in lines), lines


def test_unknown_reference_is_named() -> None:
    text = TEXT.replace("no_reference: {en: a fake, zh: 虚构}", "reference: elementwise.nope")
    assert error_lines(text) == [
        "f.yaml:2:12: no oracle 'elementwise.nope' in conformance/reference/; "
        "write one, or give no_reference"
    ]


def test_one_bad_file_does_not_hide_another() -> None:
    with pytest.raises(CorpusError) as caught:
        load_texts([("a.yaml", "x: 1", Path()), ("b.yaml", "y: [", Path())])
    assert {p.path for p in caught.value.problems} == {"a.yaml", "b.yaml"}


def test_one_operation_in_two_files() -> None:
    with pytest.raises(CorpusError, match=r"already in a\.yaml"):
        load_texts([("a.yaml", TEXT, Path()), ("b.yaml", TEXT, Path())])


def test_ids_are_stable_and_unique() -> None:
    ids = [case.id for case in load_texts([("f.yaml", TEXT, Path())]).cases()]
    assert ids == [
        "scale/grid[factor=1,dtype=float16]",
        "scale/grid[factor=1,dtype=float64]",
        "scale/grid[factor=null,dtype=float16]",
        "scale/grid[factor=null,dtype=float64]",
        "scale/grid[factor=2x3,dtype=float16]",
        "scale/grid[factor=2x3,dtype=float64]",
        "scale/plain",
    ]


def test_draws_are_numpys_legacy_ones_in_the_order_written() -> None:
    text = TEXT.replace(
        "{seed: 3, input: {rand: [2, 3]}}", "{seed: 3, factor: {randn: [4]}, input: {rand: [2, 3]}}"
    )
    case = next(
        c
        for c in load_texts(
            [("f.yaml", text.replace("factor: [1, null, [2, 3]], ", ""), Path())]
        ).cases()
    )
    random = np.random.RandomState(3)
    factor, value = random.randn(4), random.rand(2, 3)
    np.testing.assert_array_equal(case.arrays["factor"], factor.astype(np.float16))
    np.testing.assert_array_equal(case.arrays["input"], value.astype(np.float16))


def test_hash_follows_content_not_layout() -> None:
    def hashes(text: str) -> list[str]:
        return [case.hash for case in load_texts([("f.yaml", text, Path())]).cases()]

    first = hashes(TEXT)
    assert len(set(first)) == len(first)
    assert hashes("# a comment\n" + TEXT.replace("[2, 3]}}", "[ 2,  3 ]}}")) == first
    changed = hashes(TEXT.replace("[3, 4]]", "[3, 5]]"))
    assert changed[:-1] == first[:-1]
    assert changed[-1] != first[-1]


def test_paths_without_case_files(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no case file here"):
        load([tmp_path])


def test_schema_is_what_validates() -> None:
    schema = json.loads(json.dumps(Operation.model_json_schema(by_alias=True)))
    assert schema["additionalProperties"] is False
    assert {"operation", "accuracy", "parameters", "pairs", "cases"} <= set(schema["required"])
    assert schema["$defs"]["Input"]["properties"]["as"]["enum"][0] == "tensor"


def test_the_schema_beside_the_code_is_current() -> None:
    kept = Path("conformance/corpus/case.schema.json").read_text(encoding="utf-8")
    assert json.loads(kept) == Operation.model_json_schema(by_alias=True)
