"""Passes through a MindSpore model: forward and backward, PyNative and compiled."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterator
from typing import Any

import mindspore as ms
import numpy as np

from conformance.worker import port_mindspore_still as stillness
from conformance.worker import port_settings_mindspore as known
from conformance.worker import wire
from conformance.worker.port import Session
from conformance.worker.port_calls import Array, Call, Key, Recorder, is_slot, rebuild
from conformance.worker.port_calls import slots as count_slots
from conformance.worker.port_errors import SessionError
from conformance.worker.port_form import leaves
from conformance.worker.port_mindspore_cells import (
    Slot,
    Tensors,
    Whole,
    WithCotangent,
    WithLoss,
    array,
    assign,
    hooked,
    is_tensor,
    named_cells,
    slots,
    tensor,
)
from conformance.worker.port_mindspore_errors import readable

Head = tuple[tuple[Any, ...], Any]
"""Where a model's first output lies, as indices and keys, and its cotangent."""


class Passes(Session):
    """How `MindSporeSession` runs its model."""

    def __init__(self, device: str, mode: str) -> None:
        super().__init__(device, mode)
        self._model: Any = None
        self.stilled = False
        self.templates: dict[str, list[Any]] = {}
        self.compiled: dict[tuple[Any, ...], Any] = {}
        """Graphs by what they compute; they go when settings change, not when values do."""

    @property
    def model(self) -> Any:
        """The model; SessionError when there is none."""
        if self._model is None:
            raise SessionError("Build", "no model has been built")
        return self._model

    def slots(self) -> dict[str, Slot]:
        """Return all tensors by name."""
        return slots(self.model)

    def cell(self, layer: str) -> Any:
        """Return a layer."""
        cells = named_cells(self.model)
        if layer not in cells:
            raise SessionError("Protocol", f"the model has no layer {layer!r}")
        return cells[layer]

    @contextlib.contextmanager
    def prepared(self, training: bool, keep: bool = False) -> Iterator[None]:
        """Be in training or not; afterwards values are what they were, unless to `keep` them."""
        state = [] if keep else [slot for slot in self.slots().values() if not slot.trainable]
        before = [array(slot.tensor) for slot in state]
        mark()
        self.model.set_train(training)
        functions = stillness.functions_still(named_cells(self.model))
        try:
            with functions if self.stilled and training else contextlib.nullcontext(), readable():
                yield
        finally:
            self.model.set_train(False)
            for slot, values in zip(state, before, strict=True):
                if array(slot.tensor).tobytes() != values.tobytes():
                    self.assign(slot, values)

    def assign(self, slot: Slot, values: Any) -> None:
        """Write a tensor's values."""
        assign(slot, values)
        if not slot.saved:
            self.compiled.clear()  # a graph holds buffers as constants

    # Forward ------------------------------------------------------------------------------------

    def recorder(self, capture: Collection[Key] = ()) -> Recorder:
        """Return a recorder whose running layers are the session's."""
        cells = named_cells(self.model).items()
        atomic = {name for name, cell in cells if leaf(cell) or known.kind(cell)}
        self.running = []
        return Recorder(Tensors(), atomic, capture, running=self.running)

    def record(self, recorder: Recorder, given: list[Any]) -> Any:
        """Run the model in PyNative mode, telling `recorder` of it."""
        with hooked(named_cells(self.model), recorder):
            output = self.model(*given)
        for layer, templates in recorder.templates.items():
            kept = self.templates.setdefault(layer, [])
            counts = set(map(count_slots, kept))
            kept.extend(t for t in templates if count_slots(t) not in counts)
        return output

    def still_random(self, given: list[Any], calls: list[Call]) -> None:
        """Raise SessionError when passes in training differ, naming the layer that makes them."""
        outputs = []
        for _ in range(2):
            with self.prepared(training=True):
                output = self.record(self.recorder(), given)
                outputs.append([array(t) for t in leaves(output, is_tensor)])
        if not _differ(*outputs):
            return
        keys = {call.key for call in calls}
        passes = [self.recorder(keys) for _ in range(2)]
        for recorder in passes:
            with self.prepared(training=True):
                self.record(recorder, given)
        words, layer = "something draws random numbers in training, beside dropout", ""
        for key in (call.key for call in calls):
            (came, went), (came_again, went_again) = (r.captured[key] for r in passes)
            if _differ(came, came_again):
                raise SessionError("Random", f"{words}, before layer {key[0]!r}", layer)
            if _differ(went, went_again):
                words, layer = "draws random numbers in training, beside dropout", key[0]
                break
        raise SessionError("Random", words, layer)

    def graph(self, cell: Any, *key: Any) -> Any:
        """Return `cell` compiled, for training or not as it is now; `key` names it here."""
        key = (*key, cell.training)
        if key not in self.compiled:
            whole = Whole(cell)
            whole.construct = ms.jit(whole.construct)  # type: ignore[method-assign]
            self.compiled[key] = whole
        return self.compiled[key]

    def call(self, layer: str, given: list[Any], graph: bool) -> Any:
        """Call a layer as it was seen called with as many tensors, else with `given` in order."""
        mark(layer)
        cell = self.cell(layer)
        fitting = [t for t in self.templates.get(layer, ()) if count_slots(t) == len(given)]
        args, kwargs = rebuild(fitting[0], is_slot, iter(given)) if fitting else (given, {})
        return (self.graph(cell, layer) if graph else cell)(*args, **kwargs)

    # Backward -----------------------------------------------------------------------------------

    def head(self, given: list[Any], training: bool) -> Head | None:
        """Return the first floating output's place and cotangent; None when there is a loss."""
        if self.loss is not None:
            return None
        with self.prepared(training):
            found = first(self.record(self.recorder(), given))
        if found is None:
            raise SessionError("Loss", "the model returns nothing to differentiate")
        path, output = found
        cotangent = wire.cotangent(tuple(output.shape), 0).astype(np.float32)
        return path, tensor(cotangent).astype(output.dtype)

    def gradients(
        self,
        given: list[Any],
        targets: list[Any],
        head: Head | None,
        parameters: list[Any],
        graph: bool,
    ) -> tuple[float, tuple[Any, ...]]:
        """Return the loss and its gradients by `parameters`, for training or not as it is now."""
        path = head[0] if head else None
        key = ("gradient", path, len(given), graph, self.model.training, *map(id, parameters))
        if key not in self.compiled:
            cell = WithLoss(self.model, self.loss, len(given))
            if path is not None:
                cell = WithCotangent(self.model, path)
            both = ms.value_and_grad(cell, None, parameters or ms.ParameterTuple([]))
            self.compiled[key] = ms.jit(both) if graph else both
        watched = hooked(named_cells(self.model), self.recorder())
        with contextlib.nullcontext() if graph else watched:
            loss, found = self.compiled[key](*given, *([head[1]] if head else targets))
        if not is_tensor(loss) or loss.size != 1:
            kind = f"shape {tuple(loss.shape)}" if is_tensor(loss) else type(loss).__name__
            raise SessionError("Loss", f"the loss must return one number, not {kind}")
        return float(array(loss).reshape(())), found if isinstance(found, tuple) else (found,)

    # Whose fault it was -------------------------------------------------------------------------

    @contextlib.contextmanager
    def telling(self, given: list[Any], graph: bool, backward: bool = False) -> Iterator[None]:
        """Find the layer that raised: run the model again with hooks, then its layers alone.

        Hooks tell of calls in PyNative mode only.  What does not raise there was the compiler's
        doing or the gradient's, which is asked of each layer alone with the inputs it had.
        """
        try:
            yield
        except SessionError:
            raise
        except Exception:
            self.running = self._guilty(given, graph, backward)
            raise

    def _guilty(self, given: list[Any], graph: bool, backward: bool) -> list[str]:
        recorder = self.recorder()
        try:
            self.record(recorder, given)
        except Exception:
            return list(recorder.running)
        if not (graph or backward):
            return []
        recorder = self.recorder({call.key for call in recorder.calls if call.key[1] == 0})
        self.record(recorder, given)
        for (layer, _), (inputs, _) in reversed(recorder.captured.items()):
            try:
                self._alone(layer, [tensor(a) for a in inputs], graph, backward)
            except Exception:
                return [layer]
        return []

    def _alone(self, layer: str, given: list[Any], graph: bool, backward: bool) -> None:
        if not backward:
            self.call(layer, given, graph)
            return
        parameters = [p for p in self.cell(layer).get_parameters() if p.requires_grad]
        floating = tuple(i for i, t in enumerate(given) if t.is_floating_point())
        head = first(self.call(layer, given, graph=False))
        if head is not None and (floating or parameters):
            cell = WithCotangent(self.cell(layer), head[0])
            gradient = ms.grad(cell, floating or None, parameters or None)
            (ms.jit(gradient) if graph else gradient)(*given, ms.ops.ones_like(head[1]))


