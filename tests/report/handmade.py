"""A judgement written by hand: every status, every outcome, hostile text, a grid, documents."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import load_texts
from conformance.corpus.model import Text
from conformance.judge.claims import ClaimCheck
from conformance.judge.documents import DocumentClaim
from conformance.judge.item import Item
from conformance.judge.judge import Judged, Judgement
from conformance.judge.known import Known
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.report.build import RunInfo
from conformance.run.outcome import (
    Crashed,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
    Unsupported,
)
from conformance.run.target import framework_of
from conformance.taxonomy import Kind

HOSTILE = "<script>alert('x')</script>\"&|`*_[a](javascript:b)"
YAML = """
operation: shrink
title: {en: "Shrink <b>hard</b>", zh: "收缩 <b>hard</b>"}
no_reference: {en: invented for this test, zh: 仅用于测试}
accuracy: elementwise
gradients: []
parameters:
  input: {role: input}
  lambd: {role: option, default: 0.5}
documents:
  - {id: page, title: "A <i>page</i>", release: r2.0, url: "javascript:alert(1)"}
pairs:
  - torch: torch.nn.Hardshrink
    mindspore: mindspore.nn.HShrink
    call: module
    mindspore_names: {input: input_x}
    torch_only: {inplace: deprecated}
    summary: {en: "The `same` <u>function</u>.", zh: "功能`一致`<u>。</u>"}
    published: {r2.0: "consistent <s>"}
    differences:
      - kind: value
        cases: ["grid[lambd=2]", "grid[lambd=0]"]
        note: {en: "Declared <em>note</em>.", zh: "说明<em>。</em>"}
        instead: {en: "Write `lambd=1`.", zh: "写`lambd=1`。"}
      - kind: gradient
        cases: [grid]
        note: {en: "Its <s>gradient</s> is lost.", zh: "<s>梯度</s>丢失。"}
  - torch: torch.nn.functional.hardshrink
    mindspore: mindspore.ops.hardshrink
cases:
  - id: literal
    title: {en: A literal <tag>, zh: 字面量<tag>}
    source: {document: page, example: 2}
    inputs: {input: [0.1, .nan, .inf]}
    expect: {torch: ["0.1", "nan", "inf"], mindspore: ["0.2", "nan", "inf"]}
  - id: grid
    grid: {lambd: [0, 1, 2, 3, 4, 5, 6, 7]}
    inputs: {seed: 3, input: {randn: [2, 3]}}
