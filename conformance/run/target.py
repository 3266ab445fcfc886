"""Targets: framework, version, device and mode in one interpreter, by name."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from conformance.errors import CallerError

DEFAULT_TARGETS = ("numpy", "torch", "mindspore", "mindspore:cpu:graph")
CONFIG_FILE = "conformance.toml"
EAGER = {"mindspore": "pynative"}
"""A framework's default mode, where it is not called eager."""

_NAME = re.compile(
    r"(?P<framework>numpy|torch|mindspore)(@(?P<version>[\w.+-]+))?(:(?P<device>\w+))?(:(?P<mode>\w+))?"
)


@dataclass(frozen=True)
class Target:
    """Where calls run.

    `python` is the interpreter, on this machine or on `ssh` (``user@host``).  `adapter` names a
    module file that replaces the framework's own adapter; it and the modules beside it are shipped
    to the worker as ``conformance.worker.adapters``.  Fake frameworks in tests are such files.
    """

    name: str
    framework: Literal["numpy", "torch", "mindspore"]
    version: str = ""
    device: str = ""
    mode: str = ""
    python: str = sys.executable
    ssh: str = ""
    adapter: Path | None = None
    env: tuple[tuple[str, str], ...] = field(default=())

    def refuses(self, info: dict[str, Any]) -> str | None:
        """Return why a worker that says `info` is not this target, or None when it is."""
        installed = str(info.get("version", ""))
        if self.version and installed.split("+", maxsplit=1)[0] != self.version.split("+")[0]:
            return f"{self.framework} {installed} is installed in {self.python}, not {self.version}"
        return None


class TargetConfig(BaseModel):
    """One ``[targets."NAME"]`` table of conformance.toml."""

    model_config = ConfigDict(extra="forbid")
    python: str = sys.executable
    ssh: str = ""
    adapter: Path | None = None
    env: dict[str, str] = {}


_TABLES = TypeAdapter(dict[str, TargetConfig])


def parse(name: str, configured: dict[str, TargetConfig] | None = None) -> Target:
    """Return the target called `name`: ``framework[@version][:device][:mode]``.

    Raises CallerError when the name is not of that form.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise CallerError(
            f"target {name!r} is not framework[@version][:device][:mode], "
            "such as torch, torch:cuda, mindspore:cpu:graph or mindspore@2.9.0"
        )
    given = {key: value or "" for key, value in match.groupdict().items()}
    extra = (configured or {}).get(name, TargetConfig())
    env = tuple(sorted(extra.env.items()))
    return Target(
        name=name,
        framework=given["framework"],  # type: ignore[arg-type]
        version=given["version"],
        device=given["device"],
        mode=given["mode"],
        python=extra.python,
        ssh=extra.ssh,
        adapter=extra.adapter,
        env=env,
    )


def configured(path: Path | None = None) -> dict[str, TargetConfig]:
    """Return the targets that `path` (default: conformance.toml here, if any) configures.

    Raises CallerError with the first mistake, as ``file: targets.NAME.KEY: what is wrong``.
    """
    file = path or Path(CONFIG_FILE)
    if not file.is_file():
        if path is not None:
            raise CallerError(f"{path}: no such file")
        return {}
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8")).get("targets", {})
        found = _TABLES.validate_python(tables)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("targets", *first["loc"])))
        raise CallerError(f"{file}: {where}: {first['msg']}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CallerError(f"{file}: {error}") from None
    for name, config in found.items():
        if _NAME.fullmatch(name) is None:
            raise CallerError(f"{file}: targets.{name}: not the name of a target")
        if config.adapter is not None:
            config.adapter = (file.parent / config.adapter).resolve()
    return found


def framework_of(name: str) -> str:
    """Return the framework of the target called `name`."""
    return re.split("[@:]", name, maxsplit=1)[0]


def parts(target: str) -> tuple[str, str, list[str]]:
    """Return framework, version (or nothing), and the rest (device, mode) of a target."""
    head, *rest = target.split(":")
    framework, _, version = head.partition("@")
    return framework, version, rest


def place(target: str) -> list[str]:
    """Return device and mode of a target, the defaults where it leaves them out."""
    framework, _, rest = parts(target)
    return rest + ["cpu", EAGER.get(framework, "eager")][len(rest) :]


@cache
def covers(spec: str, target: str) -> bool:
    """Tell whether `spec` speaks of `target`: what it gives must be equal, what it leaves matches.

    ``mindspore`` covers ``mindspore@2.9.0`` and ``mindspore:cpu:graph``; ``mindspore:cpu:pynative``
    covers ``mindspore``, which runs there.
    """
    framework, version, rest = parts(spec)
    its_framework, its_version, _ = parts(target)
    return (
        framework == its_framework
        and version in ("", its_version)
        and rest == place(target)[: len(rest)]
    )


def plainest(spec: str, target: str) -> bool:
    """Tell whether `target` is what `spec` covers with device and mode left at their defaults."""
    given = len(parts(spec)[2])
    return covers(spec, target) and place(target)[given:] == place(spec)[given:]
