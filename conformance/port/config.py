"""port.yaml: how each model is built, what it is given, and how tensors correspond.

`build`, `loss`, `optimizer`, `schedule` and `convert` name Python code that is imported and run,
so the file is trusted like code.  Sizes are bounded all the same: a digit too many is no reason to
fill the memory.  Field descriptions are what an editor shows.
"""

from __future__ import annotations

import json
import re
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from conformance.corpus.arrays import Generated
from conformance.corpus.model import Model, Name, Shape
from conformance.port.model import Framework
from conformance.port.transforms import chain
from conformance.taxonomy import Dtype

MAX_INPUT = 100_000_000
"""Elements of one input.  Checked on the declared shape, before anything is allocated."""

DEFAULT_SIZE = "default"

REFERENCE = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"


def _reference(text: str) -> str:
    if not re.match(REFERENCE, text):
        raise ValueError(f"write module:callable, such as models:Net; found {text[:60]!r}")
    return text


Reference = Annotated[
    str,
    Field(max_length=300, json_schema_extra={"pattern": REFERENCE}),
    AfterValidator(_reference),
]
Path_ = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=80)]
Arguments = dict[str, Any]
Mode = Literal["pynative", "graph"]
MODES: tuple[Mode, ...] = ("pynative", "graph")
GENERATORS = ("rand", "randn", "randint", "zeros", "ones", "full", "file")


class Build(Model):
    """Something that is called: a reference alone, or with arguments by name."""

    build: Reference = Field(description="module:callable")
    arguments: Arguments = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:
        return {"build": data} if isinstance(data, str) else data


class SideConfig(Build):
    """How a side's model is built, and by which interpreter."""

    python: Path_ | None = Field(None, description="Interpreter; without it, this one.")
    path: list[Path_] = Field(
        default_factory=lambda: ["."],
        max_length=20,
        description="Folders to import from, relative to this file.",
    )
    weights: Path_ | None = Field(None, description="A checkpoint of this side's framework.")
    env: dict[str, str] = Field(default_factory=dict, description="Environment variables.")

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:
        return {"build": data} if isinstance(data, str) else data


class TorchConfig(SideConfig):
    """The original."""

    device: Literal["cpu", "cuda"] = "cpu"

    @field_validator("weights")
    @classmethod
    def _suffix(cls, path: str | None) -> str | None:
        return _ending(path, (".pt", ".pth", ".safetensors"))


class MindSporeConfig(SideConfig):
    """The port."""

    device: Literal["cpu", "gpu", "ascend"] = "cpu"
    modes: list[Mode] = Field(default_factory=lambda: list(MODES), min_length=1, max_length=2)

    @field_validator("weights")
    @classmethod
    def _suffix(cls, path: str | None) -> str | None:
        return _ending(path, (".ckpt", ".safetensors"))


def _ending(path: str | None, endings: tuple[str, ...]) -> str | None:
    if path is not None and not path.endswith(endings):
        raise ValueError(f"a checkpoint here ends in {' or '.join(endings)}")
    return path


class Input(Generated):
    """One input or target: drawn anew for each seed, or a file."""

    file: Path_ | None = Field(None, description="A .npy file, relative to this one.")
    dtype: Dtype | None = Field(
        None, description="Without it draws are float32, integers int64, and a file what it is."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in GENERATORS if name in self.model_fields_set]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"give exactly one of {', '.join(GENERATORS)}; found {found}")
        count = prod(self.shape or [0])
        if count > MAX_INPUT:
            raise ValueError(f"{count:,} elements; the limit is {MAX_INPUT:,}")
        return self

    @property
    def drawn(self) -> bool:
        """Whether it depends on the seed."""
        return any(draw is not None for draw in (self.rand, self.randn, self.randint))

    def resized(self, shape: list[int]) -> Input:
        """Return the same draw of another shape.  Raises ValueError for a file, or too large."""
        data = self.model_dump(exclude_unset=True)
        name = next(name for name in GENERATORS if name in data)
        if name == "file":
            raise ValueError("a file has the shape it has; give another file: {file: …}")
        data[name] = {**data[name], "size": shape} if isinstance(data[name], dict) else shape
        return Input.model_validate(data)


class Rule(Model):
    """Tensors that belong together: a regular expression and what it becomes."""

    torch: str = Field(max_length=500, description="Matches the whole name in PyTorch.")
    mindspore: str = Field(max_length=500, description=r"MindSpore's name; \1 is a group.")
    transform: str = Field(
        "", max_length=200, description="How PyTorch's array becomes MindSpore's, joined by +."
    )

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        _compiled(self.torch, self.mindspore)
        chain(self.transform)
        return self


