"""What both models drop in training: as often, the same shares, in the same way.

It is switched off wherever training is compared, so it is compared here, and only here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.errors import PortFailed
from conformance.phrase import Phrase, joined, listed
from conformance.port.causes import AT
from conformance.port.evidence import Suspect
from conformance.port.model import Array, Drop
from conformance.port.result import Cause, Verdict
from conformance.port.side import Side
from conformance.worker.port_drops import CHANNELS, ELEMENTS, OWN

SAMPLES = "samples"
PLACES = 6
"""Shares are equal when they are to so many decimals: one side may hold what is kept."""
INPUTS, ELEMENTS_AT_MOST = 4096, 2**22
"""A layer of the user's own is given so many inputs of ones, and not more numbers than that."""
VALUES = 8
"""What drops makes of ones few values, such as 0 and 1.25; more are something else."""
CLOSE = 1e-4
"""Values this close to each other, relative, are one."""
SIGMAS = 6.0
"""How far apart two frequencies may be by chance, in standard deviations."""


@dataclass(frozen=True)
class Dropping:
    """The verdict on what is dropped, and why; `drops` says whether anything is."""

    verdict: Verdict = Verdict.SAME
    words: str = ""
    where: str = ""
    drops: bool = False

    @property
    def unclear(self) -> list[str]:
        """What cannot be told, and why."""
        return [self.words] if self.verdict is Verdict.UNRESOLVED else []

    @property
    def suspect(self) -> Suspect:
        """The difference as a cause; it is off wherever models are run, so none can be tried."""
        proof = Phrase("seen in one pass in training; it is off where training is compared")
        return Suspect(Cause("dropout", self.where, self.words, "", None, proof), AT)


def dropping(torch: Side, port: Side, inputs: Sequence[Array]) -> Dropping:
    """Compare what one pass in training drops on both sides; before anything is made still."""
    sides = torch, port
    try:
        found = [side.drops(inputs) for side in sides]
    except PortFailed as error:
        if error.fatal:
            raise
        words = Phrase("what training drops is not known: {why}", why=str(error))
        return Dropping(Verdict.UNRESOLVED, words)
    if not any(found):
        return Dropping()
    unknown = [drop for drops in found for drop in drops if drop.share is None]
    where = listed(list(dict.fromkeys(_name(drop) for drops in found for drop in drops)))
    if unknown:
        words = Phrase("the share that {layer} drops is no plain number", layer=_name(unknown[0]))
        return Dropping(Verdict.UNRESOLVED, words, _name(unknown[0]), drops=True)
    lone = _lone(*found)
    if any(lone):
        where = listed(list(dict.fromkeys(_name(drop) for drops in lone for drop in drops)))
        return Dropping(Verdict.DIFFERS, _other(*map(_said, lone)), where, drops=True)
    verdict, told = _own(sides, found)
    return Dropping(verdict, told, where, drops=True)


def _lone(torch: Sequence[Drop], port: Sequence[Drop]) -> tuple[list[Drop], list[Drop]]:
    """Return what one side drops and the other does not; own code may stand for any way."""
    left, right = list(torch), list(port)
    for alike in (_equal, _may_be):
        for drop in list(left):
            other = next((o for o in right if alike(drop, o)), None)
            if other is not None:
                left.remove(drop)
                right.remove(other)
    return left, right


def _equal(one: Drop, other: Drop) -> bool:
    return one.how == other.how and _share(one) == _share(other)


def _may_be(one: Drop, other: Drop) -> bool:
    return OWN in (one.how, other.how) and _share(one) == _share(other)


def _share(drop: Drop) -> float:
    return round(drop.share or 0.0, PLACES)


def _name(drop: Drop) -> str:
    return drop.layer or "(the model)"


def _other(torch: str, port: str) -> Phrase:
    """Return in words what is dropped otherwise; "" stands for nothing."""
    if not port:
        return Phrase("in training PyTorch drops {torch}, the port does not", torch=torch)
    if not torch:
        return Phrase("in training the port drops {port}, PyTorch does not", port=port)
    words = "in training PyTorch drops {torch}, where the port drops {port}"
    return Phrase(words, torch=torch, port=port)


def _said(drops: Sequence[Drop]) -> str:
    told: dict[tuple[float, str], list[str]] = {}
    for drop in drops:
        told.setdefault((_share(drop), drop.how), []).append(_name(drop))
    parts = []
    for (share, how), names in told.items():
        plain = how in (OWN, ELEMENTS)
        words = "{share} at {layers}" if plain else "{share} ({how}) at {layers}"
        parts.append(Phrase(words, share=f"{share:g}", how=how, layers=listed(names)))
    return joined(parts) if parts else ""


