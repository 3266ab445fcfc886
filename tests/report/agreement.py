"""Run the generated program of every case, and the worker's call of the same case.

``python agreement.py torch FOLDER [--full] [--from N]`` prints a line before each call and each
program, so that a crash can be told whose it was, a JSON line for each disagreement, and ``done``.
It is a program of its own because each framework wants an interpreter for itself, and because
MindSpore compiles functions from the file they are written in.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import runpy
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import Corpus, load
from conformance.corpus.pairs import Call, numpy_call, plan, to_wire
from conformance.corpus.schema import Pair
from conformance.reference.dtypes import numpy_dtype
from conformance.report.code import source
from conformance.run.outcome import to_array
from conformance.run.session import DEADLY
from conformance.worker import wire

REPEATS = 5


def main(framework: str, folder: str, full: bool, first: int) -> None:
    adapter = importlib.import_module(f"conformance.worker.{framework}_").ADAPTER("", "")
    with tempfile.TemporaryDirectory() as programs:
        for number, (case, pair, call) in enumerate(items(framework, folder, full)):
            if number < first:
                continue
            print(number, "worker", case.id, pair.id, flush=True)
            reply = adapter.execute(call.message)
            print(number, "program", case.id, pair.id, flush=True)
            program = Path(programs, f"program{number}.py")
            program.write_text(source(case, pair, framework, full=full), encoding="utf-8")
            beside = any(spec.npy is not None for spec in case.specs.values())
            where = case.folder if beside else Path.cwd()
            why = disagreement(adapter, call.message, reply, run(program, where), full)
            # MindSpore 2.10 returns memory it did not write for some arguments, and sums some
            # gradients in the order in which its threads end.
            if (
                why
                and reproducible(adapter, call.message, reply)
                and all(
                    disagreement(adapter, call.message, reply, run(program, where), full)
                    for _ in range(REPEATS)
                )
            ):
                print(json.dumps({"case": case.id, "pair": pair.id, "why": why}), flush=True)
    print("done", flush=True)


def items(framework: str, folder: str, full: bool) -> Iterator[tuple[ExpandedCase, Pair, Call]]:
    for case in first_points(load([Path(folder)])):
        for pair in case.pairs():
            call = planned(case, pair, framework)
            if call is None or (full and not differentiable(case, call.message)):
                continue
            if framework == "numpy" and "random" in (pair.form("torch"), pair.form("mindspore")):
                continue  # The reference is a distribution, not a draw.
            if any(
                (d.kind in DEADLY or d.sometimes) and case.covered_by(d.cases)
                for d in case.operation.differences_of(pair)
            ):
                continue
            yield case, pair, call


def reproducible(adapter: Any, message: Any, reply: Any) -> bool:
    """Tell whether the worker gives the same again, each time."""

    def content(reply: Any) -> str:
        return repr([plain(reply.get("output")), *map(plain, reply.get("gradients", {}).values())])

    return all(content(adapter.execute(message)) == content(reply) for _ in range(REPEATS))


def planned(case: ExpandedCase, pair: Pair, framework: str) -> Call | None:
    if framework == "numpy":
        return numpy_call(case, pair)
    return plan(case, pair, "torch" if framework == "torch" else "mindspore")


def first_points(corpus: Corpus) -> Iterator[ExpandedCase]:
    """Yield one point of each case's grid for each dtype: what changes the text of a program."""
    seen = set()
    for case in corpus.cases():
        key = case.operation.operation, case.case.id, case.dtype
        if key not in seen:
            seen.add(key)
            yield case


def differentiable(case: ExpandedCase, message: Any) -> bool:
    """Tell whether every argument to differentiate by is given as a tensor."""
    names = message["gradients"]
    return bool(names) and all(case.specs[n].as_ in ("tensor", "parameter") for n in names)


def run(program: Path, folder: Path) -> dict[str, Any] | Exception:
    """Run `program` in `folder`; return its variables, or what it raised."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.chdir(folder),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            return runpy.run_path(str(program))
        except Exception as error:
            return error


def disagreement(
    adapter: Any, message: Any, reply: Any, result: dict[str, Any] | Exception, full: bool
) -> str:
    if reply["outcome"] != "returned":
        same = isinstance(result, Exception) and type(result).__name__ == reply["types"][0]
        return (
            ""
            if same
            else f"{reply['types'][0]}: {reply['message'][:200]}, program: {result!r:.200}"
        )
    if isinstance(result, Exception):
        if full and "gradient_error" in reply:
            return ""
        return f"returned, program: {result!r:.300}"
    if full:
        return gradients(adapter, message, reply, result)
    # Of three draws of a random case, the program makes the first.
    expected = reply["output"][0] if message["kind"] == "random" else reply["output"]
    found = result["output"]
    found = to_wire(found) if isinstance(found, np.ndarray) else adapter.output(found)
    if message["kind"] == "random" and adapter.root == "mindspore":
        # MindSpore's generators do not start over within a process; the law is the judge's affair.
        expected, found = (v[wire.ARRAY][:2] for v in (expected, found))
    if message["kind"] == "reference":
        found = in_dtypes(expected, found)
    return different(expected, found)


def in_dtypes(expected: Any, found: Any) -> Any:
    """The worker casts what the reference returns to the dtypes that the frameworks promise."""
    if isinstance(expected, dict) and wire.ARRAY in expected and isinstance(found, dict):
        array, dtype = to_array(found), expected[wire.ARRAY][0]
        return to_wire(array.astype(numpy_dtype(dtype)))
    if isinstance(expected, dict):
        names = expected[wire.NAMED][1]
        given = found[wire.NAMED][1]
        return {
            wire.NAMED: (expected[wire.NAMED][0], {n: in_dtypes(names[n], given[n]) for n in names})
        }
    if isinstance(expected, tuple):
        return tuple(in_dtypes(e, f) for e, f in zip(expected, found, strict=True))
    return found


def gradients(adapter: Any, message: Any, reply: Any, result: dict[str, Any]) -> str:
    if "gradient_error" in reply:
        return "the worker cannot differentiate, the program can"
    expected = [g for g in (reply["gradients"][n] for n in message["gradients"]) if g is not None]
    found = [g for g in flat(adapter.output(result.get("gradients", ()))) if g is not None]
    if len(found) != len(expected):
        return f"{len(found)} gradients for {len(expected)}"
    # MindSpore groups gradients of state after those of inputs; the multiset is what counts.
    left = sorted(map(repr, map(plain, expected)))
    return "" if left == sorted(map(repr, map(plain, found))) else "gradients differ"


def plain(value: Any) -> Any:
    """Return a wire value with arrays as nested lists: all NaN print the same."""
    if isinstance(value, dict) and wire.ARRAY in value:
        array = to_array(value)
        return value[wire.ARRAY][0], array.shape, array.tolist()
    if isinstance(value, dict) and wire.NAMED in value:
        return value[wire.NAMED][0], {k: plain(v) for k, v in value[wire.NAMED][1].items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from flat(item)
    else:
        yield value


def different(expected: Any, found: Any) -> str:
    """Compare wire values number for number; a list counts as a float64 array."""
    if isinstance(expected, dict) and wire.ARRAY in expected and isinstance(found, list):
        found = wire.pack("float64", np.asarray(found, np.float64))
    left, right = repr(plain(expected)), repr(plain(found))
    return "" if left == right else f"{left:.300} is not {right:.300}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("framework")
    parser.add_argument("folder")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--from", dest="first", type=int, default=0)
    given = parser.parse_args()
    main(given.framework, given.folder, given.full, given.first)
