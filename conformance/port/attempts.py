"""Putting a suspect right and nothing else, to see whether the verdict turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from conformance.errors import HarnessError, PortFailed
from conformance.port.both import Both
from conformance.port.evidence import Suspect
from conformance.port.model import LayerInfo
from conformance.port.result import StaticDifference, Verdict
from conformance.port.side import Side
from conformance.port.values import usable

DRAWS = 2
"""Draws that an attempt is judged by."""


class Impossible(Exception):
    """A suspect that cannot be put right here."""


class Attempts:
    """Puts suspects right, measures by `judge`, and puts all back.

    A layer gets PyTorch's setting in the port; where it cannot have it, PyTorch's gets the port's,
    which shows the same.
    """

    def __init__(
        self, both: Both, static: Sequence[StaticDifference], judge: Callable[[], Verdict]
    ) -> None:
        self.both, self.judge = both, judge
        self.items = {(item.mindspore_layer, item.setting): item for item in static}
        self.layers = [{layer.name: layer for layer in i.layers} for i in both.inventories]

    def __call__(self, suspects: Sequence[Suspect]) -> Verdict | None:
        """Return the verdict with `suspects` put right; None where that cannot be, or be measured.

        Raises HarnessError where a setting cannot be put back: what came after would be of another
        model.
        """
        with contextlib.ExitStack() as undo:
            try:
                for suspect in suspects:
                    undo.enter_context(self._right(suspect))
                found = self.judge()
                return None if found is Verdict.NOT_COMPARED else found
            except Impossible:
                return None
            except PortFailed as error:
                if error.fatal:
                    raise
                return None

    @contextlib.contextmanager
    def _right(self, suspect: Suspect) -> Iterator[None]:
        if suspect.setting:
            with contextlib.ExitStack() as undo:
                for layer in suspect.layers:
                    undo.enter_context(self._patched(layer, suspect.setting))
                yield
        elif self._settable(suspect):
            self.both.mended |= set(suspect.tensors)
            try:
                yield
            finally:
                self.both.mended -= set(suspect.tensors)
        else:
            raise Impossible

    def _settable(self, suspect: Suspect) -> bool:
        """Whether the port can be given other values for a suspect than it has: by the map."""
        plan = self.both.plan
        brought = plan.loaded or plan.weights.convert is not None
        rows = [r for r in self.both.rows if usable(r)]
        rows = [r for r in rows if brought or r.mindspore in self.both.unsaved]
        names = {name for row in rows for name in (row.torch, row.mindspore)}
        return suspect.cause.what == "weights" and not names.isdisjoint(suspect.tensors)

    @contextlib.contextmanager
    def _patched(self, layer: str, setting: str) -> Iterator[None]:
        item = self.items.get((layer, setting))
        if item is None:
            raise Impossible
        torch, port = self.layers[0][item.torch_layer], self.layers[1][layer]
        for side, taker, giver, old, new in (
            (self.both.port, port, torch, item.mindspore, item.torch),
            (self.both.torch, torch, port, item.torch, item.mindspore),
        ):
            if _patch(side, taker.name, wanted(setting, giver, taker, old, new)):
                try:
                    yield
                finally:
                    if not _patch(side, taker.name, own(setting, taker)):
                        words = f"{taker.name}: {setting} of the {side.framework} model"
                        raise HarnessError(f"{words} could not be put back")
                return
        raise Impossible


def wanted(
    setting: str, giver: LayerInfo, taker: LayerInfo, old: str = "", new: str = ""
) -> Mapping[str, Any]:
    """Return what `taker` has to be given to have the setting of `giver`.

    `old` and `new` are kinds, of which one is a part where a layer is several in one.
    """
    if setting != "kind":
        return {setting: giver.settings.get(setting)}
    if "+" in giver.kind + taker.kind:
        return {"kind": "+".join(new if part == old else part for part in taker.kind.split("+"))}
    return own(setting, giver) if giver.kind != taker.kind else {}


def own(setting: str, layer: LayerInfo) -> Mapping[str, Any]:
    """Return what gives `layer` back the setting that it was built with."""
    if setting != "kind":
        return {setting: layer.settings.get(setting)}
    return {"kind": layer.kind} if "+" in layer.kind else {"kind": layer.kind, **layer.settings}


def _patch(side: Side, layer: str, settings: Mapping[str, Any]) -> bool:
    if not settings:
        return False
    try:
        side.patch(layer, settings)
    except ValueError:
        return False
    return True
