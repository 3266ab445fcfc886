"""Environments for the sides of an upgrade: resolved, built once, and found again.

An environment's folder is named by what was resolved, hashes included, so that the same
requirements lead to the same folder until an index, or a wheel, says otherwise.  It counts as built
once it holds its marker, which is written last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.utils import canonicalize_name

from conformance.errors import CallerError, HarnessError
from conformance.upgrade.builder import Builder, choose, interpreter
from conformance.upgrade.index import IndexOptions
from conformance.upgrade.spec import Spec, implied
from conformance.upgrade.tools import ToolFailed, run

MARKER = "ready.json"
ISOLATED = (("PYTHONHOME", ""), ("PYTHONPATH", ""))
"""What the `env` of a target must hold to see nothing but its environment's packages."""

_LABEL_LENGTH = 60
_FACTS = """
import json, platform, sys, sysconfig
print(json.dumps([platform.python_implementation(), platform.python_version(),
                  sysconfig.get_platform(), platform.machine(),
                  str(sysconfig.get_config_var("SOABI"))]))
"""
_PACKAGES = """
import json
from importlib import metadata
print(json.dumps({d.metadata["Name"]: d.version for d in metadata.distributions()}))
"""


class EnvironmentFailed(HarnessError):
    """An environment could not be resolved or built; one line says which, and why."""


@dataclass(frozen=True)
class Environment:
    """A built environment.

    `packages` are the versions really installed, by canonical name; `reused` tells that an earlier
    build was found.
    """

    python: Path
    packages: dict[str, str]
    folder: Path
    reused: bool


def build(
    spec: Spec,
    frameworks: Iterable[str],
    *,
    options: IndexOptions | None = None,
    builder: Literal["uv", "pip"] | None = None,
    python: Path | None = None,
    cache: Path | None = None,
    echo: Callable[[str], None] = lambda _: None,
) -> Environment:
    """Return the environment of `spec` and of what the workers of `frameworks` need.

    It is built unless it is there.  `python` is the interpreter it is made of (default: this one),
    `builder` what makes it (default: uv when on PATH, else pip), `cache` the folder of all
    environments; `echo` gets a line before each step that takes time.  Raises CallerError for an
    interpreter or a builder that is not there, EnvironmentFailed when it cannot be resolved or
    built.
    """
    tool, options = choose(builder), options or IndexOptions()
    base, facts = _base(python)
    folders = cache or default_cache()
    pins = _resolve(spec, frameworks, tool, base, options, echo)
    key = hashlib.sha256("\n".join([*facts, *pins]).encode()).hexdigest()[:16]
    folder = folders.absolute() / f"{_readable(spec.label)}-{key}"
    with _step(spec, f"not built in {folder}"), _locked(folder, spec, echo) as lock:
        packages = _ready(folder)
        if packages is not None:
            echo(f"{spec.label}: found in {folder}")
            return Environment(interpreter(folder), packages, folder, reused=True)
        echo(f"{spec.label}: building {len(pins)} packages with {tool.name} in {folder}")
        try:
            packages = _built(folder, spec, pins, tool, base, options, lock)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return Environment(interpreter(folder), packages, folder, reused=False)


def default_cache() -> Path:
    """Return the folder that environments are kept in: the user's cache."""
    outer = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(outer) if Path(outer).is_absolute() else Path.home() / ".cache"
    return home / "conformance" / "environments"


def changed(a: Environment, b: Environment) -> list[tuple[str, str | None, str | None]]:
    """Return (package, version in `a`, version in `b`) where they differ; None is absent."""
    names = sorted(a.packages.keys() | b.packages.keys())
    both = [(name, a.packages.get(name), b.packages.get(name)) for name in names]
    return [row for row in both if row[1] != row[2]]


@contextlib.contextmanager
def _step(spec: Spec, what: str) -> Iterator[None]:
    try:
        yield
    except (ToolFailed, OSError) as error:
        raise EnvironmentFailed(f"{spec.label}: {what}: {error}") from None


def _base(python: Path | None) -> tuple[Path, list[str]]:
    """Return the interpreter to build of, and what tells it from others in a cache key."""
    found = shutil.which(python or sys.executable)
    if found is None:
        raise CallerError(f"{python or sys.executable}: no such interpreter")
    base = Path(found).absolute()
    try:
        facts: list[str] = json.loads(run([base, "-I", "-c", _FACTS]))
    except (ToolFailed, ValueError) as error:
        raise CallerError(f"{base} is not a Python interpreter: {error}") from None
    return base, facts


def _resolve(
    spec: Spec,
    frameworks: Iterable[str],
    tool: Builder,
    base: Path,
    options: IndexOptions,
    echo: Callable[[str], None],
) -> list[str]:
    """Return pins; versions taken over from this interpreter give way when they are in the way."""
    frameworks = list(frameworks)
    alike, any_version = (implied(spec, frameworks, as_here=here) for here in (True, False))
    echo(f"{spec.label}: resolving with {tool.name}")
    with _step(spec, "not resolved"):
        try:
            return tool.resolve([*spec.requirements, *alike], base, options)
        except ToolFailed as error:
            if alike == any_version:
                raise
            conflict = str(error)
        pins = tool.resolve([*spec.requirements, *any_version], base, options)
    echo(f"{spec.label}: resolved without {', '.join(map(str, alike))}: {conflict}")
    return pins


def _readable(label: str) -> str:
    return re.sub(r"[^\w.]+", "-", label).strip("-")[:_LABEL_LENGTH]


@contextlib.contextmanager
def _locked(folder: Path, spec: Spec, echo: Callable[[str], None]) -> Iterator[int]:
    """Keep everybody else from building in `folder`; wait for whoever does.

    The lock's file stays: removing it would let two processes lock two files of one name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            echo(f"{spec.label}: waiting for who builds it already")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _ready(folder: Path) -> dict[str, str] | None:
    """Return the packages of a finished environment that still is what it was; else None."""
    try:
        promised = json.loads((folder / MARKER).read_text(encoding="utf-8"))["packages"]
        found = _packages(folder)
    except (OSError, ValueError, KeyError, TypeError, ToolFailed):
        return None
    return found if found == promised else None


def _built(
    folder: Path,
    spec: Spec,
    pins: list[str],
    tool: Builder,
    base: Path,
    options: IndexOptions,
    lock: int,
) -> dict[str, str]:
    if folder.exists():
        shutil.rmtree(folder)
    tool.make(folder, base, lock)
    tool.install(folder, pins, options, lock)
    packages = _packages(folder)
    marker = {"spec": spec.label, "pins": pins, "packages": packages}
    draft = folder / f"{MARKER}.draft"
    draft.write_text(json.dumps(marker, indent=1), encoding="utf-8")
    draft.replace(folder / MARKER)
    return packages


def _packages(folder: Path) -> dict[str, str]:
    said = json.loads(run([interpreter(folder), "-I", "-c", _PACKAGES]))
    return {str(canonicalize_name(name)): str(version) for name, version in sorted(said.items())}
