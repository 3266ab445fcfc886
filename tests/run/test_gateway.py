"""Workers are started from several threads at once, and serve in their main thread."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conformance.run.gateway import Worker, _sources
from conformance.run.target import parse
from tests.fakes import fake


def test_workers_serve_in_their_main_thread() -> None:
    """Always: with execnet's default model it is a race, lost once in many starts."""
    worker = Worker(fake("main_thread"))
    try:
        assert worker.info["thread"] == "MainThread"
        assert worker._gateway.spec.execmodel == "main_thread_only"
    finally:
        worker.close()


def test_nothing_is_parsed_in_two_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CPython 3.11 two threads in ast.parse end in `SystemError: AST constructor …`."""
    parse, inside, most = ast.parse, [0], [0]
    count = threading.Lock()

    def watched(*args: Any, **options: Any) -> Any:
        with count:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        with count:
            inside[0] -= 1
        return parse(*args, **options)

    monkeypatch.setattr(ast, "parse", watched)
    with ThreadPoolExecutor(3) as threads:
        workers = list(threads.map(Worker, [fake("right")] * 3))
    for worker in workers:
        worker.close()
    assert most == [1]


LOOK = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
found = [m for n, m in sys.modules.items() if n.split(".")[0] == "conformance"]
print("\\n".join(m.__file__ for m in found))
"""


def test_what_is_shipped_needs_nothing_else_of_ours(tmp_path: Path) -> None:
    """In an interpreter of our own an editable install would hide what is missing."""
    sources = _sources(parse("numpy"))
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    modules = [
        name.removesuffix(".py").replace("/", ".")
        for name in sources
        if not re.search("torch|mindspore", Path(name).name)
    ]
    assert "conformance.reference.activation" in modules
    ran = subprocess.run(
        [sys.executable, "-I", "-c", LOOK, tmp_path, *modules],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    strangers = [path for path in ran.stdout.split() if not Path(path).is_relative_to(tmp_path)]
    assert strangers == []


@pytest.mark.parametrize("framework", ["numpy", "torch", "mindspore"])
def test_nothing_shipped_imports_what_is_not(framework: str) -> None:
    """Also inside functions, and in adapters of frameworks that are not installed here."""
    sources = _sources(parse(framework))
    packages = {".".join(Path(name).parts[:-1]) for name in sources}
    imported = {
        ".".join(module.split(".")[:2])
        for text in sources.values()
        for node in ast.walk(ast.parse(text))
        for module in _imports(node)
        if module.split(".")[0] == "conformance"
    }
    adapters = {"conformance.reference"} if framework != "numpy" else set()
    assert imported - adapters <= packages


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
