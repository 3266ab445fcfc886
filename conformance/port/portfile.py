"""port.yaml read: every mistake with its place, files relative to it, draws by seed and size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from conformance.corpus import inputs, invalid, loader, yamlmarks
from conformance.corpus.yamlmarks import Path_
from conformance.errors import CallerError, CorpusError, Problem
from conformance.port.config import DEFAULT_SIZE, MAX_INPUT, Input, PortConfig
from conformance.port.model import Array, Framework
from conformance.reference.dtypes import cast

KEYS = "`conformance schema port` lists the known ones"


@dataclass(frozen=True)
class PortFile:
    """A configuration and where it lies."""

    path: Path
    config: PortConfig
    marked: yamlmarks.Marked = field(repr=False)

    def problem(self, where: Path_, message: str) -> CorpusError:
        """Return the error for the value that `where` leads to."""
        return CorpusError([Problem(str(self.path), *self.marked.place(where), message)])

    def problems(self, found: Iterable[tuple[Path_, str]]) -> CorpusError:
        """Return the error for all that is wrong: what leads to each value, and what it is."""
        return CorpusError(
            [
                Problem(str(self.path), *self.marked.place(at), f"{'.'.join(map(str, at))}: {what}")
                for at, what in found
            ]
        )

    def resolve(self, name: str) -> Path:
        """Return the file or folder that the configuration calls `name`."""
        return (self.path.parent / name).absolute()

    @property
    def drawn(self) -> bool:
        """Whether any input depends on the seed."""
        sizes = [self.config.at(size)[0] for size in self.config.size_names]
        return any(spec.drawn for inputs in sizes for spec in inputs.values())

    def draw(self, size: str, seed: int) -> tuple[list[Array], list[Array]]:
        """Return inputs and targets in order, drawn one after the other.

        One legacy ``np.random.RandomState(seed)`` serves them all: the same in every release of
        NumPy.  Raises CorpusError for a file that is no array.
        """
        random = np.random.RandomState(seed)
        drawn: list[list[Array]] = []
        groups = (("inputs",), ("training", "targets"))
        for group, at in zip(self.config.at(size), groups, strict=True):
            drawn.append([])
            for name, spec in group.items():
                try:
                    drawn[-1].append(_draw(spec, random, self.path.parent))
                except CallerError as error:
                    raise self.problem((*at, name), str(error)) from None
        return drawn[0], drawn[1]

    def message(self, framework: Framework, seed: int) -> dict[str, Any]:
        """Return what a session's `build` is told: references, arguments, folders, the seed."""
        side, training = self.config.side(framework), self.config.training
        told: dict[str, Any] = {
            "build": side.build,
            "arguments": side.arguments,
            "path": [str(self.resolve(folder)) for folder in side.path],
            "seed": seed,
            "dtype": "float32",
        }
        for name in ("loss", "optimizer", "schedule"):
            both = getattr(training, name, None)
            told[name] = getattr(both, framework).model_dump() if both else None
        return told


def load(path: Path) -> PortFile:
    """Read and validate `path`.

    Raises CorpusError with every mistake as ``file:line:column: what; how to mend``, CallerError
    when there is no such file.
    """
    if path.is_dir():
        raise CallerError(f"{path}: this is a folder; name the port.yaml in it")
    if not path.is_file():
        raise CallerError(f"{path}: no such file; docs/port.md shows what it holds")
    text = loader.read(path)
    if not text.strip():
        raise CorpusError([Problem(str(path), 1, 1, "empty; docs/port.md shows what it holds")])
    marked = yamlmarks.parse(text, str(path))
    try:
        config = PortConfig.model_validate(marked.data)
    except ValidationError as error:
        known = PortConfig.model_json_schema(by_alias=True)
        raise CorpusError(invalid.problems(str(path), marked, error, known, KEYS)) from None
    file = PortFile(path, config, marked)
    if broken := list(_broken(file)):
        raise file.problems(broken)
    return file


def _broken(file: PortFile) -> Iterator[tuple[Path_, str]]:
    """Yield what is wrong though each value alone is right."""
    yield from _broken_files(file)
    config = file.config
    for name in config.targets:
        if name in config.inputs:
            yield ("training", "targets", name), "an input has this name too; give it another"
    for size, changed in config.sizes.items():
        if size == DEFAULT_SIZE:
            yield ("sizes", size), "the size of `inputs` has this name; give it another"
        for name, change in changed.items():
            at = ("sizes", size, name)
            spec = {**config.inputs, **config.targets}.get(name)
            if spec is None:
                known = ", ".join([*config.inputs, *config.targets])
                yield at, f"no input or target of this name; there are {known}"
            elif isinstance(change, list):
                try:
                    spec.resized(change)
                except ValidationError as error:
                    yield at, error.errors()[0]["msg"].removeprefix("Value error, ")
                except ValueError as error:
                    yield at, str(error)


def _broken_files(file: PortFile) -> Iterator[tuple[Path_, str]]:
    config = file.config
    for framework in ("torch", "mindspore"):
        side = config.side(framework)
        for key in ("python", "weights"):
            name = getattr(side, key)
            if name is not None and not file.resolve(name).is_file():
                yield (framework, key), f"no file {file.resolve(name)}; it is relative to this file"
        for k, folder in enumerate(side.path):
            if not file.resolve(folder).is_dir():
                yield (framework, "path", k), f"no folder {file.resolve(folder)}"
    groups: list[tuple[Path_, dict[str, Any]]] = [
        (("inputs",), dict(config.inputs)),
        (("training", "targets"), config.targets),
        *((("sizes", size), dict(changed)) for size, changed in config.sizes.items()),
    ]
    for at, group in groups:
        for name, spec in group.items():
            if isinstance(spec, Input) and spec.file is not None:
                if not spec.file.endswith(".npy"):
                    yield (*at, name, "file"), "arrays are read from .npy files"
                elif not file.resolve(spec.file).is_file():
                    yield (*at, name, "file"), f"no file {file.resolve(spec.file)}"


def _draw(spec: Input, random: np.random.RandomState, folder: Path) -> Array:
    made = inputs.generated(spec, random)
    if made is None:
        name = spec.file or ""
        made = inputs.load(folder / name, name, MAX_INPUT)
    raw = inputs.moved(made, spec)
    if spec.file is not None and spec.dtype is None:
        return raw
    return cast(raw, spec.dtype or inputs.natural(raw))