"""
TARGETS = ("torch", "mindspore", "mindspore:cpu:graph", "torch:cuda")
OUTCOMES: dict[str, tuple[Outcome, Verdict]] = {
    "conforms": (
        Returned(
            output=np.array([0.1, 0.2], np.float32),
            warnings=(
                ("UserWarning", f"shape (2, 3) {HOSTILE}"),
                ("FutureWarning", "lambd is deprecated"),
            ),
        ),
        Verdict(Status.CONFORMS, (), 0.5, 0.25, 16.0),
    ),
    "declared": (
        Returned(output=np.array([0.1, 0.3], np.float32)),
        Verdict(
            Status.DECLARED,
            (
                Finding(Kind.VALUE, "output", "as declared", 99.0),
                Finding(Kind.GRADIENT, "gradient of input", "is 0", 7e8),
                Finding(Kind.SPECIAL_VALUES, "output", f"is 0, should be NaN {HOSTILE}"),
            ),
            99.0,
            7e8,
        ),
    ),
    "known": (
        Returned(output=np.array([0.1, 0.3], np.float32)),
        Verdict(
            Status.KNOWN,
            (Finding(Kind.VALUE, "output", "off", 1e7),),
            1e7,
            why="until 2027-01-01: reason",
        ),
    ),
    "raised": (
        Raised(types=("ValueError", "Exception"), message=HOSTILE),
        Verdict(Status.DIFFERS, (Finding(Kind.EXCEPTION, "call", HOSTILE),), why=HOSTILE),
    ),
    "unsupported": (
        Unsupported(types=("RuntimeError",), message="no kernel", note="its worker died once"),
        Verdict(Status.NOT_COMPARABLE, why="unsupported-on-device, as declared"),
    ),
    "crashed": (
        Crashed(signal="SIGFPE", stderr=f"boom\n{HOSTILE}\n" + 400 * "Stack frame\n" + "last"),
        Verdict(Status.DIFFERS, (Finding(Kind.CRASH, "call", "the interpreter died: SIGFPE"),)),
    ),
    "hang": (
        TimedOut(limit=5.0, stderr=""),
        Verdict(Status.DIFFERS, (Finding(Kind.HANG, "call", "no end in 5 s"),)),
    ),
    "unavailable": (
        Unavailable(reason="no device <here>"),
        Verdict(Status.NOT_COMPARABLE, why="no device <here>"),
    ),
}


TRACKER = "https://tracker.example/7?a=1&b=2"
KNOWN = (
    Known(
        cases="shrink/grid*",
        target="mindspore",
        versions=">=2.9",
        kinds=(Kind.VALUE,),
        reason=f"reason {HOSTILE}",
        owner="numerics <team>",
        link=TRACKER,
        expires=date(2027, 1, 1),
    ),
    Known(
        cases="shrink/literal",
        pair="torch.nn.Hardshrink=mindspore.nn.HShrink",
        target="mindspore",
        kinds=(Kind.VALUE,),
        reason="nothing any more",
        owner="nobody",
        link="javascript:alert(1)",
        expires=date(2026, 1, 12),
    ),
    Known(
        cases="other/*",
        target="torch",
        kinds=(Kind.CRASH,),
        reason="of another operation",
        owner="somebody",
        link="issue 3",
        expires=date(2026, 1, 2),
    ),
)
"""Known differences: 364 days to go when the run began, ten, and expired that day."""


def cases(text: str = YAML) -> list[ExpandedCase]:
    """Return the expanded cases of a YAML text."""
    return list(load_texts([("case.yaml", textwrap.dedent(text), Path())]).cases())


def seconds(case: ExpandedCase, pair: Any, target: str) -> float:
    """Return how long a call takes: each its own time, in whole milliseconds."""
    number = [one.id for one in case.pairs()].index(pair.id)
    point = int(case.options["lambd"]) if case.case.id == "grid" else 8
    return (1 + (*TARGETS, BESIDE).index(target) + 4 * (number + 2 * point)) / 1000


def judged(case: ExpandedCase, pair: Any, target: str, name: str) -> Judged:
    """Return one verdict out of OUTCOMES."""
    outcome, verdict = OUTCOMES[name]
    outcome = replace(outcome, duration=seconds(case, pair, target))
    claims: tuple[ClaimCheck, ...] = ()
    if case.case.id == "literal" and target == "mindspore":
        claims = (ClaimCheck("mindspore", "[0.2, nan, inf]", "[0.1]", False),)
    known = KNOWN[:1] if name == "known" else ()
    return Judged(Item(case, pair, target), outcome, verdict, claims, known)


def judgement() -> Judgement:
    """Return a judgement in which every outcome and status occurs."""
    names = list(OUTCOMES)
    found = []
    for number, case in enumerate(cases()):
        for pair in case.pairs():
            for shift, target in enumerate(TARGETS[:3]):
                green = target == "torch"
                name = "conforms" if green else names[(number + shift) % len(names)]
                found.append(judged(case, pair, target, name))
            found.append(judged(case, pair, "torch:cuda", "unavailable"))
    return Judgement(found, [f"stale declaration {HOSTILE}"])


MANIFEST: dict[str, Any] = {
    "started": "2026-01-02T03:04:05+00:00",
    "finished": "2026-01-02T03:06:07+00:00",
    "command": ["x", "run", "-k", "shrink and not <b>"],
    "corpus": "0123456789abcdef",
    "select": "shrink and not <b>",
    "covering": True,
    "repeat": 3,
    "seconds": 122.4,
    "platform": "Linux on the desk",
    "conformance": "0.1.0",
    "targets": ["torch", "mindspore", "mindspore:cpu:graph"],
}
ELSEWHERE: dict[str, Any] = {
    "started": "2026-01-03T00:00:00+00:00",
    "finished": None,
    "command": ["x", "run", "--quick"],
    "corpus": "0123456789abcdef",
    "quick": True,
    "platform": "Linux in the rack",
    "targets": ["torch:cuda"],
    "lost": {"torch:cuda": f"could not be restarted {HOSTILE}"},
}


PLAIN = """
operation: {operation}
no_reference: {{en: invented for this test, zh: 仅用于测试}}
accuracy: elementwise
gradients: []
parameters:
  input: {{role: input}}
pairs:
{pairs}
cases:
  - id: plain
    inputs: {{input: [0.5, -1.0]}}
  - id: scaled
    grid: {{dtype: [float16, float32]}}
    inputs: {{seed: 1, input: {{randn: [3]}}}}
