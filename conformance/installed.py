"""What the installed frameworks say of themselves: which names exist, and their signatures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.corpus.loader import Corpus
from conformance.corpus.sides import apis as of_side
from conformance.coverage import published
from conformance.errors import HarnessError, Problem
from conformance.judge import signature
from conformance.judge.undeclared import undeclared
from conformance.run import target
from conformance.run.gateway import Worker, WorkerDied, WorkerUnavailable
from conformance.taxonomy import FRAMEWORKS

DESCRIBE_SECONDS = 120.0
"""How long a framework may take to say which of all published names it has."""


def described(framework: str, apis: list[str], config: Path | None) -> list[dict[str, Any]]:
    """Return what the installed `framework` says of `apis`.  HarnessError when it cannot."""
    try:
        worker = Worker(target.parse(framework, target.configured(config)))
        worker.send(("describe", "", apis))
        _, messages = worker.receive(timeout=DESCRIBE_SECONDS)
    except (WorkerUnavailable, WorkerDied) as error:
        raise HarnessError(f"{framework} cannot be asked for its signatures: {error}") from None
    worker.close()
    return list(messages)


def existing(config: Path | None) -> set[str]:
    """Return the published names that the installed frameworks have."""
    found: set[str] = set()
    for framework in FRAMEWORKS:
        names = dict.fromkeys(getattr(pair, framework) for pair in published.pairs())
        messages = described(framework, list(names), config)
        found |= {message["api"] for message in messages if message["exists"]}
    return found


def disagreements(corpus: Corpus, config: Path | None) -> Iterator[Problem]:
    """Yield where a parameter table and the installed signatures disagree, at the pair's line."""
    apis: dict[str, dict[str, None]] = {framework: {} for framework in FRAMEWORKS}
    for document in corpus.documents.values():
        for pair in document.operation.pairs:
            for framework in FRAMEWORKS:
                apis[framework] |= dict.fromkeys(of_side(pair.side(framework)))
    messages = {
        message["api"]: message
        for framework, names in apis.items()
        for message in described(framework, list(names), config)
    }
    for document in corpus.documents.values():
        operation = document.operation
        for i, pair in enumerate(operation.pairs):
            rows = signature.compare_described(operation, pair, messages)
            for line in undeclared(operation, pair, rows):
                yield document.problem(("pairs", i), line)
