"""The cell that makes a call, written to an importable file.

``mindspore.jit`` and ``GradOperation`` read the source of what they compile, so the call is spelt
out as a ``construct`` method: tensors are its arguments, everything else an attribute.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import tempfile
import types
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import mindspore as ms

from conformance.worker import wire

Message = dict[str, Any]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in the worker's own, which goes when the worker goes."""
    return tempfile.TemporaryDirectory(prefix="cells-", dir=Path.cwd())


def wrap(
    message: Message,
    values: Mapping[str, Any],
    targets: list[Any],
    fixed: Callable[[Message], Message],
    resolve: Callable[[str], Any],
) -> tuple[Any, list[Any]]:
    """Return a cell that runs the steps of `message`, and the tensors to call it with.

    The cell's attribute ``inputs`` names those tensors, canonically and in order.
    """
    used = {
        part
        for step in message["steps"]
        for term in [*step["args"], *step["kwargs"].values()]
        for part in wire.parts(term)
    }
    names = [n for n in values if n in used and isinstance(values[n], ms.Tensor)]
    constants = {n: v for n, v in values.items() if n in used and n not in names}
    extras = [{} if s["form"] == "module" else fixed(s) for s in message["steps"]]
    source = _source(message, names, extras)
    parts = [None if s["form"] in ("method", "property") else t
             for s, t in zip(message["steps"], targets, strict=True)]  # fmt: skip
    flat = {f"k{i}_{name}": v for i, extra in enumerate(extras) for name, v in extra.items()}
    held = {f"c_{_variable(n)}": v for n, v in constants.items()}
    held |= {
        f"c_{_variable(term['api'])}": resolve(term["api"])
        for step in message["steps"]
        for term in step["args"]
        if isinstance(term, dict) and "api" in term
    }
    cell = _cell_class(source)(parts, held | flat)
    cell.inputs = tuple(names)
    return cell, [values[n] for n in names]


def _variable(name: str) -> str:
    """Return a name for a value; members of a sequence are called ``tensors.0``, ``tensors.1``."""
    return name.replace(".", "__")


def _source(message: Message, names: list[str], extras: list[Message]) -> str:
    def term(arg: wire.Term) -> str:
        if isinstance(arg, int):
            return f"r{arg}"
        if isinstance(arg, dict):
            kind, members = next(iter(arg.items()))
            if kind == "api":
                return f"self.c_{_variable(members)}"
            inner = ", ".join(map(term, members))
            return f"[{inner}]" if kind == "list" else f"({inner},)" if members else "()"
        return f"x_{_variable(arg)}" if arg in names else f"self.c_{_variable(arg)}"

    lines = []
    for i, (step, extra) in enumerate(zip(message["steps"], extras, strict=True)):
        args = [term(a) for a in step["args"]]
        keywords = [f"{n}={term(c)}" for n, c in step["kwargs"].items() if n not in extra]
        keywords += [f"{name}=self.k{i}_{name}" for name in extra]
        member = step["api"].rpartition(".")[2]
        if step["form"] == "result":
            lines.append(f"r{i} = {args[0]}({', '.join(args[1:] + keywords)})")
        elif step["form"] == "property":
            lines.append(f"r{i} = {args[0]}.{member}")
        elif step["form"] == "method":
            lines.append(f"r{i} = {args[0]}.{member}({', '.join(args[1:] + keywords)})")
        else:
            lines.append(f"r{i} = self.p{i}({', '.join(args + keywords)})")
    last = len(lines) - 1
    returns = message["returns"]
    result = f"r{last}" if returns is None else f"({', '.join(f'r{i}' for i in returns)},)"
    parameters = ", ".join(["self", *(f"x_{_variable(n)}" for n in names)])
    body = "\n".join(f"        {line}" for line in [*lines, f"return {result}"])
    return (
        "from mindspore import nn\n\n\n"
        "class Call(nn.Cell):\n"
        "    def __init__(self, parts, constants):\n"
        "        super().__init__()\n"
        "        for i, part in enumerate(parts):\n"
        '            setattr(self, f"p{i}", part)\n'
        "        for name, value in constants.items():\n"
        "            setattr(self, name, value)\n\n"
        f"    def construct({parameters}):\n{body}\n"
    )


def remember_sources() -> None:
    """Let ``inspect.getsourcelines`` read each function's source once.

    The compiler asks for the source of the same library functions for every graph; tokenising it
    again is an eighth of the cost of compiling a small one.
    """
    original: Callable[[Any], tuple[list[str], int]] = inspect.getsourcelines
    sources: dict[types.CodeType, tuple[list[str], int]] = {}

    def getsourcelines(thing: Any) -> tuple[list[str], int]:
        code = getattr(inspect.unwrap(thing), "__code__", None)
        if code is None:
            return original(thing)
        if code not in sources:
            sources[code] = original(thing)
        return sources[code]

    inspect.getsourcelines = getsourcelines  # type: ignore[assignment]


@cache
def _cell_class(source: str) -> Any:
    name = f"conformance_cell_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    path = Path(_folder().name, f"{name}.py")
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.Call
