"""What the upgrade page shows, as frozen values: two sides, and what changed between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.gate.change import Category
from conformance.judge.verdict import Status

Marked = tuple[tuple[str, bool], ...]
"""A text in pieces, each with whether the other side lacks it."""


@dataclass(frozen=True)
class SeenView:
    """What one side showed of a change.

    Of a case: `status` and what led to it, errors in roundoffs; `outcome` names what happened
    instead of returning, `words` is what the gate says where that is more than the verdict.  `kept`
    is False for a baseline in text, which holds neither `finding` nor `message`.  Of an API as a
    whole: `text`, such as a signature.  A side that has no such case is not `there`.
    """

    there: bool = True
    status: Status | None = None
    kinds: tuple[str, ...] = ()
    outcome: str = ""
    ratio: float | None = None
    gradient_ratio: float | None = None
    finding: str = ""
    message: str = ""
    words: str = ""
    varies: bool = False
    kept: bool = True
    text: Marked = ()


@dataclass(frozen=True)
class ChangeView:
    """One change; `case` and `pair` are empty for what concerns an API as a whole.

    `evidence` is what the gate says besides what either side shows; an edited case that differs now
    is no `regression`, but `unexpected`.
    """

    target: str
    before: SeenView
    after: SeenView
    operation: str = ""
    pair: str = ""
    case: str = ""
    evidence: str = ""
    regression: bool = False
    unexpected: bool = False


@dataclass(frozen=True)
class GroupView:
    """The changes of one category of one API, regressions first."""

    category: Category
    api: str
    anchor: str
    changes: tuple[ChangeView, ...]

    @property
    def regressions(self) -> int:
        """How many of the changes are regressions."""
        return sum(change.regression for change in self.changes)

    @property
    def unexpected(self) -> int:
        """How many of the changes are edited cases that differ now."""
        return sum(change.unexpected for change in self.changes)

    @property
    def fails(self) -> bool:
        """Whether the gate fails for any of the changes."""
        return bool(self.regressions or self.unexpected)


@dataclass(frozen=True)
class SectionView:
    """All changes of one category, APIs with regressions first."""

    category: Category
    anchor: str
    groups: tuple[GroupView, ...]

    @property
    def count(self) -> int:
        """How many changes there are."""
        return sum(len(group.changes) for group in self.groups)

    @property
    def regressions(self) -> int:
        """How many of them are regressions."""
        return sum(group.regressions for group in self.groups)

    @property
    def unexpected(self) -> int:
        """How many of them are edited cases that differ now."""
        return sum(group.unexpected for group in self.groups)

    @property
    def fails(self) -> bool:
        """Whether the gate fails for any of them."""
        return any(group.fails for group in self.groups)


@dataclass(frozen=True)
class VersionView:
    """A target, framework or package on both sides.

    None where a side does not say, empty where it has none; `compared` counts a target's items.
    """

    name: str
    before: str | None
    after: str | None
    compared: int = 0


@dataclass(frozen=True)
class UpgradeView:
    """What was compared with what, and all that changed.

    `moved` are the frameworks whose version changed, by their short names; `sections` those that
    hold changes, the ones with regressions first.
    """

    baseline: str
    candidate: str
    moved: tuple[VersionView, ...]
    targets: tuple[VersionView, ...]
    packages: tuple[VersionView, ...]
    facts: tuple[str, ...]
    sections: tuple[SectionView, ...]

    @property
    def compared(self) -> int:
        """How many items ran on both sides and asked the same."""
        return sum(target.compared for target in self.targets)

    @property
    def regressions(self) -> int:
        """How many changes are regressions."""
        return sum(section.regressions for section in self.sections)

    @property
    def unexpected(self) -> int:
        """How many edited cases differ now: the gate fails for them as well."""
        return sum(section.unexpected for section in self.sections)

    @property
    def by_category(self) -> Mapping[Category, SectionView]:
        """The sections by what they are of."""
        return {section.category: section for section in self.sections}

    def by_pair(self) -> dict[tuple[str, str], list[tuple[GroupView, int]]]:
        """Return which groups show on a pair, and how often, by its operation and id."""
        found: dict[tuple[str, str], list[tuple[GroupView, int]]] = {}
        for section in self.sections:
            for group in section.groups:
                seen = Counter((c.operation, c.pair) for c in group.changes if c.case)
                for pair, count in seen.items():
                    found.setdefault(pair, []).append((group, count))
        return found

    def by_api(self) -> dict[str, list[GroupView]]:
        """Return the groups that concern an API as a whole, by the API."""
        found: dict[str, list[GroupView]] = {}
        for section in self.sections:
            for group in section.groups:
                if not all(change.case for change in group.changes):
                    found.setdefault(group.api, []).append(group)
        return found
