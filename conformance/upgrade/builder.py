"""The two builders of environments, pip and uv, behind one interface: resolve, make, install."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conformance.errors import CallerError
from conformance.upgrade.index import IndexOptions, as_pip_would
from conformance.upgrade.tools import run

Command = list[str | Path]


class Builder(Protocol):
    """What makes environments.  Every method raises ToolFailed."""

    @property
    def name(self) -> str:
        """What the builder is called."""

    def resolve(
        self, wanted: Iterable[Requirement], python: Path, options: IndexOptions
    ) -> list[str]:
        """Return the pinned requirements, with hashes, that fulfil `wanted` for `python`."""

    def make(self, folder: Path, python: Path, held: int) -> None:
        """Make an empty virtual environment of `python` in `folder`."""

    def install(self, folder: Path, pins: Sequence[str], options: IndexOptions, held: int) -> None:
        """Install exactly `pins` into `folder`; children keep the descriptor `held` open."""


def interpreter(folder: Path) -> Path:
    """Return the interpreter of the virtual environment in `folder`."""
    return folder / "bin" / "python"


def choose(name: Literal["uv", "pip"] | None) -> Builder:
    """Return the builder called `name`; None is uv when it is on PATH, else pip.

    Raises CallerError when it is not to be had.
    """
    found = shutil.which("uv")
    if name == "uv" or (name is None and found):
        return Uv(found or _packaged_uv())
    if importlib.util.find_spec("pip") is None:
        raise CallerError(f"{sys.executable} has no pip to build environments with; or install uv")
    return Pip()


def _packaged_uv() -> str:
    try:
        return str(importlib.import_module("uv").find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise CallerError("uv is not installed; `pip install uv`, or build with pip") from None


@dataclass(frozen=True)
class Pip:
    """venv, and the pip of this interpreter, which also installs into others."""

    name: str = "pip"

    def resolve(
        self, wanted: Iterable[Requirement], python: Path, options: IndexOptions
    ) -> list[str]:
        """Return the pinned requirements that pip's resolver finds."""
        with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
            report = Path(scratch, "report.json")
            what: Command = ["--dry-run", "--ignore-installed", "--report", report]
            command = [*self._pip(python), *self._options(options), *what, *map(str, wanted)]
            run(command)
            items = json.loads(report.read_text(encoding="utf-8"))["install"]
        return sorted(_pin(item) for item in items)

    def make(self, folder: Path, python: Path, held: int) -> None:
        """Make a virtual environment without pip, which nothing in there needs."""
        run([python, "-I", "-m", "venv", "--without-pip", folder], held=held)

    def install(self, folder: Path, pins: Sequence[str], options: IndexOptions, held: int) -> None:
        """Install `pins`; hashes are checked when all have one, since pip wants all or none."""
        if not all(" --hash=" in pin for pin in pins):
            pins = [pin.split(" --hash=")[0] for pin in pins]
        with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
            what: Command = ["--no-deps", "--no-warn-script-location", "-r", _listed(pins, scratch)]
            run([*self._pip(interpreter(folder)), *self._options(options), *what], held=held)

    def _pip(self, python: Path) -> Command:
        head: Command = [sys.executable, "-I", "-m", "pip", "--python", python]
        return [*head, "--disable-pip-version-check", "--no-input", "install", "--quiet"]

    def _options(self, options: IndexOptions) -> list[str]:
        return options.arguments() + (["--pre"] if options.pre else [])


def _pin(item: dict[str, Any]) -> str:
    """Return the requirement line for one entry of pip's installation report."""
    name, version = canonicalize_name(item["metadata"]["name"]), item["metadata"]["version"]
    source = item["download_info"]
    pin = f"{name}=={version}"
    if item["is_direct"]:  # a dependency that is given by its address
        vcs = source.get("vcs_info")
        address = f"{vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else source["url"]
        pin = f"{name} @ {address}"
    hashes = source.get("archive_info", {}).get("hashes", {})
    return pin + "".join(f" --hash={kind}:{digest}" for kind, digest in sorted(hashes.items()))


@dataclass(frozen=True)
class Uv:
    """uv, at `binary`."""

    binary: str
    name: str = "uv"

    def resolve(
        self, wanted: Iterable[Requirement], python: Path, options: IndexOptions
    ) -> list[str]:
        """Return the pinned requirements that uv's resolver finds."""
        plain = ["--generate-hashes", "--no-header", "--no-annotate"]
        with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
            what: Command = [*plain, _listed(map(str, wanted), scratch)]
            text = run([*self._uv("compile", python), *self._options(options), *what])
        lines = text.replace("\\\n", " ").splitlines()
        return sorted(" ".join(line.split()) for line in lines if line.strip())

    def make(self, folder: Path, python: Path, held: int) -> None:
        """Make a virtual environment; it holds no pip either."""
        run([self.binary, "venv", "--quiet", "--no-project", "--python", python, folder], held=held)

    def install(self, folder: Path, pins: Sequence[str], options: IndexOptions, held: int) -> None:
        """Install `pins`; uv checks the hashes of those that have some."""
        with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
            what: Command = ["--no-deps", "-r", _listed(pins, scratch)]
            command = self._uv("install", interpreter(folder))
            run([*command, *self._options(options), *what], held=held)

    def _uv(self, act: str, python: Path) -> Command:
        return [self.binary, "pip", act, "--quiet", "--python", python]

    def _options(self, options: IndexOptions) -> list[str]:
        meant = as_pip_would(options, os.environ)
        found = meant.arguments() + (["--prerelease=allow"] if meant.pre else [])
        if meant.extra_index_url and "UV_INDEX_STRATEGY" not in os.environ:
            # uv would ask only the first index that knows a name; pip takes the best of all.
            found.append("--index-strategy=unsafe-best-match")
        return found


def _listed(lines: Iterable[str], folder: str) -> Path:
    file = Path(folder, "requirements.txt")
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file
