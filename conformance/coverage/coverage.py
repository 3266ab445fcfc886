"""The published pairs one by one: executed, upheld or refuted, not comparable here, not covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from conformance.corpus.expand import expand
from conformance.corpus.loader import Corpus
from conformance.corpus.schema import Operation, Pair
from conformance.coverage import claims, depth, published
from conformance.coverage.claims import ClaimVerdict
from conformance.coverage.depth import Box
from conformance.coverage.published import PublishedPair
from conformance.judge import signature
from conformance.judge.judge import Judged
from conformance.judge.run import Verdicts
from conformance.run.outcome import Raised, Returned, Unavailable, Unsupported
from conformance.run.target import place
from conformance.taxonomy import Kind

COUNTS = (
    "published", "existing", "executed", "upheld", "refuted", "not_comparable", "not_covered",
)  # fmt: skip
"""What is counted.  Of the published pairs, those exist whose names both resolve; of these, each
was executed on both frameworks, or is not comparable here, or not covered; of those executed, the
latest claim is upheld or refuted."""

NOT_RUN = "no framework answered"


@dataclass(frozen=True)
class Row:
    """What became of one published pair; `why` is the reason when it is not comparable."""

    published: PublishedPair
    exists: bool
    covered: bool
    executed: bool = False
    why: str = ""
    verdict: ClaimVerdict | None = None

    @property
    def state(self) -> str:
        """The count it belongs to: the last of `COUNTS` that fits, or ``gone``."""
        if not self.exists:
            return "gone"
        if not self.covered:
            return "not_covered"
        if not self.executed or self.verdict is None:
            return "not_comparable"
        return "upheld" if self.verdict.upheld else "refuted"


@dataclass(frozen=True)
class PairDepth:
    """The boxes of one pair that the tables publish."""

    operation: str
    pair: str
    boxes: list[Box]

    @property
    def applicable(self) -> int:
        """How many boxes count."""
        return sum(box.applies for box in self.boxes)

    @property
    def ticked(self) -> int:
        """How many of them are ticked."""
        return sum(box.ticked for box in self.boxes)


@dataclass(frozen=True)
class Coverage:
    """All published pairs, and how deep the pairs of the corpus go."""

    rows: list[Row]
    depths: list[PairDepth] = field(default_factory=list)

    @cached_property
    def areas(self) -> dict[str, list[Row]]:
        """Rows by section of the tables."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.published.area, []).append(row)
        return found

    @property
    def share(self) -> float:
        """The share of applicable boxes that are ticked; 1 when there is none."""
        applicable = sum(d.applicable for d in self.depths)
        return sum(d.ticked for d in self.depths) / applicable if applicable else 1.0


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """Return the `COUNTS` of `rows`."""
    states = Counter(row.state for row in rows)
    executed = states["upheld"] + states["refuted"]
    found = {name: states[name] for name in COUNTS}
    found["executed"] = executed
    found["existing"] = executed + states["not_comparable"] + states["not_covered"]
    found["published"] = states.total()
    return found


def reasons(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many of `rows` are not comparable, by reason."""
    why = Counter(row.why for row in rows if row.state == "not_comparable")
    return dict(why.most_common())


def measure(corpus: Corpus, verdicts: Verdicts, existing: Collection[str]) -> Coverage:
    """Return what the run behind `verdicts` says of every published pair.

    `existing` are the API names that the installed releases have.
    """
    operations = [document.operation for document in corpus.documents.values()]
    by_pair: dict[tuple[str, str], list[Judged]] = {}
    for one in verdicts.judgement.judged:
        key = (one.item.case.operation.operation, one.item.pair.id)
        by_pair.setdefault(key, []).append(one)
    rows = []
    for pair in published.pairs():
        exists = pair.torch in existing and pair.mindspore in existing
        covering = published.covering(pair, operations)
        rows.append(_row(pair, exists, covering, by_pair, verdicts.messages))
    depths = list(_depths(corpus, by_pair))
    return Coverage(rows, depths)


def _row(
    pair: PublishedPair,
    exists: bool,
    covering: Sequence[tuple[Operation, Pair]],
    by_pair: Mapping[tuple[str, str], Sequence[Judged]],
    messages: Mapping[str, Mapping[str, object]],
) -> Row:
    if not exists or not covering:
        return Row(pair, exists, bool(covering))
    judged = [one for op, own in covering for one in by_pair.get((op.operation, own.id), ())]
    if not claims.answered(judged):
        return Row(pair, exists, covered=True, why=_why(judged))
    table = [
        row
        for operation, own in covering
        for row in signature.compare_described(operation, own, messages)
    ]
    found = claims.verdict(pair.claim[1], table, judged)
    return Row(pair, exists, covered=True, executed=True, verdict=found)


def _why(judged: Sequence[Judged]) -> str:
    """Return what stood most often in the way of a result of the framework that gave none."""
    silent = claims.silent(judged)
    outcomes = [one.outcome for one in judged if one.item.framework in silent]
    met: Counter[str] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Unsupported):
            met["no kernel" if outcome.reason == "device" else "no kernel for the dtypes"] += 1
        elif isinstance(outcome, Unavailable):
            met[NOT_RUN] += 1
        elif isinstance(outcome, Raised):
            met[Kind.EXCEPTION.value] += 1
        else:
            met[outcome.kind] += 1
    # What a missing kernel does to most cases, an argument check does to those it refuses first.
    order = sorted(met, key=lambda name: (not name.startswith("no kernel"), -met[name]))
    return order[0] if order else NOT_RUN


def _depths(
    corpus: Corpus, by_pair: Mapping[tuple[str, str], Sequence[Judged]]
) -> Iterator[PairDepth]:
    for document in corpus.documents.values():
        operation = document.operation
        cases = list(expand(operation, document.folder))
        for pair in operation.pairs:
            if not pair.published:
                continue
            through = [case for case in cases if pair in case.pairs()]
            ran: dict[str, set[type]] = {"pynative": set(), "graph": set()}
            for one in by_pair.get((operation.operation, pair.id), ()):
                if one.item.framework == "mindspore" and not one.item.case.raises:
                    ran[place(one.item.target)[1]].add(type(one.outcome))
            both = all(Returned in kinds for kinds in ran.values())
            lacking = any(kinds == {Unsupported} for kinds in ran.values())
            found = depth.boxes(operation, pair, through, both, lacking)
            yield PairDepth(operation.operation, pair.id, found)
