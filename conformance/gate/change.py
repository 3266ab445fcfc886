"""What a gate reports: one change, its category, and whether it is a regression."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from conformance.run.target import framework_of


class Category(StrEnum):
    """The categories of a gate's report, in the order people should read them."""

    BROKEN = "broken"
    LOST = "coverage lost"
    SIGNATURE = "signature drift"
    KNOWN = "known"
    FIXED = "fixed"
    DRIFTED = "drifted"
    NEW = "new"
    CHANGED = "changed case"
    REMOVED = "removed case"
    VARIES = "nondeterministic"
    SLOWER = "slower"


MEANING = {
    Category.BROKEN: "now differs, raises, crashes or hangs as it should not, and did not before",
    Category.LOST: "was judged, and now is not comparable or missing",
    Category.SIGNATURE: "parameters, defaults, names, deprecations or warnings changed",
    Category.KNOWN: "broken, and excused by a known difference until a date",
    Category.FIXED: "differed, and now conforms",
    Category.DRIFTED: "judged as before, but what comes out is not what came out",
    Category.NEW: "judged now, and not before",
    Category.CHANGED: "its case was edited, so it is no regression; FAIL where it differs now",
    Category.REMOVED: "its case or pair is no longer in the corpus",
    Category.VARIES: "does not do the same every time; its values are not compared",
    Category.SLOWER: "takes longer, beyond the noise of this run; informational",
}


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise in the candidate than in the baseline.

    `api` is whose behaviour it is.  `case` and `pair` are empty for what concerns an API as a whole
    (signatures, durations).  `before` and `after` are a few words each, `detail` is the evidence.
    An edited case is no `regression`; `unexpected` says that it differs now and did not before.
    """

    category: Category
    target: str
    api: str
    before: str
    after: str
    detail: str = ""
    operation: str = ""
    case: str = ""
    pair: str = ""
    kinds: tuple[str, ...] = ()
    regression: bool = False
    unexpected: bool = False

    @property
    def fails(self) -> bool:
        """Whether CI must not pass over it."""
        return self.regression or self.unexpected

    @property
    def stem(self) -> str:
        """The id of its case in the case file, without operation and grid point."""
        return self.case.partition("/")[2].partition("[")[0]


@dataclass(frozen=True)
class Group:
    """The changes of one category of one API, on whichever targets."""

    category: Category
    api: str
    changes: tuple[Change, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets on which it changed."""
        return tuple(dict.fromkeys(change.target for change in self.changes))

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that show it."""
        return tuple(dict.fromkeys(change.case for change in self.changes if change.case))

    @property
    def fails(self) -> bool:
        """Whether CI must not pass over any of it."""
        return any(change.fails for change in self.changes)

    @property
    def first(self) -> Change:
        """The change to show of it: the first that fails, if one does."""
        return next((change for change in self.changes if change.fails), self.changes[0])


def grouped(changes: Iterable[Change]) -> list[Group]:
    """Return `changes` by category and API: categories in their order, APIs as they come."""
    found: dict[tuple[Category, str], list[Change]] = {}
    for change in changes:
        found.setdefault((change.category, change.api), []).append(change)
    order = list(Category)
    return [
        Group(category, api, tuple(members))
        for (category, api), members in sorted(found.items(), key=lambda i: order.index(i[0][0]))
    ]


def role(target: str) -> str:
    """Return `target` without its version, by which the two sides' targets are joined."""
    head, *rest = target.split(":")
    return ":".join([head.partition("@")[0], *rest])


def api_of(target: str, pair: str, operation: str) -> str:
    """Return the API that `target` calls for the pair with that id."""
    torch, _, mindspore = pair.partition("=")
    match framework_of(target):
        case "torch":
            return torch
        case "mindspore":
            return mindspore
        case _:
            return torch if torch.startswith("numpy.") else f"reference of {operation}"