# Code of the user's own --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """What a layer made of ones: values with how often each came, whole samples dropped or not."""

    values: tuple[tuple[float, float], ...]
    samples: int
    whole: str

    def same(self, other: _Seen) -> bool:
        """Whether two are alike but for chance; what drops rarely may not have dropped at all."""
        pairs = [(often, other.often(value)) for value, often in self.values]
        pairs += [(self.often(value), often) for value, often in other.values]
        least = min(self.samples, other.samples)
        chance = all(
            abs(p - q) <= SIGMAS * math.sqrt((p * (1 - p) + q * (1 - q)) / least) for p, q in pairs
        )
        one = min(len(self.values), len(other.values)) < 2
        return chance and (one or self.whole == other.whole)

    def often(self, value: float) -> float:
        """Return how often a value came."""
        return sum(n for own, n in self.values if _close(own, value))

    def said(self) -> str:
        """Return in words what it made of ones."""
        values = ", ".join(f"{value:.4g} ({often:.0%})" for value, often in self.values)
        samples, channels = self.whole == SAMPLES, self.whole == CHANNELS
        whole = Phrase(
            "whole samples" if samples else "whole channels" if channels else "single elements"
        )
        return Phrase("{values} for {whole}", values=values, whole=whole)


def _own(sides: Sequence[Side], found: Sequence[Sequence[Drop]]) -> tuple[Verdict, str]:
    """Compare what layers of the user's own do to ones, where a side has such."""
    shares = {_share(drop) for drops in found for drop in drops if drop.how == OWN}
    for share in sorted(shares):
        kinds = [_kinds(s, drops, share) for s, drops in zip(sides, found, strict=True)]
        for one, other in _different(kinds[0], kinds[1]):
            for seen, drop in (one, other):
                if seen is None:
                    words = Phrase("what {layer} drops could not be measured", layer=_name(drop))
                    return Verdict.UNRESOLVED, words
            (theirs, torch), (mine, port) = one, other
            told = Phrase(
                "given ones in training {port} of the port returns {mine}, PyTorch's {torch} "
                "{theirs}",
                port=_name(port),
                mine=mine.said() if mine else "",
                torch=_name(torch),
                theirs=theirs.said() if theirs else "",
            )
            return Verdict.DIFFERS, told
    return Verdict.SAME, ""


_Kind = tuple["_Seen | None", Drop]


def _different(torch: list[_Kind], port: list[_Kind]) -> Iterator[tuple[_Kind, _Kind]]:
    """Yield what is left when all that is alike has been put together."""
    left, right = list(torch), list(port)
    for one in torch:
        twin = next((o for o in right if one[0] and o[0] and one[0].same(o[0])), None)
        if twin is not None:
            left.remove(one)
            right.remove(twin)
    yield from zip(left, right, strict=False)


def _kinds(side: Side, drops: Sequence[Drop], share: float) -> list[_Kind]:
    """Return what each layer that drops `share` does, equal layers of a side measured once."""
    return [(_seen(side, drop), drop) for drop in drops if _share(drop) == share]


def _seen(side: Side, drop: Drop) -> _Seen | None:
    """Return what a layer makes of ones; None where that cannot be told."""
    if drop.how != OWN:
        return _known(drop)
    if not drop.inputs or not all(drop.inputs):
        return None
    most = max(math.prod(shape[1:]) for shape in drop.inputs)
    count = max(64, min(INPUTS, ELEMENTS_AT_MOST // max(most, 1)))
    ones = [np.ones((count, *shape[1:]), np.float32) for shape in drop.inputs]
    try:
        returned = side.replay(drop.layer, ones, training=True)
    except PortFailed as error:
        if error.fatal:
            raise
        return None
    return _summed(returned[0]) if len(returned) == 1 and len(returned[0]) == count else None


def _summed(y: Array) -> _Seen | None:
    grouped: list[tuple[float, float]] = []
    values, often = np.unique(y, return_counts=True)
    for value, n in zip(values.tolist(), (often / y.size).tolist(), strict=True):
        if grouped and _close(grouped[-1][0], value):
            grouped[-1] = grouped[-1][0], grouped[-1][1] + n
        elif len(grouped) == VALUES:
            return None
        else:
            grouped.append((value, n))
    return _Seen(tuple(grouped), len(y), _whole(y))


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE)


def _whole(y: Array) -> str:
    """Return what is dropped as a whole: samples, channels, or single elements."""
    for depth, name in ((1, SAMPLES), (2, CHANNELS)):
        if math.prod(y.shape[depth:]) > 1:
            parts = y.reshape(*y.shape[:depth], -1)
            if np.ptp(parts, axis=-1).max(initial=0) <= CLOSE:
                return name
    return ELEMENTS


def _known(drop: Drop) -> _Seen | None:
    """Return what the framework's own dropout makes of ones."""
    if drop.how not in (ELEMENTS, CHANNELS) or drop.share is None:
        return None
    kept = 1 - drop.share
    values = ((0.0, drop.share), (1 / kept, kept)) if kept else ((0.0, 1.0),)
    return _Seen(values, INPUTS, drop.how)
