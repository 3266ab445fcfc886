"""Putting a suspect right and nothing else, to see whether the verdict turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from conformance.errors import PortFailed
from conformance.port.both import Both
from conformance.port.evidence import Suspect
from conformance.port.model import LayerInfo
from conformance.port.result import StaticDifference, Verdict
from conformance.port.side import Side

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
        self.partners = {item.mindspore_layer: item.torch_layer for item in static}
        self.layers = [{layer.name: layer for layer in i.layers} for i in both.inventories]

    def __call__(self, suspects: Sequence[Suspect]) -> Verdict | None:
        """Return the verdict with `suspects` put right; None where that cannot be."""
        with contextlib.ExitStack() as undo:
            try:
                for suspect in suspects:
                    undo.enter_context(self._right(suspect))
                return self.judge()
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
        elif suspect.tensors and suspect.cause.what == "weights":
            self.both.mended |= set(suspect.tensors)
            try:
                yield
            finally:
                self.both.mended -= set(suspect.tensors)
        else:
            raise Impossible

    @contextlib.contextmanager
    def _patched(self, layer: str, setting: str) -> Iterator[None]:
        partner = self.partners.get(layer, "")
        torch, port = self.layers[0].get(partner), self.layers[1].get(layer)
        if torch is None or port is None:
            raise Impossible
        one, other = wanted(setting, torch, port), wanted(setting, port, torch)
        for side, name, new, old in (
            (self.both.port, layer, one, other),
            (self.both.torch, partner, other, one),
        ):
            if _patch(side, name, new):
                try:
                    yield
                finally:
                    _patch(side, name, old)
                return
        raise Impossible


def wanted(setting: str, giver: LayerInfo, taker: LayerInfo) -> Mapping[str, Any]:
    """Return what `taker` has to be given to have the setting of `giver`."""
    if setting != "kind":
        return {setting: giver.settings.get(setting)}
    return {"kind": giver.kind, **giver.settings} if giver.kind != taker.kind else {}


def _patch(side: Side, layer: str, settings: Mapping[str, Any]) -> bool:
    if not settings:
        return False
    try:
        side.patch(layer, settings)
    except ValueError:
        return False
    return True