def mark(*running: str) -> None:
    """Tell whoever finds the process dead which layer is being called, if one is."""
    if Recorder.trail is not None:
        Recorder.trail.mark(list(running))


def _differ(some: list[Array], others: list[Array]) -> bool:
    """Tell whether arrays differ by more than what a sum's order may change."""
    return any(
        a.dtype.kind in "fc" and float(np.abs(a - b).max(initial=0)) > 1e-4 * np.abs(a).max()
        for a, b in zip(some, others, strict=True)
        if a.size
    )


def leaf(cell: Any) -> bool:
    """Tell whether a cell has no cells inside."""
    return all(inner is None for inner in cell._cells.values())


def first(value: Any, path: tuple[Any, ...] = ()) -> tuple[tuple[Any, ...], Any] | None:
    """Return indices and keys that lead to the first floating tensor in `value`, and the tensor."""
    if is_tensor(value):
        return (path, value) if value.is_floating_point() else None
    items: Any = ()
    if isinstance(value, dict):
        # A mapping's order means nothing, a record's does: see `port_form.leaves`.
        known = value.items()
        items = known if dataclasses.is_dataclass(value) else sorted(known, key=_key)
    elif isinstance(value, tuple | list):
        items = enumerate(value)
    found = (first(member, (*path, key)) for key, member in items)
    return next((f for f in found if f is not None), None)


def _key(item: tuple[Any, Any]) -> str:
    return str(item[0])
