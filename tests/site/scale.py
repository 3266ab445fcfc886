"""A made run on four targets: as many operations as asked for, each of 40 cases.

``python -m tests.site.scale RUN`` writes one of ten thousand cases, none of which shares anything
with another: each goes through a pair of its own, so that the judge has as many oracles to ask.
"""

from __future__ import annotations

import random
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import Corpus, load_texts
from conformance.report.text import AREA
from conformance.run.session import corpus_hash
from conformance.run.store import PlannedItem, RunFile
from conformance.worker import wire

OPERATIONS, PAIRS, SINGLE = 250, 5, 5
"""Operations, pairs of each, and of each pair the cases beside the points of its grid."""
DTYPES = ("float16", "float32", "float64")
CASES = OPERATIONS * PAIRS * (SINGLE + len(DTYPES))
EAGER, GRAPH = "mindspore", "mindspore:cpu:graph"
TARGETS = {
    "numpy": {"version": "1.26.4"},
    "torch": {"version": "2.13.0", "build": "cuda none", "device": "cpu", "mode": "eager"},
    EAGER: {"version": "2.10.0", "build": "2d550373", "device": "cpu", "mode": "pynative"},
    GRAPH: {"version": "2.10.0", "build": "2d550373", "device": "cpu", "mode": "graph"},
}
Kernel = Callable[[Any], Any]
KERNELS: dict[str, tuple[Kernel, Kernel]] = {
    "activation.relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "activation.leaky_relu": (
        lambda x: np.where(x > 0, x, 0.01 * x),
        lambda x: np.where(x > 0, 1, 0.01),
    ),
    "activation.elu": (
        lambda x: np.where(x > 0, x, np.expm1(x)),
        lambda x: np.where(x > 0, 1, np.exp(x)),
    ),
    "activation.softshrink": (
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
        lambda x: np.abs(x) > 0.5,
    ),
    "elementwise.tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}
"""Reference: the function and its derivative."""
NUMERIC = "elementwise.tanh"
"""Has no derivative written, so that the oracle's is numeric: one in eight, as in the corpus."""
HEAD = """\
operation: operation_{number}
title: {{en: Operation {number}, zh: 运算{number}}}
reference: {reference}
accuracy: elementwise
gradients: [input]
parameters: {{input: {{role: input}}}}
summary: {{en: "The same `function`, another name.", zh: "功能一致，`名称`不同。"}}
"""
PAIR = """\
- torch: {torch}
  mindspore: {mindspore}
  mindspore_names: {{input: x}}
  torch_only: {{inplace: absent}}
  published: {{r2.0: consistent}}
  differences:
    - kind: value
      cases: [case-{pair}-0]
      note: {{en: Another value than PyTorch's on CPU., zh: CPU上的结果与PyTorch不同。}}
      instead: {{en: "Compute in `float32` and cast back.", zh: "以`float32`计算后再转换。"}}
"""
CASE = """\
- id: {id}
  title: {{en: What {id} asks, zh: {id}检验的内容}}
  pairs: ["{torch}=*"]
  {what}
"""


def corpus(operations: int) -> Corpus:
    """Return the case files."""
    areas = list(AREA)
    texts = ((f"cases/{areas[n % len(areas)]}/operation_{n}.yaml", n) for n in range(operations))
    return load_texts((path, _document(number), Path()) for path, number in texts)


def _document(number: int) -> str:
    analytic = [name for name in KERNELS if name != NUMERIC]
    reference = NUMERIC if number % 8 == 7 else analytic[number % len(analytic)]
    pairs = "".join(PAIR.format(pair=pair, **_apis(number, pair)) for pair in range(PAIRS))
    cases = "".join(text for pair in range(PAIRS) for text in _cases(number, pair))
    head = HEAD.format(number=number, reference=reference)
    return f"{head}pairs:\n{textwrap.indent(pairs, '  ')}cases:\n{textwrap.indent(cases, '  ')}"


def _apis(number: int, pair: int) -> dict[str, str]:
    return {
        "torch": f"torch.nn.functional.operation_{number}_{pair}",
        "mindspore": f"mindspore.mint.nn.functional.operation_{number}_{pair}",
    }


