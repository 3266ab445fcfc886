"""The templates of `conformance.phrase.Phrase` that the code uses, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import conformance

ROOT = Path(conformance.__file__).parent
READ_BACK = "result_json.py"
"""Makes phrases of templates that others wrote down."""


def templates() -> dict[str, str]:
    """Return every template and where it is used: ``Phrase("…")`` and ``Phrase(name)``.

    A name stands for the strings that are assigned to it where it is used, or in its module.
    Raises ValueError for a template that cannot be read off, so that none is left out.
    """
    return {
        text: where
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != READ_BACK
        for text, where in _of(path.read_text(encoding="utf-8"), path.relative_to(ROOT.parent))
        if text
    }


def _of(source: str, path: Path) -> Iterator[tuple[str, str]]:
    module = ast.parse(source)
    functions = [n for n in ast.walk(module) if isinstance(n, ast.FunctionDef)]
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            if call.func.id != "Phrase":
                continue
            around = [f for f in functions if f.lineno <= call.lineno <= (f.end_lineno or 0)]
            where = f"{path}:{call.lineno}"
            found = _strings(call.args[0], around[-1:], module)
            if not found:
                raise ValueError(f"{where}: the template of this phrase cannot be read off")
            yield from ((text, where) for text in found)


def _strings(node: ast.expr, around: list[ast.FunctionDef], module: ast.Module) -> list[str]:
    """Return what strings an expression may be; a name's values, those that it is assigned."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return [s for part in (node.body, node.orelse) for s in _strings(part, around, module)]
    if isinstance(node, ast.Dict):
        return [s for part in node.values for s in _strings(part, around, module)]
    if isinstance(node, ast.Subscript):
        return _strings(node.value, around, module)  # TWICE[side]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _strings(node.func.value, around, module)  # BLOCKS.items()
    if isinstance(node, ast.Name):
        given = [value for f in around for value in _assigned(f, node.id)]
        given = given or list(_assigned(module, node.id))
        return [s for value in given for s in _strings(value, around, module)]
    return []


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.For):
            targets = [node.target]
        else:
            continue
        names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        if name in names:
            yield node.value if isinstance(node, ast.Assign) else node.iter
