"""The mutation tool itself: wrong kernels are told from right ones, blind corpora are found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.pairs import Call
from conformance.run.outcome import Named, Raised, Returned, Unsupported
from conformance.run.target import Target
from tests.fakes import FAKES, corpus
from tests.mutation import __main__ as command
from tests.mutation import calls, replies
from tests.mutation.score import Result, score

GOOD = """
operation: absolute
reference: elementwise.abs
accuracy: exact
gradients: [input]
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases:
  - {id: matrix, inputs: {seed: 1, input: {randn: [2, 3], layout: transposed}}}
  - {id: special, inputs: {input: [.nan, -.inf, 1.5]}}
"""
BLIND = """
operation: blind
reference: elementwise.abs
accuracy: exact
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases:
  - {id: one, inputs: {input: [2.0]}}
"""


def scored(text: str) -> list[Result]:
    torch = Target("torch", "torch", adapter=FAKES / "right.py")
    (results,) = score(corpus(text), [torch])
    return results


def test_a_corpus_that_looks_kills_every_mutant() -> None:
    results = scored(GOOD)
    assert {r.mutant for r in results} >= {
        "transposed result",
        "one element off by 1e-3",
        "float16 result",
        "NaN lost",
        "infinity lost",
        "wrong dtype",
        "gradient of input dropped",
        "gradient of input scaled",
        "strides ignored",
        "float16 inputs",
    }
    assert [r.mutant for r in results if not r.killed] == []


def test_a_corpus_that_does_not_look_lets_mutants_live() -> None:
    results = scored(BLIND)
    assert {"float16 result", "result reversed"}.isdisjoint(r.mutant for r in results)
    assert all(r.killed for r in results if r.mutant == "one element off by 1e-3")
    wide = scored(BLIND.replace("exact", "{rtol: 1.0, atol: 1.0, reason: too wide}"))
    assert not any(r.killed for r in wide if r.mutant == "one element off by 1e-3")


def test_survivors_make_the_command_fail_until_they_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conformance.toml").write_text("", encoding="utf-8")
    file = tmp_path / "blind.yaml"
    file.write_text(BLIND.replace("exact", "{rtol: 1.0, atol: 1.0, reason: wide}"), "utf-8")
    explained = tmp_path / "survivors" / "math.yaml"
    explained.parent.mkdir()
    monkeypatch.setattr(command, "EXPLAINED", explained.parent)
    fake = Target("torch", "torch", adapter=FAKES / "right.py")
    monkeypatch.setattr("conformance.run.target.parse", lambda name: fake)
    explained.write_text("{}", "utf-8")
    assert command.main([str(file), "-t", "torch"]) == 1
    assert "SURVIVED" in capsys.readouterr().out
    explained.write_text("blind: [{mutant: one element*, why: the tolerance is wide}]", "utf-8")
    assert command.main([str(file), "-t", "torch"]) == 0
    assert "explained" in capsys.readouterr().out
    explained.write_text(
        "blind: [{mutant: one element*, why: wide}, {mutant: nothing, why: none}]", "utf-8"
    )
    assert command.main([str(file), "-t", "torch"]) == 1
    assert "does not survive" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(replies.CHANGES))
def test_each_change_changes_what_it_speaks_of_and_nothing_it_does_not(name: str) -> None:
    change = replies.CHANGES[name]
    telling = {
        "missing conjugate": np.array([1 + 2j], np.complex64),
        "NaN lost": np.array([np.nan, 1], np.float32),
        "infinity lost": np.array([np.inf, 1], np.float32),
    }.get(name, np.array([[1.0001, 2, 3], [4, 5, 6]], np.float32))
    before = telling.copy()
    after = change(telling)
    np.testing.assert_array_equal(telling, before)  # outcomes are shared: they must stay whole
    same = after.dtype == before.dtype and after.tobytes() == before.tobytes()
    assert not same or after.shape != before.shape
    flags = np.array(True)
    assert replies.mapped(None, change) is None
    if name not in ("one element off by 1e-3", "wrong dtype"):
        np.testing.assert_array_equal(change(flags), flags)


def test_outputs_are_changed_wherever_they_are() -> None:
    value = Named("t", {"a": np.ones(2), "b": (np.ones(2), 3)})
    found = replies.mapped(value, lambda a: a * 2)
    np.testing.assert_array_equal(found.fields["b"][0], [2, 2])
    assert found.fields["b"][1] == 3


def test_missing_kernels_and_names_are_not_argument_checks() -> None:
    assert isinstance(replies.unchecked(Raised(types=("ValueError",))), Returned)
    for outcome in (Unsupported(types=("E",)), Raised(types=("E",), stage="resolve")):
        assert replies.unchecked(outcome) is outcome


def call(**values: Any) -> Call:
    names = list(values)
    step = {
        "form": "function", "api": "torch.x", "args": names[:1],
        "kwargs": {n: n for n in names[1:]}, "constructor": {}, "state": {}, "fixed": {},
    }  # fmt: skip
    message = {"kind": "function", "steps": [step], "values": values, "gradients": []}
    return Call({**message, "training": False, "seed": 0, "returns": None})


@pytest.mark.parametrize(
    ("value", "moved"), [(2, 3), (True, False), (0.5, 0.505), ((1, 2), (1, 3)), ("mean", "mean")]
)
def test_options_move_by_as_little_as_they_can(value: Any, moved: Any) -> None:
    assert calls._off(value) == moved


def test_an_ignored_parameter_is_not_passed() -> None:
    change = calls._ignoring("k")
    mutated = calls.changed(call(x=1, k=2), change)
    assert mutated is not None
    assert mutated.message["steps"][0]["kwargs"] == {}
    assert calls.changed(call(x=1), change) is None
