"""Published numbers: upheld to their last printed digit, or refuted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from conformance.corpus.published import Printed
from conformance.judge import structure
from conformance.judge.item import Item
from conformance.judge.verdict import Finding
from conformance.judge.words import said
from conformance.run.outcome import Outcome, Raised, Returned, Unsupported
from conformance.taxonomy import Kind

_REAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)"
_NUMBER = re.compile(_REAL, re.IGNORECASE)
_COMPLEX = re.compile(rf"(?P<re>{_REAL})(?P<im>[+-](?:{_REAL}))j", re.IGNORECASE)
_SHOWN = 12


@dataclass(frozen=True)
class ClaimCheck:
    """One published claim against execution; `slip` is the document's own mistake, if it is one."""

    framework: str
    printed: str
    got: str
    holds: bool
    slip: str = ""

    def finding(self) -> Finding | None:
        """Return what is wrong: a claim that fails, or a slip that is none."""
        if self.slip and self.holds:
            detail = said(
                "the slip is not shown: the document says {printed}, and so it is",
                printed=self.printed,
            )
        elif not self.slip and not self.holds:
            detail = said(
                "is {got}, but the document says {printed}", got=self.got, printed=self.printed
            )
        else:
            return None
        return Finding(Kind.CLAIM, structure.CLAIM, detail, contradicts=True)


def check(item: Item, outcome: Outcome) -> list[ClaimCheck]:
    """Check the printed values that the case quotes for this item's framework.

    An outcome that says nothing of the value (a crash, a missing kernel) leaves a claim unchecked.
    """
    expect = item.case.case.expect
    if expect is None or item.framework == "numpy":
        return []
    own = expect.torch if item.framework == "torch" else expect.mindspore
    if isinstance(outcome, Unsupported) or not isinstance(outcome, Returned | Raised):
        return []
    return [
        _check(item, printed, outcome, expect.output)
        for printed in (own, expect.both)
        if printed is not None
    ]


def slip_of(item: Item) -> str:
    """Return why the case's claim does not hold for this framework, or nothing."""
    return next((note.en for f, note in item.case.case.slip.items() if f == item.framework), "")


def _check(item: Item, printed: Printed, outcome: Returned | Raised, number: int) -> ClaimCheck:
    if isinstance(outcome, Raised):
        got, holds = f"{outcome.exception}: {outcome.message[:200]}", False
    else:
        leaves = structure.flatten(outcome.output)
        value = leaves[number] if number < len(leaves) else None
        got, holds = _shown(value), reproduces(printed, value)
    return ClaimCheck(item.framework, _text(printed), got, holds, slip_of(item))


def reproduces(printed: Printed, value: Any) -> bool:
    """Tell whether `value` is what was `printed`.

    Each number must be within ±1 unit in the last printed digit plus one spacing of the value's
    dtype: 0.71429545 and 0.7142954 are neighbours in float32, and which of them comes out says
    nothing of the claim.

    A single text may stand for any array of one element; a list must have the array's shape.  An
    integer text without exponent claims no digits to round, so ±0.5 is allowed.
    """
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufc":
        return isinstance(printed, str) and str(value) == printed.strip()
    if isinstance(printed, str):
        return array.size == 1 and _number(printed, array.reshape(())[()])
    texts = list(_texts(printed))
    if _shape(printed) != array.shape or len(texts) != array.size:
        return False
    return all(_number(text, number) for text, number in zip(texts, array.ravel(), strict=True))


def _number(text: str, got: Any) -> bool:
    text = text.strip().replace(" ", "")
    if text in ("True", "False"):
        return bool(got.dtype.kind == "b" and bool(got) is (text == "True"))
    if got.dtype.kind == "b":
        return False
    if match := _COMPLEX.fullmatch(text):
        return _real(match["re"], got.real) and _real(match["im"], got.imag)
    if not _NUMBER.fullmatch(text) or (got.dtype.kind == "c" and got.imag != 0):
        return False
    return _real(text, got.real)


def _real(text: str, got: Any) -> bool:
    should = Decimal(text.lower())
    if should.is_nan() or should.is_infinite() or not np.isfinite(got):
        return bool(np.isnan(got)) if should.is_nan() else bool(got == float(should))
    if np.asarray(got).dtype.kind in "iu":
        return int(got) == should
    unit = Decimal(1).scaleb(int(should.as_tuple().exponent))
    whole = unit == 1 and "e" not in text.lower()
    allowed = Decimal("0.5") if whole else unit + Decimal(float(np.abs(np.spacing(got))))
    return abs(Decimal(float(got)) - should) <= allowed


def _texts(printed: Printed) -> Iterator[str]:
    if isinstance(printed, list):
        for item in printed:
            yield from _texts(item)
    else:
        yield str(printed)


def _shape(printed: Printed) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    inner: Any = printed
    while isinstance(inner, list):
        shape += (len(inner),)
        inner = inner[0] if inner else None
    return shape


def _text(printed: Printed) -> str:
    return (
        printed if isinstance(printed, str) else f"[{', '.join(map(_text, map(_item, printed)))}]"
    )


def _item(value: Any) -> Printed:
    return value if isinstance(value, list) else str(value)


def _shown(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.size == 1 and array.dtype.kind in "fc":
        return str(array.reshape(())[()])
    return np.array2string(array, precision=8, threshold=_SHOWN, separator=", ")
