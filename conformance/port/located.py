"""What fails in a side though port.yaml is to blame, told with its place there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conformance.corpus.yamlmarks import Path_
from conformance.errors import CallerError, CorpusError, PortFailed
from conformance.port.config import Build
from conformance.port.model import Framework
from conformance.port.portfile import PortFile
from conformance.port.ruled import RuleError


@contextmanager
def located(file: PortFile) -> Iterator[None]:
    """Raise CorpusError for names that are none: of callables, their arguments, layers, tensors."""
    try:
        yield
    except CorpusError:
        raise
    except RuleError as error:
        raise file.problems(error.problems) from None
    except PortFailed as error:
        where = _where(file, error)
        if where is None:
            raise
        raise file.problem(where, error.said) from None
    except CallerError as error:
        where = _layer(file, str(error))
        if where is None:
            raise
        raise file.problem(where, str(error)) from None


def _where(file: PortFile, error: PortFailed) -> Path_ | None:
    """Return what led to a failure, None for one that is not the configuration's."""
    if error.kind == "Checkpoint":
        return _checkpoint(file, error)
    if error.kind not in ("Import", "Arguments"):
        return None
    for where, build in _named(file, error):
        if error.said.startswith((f"{build.build}:", f"{build.build} ")):
            if error.kind == "Import":
                return (*where, "build")
            wrong = [name for name in build.arguments if f"'{name}'" in error.said]
            return (*where, "arguments", *wrong[:1])
    return None


def _checkpoint(file: PortFile, error: PortFailed) -> Path_ | None:
    for framework in ("torch", "mindspore"):
        weights = file.config.side(framework).weights
        if framework == error.side and weights and str(file.resolve(weights)) in error.said:
            return framework, "weights"
    return None


def _named(file: PortFile, error: PortFailed) -> Iterator[tuple[Path_, Build]]:
    """Yield what the side of a failure is told to call, and where."""
    config = file.config
    framework: Framework = "torch" if error.side == "torch" else "mindspore"
    yield (framework,), config.side(framework)
    for key in ("loss", "optimizer", "schedule"):
        if (both := getattr(config.training, key, None)) is not None:
            yield ("training", key, framework), getattr(both, framework)
    if config.weights.convert is not None:
        yield ("weights", "convert"), Build(build=config.weights.convert)


def _layer(file: PortFile, said: str) -> Path_ | None:
    if not said.startswith("layers: "):
        return None
    pairs = file.config.layers.items()
    named = [torch for torch, port in pairs if repr(torch) in said or repr(port) in said]
    return ("layers", *named[:1])
