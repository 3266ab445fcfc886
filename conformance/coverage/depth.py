"""How deep the cases of a pair go: which boxes are ticked, which cannot be, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.model import Text, matches
from conformance.corpus.schema import Operation, Pair, Parameter
from conformance.coverage import published

BOXES = (
    "published-value", "value", "gradient", "parameters", "dtypes", "special-values",
    "exceptions", "modes",
)  # fmt: skip
"""Columns of the depth table; ``parameters`` stands for one box ``parameter NAME`` for each."""

DRAWN = Text(en="A draw has no gradient of its own.", zh="随机抽样结果本身没有梯度。")
STEPPED = Text(en="Steps are not differentiated through.", zh="不对逐步更新过程求导。")
PRINTED = Text(en="No page prints an example of it.", zh="没有页面给出其示例输出。")
NO_KERNEL = Text(en="One of the modes has no kernel here.", zh="其中一种模式在此设备上没有算子。")
RATES = Text(en="Takes numbers, not tensors.", zh="只接受数值参数，不接受张量。")
_UNDIFFERENTIATED = {"random": DRAWN, "optimizer": STEPPED, "schedule": STEPPED}


@dataclass(frozen=True)
class Box:
    """One box of a pair: ticked, missing, or, with a reason, not applicable."""

    name: str
    ticked: bool
    reason: Text | None = None

    @property
    def applies(self) -> bool:
        """Whether it counts; a ticked box counts whatever is said of it."""
        return self.ticked or self.reason is None


def boxes(
    operation: Operation,
    pair: Pair,
    cases: Sequence[ExpandedCase],
    both_modes: bool,
    no_kernel: bool = False,
) -> list[Box]:
    """Return the boxes of `pair`, through which `cases` run.

    `both_modes` says that MindSpore returned from some in PyNative and from some in graph mode;
    `no_kernel` that in one of them it has no kernel for any.
    """
    box = partial(_box, operation, pair)
    form = pair.form("torch")
    values = [c for c in cases if not c.raises]
    return [
        box(
            "published-value",
            any(_prints(c) for c in cases),
            None if published.has_example(pair) else PRINTED,
        ),
        box("value", bool(values)),
        box("gradient", any(c.gradients for c in values), _UNDIFFERENTIATED.get(form)),
        *(
            box(f"parameter {name}", _varied(parameter, [_given(c, name) for c in values]))
            for name, parameter in _shared(operation, pair)
        ),
        box("dtypes", len(set(map(_dtypes, values))) > 1, RATES if form == "schedule" else None),
        box("special-values", any(map(special, values)), RATES if form == "schedule" else None),
        box("exceptions", any(c.raises for c in cases)),
        box("modes", both_modes, NO_KERNEL if no_kernel else None),
    ]


def _box(
    operation: Operation, pair: Pair, name: str, ticked: bool, reason: Text | None = None
) -> Box:
    said = operation.not_applicable.get(name)
    if said is not None and any(matches(pattern, pair.id) for pattern in said.pairs):
        reason = said
    return Box(name, ticked, reason)


def _prints(case: ExpandedCase) -> bool:
    expect = case.case.expect
    return expect is not None and any(
        printed is not None for printed in (expect.torch, expect.mindspore, expect.both)
    )


def _shared(operation: Operation, pair: Pair) -> Iterator[tuple[str, Parameter]]:
    """Yield the parameters both sides have and that can be left out or set otherwise."""
    own = {*pair.torch_only, *pair.mindspore_only}
    for name, parameter in operation.parameters.items():
        required = "default" not in parameter.model_fields_set
        if name not in own and not (required and parameter.role != "option"):
            yield name, parameter


_ABSENT = "absent"


def _given(case: ExpandedCase, name: str) -> str:
    if name in case.options:
        return repr(case.options[name])
    members = case.members(name)
    return "an array" if any(member in case.arrays for member in members) else _ABSENT


def _varied(parameter: Parameter, given: list[str]) -> bool:
    """Tell whether a value other than the default is given; of no default, whether several are."""
    values = set(given)
    if "default" not in parameter.model_fields_set:
        return len(values) > 1
    return bool(values - {_ABSENT, repr(parameter.default)})


def _dtypes(case: ExpandedCase) -> tuple[str, ...]:
    parameters = case.operation.parameters
    chosen = [str(v) for n, v in case.options.items() if parameters[n].type == "dtype"]
    return (*(array.dtype.name for array in case.arrays.values()), *chosen)


def special(case: ExpandedCase) -> bool:
    """Tell whether an input holds NaN, infinity or negative zero."""
    for array in case.arrays.values():
        if array.dtype.kind not in "fc" and array.dtype.name != "bfloat16":
            continue
        parts = [array.real, array.imag] if array.dtype.kind == "c" else [array]
        for part in parts:
            plain = part.astype(np.float64)
            if not np.isfinite(plain).all() or bool(np.any((plain == 0) & np.signbit(plain))):
                return True
    return False
