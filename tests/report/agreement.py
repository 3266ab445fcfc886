"""Run the generated program of every case, and the worker's call of the same case; print disagreements.

``python agreement.py torch FOLDER… --full`` prints one JSON list of ``{"case", "pair", "why"}``, and
how many programs it ran.  It is a program of its own because each framework wants an interpreter
for itself, and because MindSpore compiles functions from the file they are written in.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import runpy
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import numpy_dtype
from conformance.corpus.loader import load
from conformance.corpus.pairs import plan, reference_call, to_wire
from conformance.report.code import source
from conformance.run.outcome import to_array
from conformance.worker import wire


def main(framework: str, folders: list[str], full: bool) -> None:
    adapter = importlib.import_module(f"conformance.worker.{framework}_").ADAPTER("", "")
    disagreements, ran = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for case in load(map(Path, folders)).cases():
            for pair in case.pairs():
                call = reference_call(case) if framework == "numpy" else plan(case, pair, framework)
                if call is None or (full and not differentiable(case, call.message)):
                    continue
                if framework == "numpy" and "random" in (pair.form("torch"), pair.form("mindspore")):
                    continue  # The reference is a distribution, not a draw.
                ran += 1
                program = Path(folder, f"program{ran}.py")
                program.write_text(source(case, pair, framework, full=full), encoding="utf-8")
                reply = adapter.execute(call.message)
                why = disagreement(adapter, call.message, reply, run(program, case.folder), full)
                if why:
                    disagreements.append({"case": case.id, "pair": pair.id, "why": why})
    print(json.dumps({"ran": ran, "disagreements": disagreements}))


def differentiable(case: ExpandedCase, message: Any) -> bool:
    """Tell whether every argument to differentiate by is given as a tensor."""
    names = message["gradients"]
    return bool(names) and all(case.specs[n].as_ in ("tensor", "parameter") for n in names)


def run(program: Path, folder: Path) -> dict[str, Any] | Exception:
    """Run `program` beside the case file; return its variables, or what it raised."""
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
        return "" if same else f"{reply['types'][0]}: {reply['message'][:200]}, program: {result!r:.200}"
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
        return {wire.NAMED: (expected[wire.NAMED][0], {n: in_dtypes(names[n], given[n]) for n in names})}
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
    """Return a wire value with arrays as nested lists: every NaN prints the same, bits count else."""
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
    """Compare wire values number for number; a list and an array of the same numbers are the same."""
    if isinstance(expected, dict) and wire.ARRAY in expected and isinstance(found, list):
        found = wire.pack("float64", np.asarray(found, np.float64))
    left, right = repr(plain(expected)), repr(plain(found))
    return "" if left == right else f"{left:.300} is not {right:.300}"


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--full"]
    main(arguments[0], arguments[1:], "--full" in sys.argv)
