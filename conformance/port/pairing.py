"""Which tensor of PyTorch is which of MindSpore's: by name, by order of definition, not by chance.

Names decide where they are complete.  Where they are not, layers are aligned in order of
definition by kind, shapes and likeness of names; where names speak against that order, the pair
says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.phrase import Phrase, joined
from conformance.port import contradiction, fused
from conformance.port.fit import Layer, fit, kinds_agree, layers, square, together
from conformance.port.model import Array
from conformance.port.names import Named, positions, similarity, without_prefix, words
from conformance.port.order import Pairs, align

_FITS = 1000
"""Score of a tensor that fits; the likeness of names, from 0 to 99, decides among equals."""


@dataclass(frozen=True)
class Match:
    """A tensor of each side; `transform` is None where no shape fits.

    `doubt` says what speaks against the pair, "" for nothing.
    """

    torch: Named
    mindspore: Named
    transform: str | None
    rule: str
    doubt: str = ""


def pair(torch: Sequence[Named], mindspore: Sequence[Named]) -> list[Match]:
    """Return the pairs, in order of PyTorch's tensors; what belongs to nothing is in none."""
    torch, mindspore = fused.fuse(torch, mindspore)
    matches = by_name(torch, mindspore)
    if len(matches) < max(len(torch), len(mindspore)):
        matches = _merged(matches, torch, mindspore)
    matches = _with_mismatches(matches, torch, mindspore)
    return sorted(_oriented(matches), key=lambda match: match.torch.index)


def by_name(torch: Sequence[Named], mindspore: Sequence[Named]) -> list[Match]:
    """Return the pairs whose names are equal, in PyTorch's words, and whose shapes fit."""
    exact = {n.info.name: n for n in mindspore if len(n.parts) == 1}
    translated = without_prefix(torch, mindspore)
    taken: set[int] = set()
    matches = []
    for tensor in torch:
        for names, name in ((exact, tensor.info.name), (translated, tensor.canonical)):
            other = names.get(name)
            if other is None or other.index in taken:
                continue
            if (transform := fit(tensor, other)) is not None:
                taken.add(other.index)
                matches.append(Match(tensor, other, transform, _same_name(tensor, other)))
                break
    return matches


def _same_name(torch: Named, mindspore: Named) -> Phrase:
    ours, theirs = (n.info.name.rpartition(".")[2] for n in (torch, mindspore))
    if torch.info.name == mindspore.info.name or (ours, torch.layer) == (theirs, mindspore.layer):
        return Phrase("same name")
    if torch.layer == mindspore.layer:
        return Phrase(
            "same name: {theirs} is MindSpore's name for {ours}", ours=ours, theirs=theirs
        )
    if ours == theirs:
        return Phrase("same name: the path differs by its beginning only")
    words = (
        "same name: {theirs} is MindSpore's name for {ours}, "
        "and the path differs by its beginning only"
    )
    return Phrase(words, ours=ours, theirs=theirs)


def _merged(
    matches: list[Match], torch: Sequence[Named], mindspore: Sequence[Named]
) -> list[Match]:
    """Add what order of definition says to what names say; neither alone wins a contradiction."""
    ordered = by_order(layers(torch), layers(mindspore))
    at = {m.torch.index: m for m in ordered}
    back = {m.mindspore.index: m for m in ordered}
    kept: list[Match] = []
    refuted: dict[int, Match] = {}
    for match in matches:
        rivals = [at.get(match.torch.index), back.get(match.mindspore.index)]
        if all(_by_words(match, rival) for rival in rivals if rival and not _same(rival, match)):
            kept.append(match)
        else:
            refuted[match.torch.index] = match
    for match in ordered:
        if not _used(match, kept):
            by_its_name = refuted.get(match.torch.index)
            doubt = _otherwise(by_its_name.mindspore.info.name) if by_its_name else ""
            kept.append(replace(match, doubt=match.doubt or doubt))
    kept += _between(kept, torch, mindspore)
    left = layers(_left(torch, kept, "torch")), layers(_left(mindspore, kept, "mindspore"))
    return kept + [replace(match, doubt=match.doubt or _ELSEWHERE) for match in by_order(*left)]


