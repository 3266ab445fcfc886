"""A made site of ten thousand cases on four targets, rendered in a process of its own.

``python -m tests.site.scale FOLDER`` writes its pages into FOLDER and prints, as JSON, the CPU
seconds (`cpu`) and the bound on memory (`bytes`) of the process and all its children.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
from pathlib import Path

from conformance.corpus.model import Text
from conformance.judge.verdict import Finding, Status
from conformance.report import pages, views
from conformance.report.text import AREA
from conformance.taxonomy import Kind

OPERATIONS, PAIRS, SINGLE, GRID = 250, 5, 4, 4
"""Operations, pairs of each, and of each pair the cases alone and the points of one grid."""
CASES = OPERATIONS * PAIRS * (SINGLE + GRID)
PROCESSES = 2
"""How many processors rendering gets, so that memory does not grow with the machine."""
TARGETS = (
    views.TargetView("numpy", "numpy", "1.26.4", "", "cpu", "eager"),
    views.TargetView("torch", "torch", "2.13.0", "cuda none", "cpu", "eager"),
    views.TargetView("mindspore", "mindspore", "2.10.0", "2d550373", "cpu", "pynative"),
    views.TargetView("mindspore:cpu:graph", "mindspore", "2.10.0", "2d550373", "cpu", "graph"),
)
KINDS = (Kind.VALUE, Kind.EXCEPTION, Kind.GRADIENT, Kind.DTYPE_SUPPORT, Kind.SPECIAL_VALUES)
PROGRAM = """import numpy as np
import {framework}

input = {framework}.tensor(np.array([[{numbers}], [{numbers}]], np.float32))
other = {framework}.tensor(np.array([{seed}.5, -{seed}.25, 0.0], np.float32))
output = {framework}.operation_{operation}(input, other, alpha={seed})
print(output)
"""


def site() -> views.SiteView:
    """Return the site, the same every time."""
    drawn = random.Random(7)
    run = views.RunView("conformance run --all", "2026-01-02T03:04:05+00:00", "corpus")
    return views.SiteView(run, TARGETS, tuple(_page(n, drawn) for n in range(OPERATIONS)))


def _page(number: int, drawn: random.Random) -> views.PageView:
    area = list(AREA)[number % len(AREA)]
    return views.PageView(
        operation=f"operation_{number}",
        title=Text(en=f"Operation {number}", zh=f"运算{number}"),
        targets=TARGETS,
        pairs=tuple(_pair(number, pair, drawn) for pair in range(PAIRS)),
        area=area,
        path=f"cases/{area}/operation_{number}.yaml",
    )


def _pair(operation: int, number: int, drawn: random.Random) -> views.PairView:
    torch = f"torch.nn.functional.operation_{operation}_{number}"
    mindspore = f"mindspore.mint.nn.functional.operation_{operation}_{number}"
    anchor = f"pair-{number}"
    names = ("input", "other", "alpha", "out")
    cases = [_case(f"{anchor}-case-{n}", operation, 1, drawn) for n in range(SINGLE)]
    cases.append(_case(f"{anchor}-grid", operation, GRID, drawn))
    difference = views.DifferenceView(
        kind=drawn.choice(KINDS),
        note=Text(en="Another value than PyTorch's on CPU.", zh="CPU上的结果与PyTorch不同。"),
        instead=Text(en="Compute in `float32` and cast back.", zh="以`float32`计算后再转换。"),
        targets=("mindspore",),
        evidence=(views.EvidenceView(cases[0].id, cases[0].anchor),),
    )
    status = drawn.choices(tuple(Status), (80, 10, 2, 3, 5))[0]
    return views.PairView(
        id=f"{torch}={mindspore}",
        anchor=anchor,
        torch=torch,
        mindspore=mindspore,
        signatures=tuple(
            views.SignatureView(framework, api, "(input, other, *, alpha=1, out=None)", "2")
            for framework, api in (("torch", torch), ("mindspore", mindspore))
        ),
        rows=tuple(
            views.ParameterRowView("option", n, name, name, None, None, (Kind.NAME,))
            for n, name in enumerate(names, 1)
        ),
        summary=Text(en="The same `function`, another name.", zh="功能一致，`名称`不同。"),
        differences=(difference,),
        published=(views.PublishedView("r2.0", "consistent", drawn.choice((True, False, None))),),
        cases=tuple(cases),
        aspects=tuple(
            views.AspectView(
                "Values", dtype, tuple(views.AspectCell(status, 8, 7, 1.5) for _ in TARGETS)
            )
            for dtype in ("float16", "float32", "float64")
        ),
    )


def _case(anchor: str, operation: int, points: int, drawn: random.Random) -> views.CaseView:
    name = anchor.rpartition("-")[2] if points == 1 else "grid"
    made = tuple(_point(anchor, name, n if points > 1 else None, drawn) for n in range(points))
    return views.CaseView(
        id=f"case-{name}",
        anchor=anchor,
        title=Text(en=f"What case {name} asks", zh=f"用例{name}检验的内容"),
        points=made,
        shown=made[0],
        code=tuple(
            views.CodeView(f, _program(f, operation, drawn), "[0.1 0.2]\n[0.3 0.4]", f)
            for f in ("torch", "mindspore")
        ),
    )


def _program(framework: str, operation: int, drawn: random.Random) -> str:
    numbers = ", ".join(f"{drawn.gauss():.4f}" for _ in range(4))
    return PROGRAM.format(
        framework=framework, operation=operation, numbers=numbers, seed=drawn.randrange(10**6)
    )


def _point(anchor: str, name: str, number: int | None, drawn: random.Random) -> views.PointView:
    label = "" if number is None else f"alpha={number}"
    return views.PointView(
        id=f"case-{name}[{label}]" if label else f"case-{name}",
        label=label,
        anchor=f"{anchor}-{number}" if label else anchor,
        verdicts=tuple(_verdict(target.name, drawn) for target in TARGETS),
        peer=views.PeerView(drawn.random() * 1e-6, drawn.random() * 1e-6, ("torch", "mindspore")),
    )


def _verdict(target: str, drawn: random.Random) -> views.VerdictView:
    status = drawn.choices(tuple(Status), (80, 10, 2, 3, 5))[0]
    ratio = round(10 ** drawn.uniform(-2, 6), 3)
    budget = 16.0
    if status is Status.CONFORMS:
        return views.VerdictView(target, status, "returned", "", ratio % budget, ratio % 8, budget)
    kind = drawn.choice(KINDS)
    detail = f"element ({drawn.randrange(99)}, 1) is {ratio}, the reference says {ratio / 3:.6g}"
    raised = f"ValueError: For 'Operation', alpha must be less than {ratio}, but got {budget}"
    findings = (Finding(kind, "output", detail, ratio),)
    if status is Status.NOT_COMPARABLE:
        return views.VerdictView(target, status, "raised", raised, why=raised)
    return views.VerdictView(
        target, status, "returned", "", ratio, None, budget, (kind,), findings, duration=0.001
    )


def main(folder: Path) -> None:
    """Write the site into `folder`, and say what it took."""
    processors = sorted(os.sched_getaffinity(0))[:PROCESSES]
    os.sched_setaffinity(0, processors)
    pages.write(site(), folder, ["en", "zh"])
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # The greatest child's peak, once for each child; what they share is counted every time.
    peak = 1024 * (own.ru_maxrss + PROCESSES * children.ru_maxrss)
    cpu = sum(used.ru_utime + used.ru_stime for used in (own, children))
    print(json.dumps({"cpu": cpu, "bytes": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