"""
BESIDE = "mindspore:ascend"
"""A target of `several` on another device, where few pairs ran."""
SEVERAL: dict[str, dict[tuple[str, str, str], dict[str, str]]] = {
    "math/add": {
        ("torch.add", "mindspore.ops.add", "consistent"): {BESIDE: "conforms"},
        ("torch.add", "mindspore.mint.add", "consistent"): {"mindspore": "declared"},
        ("torch.Tensor.add", "mindspore.Tensor.add", "parameter-names"): {
            "mindspore:cpu:graph": "known"
        },
    },
    "sort/topk": {
        ("torch.topk", "mindspore.ops.topk", "consistent"): {
            "mindspore": "unsupported",
            "mindspore:cpu:graph": "unavailable",
            BESIDE: "crashed",
        },
        ("torch.msort", "", ""): {"torch": "raised"},
    },
    "unsorted": {
        ("torch.flip", "mindspore.ops.flip", ""): {"torch": "hang", "mindspore": "declared"},
    },
}
"""By area and operation, by pair and what is published of it: outcomes that are not "conforms"."""


def several() -> tuple[Judgement, RunInfo]:
    """Return several operations in areas and in none, told apart by every filter of the index."""
    first, info = judgement(), run_info()
    found = list(first.judged)
    for path, pairs in SEVERAL.items():
        sides = {
            (torch, mindspore): f"  - torch: {torch}\n"
            + f"    mindspore: {mindspore}\n" * bool(mindspore)
            + f"    published: {{r2.0: {claim}}}\n" * bool(claim)
            for torch, mindspore, claim in pairs
        }
        text = PLAIN.format(operation=path.rpartition("/")[2], pairs="".join(sides.values()))
        for case in cases(text):
            for pair, outcomes in zip(case.pairs(), pairs.values(), strict=True):
                own = {"torch": pair.torch, "mindspore": pair.mindspore}
                ran = [t for t in TARGETS[:3] if own[framework_of(t)] is not None]
                for target in dict.fromkeys([*ran, *outcomes]):
                    found.append(judged(case, pair, target, outcomes.get(target, "conforms")))
    beside = {"version": "2.10.0", "device": "ascend", "mode": "pynative"}
    paths = {path.rpartition("/")[2]: f"cases/{path}.yaml" for path in SEVERAL if "/" in path}
    return Judgement(found, first.problems), replace(
        info,
        targets={**info.targets, BESIDE: beside},
        paths={"shrink": "cases/activation/shrink.yaml", **paths},
    )


def signature(api: str, constructor: list[Any], called: list[Any] | None) -> dict[str, Any]:
    """Return a message as `conformance.worker.describe.describe` gives it."""

    def parameters(given: list[Any]) -> list[dict[str, Any]]:
        kind = "positional-or-keyword"
        return [{"name": n, "kind": kind, "default": d} for n, d in given]

    def text(given: list[Any]) -> str:
        return f"({', '.join(n if d is None else f'{n}={d}' for n, d in given)})"

    return {
        "api": api, "exists": True, "error": "", "source": "signature",
        "text": text(constructor), "parameters": parameters(constructor), "overloads": [],
        "deprecated": [], "call_text": None if called is None else text(called),
        "call_parameters": None if called is None else parameters(called),
    }  # fmt: skip


def run_info() -> RunInfo:
    """Return a run with signatures, an unavailable target and document claims."""
    torch = signature(
        "torch.nn.Hardshrink", [("lambd", "0.5"), ("inplace", "False")], [("input", None)]
    )
    mindspore = signature("mindspore.nn.HShrink", [("lambd", "0.7")], [("input_x", None)])
    note = Text(en="Wrong <heading>.", zh="标题有误<heading>。")
    claim = DocumentClaim("page", "row of lambd", "(lambd=0.5)", HOSTILE, False, note)
    undecided = DocumentClaim("page", "row of inplace", "-", "", None, None)
    return RunInfo(
        manifest=MANIFEST,
        targets={
            "torch": {
                "version": "2.13.0",
                "device": "cpu",
                "mode": "eager",
                "build": "cf30153",
                "python": "3.11.7",
                "platform": "Linux <x86>",
                "cpu": "Processor 6/207",
            },
            "mindspore": {"version": "2.10.0", "device": "cpu", "mode": "pynative"},
            "mindspore:cpu:graph": {"version": "2.10.0", "device": "cpu", "mode": "graph"},
            "torch:cuda": {"unavailable": f"no CUDA {HOSTILE}", "was": {"version": "2.12.1"}},
        },
        signatures={
            "torch": {torch["api"]: torch},
            "mindspore": {mindspore["api"]: mindspore},
        },
        claims={"shrink": [claim, undecided]},
        runs=(MANIFEST, ELSEWHERE),
        known=KNOWN,
    )
