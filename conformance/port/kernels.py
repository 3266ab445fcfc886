"""Kernels of MindSpore that the corpus has measured to be less accurate."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.corpus.schema import Operation
from conformance.port.evidence import Kernel
from conformance.taxonomy import Kind


def known(operations: Iterable[Operation]) -> dict[str, Kernel]:
    """Return by MindSpore API the greatest error in roundoffs that is declared of its values."""
    found: dict[str, Kernel] = {}
    for operation in operations:
        for pair in operation.pairs:
            api = pair.id.partition("=")[2]
            for item in operation.differences_of(pair):
                if item.kind is not Kind.VALUE or item.at_most is None or "+" in api:
                    continue
                if not any(target.startswith("mindspore") for target in item.targets):
                    continue
                if api not in found or found[api].roundoffs < item.at_most:
                    found[api] = Kernel(operation.operation, item.at_most)
    return found
