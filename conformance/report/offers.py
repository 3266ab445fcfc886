"""What the filters of the index offer: only what the site has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.report import text, views
from conformance.report.text import N_
from conformance.taxonomy import Kind

Option = tuple[str, str]
"""A value, and its words in English."""
CLAIMS = {
    "refuted": N_("refuted"),
    "upheld": N_("upheld"),
    "undecided": N_("not decided"),
    "none": N_("none published"),
}


@dataclass(frozen=True)
class Offers:
    """The options of each filter, and how many pairs there are to choose from."""

    areas: tuple[Option, ...]
    frameworks: tuple[Option, ...]
    devices: tuple[Option, ...]
    modes: tuple[Option, ...]
    verdicts: tuple[Option, ...]
    kinds: tuple[Option, ...]
    claims: tuple[Option, ...]
    pairs: int


def offers(site: views.SiteView) -> Offers:
    """Return what the index of `site` can be filtered by."""
    pairs = [pair for page in site.pages for pair in page.pairs]
    kinds = {kind for pair in pairs for t in site.targets for kind in pair.kinds(t.name)}
    held = {pair.held for pair in pairs}
    return Offers(
        areas=tuple((a, text.AREA.get(a, a)) for a in _each(p.area for p in site.pages)),
        frameworks=tuple((f, text.FRAMEWORK[f]) for f in _each(t.framework for t in site.targets)),
        devices=_same(t.device for t in site.targets),
        modes=_same(t.mode for t in site.targets),
        verdicts=tuple((views.CODES[s], text.STATUS[s]) for s in views.SEVERITY if site.counts[s]),
        kinds=tuple((kind.value, text.KIND[kind]) for kind in Kind if kind in kinds),
        claims=tuple((name, words) for name, words in CLAIMS.items() if name in held),
        pairs=len(pairs),
    )


def _each(names: Iterable[str]) -> list[str]:
    return sorted(set(names) - {""})


def _same(names: Iterable[str]) -> tuple[Option, ...]:
    return tuple((name, name) for name in _each(names))
