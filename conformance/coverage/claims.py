"""A table's claim on a pair against what signatures and execution show.

The criteria are the tables' own ("API mapping consistency criteria and exceptions"): function,
number and order, types, defaults and names of parameters agree; a narrower range of dtypes, the
general parameters that PyTorch alone has, further parameters of MindSpore's, and a default that
only stands for an overload are no difference.  They say nothing of the types of exceptions; but a
call that raises where PyTorch returns does not do the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.judge.judge import Judged
from conformance.judge.signature import ParameterRow
from conformance.run.outcome import Returned
from conformance.taxonomy import FRAMEWORKS, Kind

GENERAL = frozenset(
    {
        "out", "layout", "device", "requires_grad", "generator", "pin_memory", "memory_format",
        "stable", "inplace", "sparse_grad", "size_average", "reduce",
    }
)  # fmt: skip
"""Parameters the tables exempt: MindSpore does without them ("General Difference Parameters")."""

FUNCTION = frozenset(
    {
        Kind.RETURN_STRUCTURE, Kind.RETURN_DTYPE, Kind.RETURN_SHAPE, Kind.VALUE,
        Kind.SPECIAL_VALUES, Kind.GRADIENT, Kind.MUTATION, Kind.RANDOMNESS, Kind.DISTRIBUTION,
        Kind.CRASH, Kind.HANG,
    }
)  # fmt: skip
"""Kinds by which an API does not do what the other does."""

TYPES = frozenset({Kind.DTYPE_SUPPORT, Kind.EXCEPTION})
"""Kinds by which parameter types that differ show themselves."""

STATED: dict[str, frozenset[Kind]] = {
    "consistent": frozenset(),
    "parameter-names": frozenset({Kind.NAME}),
    "parameter-number-or-order": frozenset(
        {Kind.ORDER, Kind.MISSING_IN_MINDSPORE, Kind.MISSING_IN_TORCH}
    ),
    "parameter-types": TYPES,
    "parameter-defaults": frozenset({Kind.DEFAULT}),
    "parameter-missing": frozenset({Kind.MISSING_IN_MINDSPORE, Kind.MISSING_IN_TORCH}),
}
"""What each claim says differs, all else being equal; any other claim says that something does."""


@dataclass(frozen=True)
class ClaimVerdict:
    """Whether a claim holds; `against` counts by kind what contradicts it.

    Signature kinds are counted by parameter, the others by case.  Empty `against` and a claim that
    does not hold mean that the difference it states is not there.
    """

    upheld: bool
    against: dict[Kind, int]


def silent(judged: Sequence[Judged]) -> list[str]:
    """Return the frameworks that returned nothing in any of `judged`."""
    returned = {one.item.framework for one in judged if isinstance(one.outcome, Returned)}
    return [framework for framework in FRAMEWORKS if framework not in returned]


def answered(judged: Sequence[Judged]) -> bool:
    """Tell whether both frameworks returned a result at least once, so that a claim is decided."""
    return not silent(judged)


def verdict(claim: str, rows: Iterable[ParameterRow], judged: Sequence[Judged]) -> ClaimVerdict:
    """Judge `claim` by the parameter rows and the judged items of the pair it speaks of."""
    found = _signature(rows) + _behaviour(judged)
    stated = STATED.get(claim)
    if stated is None:
        return ClaimVerdict(bool(found), {})
    exempt = {*stated, Kind.DTYPE_SUPPORT}
    against = {kind: n for kind, n in found.items() if kind not in exempt}
    shown = not stated or bool(stated & found.keys())
    return ClaimVerdict(shown and not against, against)


def _signature(rows: Iterable[ParameterRow]) -> Counter[Kind]:
    counts: Counter[Kind] = Counter()
    for row in rows:
        if row.name in GENERAL or row.name.startswith("_"):
            continue
        for kind in row.kinds:
            if not _exempt(row, kind):
                counts[kind] += 1
    return counts


def _exempt(row: ParameterRow, kind: Kind) -> bool:
    torch, mindspore = row.torch, row.mindspore
    if kind is Kind.MISSING_IN_TORCH:
        return mindspore is None or mindspore.default is not None
    if kind is Kind.DEFAULT:
        return bool(torch and mindspore and torch.default is None and mindspore.default == "None")
    return kind is Kind.DEPRECATED


def _behaviour(judged: Sequence[Judged]) -> Counter[Kind]:
    """Count cases by kind that MindSpore shows and PyTorch, on the same case, does not."""
    torch: dict[str, set[Kind]] = {}
    for one in judged:
        if one.item.framework == "torch":
            torch.setdefault(one.item.case.id, set()).update(one.verdict.kinds)
    cases: dict[Kind, set[str]] = {}
    for one in judged:
        if one.item.framework == "mindspore":
            own = set(one.verdict.kinds) & (FUNCTION | TYPES)
            if one.item.case.raises:
                own.discard(Kind.EXCEPTION)
            for kind in own - torch.get(one.item.case.id, set()):
                cases.setdefault(kind, set()).add(one.item.case.id)
    return Counter({kind: len(ids) for kind, ids in cases.items()})