def _between(
    matches: Sequence[Match], torch: Sequence[Named], mindspore: Sequence[Named]
) -> list[Match]:
    """Return pairs of single tensors that lie between `matches`: layers are cut otherwise there."""
    ours, theirs = _singles(torch), _singles(mindspore)
    rows = {layer.tensors[0].index: k for k, layer in enumerate(ours)}
    columns = {layer.tensors[0].index: k for k, layer in enumerate(theirs)}
    fixed = [(rows[m.torch.index], columns[m.mindspore.index]) for m in matches]
    return by_order(ours, theirs, fixed)


def _singles(tensors: Sequence[Named]) -> list[Layer]:
    return [
        Layer(tensor.canonical, tensor.kind, tensor.type, (tensor,))
        for layer in layers(tensors)
        for tensor in layer.tensors
    ]


def _used(match: Match, kept: Sequence[Match]) -> bool:
    return any(
        match.torch.index == k.torch.index or match.mindspore.index == k.mindspore.index
        for k in kept
    )


_ELSEWHERE = Phrase(
    "ambiguous: kinds and shapes fit, but each is defined in another place and the names differ; "
    "confirm it by a rule of weights.rules"
)


def _otherwise(name: str) -> Phrase:
    words = "ambiguous: by its name it would be {name}; say which by a rule of weights.rules"
    return Phrase(words, name=name)


def _same(a: Match, b: Match) -> bool:
    return a.torch.index == b.torch.index and a.mindspore.index == b.mindspore.index


def _by_words(match: Match, rival: Match) -> bool:
    """Tell whether words, not numbers alone, set `match` apart from what order says."""
    ours = words(match.torch.canonical) != words(rival.torch.canonical)
    return ours or words(match.mindspore.canonical) != words(rival.mindspore.canonical)


def by_order(
    torch: Sequence[Layer], mindspore: Sequence[Layer], fixed: Pairs | None = None
) -> list[Match]:
    """Return the pairs that order of definition gives, besides those that are `fixed` already."""
    if not torch or not mindspore:
        return []
    fits = _fitting(torch, mindspore, fixed or [])
    names, numbers = (
        similarity([of(x.name) for x in torch], [of(y.name) for y in mindspore])
        for of in (words, positions)
    )
    alike = np.rint(80 * names + 19 * numbers).astype(np.int64)
    full = align(np.where(fits > 0, fits * _FITS + alike, 0))
    shapes_only = align(fits)
    found = [pair for pair in full.pairs if pair not in set(fixed or [])]
    pairs, doubts = contradiction.resolve(found, torch, mindspore, names, numbers)
    guesses = contradiction.exchangeable(pairs, torch, mindspore)
    matches = []
    for k, (i, j) in enumerate(pairs):
        doubt = doubts.get(k, "" if found[k] in full.forced else _TIED) or guesses.get(k, "")
        forced = (i, j) in shapes_only.forced and not doubt
        why = _by_order_words(torch[i], mindspore[j], forced)
        for tensor, other in together(torch[i].tensors, mindspore[j].tensors):
            matches.append(Match(tensor, other, fit(tensor, other), why, doubt))
    return matches


_TIED = Phrase(
    "ambiguous: other layers of the same kind and shapes would do as well; "
    "say which by a rule of weights.rules"
)


_FORCED = (
    "{torch} is {mindspore} by order of definition: no other order fits kinds and shapes as well"
)
_LIKELY = (
    "{torch} is {mindspore} by order of definition and likeness of names: "
    "others fit kinds and shapes too"
)


