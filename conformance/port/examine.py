"""Every aligned call: what came in, what went out, the port's layer alone on PyTorch's input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.errors import HarnessError
from conformance.phrase import Phrase
from conformance.port.budget import LAYER, OUTPUT, judge_one
from conformance.port.capture import MEMORY, Kept, Pair, Pass, captures
from conformance.port.measure import Measured, Unmeasured, measure
from conformance.port.model import Array, Captured, Precision
from conformance.port.result import LayerRow, Measure, Verdict
from conformance.port.side import Side

FUSED = 2
"""How many following layers of one side may belong to a single layer of the other."""
FATAL = ("Died", "Hung")
"""Kinds of failure after which a side answers nothing more."""
Arrays = tuple[Array, ...]
SEVERITY = (Verdict.NOT_COMPARED, Verdict.SAME, Verdict.UNRESOLVED, Verdict.DIFFERS)


@dataclass(frozen=True)
class Flow:
    """Digests of the tensors a call took and gave, on both sides: who feeds whom."""

    torch_in: frozenset[str] = frozenset()
    torch_out: frozenset[str] = frozenset()
    port_in: frozenset[str] = frozenset()
    port_out: frozenset[str] = frozenset()

    def feeds(self, other: Flow) -> bool:
        """Whether `other` is given, on either side, the very tensor that this returned."""
        return bool(self.torch_out & other.torch_in or self.port_out & other.port_in)


@dataclass(frozen=True)
class Seen:
    """One row, what of it cannot be told by measures, and its place in the flow of data.

    `came_in` and `went_out` are what the row's measures are, or why there are none.
    """

    row: LayerRow
    flow: Flow = Flow()
    came_in: Measured | None = None
    went_out: Measured | None = None


def examine(
    torch: Side, port: Side, pairs: Sequence[Pair], on: Pass, memory: int = MEMORY
) -> Iterator[Seen]:
    """Yield what is seen of every pair, in the order of execution."""
    for place, kept in enumerate(captures(torch, port, pairs, on, memory)):
        yield _Examiner(torch, port, on, kept, pairs[place + 1 : place + 1 + FUSED]).seen()


def skipped(pair: Pair) -> LayerRow | None:
    """Return the row of a pair that cannot be compared; None for one that can."""
    problem = pair.problem
    if not pair.mindspore:
        problem = problem or Phrase("only in PyTorch")
    elif not pair.torch:
        problem = problem or Phrase("only in the port")
    if not problem:
        return None
    return replace(_row(pair), problem=problem)


def _row(pair: Pair) -> LayerRow:
    one, other = (calls[0].key if calls else None for calls in (pair.torch, pair.mindspore))
    return LayerRow(one, other, pair.kind, None, None, None, Verdict.NOT_COMPARED)


class _Examiner:
    """Examines one pair; `after` are the pairs that follow."""

    def __init__(
        self, torch: Side, port: Side, on: Pass, kept: Kept, after: Sequence[Pair]
    ) -> None:
        self.torch, self.port, self.on, self.after = torch, port, on, after
        self.pair = kept.pair
        self.exact, self.single, self.ported = kept.exact, kept.torch, kept.port

    def seen(self) -> Seen:
        flow = _flow(self.single, self.ported)
        lone = skipped(self.pair)
        if lone is not None:
            return Seen(lone, flow)
        exact, single, ported = self.exact, self.single, self.ported
        row = _row(self.pair)
        if exact is None or single is None or ported is None:
            side = Phrase("the port") if ported is None else "PyTorch"
            words = Phrase("not called in {side} with these inputs", side=side)
            return Seen(replace(row, problem=words), flow)
        came_in = _tensors(exact.inputs, single.inputs, ported.inputs)
        went_out: Measured | None = _tensors(exact.outputs, single.outputs, ported.outputs)
        row = replace(row, came_in=_measure(came_in), went_out=_measure(went_out))
        alone, problem, fused = self._alone(single, ported)
        if fused:
            row = replace(row, went_out=None, problem=problem)
            went_out = None
        row = replace(row, replayed=_measure(alone))
        verdict, reason = _verdict(came_in, went_out, alone, problem if not fused else "")
        row = replace(row, verdict=verdict, problem=row.problem or reason)
        return Seen(row, flow, came_in, went_out)

    def _alone(self, single: Captured, ported: Captured) -> tuple[Measured | None, str, bool]:
        """Return the layer alone, why there is no such measure, and whether layers were joined."""
        inputs = _given(single.inputs, ported.inputs)
        if inputs is None:
            return None, Phrase("the two layers are not given the same tensors"), False
        try:
            truth = self._replay(self.torch, single.inputs, "float64")
            out = self._replay(self.port, inputs)
            alone = _tensors(truth, single.outputs, out)
            if judge_one(alone, LAYER).verdict is Verdict.DIFFERS:
                return self._joined(truth, single.outputs, out, alone)
        except HarnessError as error:
            if getattr(error, "kind", "") in FATAL:
                raise
            return None, Phrase("it cannot be called alone: {error}", error=str(error)), False
        return alone, "", False

    def _joined(
        self, truth: Arrays, single: Arrays, out: Arrays, alone: Measured
    ) -> tuple[Measured, str, bool]:
        """Try the layers that follow on one side only as parts of this one: a fused activation."""
        names: list[str] = []
        side = None
        for pair in self.after:
            calls = pair.torch or pair.mindspore
            here = self.torch if pair.torch else self.port
            if (pair.torch and pair.mindspore) or side not in (None, here):
                break
            side = here
            last = [call.key.layer for call in calls]
            names += last
            try:
                if side is self.torch:
                    truth = self._replay(side, truth, "float64", last)
                    single = self._replay(side, single, "float32", last)
                else:
                    out = self._replay(side, out, "float32", last)
            except HarnessError:
                break
            found = _tensors(truth, single, out)
            if judge_one(found, LAYER).verdict is not Verdict.DIFFERS:
                where = "PyTorch" if side is self.torch else Phrase("the port")
                words = Phrase(
                    "compared together with {names}, of its own in {side} only",
                    names=", ".join(names),
                    side=where,
                )
                return found, words, True
        return alone, "", False

    def _replay(
        self,
        side: Side,
        tensors: Arrays,
        precision: Precision = "float32",
        layers: Sequence[str] | None = None,
    ) -> Arrays:
        """Call the pair's layers of a side, or `layers`, one after the other."""
        if layers is None:
            calls = self.pair.torch if side is self.torch else self.pair.mindspore
            layers = [call.key.layer for call in calls]
        for layer in layers:
            tensors = side.replay(
                layer,
                tensors,
                training=self.on.training,
                precision=precision,
                graph=self.on.graph and side is self.port,
            )
        return tensors


