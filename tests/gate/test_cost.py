"""Gating two runs of 10,000 cases: under 20 seconds and 1 GB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.loader import load_texts
from conformance.gate import side
from conformance.gate.record import Record
from conformance.judge.verdict import Status
from conformance.run.behaviour import behaviour
from conformance.run.outcome import from_message
from conformance.run.store import PlannedItem, RunFile
from conformance.worker import wire

CASES, OPERATIONS = 10_000, 100
TARGETS = ("numpy", "torch", "mindspore", "mindspore:cpu:graph")
TEXT = """\
operation: op{0}
reference: elementwise.abs
accuracy: exact
gradients: []
parameters: {{input: {{role: input}}}}
pairs: [{{torch: torch.abs, mindspore: mindspore.ops.abs}},
        {{torch: torch.abs, mindspore: mindspore.mint.abs}}]
cases: [{{id: a, inputs: {{input: 1.5}}}}]
"""
SECONDS, MEGABYTES = 20, 1000
MEASURE = """
import json, resource, sys
from conformance.cli import entry
sys.argv = ["conformance", "gate", *sys.argv[1:]]
try:
    entry()
except SystemExit as end:
    code = end.code
used = resource.getrusage(resource.RUSAGE_SELF)
(most,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(json.dumps({"code": code, "seconds": used.ru_utime + used.ru_stime,
                  "megabytes": int(most) / 1024}))
"""
"""Processor time, imports included: what else the machine does is no fault of the gate, nor is
what the process held that it came from, which `ru_maxrss` counts."""


def items() -> Iterator[PlannedItem]:
    for number in range(CASES):
        for pair in ("torch.abs=mindspore.ops.abs", "torch.abs=mindspore.mint.abs"):
            for target in TARGETS:
                call = f"{number:08x}{'m' if 'mint' in pair and target[0] == 'm' else ''}"
                name = f"op{number % OPERATIONS}/case-with-a-name[dtype=float32,{number}]"
                yield PlannedItem(name, f"{number:016x}", pair, target, call)


def write(path: Path, shift: int) -> None:
    """A run file as a run of 80,000 items leaves it; every tenth outcome is moved by `shift`."""
    run = RunFile.create(path)
    run.keep_corpus(
        load_texts([(f"op{i}.yaml", TEXT.format(i), Path()) for i in range(OPERATIONS)])
    )
    planned = list(items())
    run.plan(planned)
    run.note(targets=list(TARGETS), complete=True, finished="2026-01-01", known=[], required=True)
    for target in TARGETS:
        run.target(target, {"version": f"{shift}.0", "device": "cpu", "mode": "eager"})
    arrays = np.random.RandomState(1).randn(CASES, 64).astype(np.float32)
    arrays[::10] += np.float32(shift) * np.spacing(arrays[::10])
    messages: dict[tuple[str, str], dict[str, Any]] = {}
    for item in planned:
        array = arrays[int(item.call.rstrip("m"), 16)]
        reply = {"outcome": "returned", "output": wire.pack("float32", array), "duration": 1e-3}
        messages[item.target, item.call] = reply
    run.add((target, call, message) for (target, call), message in messages.items())
    hashes = {key: behaviour(from_message(message)) for key, message in messages.items()}
    records = (
        Record(item.case, item.hash, item.pair, item.target, item.call, Status.CONFORMS,
               hashes[item.target, item.call], "returned", ratio=0.5)
        for item in planned
    )  # fmt: skip
    run.keep_records(side.judged_by(), [record.row() for record in records])
    run.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The two run files, which nothing writes into: their records are those of today's judge."""
    folder = tmp_path_factory.mktemp("runs")
    before, after = folder / "before.sqlite", folder / "after.sqlite"
    write(before, 0)
    write(after, 1)
    return before, after


@pytest.mark.parametrize("text", [False, True])
def test_ten_thousand_cases(tmp_path: Path, runs: tuple[Path, Path], text: bool) -> None:
    before, after = runs
    if text:
        command = [sys.executable, "-m", "conformance", "baseline", str(before), "-o", "base"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        before = tmp_path / "base"
        assert sum(p.stat().st_size for p in before.rglob("*") if p.is_file()) < 5_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(before), str(after), "--json", "gate.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["code"] == 0
    assert measured["seconds"] < SECONDS
    assert measured["megabytes"] < MEGABYTES
    told = json.loads((tmp_path / "gate.json").read_text(encoding="utf-8"))
    assert sum(told["compared"].values()) == CASES * 2 * len(TARGETS)
    assert told["counts"]["drifted"] == CASES * 2 * len(TARGETS) // 10
