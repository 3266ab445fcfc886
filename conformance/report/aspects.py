"""What the cases of a pair say, by what they ask of it: a dtype, a gradient, an exception, …"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from conformance.coverage.depth import special
from conformance.judge.verdict import Status
from conformance.report.text import N_
from conformance.report.views import worst
from conformance.report.views_aspects import AspectCell, AspectView
from conformance.taxonomy import INEXACT, Kind

if TYPE_CHECKING:
    from conformance.judge.judge import Judged

_Asks = Callable[["Judged"], bool]


def aspects(judged: list[Judged], targets: Sequence[str]) -> tuple[AspectView, ...]:
    """Return a row for each thing that a case of the pair asks, a cell for each of `targets`.

    An item may count in several rows: the values of float16 with NaN among them, say.  The row of
    a dtype has the items whose first array is of it; that of gradients, those with a gradient.
    """
    rows = [*_dtypes(judged), *_others()]
    found = []
    for name, code, asks, of_gradient in rows:
        asked = [j for j in judged if asks(j)]
        cells = tuple(
            _cell([j for j in asked if j.item.target == target], of_gradient) for target in targets
        )
        if any(cell.count for cell in cells):
            found.append(AspectView(name, code, cells))
    return tuple(found)


def _dtypes(judged: list[Judged]) -> Iterator[tuple[str, str, _Asks, bool]]:
    names = {dtype_of(j) for j in judged}
    order = [*INEXACT, *sorted(names.difference(INEXACT))]
    for dtype in order:
        if dtype and dtype in names:
            yield N_("Values"), dtype, partial(_of_dtype, dtype), False


def _of_dtype(dtype: str, judged: Judged) -> bool:
    return not judged.item.case.raises and dtype_of(judged) == dtype


def _others() -> list[tuple[str, str, _Asks, bool]]:
    return [
        (N_("Gradients"), "", _differentiated, True),
        (N_("NaN, Inf and -0.0"), "", lambda j: special(j.item.case), False),
        (N_("Empty and scalar inputs"), "", _of_odd_size, False),
        (N_("Exceptions"), "", lambda j: bool(j.item.case.raises), False),
    ]


def _differentiated(judged: Judged) -> bool:
    """Tell whether the target was asked for a gradient; our reference never is."""
    return judged.item.framework != "numpy" and bool(judged.item.case.gradients)


def dtype_of(judged: Judged) -> str:
    """Return the dtype of the case's first array, else the one it asks for, else nothing."""
    case = judged.item.case
    return next((array.dtype.name for array in case.arrays.values()), case.dtype or "")


def _of_odd_size(judged: Judged) -> bool:
    case = judged.item.case
    return not case.raises and any(a.size == 0 or a.ndim == 0 for a in case.arrays.values())


def _cell(judged: list[Judged], of_gradient: bool) -> AspectCell:
    statuses = [_of_gradient(j) if of_gradient else j.verdict.status for j in judged]
    ratios = (j.verdict.gradient_ratio if of_gradient else j.verdict.ratio for j in judged)
    return AspectCell(
        status=worst(statuses),
        count=len(judged),
        conforming=sum(status is Status.CONFORMS for status in statuses),
        ratio=max((r for r in ratios if r is not None), default=None),
    )


def _of_gradient(judged: Judged) -> Status:
    """The status of the gradient alone: another finding is not its fault."""
    verdict = judged.verdict
    if verdict.status is Status.NOT_COMPARABLE or Kind.GRADIENT in verdict.kinds:
        return verdict.status
    return Status.NOT_COMPARABLE if verdict.gradient_ratio is None else Status.CONFORMS
