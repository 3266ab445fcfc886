"""The corpus covers the published pages, in every form the tables list, and deeply enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.corpus.expand import expand
from conformance.corpus.loader import Corpus, load
from conformance.corpus.sides import apis
from conformance.coverage import depth, published
from conformance.coverage.coverage import Coverage, PairDepth

DEPTH = 0.95


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load([Path(__file__).parents[2] / "cases"])


def test_every_api_of_the_pages_is_covered_in_every_published_form(corpus: Corpus) -> None:
    shown = {api for apis in published.pages().values() for api in apis}
    assert len(published.pages()) == 68
    operations = [document.operation for document in corpus.documents.values()]
    covered = {
        api
        for operation in operations
        for pair in operation.pairs
        for side in (pair.torch, pair.mindspore)
        for api in apis(side)
    }
    assert shown - covered == set()
    forms = [p for p in published.pairs() if not shown.isdisjoint((p.torch, p.mindspore))]
    assert [p.id for p in forms if not published.covering(p, operations)] == []


def test_claims_are_quoted_as_the_tables_make_them(corpus: Corpus) -> None:
    tables = {p.id: {r: c for r, c in p.claims.items() if c} for p in published.pairs()}
    for document in corpus.documents.values():
        for pair in document.operation.pairs:
            if isinstance(pair.torch, str) and pair.id in tables:
                assert pair.published == tables[pair.id], f"{document.path}: {pair.id}"


def test_the_corpus_goes_deep(corpus: Corpus) -> None:
    depths = []
    for document in corpus.documents.values():
        operation = document.operation
        cases = list(expand(operation, document.folder))
        for pair in filter(lambda p: p.published, operation.pairs):
            through = [case for case in cases if pair in case.pairs()]
            found = depth.boxes(operation, pair, through, both_modes=True)
            depths.append(PairDepth(operation.operation, pair.id, found))
    assert Coverage([], depths).share >= DEPTH
