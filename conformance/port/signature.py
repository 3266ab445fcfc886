"""Inputs of port.yaml held against what a model's forward pass takes, before it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.port.portfile import PortFile


def check(file: PortFile, framework: str, told: dict[str, Any] | None) -> None:
    """Raise CorpusError for inputs that are too many, too few, or in another order.

    `told` is what `Session.answer_parameters` says; None where nobody knows.  The order is that of
    the original: a port that takes its inputs in another one is wrong itself.
    """
    if told is None:
        return
    given, names, called = list(file.config.inputs), list(told["names"]), told["called"]
    if len(given) > len(names) and not told["more"]:
        first, takes = given[len(names)], _counted(names)
        words = f"the {framework} model's {called} takes {takes}, and this is one more"
        raise file.problem(("inputs", first), f"inputs.{first}: {words}")
    if len(given) < told["needed"]:
        lacking = ", ".join(names[len(given) : told["needed"]])
        words = f"the {framework} model's {called} needs {lacking} as well: add it, in its place"
        raise file.problem(("inputs",), f"inputs: {words}")
    meant = names[: len(given)]
    if framework == "torch" and given != meant and sorted(given) == sorted(meant):
        words = f"inputs are given in the order they stand here; {called} takes {', '.join(meant)}"
        raise file.problem(("inputs",), f"inputs: {words}")


def _counted(names: Sequence[str]) -> str:
    inputs = "1 input" if len(names) == 1 else f"{len(names)} inputs"
    return f"{inputs} ({', '.join(names)})" if names else "none"
