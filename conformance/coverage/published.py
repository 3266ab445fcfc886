"""The published mapping tables: pairs, each release's claim, and the pages that print examples.

``published_pairs.csv`` holds the tables of MindSpore r2.0, r2.4.10 and r2.7 (documentation of
MindSpore, "PyTorch and MindSpore API Mapping Table"); an empty claim means that the release does
not list the pair.  ``published_examples.csv`` lists the APIs that a difference page shows at work.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from conformance.corpus.schema import Operation, Pair
from conformance.corpus.sides import apis

RELEASES = ("r2.0", "r2.4.10", "r2.7")
DIFFERENCE_PAGE = "difference-page"


@dataclass(frozen=True)
class PublishedPair:
    """A row of the mapping tables: two APIs, and by release what the table claims of them."""

    torch: str
    mindspore: str
    claims: dict[str, str]

    @property
    def id(self) -> str:
        """As a pair of a case file."""
        return f"{self.torch}={self.mindspore}"

    @property
    def area(self) -> str:
        """The section of the tables it stands in: the PyTorch module, methods under its class."""
        return self.torch.rpartition(".")[0]

    @property
    def claim(self) -> tuple[str, str]:
        """The latest claim: release and text."""
        return [(r, c) for r, c in self.claims.items() if c][-1]


@cache
def pairs() -> tuple[PublishedPair, ...]:
    """Return every published pair, in the order of the tables."""
    rows = csv.DictReader(_lines("published_pairs.csv"))
    return tuple(
        PublishedPair(r["torch"], r["mindspore"], {release: r[release] for release in RELEASES})
        for r in rows
    )


@cache
def pages() -> dict[str, frozenset[str]]:
    """Return the APIs that each difference page shows at work."""
    shown: dict[str, set[str]] = {}
    for row in csv.DictReader(_lines("published_examples.csv")):
        shown.setdefault(row["page"], set()).add(row["api"])
    return {page: frozenset(apis) for page, apis in shown.items()}


def has_example(pair: Pair) -> bool:
    """Tell whether a page prints an example of the pair.

    That is a page on which its MindSpore API is at work; where a page's MindSpore half is prose
    only, one on which its PyTorch API is, and which speaks of this pair.
    """
    torch, mindspore = set(apis(pair.torch)), set(apis(pair.mindspore))
    page = DIFFERENCE_PAGE in pair.published.values()
    for shown in pages().values():
        prose = not any(api.startswith("mindspore.") for api in shown)
        if shown & mindspore or (prose and page and shown & torch):
            return True
    return False


def covering(published: PublishedPair, operations: list[Operation]) -> list[tuple[Operation, Pair]]:
    """Return the pairs of the corpus that run a published one; a composite holds its API."""
    return [
        (operation, pair)
        for operation in operations
        for pair in operation.pairs
        if published.torch in apis(pair.torch) and published.mindspore in apis(pair.mindspore)
    ]


def _lines(name: str) -> Iterator[str]:
    text = (resources.files("conformance.coverage") / name).read_text(encoding="utf-8")
    return iter(text.splitlines())