def _compiled(pattern: str, template: str = "") -> None:
    try:
        re.compile(pattern).sub(template, "")
    except (re.error, IndexError) as error:
        where = "mindspore" if "group reference" in str(error) else "regular expression"
        raise ValueError(f"{where}: {error}") from None


class Ignore(Model):
    """Tensors to leave out, by regular expressions of the whole name."""

    torch: list[str] = Field(default_factory=list, max_length=200)
    mindspore: list[str] = Field(default_factory=list, max_length=200)

    @field_validator("torch", "mindspore")
    @classmethod
    def _compile(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            _compiled(pattern)
        return patterns


class Weights(Model):
    """How tensors correspond, where names and order of definition do not say it."""

    rules: list[Rule] = Field(default_factory=list, max_length=1000)
    convert: Reference | None = Field(
        None,
        description="Your converter, dict to dict of arrays by name; used in place of the map, "
        "and compared with it.",
    )
    ignore: Ignore = Field(default_factory=Ignore)


class Both(Model):
    """Something of which each framework has its own."""

    torch: Build
    mindspore: Build


class Training(Model):
    """How both models are trained."""

    steps: int = Field(8, ge=1, le=10_000)
    targets: dict[Name, Input] = Field(default_factory=dict, max_length=64)
    loss: Both | None = Field(None, description="Called with the first output and the targets.")
    optimizer: Both | None = Field(
        None, description="Without one gradients are compared and no step is made."
    )
    schedule: Both | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.schedule is not None and self.optimizer is None:
            raise ValueError("a schedule needs an optimizer")
        if self.optimizer is None and "steps" in self.model_fields_set:
            raise ValueError("steps need an optimizer")
        if self.targets and self.loss is None:
            raise ValueError("targets need a loss")
        return self


_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class PortConfig(Model):
    """A port to verify."""

    port: Key = Field(description="Its name, also of its page.")
    torch: TorchConfig
    mindspore: MindSporeConfig
    inputs: dict[Name, Input] = Field(
        min_length=1, max_length=64, description="Positional arguments of the model, in order."
    )
    sizes: dict[Key, dict[Name, Shape | Input]] = Field(
        default_factory=dict,
        max_length=32,
        description="More input sizes by name; each gives other shapes to inputs and targets.",
    )
    seeds: int = Field(5, ge=1, le=100, description="Draws of inputs and of values.")
    values: Literal["calibrated", "as-built"] | None = Field(
        None, description="Default: calibrated, unless a side has weights."
    )
    weights: Weights = Field(default_factory=Weights)
    layers: dict[str, str] = Field(
        default_factory=dict, description="PyTorch's layer: the port's, where it is not found."
    )
    training: Training | None = None
    memory: int = Field(
        2**30,
        ge=2**20,
        le=2**40,
        description="Most bytes of captured outputs at a time: a number, or text such as 1GiB.",
    )

    @field_validator("memory", mode="before")
    @classmethod
    def _bytes(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) *(B|KiB|MiB|GiB)", value.strip())
        if match is None:
            raise ValueError(f"write bytes, or 512MiB or 1GiB; found {value[:40]!r}")
        return int(float(match[1]) * _UNITS[match[2]])

    @property
    def calibrated(self) -> bool:
        """Whether models get values that make mistakes visible, in place of their own."""
        if self.values is not None:
            return self.values == "calibrated"
        return self.torch.weights is None and self.mindspore.weights is None

    @property
    def targets(self) -> dict[str, Input]:
        """The targets of the loss, in order."""
        return dict(self.training.targets) if self.training else {}

    @property
    def size_names(self) -> list[str]:
        """Names of the input sizes, the one of `inputs` first."""
        return [DEFAULT_SIZE, *self.sizes]

    def at(self, size: str) -> tuple[dict[str, Input], dict[str, Input]]:
        """Return inputs and targets of the size called `size`."""
        changed = self.sizes[size] if size != DEFAULT_SIZE else {}
        inputs, targets = (
            {name: _at(spec, changed.get(name)) for name, spec in group.items()}
            for group in (self.inputs, self.targets)
        )
        return inputs, targets

    def side(self, framework: Framework) -> TorchConfig | MindSporeConfig:
        """Return how the model of `framework` is built."""
        return self.torch if framework == "torch" else self.mindspore


def _at(spec: Input, change: list[int] | Input | None) -> Input:
    if change is None:
        return spec
    return change if isinstance(change, Input) else spec.resized(change)


def schema() -> str:
    """Return the JSON Schema of port.yaml, as it is kept in port.schema.json."""
    return json.dumps(PortConfig.model_json_schema(by_alias=True), indent=2) + "\n"
