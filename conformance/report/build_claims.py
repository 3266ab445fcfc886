"""Published claims over all pages: how many hold, and which do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from conformance.report import views
from conformance.report.text import N_
from conformance.report.views_findings import RefutedEntryView, RefutedStatementView, TallyView
from conformance.taxonomy import Kind

PUBLISHED = "published"
"""The fragment of an operation page under which its documents' claims stand."""


def tallies(pages: Sequence[views.PageView]) -> tuple[TallyView, ...]:
    """Return the counts of each release's mapping table, then those of the documents' claims.

    An example counts in every pair that quotes it; an expectation without a source is no claim.
    """
    tables: dict[str, Counter[bool | None]] = {}
    statements: Counter[bool | None] = Counter()
    examples: Counter[bool | None] = Counter()
    for page in pages:
        statements.update(claim.holds for claim in page.claims)
        for pair in page.pairs:
            for said in pair.published:
                tables.setdefault(said.release, Counter())[said.holds] += 1
            for case in pair.cases:
                if case.source is not None:
                    examples.update(expected.holds for expected in case.expected)
    found = [
        _tally(N_("Mapping table of release"), release, counts)
        for release, counts in sorted(tables.items())
    ]
    found.append(_tally(N_("Signatures, parameter rows and headings of documents"), "", statements))
    found.append(_tally(N_("Printed values and documented exceptions"), "", examples))
    return tuple(tally for tally in found if tally.upheld or tally.refuted or tally.undecided)


def _tally(what: str, of: str, counts: Counter[bool | None]) -> TallyView:
    return TallyView(what, of, counts[True], counts[False], counts[None])


def refuted_entries(pages: Sequence[views.PageView]) -> tuple[RefutedEntryView, ...]:
    """Return what mapping tables say and execution refutes, releases that say the same together.

    Pairs that are called consistent come first, then those with most kinds of difference.
    """
    found = []
    for page in pages:
        for pair in page.pairs:
            same: dict[tuple[str, tuple[Kind, ...]], list[str]] = {}
            for said in pair.published:
                if said.holds is False:
                    same.setdefault((said.claim, said.against), []).append(said.release)
            found += [
                RefutedEntryView(
                    pair.title, page.operation, pair.anchor, claim, tuple(releases), against
                )
                for (claim, against), releases in same.items()
            ]
    return tuple(sorted(found, key=lambda e: (e.claim != "consistent", -len(e.against))))


def refuted_statements(pages: Sequence[views.PageView]) -> tuple[RefutedStatementView, ...]:
    """Return what documents state, print or say is raised, and the installed releases refute."""
    return tuple(view for page in pages for view in (*_statements(page), *_examples(page)))


def _statements(page: views.PageView) -> Iterator[RefutedStatementView]:
    for claim in page.claims:
        if claim.holds is False:
            yield RefutedStatementView(
                document=claim.source.title,
                release=claim.source.release,
                url=claim.source.url,
                what=claim.what,
                published=claim.published,
                installed=claim.installed,
                note=claim.note,
                operation=page.operation,
                anchor=PUBLISHED,
            )


def _examples(page: views.PageView) -> Iterator[RefutedStatementView]:
    """What published examples print or raise; pairs that quote one alike count once."""
    seen = set()
    for pair in page.pairs:
        for case in pair.cases:
            if (source := case.source) is None:
                continue
            for expected in case.expected:
                key = (case.id, expected.framework, expected.text, expected.got)
                if expected.holds is False and key not in seen:
                    seen.add(key)
                    yield RefutedStatementView(
                        document=source.title,
                        release=source.release,
                        url=source.url,
                        what=case.id,
                        published=expected.text,
                        installed=expected.got,
                        note=expected.slip,
                        operation=page.operation,
                        anchor=case.anchor,
                    )
