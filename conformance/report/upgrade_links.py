"""Links between the upgrade page and the pages of operations."""

from __future__ import annotations

from conformance.report.upgrade_views import GroupView
from conformance.report.views import PageView, PairView, SiteView


def places(site: SiteView) -> dict[tuple[str, str, str], tuple[PageView, str]]:
    """Return the page and the fragment of each case, by its operation, pair and id."""
    return {
        (page.operation, pair.id, point.id): (page, point.anchor)
        for page in site.pages
        for pair in page.pairs
        for case in pair.cases
        for point in case.points
    }


def changes_by_pair(site: SiteView) -> dict[tuple[str, str], list[tuple[GroupView, int]]]:
    """Return the groups of changes of each pair, by its operation and id; nothing without two runs.

    With each comes how many cases of the pair show it; 0 for what concerns an API as a whole.
    """
    if site.upgrade is None:
        return {}
    by_pair, by_api = site.upgrade.by_pair(), site.upgrade.by_api()
    found = {}
    for page in site.pages:
        for pair in page.pairs:
            key = (page.operation, pair.id)
            whole = [(group, 0) for api in _apis(pair) for group in by_api.get(api, ())]
            found[key] = sorted([*by_pair.get(key, ()), *whole], key=lambda told: not told[0].fails)
    return found


def _apis(pair: PairView) -> list[str]:
    """Return the APIs of a pair: the steps of a composite too, and what its id calls it."""
    sides = (pair.torch, pair.mindspore, pair.numpy)
    steps = [step for side in sides for step in side.split(" + ") if step]
    return list(dict.fromkeys([*steps, *pair.id.split("=")]))
