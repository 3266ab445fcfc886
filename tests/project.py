"""A little project of its own in a temporary folder: cases, fake targets, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.fakes import FAKES

CASES = """\
operation: absolute
reference: elementwise.abs
accuracy: exact
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases:
  - {id: some, inputs: {seed: 1, input: {randn: [3]}}}
  - {id: grid, grid: {dtype: [float32, float64]}, inputs: {seed: 2, input: {randn: [2, 2]}}}
"""
TARGETS = ("-t", "torch", "-t", "mindspore", "-t", "numpy")


class Project:
    """The folder, and what to run in it."""

    def __init__(self, folder: Path, torch: str = "right", mindspore: str = "right") -> None:
        self.folder = folder
        (folder / "cases").mkdir()
        self.write("cases/absolute.yaml", CASES)
        self.use(torch, mindspore)

    def use(self, torch: str, mindspore: str) -> None:
        """Choose the fake frameworks."""
        lines = [
            f'[targets.{name}]\nadapter = "{FAKES / fake}.py"\n'
            for name, fake in (("torch", torch), ("mindspore", mindspore))
        ]
        self.write("conformance.toml", "\n".join(lines))

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(
        self, *args: str, env: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start ``python -m conformance`` with `args`, and `env` besides the environment."""
        environment = {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "200", **(env or {})}
        return subprocess.Popen(
            [sys.executable, "-m", "conformance", *args],
            cwd=self.folder,
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Run ``python -m conformance`` with `args`; return exit code, stdout and stderr."""
        process = self.start(*args, env=env)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err