def _by_order_words(torch: Layer, mindspore: Layer, forced: bool) -> Phrase:
    names = {"torch": torch.name, "mindspore": mindspore.name}
    named = {side: name or Phrase("the model") for side, name in names.items()}
    return Phrase(_FORCED if forced else _LIKELY, **named)


def _fitting(torch: Sequence[Layer], mindspore: Sequence[Layer], fixed: Pairs) -> Array:
    """Return how many tensors of each two layers fit; those `fixed` fit each other alone."""
    known: dict[tuple[object, object], int] = {}
    result = np.zeros((len(torch), len(mindspore)), np.int64)
    rows = set(range(len(torch))) - {i for i, _ in fixed}
    columns = sorted(set(range(len(mindspore))) - {j for _, j in fixed})
    signatures = {j: mindspore[j].signature for j in columns}
    for i in rows:
        signature = torch[i].signature
        for j in columns:
            key = signature, signatures[j]
            if key not in known:
                known[key] = _count(torch[i], mindspore[j])
            result[i, j] = known[key]
    for i, j in fixed:
        result[i, j] = _FITS
    return result


def _count(torch: Layer, mindspore: Layer) -> int:
    agree = kinds_agree(torch.kind, mindspore.kind)
    return len(together(torch.tensors, mindspore.tensors)) if agree else 0


def _with_mismatches(
    matches: list[Match], torch: Sequence[Named], mindspore: Sequence[Named]
) -> list[Match]:
    """Add tensors of one name whose shapes cannot be brought together, without a transform."""
    left = {n.index for n in _left(mindspore, matches, "mindspore")}
    by_layer = {m.torch.layer: m.mindspore.layer for m in matches}
    translated = without_prefix(torch, mindspore)
    beside = {(n.layer, n.role): n for n in mindspore}
    for tensor in _left(torch, matches, "torch"):
        aligned = beside.get((by_layer.get(tensor.layer, ""), tensor.role))
        for other in (translated.get(tensor.canonical), aligned):
            if other is not None and other.index in left:
                left.remove(other.index)
                matches = [*matches, Match(tensor, other, None, _same_name(tensor, other))]
                break
    return matches


def _left(tensors: Sequence[Named], matches: Sequence[Match], side: str) -> list[Named]:
    used = {getattr(match, side).index for match in matches}
    return [tensor for tensor in tensors if tensor.index not in used]


def _oriented(matches: Sequence[Match]) -> list[Match]:
    """Settle which way round square weights of the user's own layers are, by their siblings."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    example: dict[tuple[str, str], str] = {}
    for match in matches:
        flat = len(match.torch.shape) == len(match.mindspore.shape) == 2
        if flat and match.transform in ("", "transpose") and not square(*_sides(match)):
            seen[_types(match)].add(match.transform)
            example[_types(match)] = match.torch.info.name
    return [_turned(m, seen[_types(m)], example) if square(*_sides(m)) else m for m in matches]


def _turned(match: Match, seen: set[str], example: dict[tuple[str, str], str]) -> Match:
    if len(seen) == 1:
        way = next(iter(seen))
        words = (
            "square, and transposed like {name} of the same classes"
            if way
            else "square, and not transposed, like {name} of the same classes"
        )
        why = Phrase(words, name=example[_types(match)])
        return replace(match, transform=way, rule=joined([match.rule, why]))
    if not match.torch.kind and not match.mindspore.kind and not seen:
        return replace(match, rule=joined([match.rule, Phrase("square, taken as it is")]))
    return replace(match, doubt=match.doubt or _SQUARE)


_SQUARE = Phrase(
    "ambiguous: square, so its shape does not tell whether it is transposed; "
    "say so by a rule of weights.rules, with or without transform: transpose"
)


def _sides(match: Match) -> tuple[Named, Named]:
    return match.torch, match.mindspore


def _types(match: Match) -> tuple[str, str]:
    return match.torch.type, match.mindspore.type