def _cases(number: int, pair: int) -> Iterator[str]:
    drawn = random.Random(number * PAIRS + pair)
    torch = _apis(number, pair)["torch"]
    for case in range(SINGLE):
        values = [[round(drawn.gauss(), 4) for _ in range(4)] for _ in range(3)]
        what = f"inputs: {{input: {{value: {values}, dtype: float32}}}}"
        yield CASE.format(id=f"case-{pair}-{case}", torch=torch, what=what)
    seed, grid = drawn.randrange(10**6), f"grid: {{dtype: [{', '.join(DTYPES)}]}}"
    what = f"{grid}\n  inputs: {{seed: {seed}, input: {{randn: [4, 5]}}}}"
    yield CASE.format(id=f"grid-{pair}", torch=torch, what=what)


def write(path: Path, operations: int = OPERATIONS) -> None:
    """Write the run file, the same every time."""
    made = corpus(operations)
    run = RunFile.create(path)
    run.note(
        corpus=corpus_hash(made), targets=list(TARGETS), started="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T04:05:06+00:00", complete=True, required=False,
        command=["conformance", "run"],
    )  # fmt: skip
    run.keep_corpus(made)
    cases = list(made.cases())
    run.plan(
        PlannedItem(case.id, case.hash, case.pairs()[0].id, target, case.id)
        for case in cases
        for target in TARGETS
    )
    for target, info in TARGETS.items():
        run.target(target, info)
    run.describe("torch", _described("torch", "(input, inplace=False)", operations))
    run.describe(EAGER, _described("mindspore", "(x)", operations))
    drawn = random.Random(7)
    run.add(
        (target, case.id, _outcome(case, target, drawn)) for case in cases for target in TARGETS
    )
    run.close()


def _described(framework: str, text: str, operations: int) -> Iterator[dict[str, Any]]:
    given = (part.partition("=") for part in text.strip("()").split(", "))
    parameters = [
        {"name": name, "kind": "positional-or-keyword", "default": default or None}
        for name, _, default in given
    ]
    for number in range(operations):
        for pair in range(PAIRS):
            yield {
                "api": _apis(number, pair)[framework], "exists": True, "error": "",
                "source": "signature", "text": text, "parameters": parameters, "overloads": [],
                "deprecated": [], "call_text": None, "call_parameters": None,
            }  # fmt: skip


def _outcome(case: ExpandedCase, target: str, drawn: random.Random) -> dict[str, Any]:
    """What the target did: PyTorch is right, MindSpore now and then is not."""
    lot = drawn.random() if target in (EAGER, GRAPH) else 1.0
    common = {"duration": 1e-5, "stage": "call", "types": ["ValueError", "Exception"]}
    if lot < 0.02:
        message = f"For 'Operation', the input must be less than {lot:.6g}, but got {case.id}."
        return {**common, "outcome": "raised", "message": message}
    if lot < 0.04:
        message = f"Unsupported op [Operation] on CPU, for {case.id}."
        return {**common, "outcome": "unsupported", "message": message, "reason": "dtype"}
    if lot < 0.045:
        return {**common, "outcome": "crashed", "signal": "SIGFPE", "stderr": f"died in {case.id}"}
    declared = case.case.id.endswith("-0") and target in (EAGER, GRAPH)
    return _returned(case, 1.01 if declared or lot < 0.1 else 1.0)


def _returned(case: ExpandedCase, factor: float) -> dict[str, Any]:
    function, derivative = KERNELS[str(case.operation.reference)]
    x = case.arrays["input"]
    wide = x.astype(np.float64)
    output = np.asarray(factor * function(wide), x.dtype)
    gradient = np.asarray(derivative(wide) * wire.cotangent(x.shape, 0), x.dtype)
    return {
        "outcome": "returned", "duration": 1e-5, "output": wire.pack(x.dtype.name, output),
        "gradients": {"input": wire.pack(x.dtype.name, gradient)}, "mutated": {}, "state": {},
    }  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]))
