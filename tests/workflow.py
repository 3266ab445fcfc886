"""A composite action's steps, run by bash in the way GitHub's runner does it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How GitHub starts what says ``shell: bash``."""
EXPRESSION = re.compile(r"\$\{\{\s*(\S+)\s*\}\}")
CONDITIONS = {"": False, "always()": True}
"""Whether a step with this `if` runs after one that failed."""


def load(text: str) -> Any:
    """Return what a YAML text says."""
    return YAML(typ="safe").load(text)


def shims(folder: Path, first: str = "") -> Path:
    """Return a folder for PATH with `python` and `conformance`.

    pip only notes what it is asked for, in ``pip.txt``; the lines of bash in `first` come before.
    """
    folder.mkdir(exist_ok=True)
    python = f"""\
#!/usr/bin/env bash
if [[ "$1 $2" == "-m pip" ]]; then
  printf '%s\\n' "$@" >> {shlex.quote(str(folder / "pip.txt"))}
  exit "${{PIP_ENDS_WITH:-0}}"
fi
{first}
exec {shlex.quote(sys.executable)} "$@"
"""
    conformance = '#!/usr/bin/env bash\nexec python -m conformance "$@"\n'
    for name, text in (("python", python), ("conformance", conformance)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def environment(bin: Path, **more: str) -> dict[str, str]:
    """Return the variables a job has: no more of whoever runs the tests than it needs."""
    kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
    path = f"{bin}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "LANG": "C.UTF-8", "COLUMNS": "200", **more}


def bash(script: str, cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a script; return exit code and what was printed."""
    file = cwd / ".script.sh"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [*SHELL, str(file)],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    file.unlink()
    return done.returncode, done.stdout


@dataclass
class Job:
    """What a job with this action left.

    `code` is that of the last step that failed, `printed` what each step that ran said.
    """

    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    printed: dict[str, str] = field(default_factory=dict)


class Action:
    """The composite action in a folder."""

    def __init__(self, folder: Path = ROOT) -> None:
        self.folder = folder
        self.message = load((folder / "action.yml").read_text(encoding="utf-8"))
        self.steps: list[dict[str, Any]] = self.message["runs"]["steps"]

    def run(self, cwd: Path, env: Mapping[str, str], *, summary: str = "", **inputs: str) -> Job:
        """Run all steps in `cwd`; `summary` is what the summary holds before."""
        given = {name: declared["default"] for name, declared in self.message["inputs"].items()}
        unknown = {name for name in inputs if name not in given}
        assert not unknown, f"no such input: {unknown}"
        context = {f"inputs.{name}": value for name, value in (given | inputs).items()}
        page = cwd / ".summary"
        page.write_text(summary, encoding="utf-8")
        job = Job()
        for step in self.steps:
            if job.code and not CONDITIONS[step.get("if", "")]:
                continue
            self._step(step, cwd, {**env, "GITHUB_STEP_SUMMARY": str(page)}, context, job)
        for name, declared in self.message["outputs"].items():
            job.outputs[name] = evaluate(declared["value"], context)
        job.summary = page.read_text(encoding="utf-8")
        return job

    def _step(
        self,
        step: Mapping[str, Any],
        cwd: Path,
        env: Mapping[str, str],
        context: dict[str, str],
        job: Job,
    ) -> None:
        told = cwd / ".output"
        told.write_text("", encoding="utf-8")
        own = {name: evaluate(value, context) for name, value in step.get("env", {}).items()}
        fixed = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.folder),
            "GITHUB_OUTPUT": str(told),
        }
        code, printed = bash(step["run"], cwd, {**env, **fixed, **own})
        job.code = code or job.code
        job.printed[step["id"]] = printed
        for line in told.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            context[f"steps.{step['id']}.outputs.{name}"] = value


def evaluate(text: str, context: Mapping[str, str]) -> str:
    """Return `text` with its expressions in place; only inputs and steps' outputs are known."""

    def value(found: re.Match[str]) -> str:
        assert re.fullmatch(r"inputs\.[\w-]+|steps\.[\w-]+\.outputs\.[\w-]+", found[1]), found[1]
        return context.get(found[1], "")

    return EXPRESSION.sub(value, text)