def _verdict(
    came_in: Measured, went_out: Measured | None, alone: Measured | None, problem: str
) -> tuple[Verdict, str]:
    """Return what is to be said of the layer itself."""
    flows = judge_one(went_out, OUTPUT) if went_out is not None else None
    fed = judge_one(came_in, OUTPUT)
    if alone is None:
        if flows is None or fed.verdict is Verdict.DIFFERS:
            return Verdict.NOT_COMPARED, problem
        return flows.verdict, problem or flows.reason
    own = judge_one(alone, LAYER)
    if own.verdict is Verdict.SAME and flows is not None and _far_out(came_in, went_out):
        words = "alone on equal input it agrees, in the model it does not: it is called otherwise"
        return Verdict.DIFFERS, Phrase(words)
    return own.verdict, own.reason


def _far_out(came_in: Measured, went_out: Measured | None) -> bool:
    """Whether the output is off by more than amplified noise while the input agrees."""
    if judge_one(came_in, OUTPUT).verdict is not Verdict.SAME:
        return False
    if isinstance(went_out, Measure):
        return went_out.ratio >= OUTPUT.outlier
    return went_out is not None and went_out.verdict is Verdict.DIFFERS


def _tensors(exact: Arrays, single: Arrays, ported: Arrays) -> Measured:
    """Return the measure of the tensor that is off most, of those that both sides have."""
    found = [_one(y, torch, port) for y, torch, port in zip(exact, single, ported, strict=False)]
    if not found:
        return Unmeasured(Verdict.NOT_COMPARED, Phrase("no tensors"))
    return max(
        found, key=lambda item: (SEVERITY.index(judge_one(item, LAYER).verdict), _size(item))
    )


def _one(y: Array, torch: Array, port: Array) -> Measured:
    """Measure one tensor by what varies between inputs, or by all of it where nothing does."""
    port = _fitted(port, y.shape)
    found = measure(y, torch, port, varies="inputs")
    if isinstance(found, Unmeasured) or found.signal == 0:
        return measure(y, torch, port, varies="values")
    return found


def _size(item: Measured) -> float:
    return item.ratio if isinstance(item, Measure) else float("inf")


def _measure(item: Measured | None) -> Measure | None:
    return item if isinstance(item, Measure) else None


def _fitted(array: Array, shape: tuple[int, ...]) -> Array:
    """Return an array in `shape` where only axes of length one stand between."""
    mine = tuple(size for size in array.shape if size != 1)
    same = array.shape != shape and mine == tuple(size for size in shape if size != 1)
    return array.reshape(shape) if same else array


def _given(torch: Arrays, port: Arrays) -> Arrays | None:
    """Return PyTorch's inputs as the port's layer takes its own; None where that cannot be."""
    if not port or len(torch) < len(port):
        return None
    given = [_fitted(mine, own.shape) for mine, own in zip(torch, port, strict=False)]
    if any(mine.shape != own.shape for mine, own in zip(given, port, strict=True)):
        return None
    return tuple(
        mine.astype(own.dtype) if mine.dtype.kind in "biu" else mine
        for mine, own in zip(given, port, strict=True)
    )


def _flow(torch: Captured | None, port: Captured | None) -> Flow:
    return Flow(
        _digests(torch.inputs if torch else ()),
        _digests(torch.outputs if torch else ()),
        _digests(port.inputs if port else ()),
        _digests(port.outputs if port else ()),
    )


def _digests(arrays: Arrays) -> frozenset[str]:
    """Return digests of the values in their order: a view in another shape is the same tensor."""
    return frozenset(
        hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
        for array in arrays
        if array.size > 1
    )


def alone(torch: Side, port: Side, kept: Kept, change: Callable[[Array], Array]) -> Measured | None:
    """Measure a pair's layers alone, in evaluation, on `change` of what they were given.

    None where the port's cannot be given what PyTorch's were.
    """
    if kept.torch is None or kept.port is None:
        return None
    inputs = tuple(map(change, kept.torch.inputs))
    given = _given(inputs, tuple(map(change, kept.port.inputs)))
    if given is None:
        return None
    examiner = _Examiner(torch, port, Pass(()), kept, ())
    truth = examiner._replay(torch, inputs, "float64")
    return _tensors(truth, examiner._replay(torch, inputs), examiner._replay(port, given))
