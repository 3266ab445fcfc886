"""From evidence to causes: what is likely wrong, where, and what says so, the likeliest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from conformance.phrase import Phrase, joined, listed, number
from conformance.port.budget import LAYER
from conformance.port.evidence import Evidence, Suspect
from conformance.port.initialisers import INITIALISER
from conformance.port.model import CallKey
from conformance.port.result import Cause, Divergence, StaticDifference, Verdict
from conformance.port.settings import said

FIRST, AT, ELSEWHERE, LIKELY, UNPROVEN = range(5)
"""Ranks: at the first divergence; at a layer that differs; elsewhere; by kind; nothing measured."""

DRAWN = "p"
"""The share that dropout and stochastic depth drop: they are off wherever models are run."""


def suspects(evidence: Evidence) -> list[Suspect]:
    """Return all suspects of the forward passes and the running statistics, likeliest first."""
    found = [*_settings(evidence), *_values(evidence), *_unmapped(evidence)]
    explained = {layer for item in found for layer in item.layers if item.rank < UNPROVEN}
    explained |= {
        row.mindspore.layer
        for item in evidence.static
        if item.mindspore_layer in explained
        and (row := evidence.row(item.mindspore_layer, item.torch_layer))
        and row.mindspore
    }
    found += _divergences(evidence, explained)
    return sorted(found, key=lambda item: item.rank)


def drawing() -> Suspect:
    """Return the suspect of a port whose outputs in evaluation are others each time."""
    words = Phrase(
        "the port draws random numbers in evaluation, PyTorch does not: dropout, or noise, that "
        "does not ask whether it is training"
    )
    proof = Phrase("two passes over the same inputs are apart")
    return Suspect(Cause("random", Phrase("the port"), words, "", None, proof), FIRST)


# Settings ---------------------------------------------------------------------------------------


def _settings(evidence: Evidence) -> Iterator[Suspect]:
    groups: dict[tuple[str, str, str, str], list[StaticDifference]] = {}
    for item in evidence.static:
        kind = _kind(evidence, item)
        if not item.setting.startswith(INITIALISER):  # Both models were given the same values.
            groups.setdefault((kind, item.setting, item.torch, item.mindspore), []).append(item)
    for (kind, setting, torch, mindspore), items in groups.items():
        layers = [item.mindspore_layer for item in items]
        ranks = [_rank(evidence, i.mindspore_layer, i.torch_layer) for i in items]
        rank, shown = min(ranks), items
        if setting == DRAWN:
            rank = AT
            proof: str = Phrase("read from the layer: dropout is off where training is compared")
        elif items[0].trains:
            moved = _moved(evidence, layers)
            rank = AT if moved else UNPROVEN
            proof = moved or Phrase("only training shows it")
        elif rank == UNPROVEN:
            continue  # It changes nothing that was measured; the table of settings shows it.
        else:
            # Where it does not show, such as ReLU for ReLU6 where no value exceeds 6, other draws
            # may show it: it is put right all the same.
            shown = [i for i, own in zip(items, ranks, strict=True) if own < UNPROVEN]
            proof = _proof(evidence, shown, setting, mindspore)
        where = listed([item.torch_layer for item in shown])
        words = said(kind, setting, torch, mindspore)
        cause = Cause(setting, where, words, items[0].page, None, proof)
        yield Suspect(cause, rank, tuple(layers), setting)


def _kind(evidence: Evidence, item: StaticDifference) -> str:
    row = evidence.row(item.mindspore_layer, item.torch_layer)
    return row.kind if row else ""


def _rank(evidence: Evidence, layer: str, torch: str = "") -> int:
    """Return how directly measurements point at a layer of the port."""
    row = evidence.row(layer, torch)
    names = {layer, row.mindspore.layer if row and row.mindspore else layer}
    firsts = [found.first for found in evidence.found if found.first]
    if any(first.kind == "layer" and _named(first, n) for first in firsts for n in names):
        return FIRST
    if row is not None and row.verdict is Verdict.DIFFERS:
        return AT
    if row is not None and row.replayed is not None and row.replayed.ratio > LAYER.same:
        return ELSEWHERE
    return UNPROVEN


def _proof(
    evidence: Evidence, items: Sequence[StaticDifference], setting: str, value: str
) -> Phrase:
    found = [evidence.row(item.mindspore_layer, item.torch_layer) for item in items]
    rows = [row for row in found if row is not None and row.replayed]
    most = max((r.replayed.ratio for r in rows if r.replayed), default=0.0)
    told: list[Phrase] = []
    if rows:
        told.append(_alone(most))
    if setting == "padding" and "same" in value:
        told += _sizes(evidence)
    return joined(told)


def _alone(ratio: float) -> Phrase:
    words = "alone on PyTorch's input it is {ratio} times farther from float64 than float32 is"
    return Phrase(words, ratio=number(ratio))


def _sizes(evidence: Evidence) -> list[Phrase]:
    """Return which input sizes agree and which differ, where there are both."""
    by = {
        verdict: sorted({row.size for row in evidence.forward if row.verdict is verdict})
        for verdict in (Verdict.SAME, Verdict.DIFFERS)
    }
    agree = [size for size in by[Verdict.SAME] if size not in by[Verdict.DIFFERS]]
    if not agree or not by[Verdict.DIFFERS]:
        return []
    words = "the port agrees at size {same} and differs at {other}"
    return [Phrase(words, same=", ".join(agree), other=", ".join(by[Verdict.DIFFERS]))]


def _moved(evidence: Evidence, layers: Sequence[str]) -> str:
    """Return what the running statistics of layers show, or ""."""
    for row in evidence.state:
        owner = row.mindspore.rpartition(".")[0]
        if row.verdict is Verdict.DIFFERS and owner in layers:
            return Phrase("{tensor} {problem}", tensor=row.torch, problem=row.problem)
    return ""


# Values -----------------------------------------------------------------------------------------


def _values(evidence: Evidence) -> Iterator[Suspect]:
    told = {row.torch for row in evidence.weights if row.problem and row.torch}
    told &= {item.tensor for item in evidence.mistakes if item.what == "other"}
    for item in evidence.mistakes:
        if item.tensor in told:
            continue  # The map of tensors knows more of it.
        told.add(item.tensor)
        tensors: tuple[str, ...] = (item.tensor,)
        if item.partner and any(m.tensor == item.partner for m in evidence.mistakes):
            told.add(item.partner)
            tensors = (item.tensor, item.partner)
        rank, layer = _owner(evidence, item.tensor)
        words = Phrase("{tensor} {what}", tensor=item.tensor, what=item.words)
        proof = Phrase("the port's values, read back in PyTorch's layout")
        cause = Cause("weights", item.tensor, words, "", None, proof)
        owners = (layer, *(_owner(evidence, other)[1] for other in tensors[1:]))
        yield Suspect(cause, rank, tuple(filter(None, owners)), tensors=tensors)


def _unmapped(evidence: Evidence) -> Iterator[Suspect]:
    read = {item.tensor for item in evidence.mistakes if item.what != "other"}
    for row in evidence.weights:
        if row.problem and row.torch not in read:
            name = row.torch or row.mindspore
            rank, layer = _owner(evidence, row.torch, row.mindspore)
            words = Phrase("{tensor}: {problem}", tensor=name, problem=row.problem)
            cause = Cause("weights", name, words, "", None, Phrase("the map of tensors"))
            yield Suspect(cause, rank, (layer,) if layer else (), tensors=(name,))


def _owner(evidence: Evidence, torch: str, mindspore: str = "") -> tuple[int, str]:
    """Return the rank of a tensor's layer, and the port's name of that layer ("" for unknown)."""
    for found in evidence.found:
        for row in found.rows:
            mine = row.torch is not None and row.torch.layer == torch.rpartition(".")[0] and torch
            its = (
                row.mindspore and row.mindspore.layer == mindspore.rpartition(".")[0] and mindspore
            )
            if (mine or its) and row.mindspore is not None:
                layer = row.mindspore.layer
                return min(_rank(evidence, layer), LIKELY), layer
    return LIKELY, ""


# Divergences that nothing static explains -------------------------------------------------------


def _divergences(evidence: Evidence, explained: set[str]) -> Iterator[Suspect]:
    told: set[tuple[str, str]] = set()
    groups: dict[tuple[str, str], list[Suspect]] = {}
    for item in evidence.divergences:
        name = item.mindspore.layer if item.mindspore else ""
        if (item.kind, name) in told or (item.kind == "layer" and name in explained):
            continue
        told.add((item.kind, name))
        rank = FIRST if any(item == found.first for found in evidence.found) else AT
        if item.kind == "glue":
            yield Suspect(_glue(evidence, item), rank)
        else:
            cause, row = _layer(evidence, item, name), evidence.row(name)
            kind = (row.kind if row else "") or name
            groups.setdefault((cause.what, kind), []).append(Suspect(cause, rank, (name,)))
    yield from map(_one_for_all, groups.values())


def _one_for_all(group: Sequence[Suspect]) -> Suspect:
    """Return one suspect for layers of a kind of which nothing else is known: one mistake, likely.

    It says of the first what it says, and where the others are.
    """
    first = min(group, key=lambda item: item.rank)
    where = listed([first.cause.where, *(s.cause.where for s in group if s is not first)])
    layers = tuple(layer for suspect in group for layer in suspect.layers)
    return replace(first, cause=replace(first.cause, where=where), layers=layers)


def _layer(evidence: Evidence, item: Divergence, name: str) -> Cause:
    row = evidence.row(name)
    ratio = row.replayed.ratio if row and row.replayed else 0.0
    kind = evidence.types.get(name, "")
    known = evidence.kernels.get(kind)
    where = str(item.torch)
    proof = _alone(ratio) if ratio else item.words
    if known is not None and row and row.replayed:
        floors = row.replayed.port / row.replayed.floor
        if floors <= known.roundoffs:
            words = Phrase(
                "{kernel} is less accurate than PyTorch's, as the corpus knows: up to "
                "{known} roundoffs, {here} here; the port is not at fault",
                kernel=kind,
                known=number(known.roundoffs),
                here=number(floors),
            )
            return Cause("kernel", where, words, known.page, None, proof)
    words = Phrase(
        "{layer} ({kind}) computes something else, with settings and values that are equal as far "
        "as they are known",
        layer=where,
        kind=(row.kind if row else "") or kind or Phrase("of unknown kind"),
    )
    return Cause("layer", where, words, "", None, proof)


_ATTENTION = re.compile(r"attn|attention|qkv|q_proj|k_proj|v_proj|query|key|value|softmax", re.I)


def _glue(evidence: Evidence, item: Divergence) -> Cause:
    names = [str(key) for key in item.after]
    before: str = str(item.torch) if item.torch else Phrase("the model's output")
    where = (
        Phrase("between {after} and {before}", after=listed(names), before=before)
        if names
        else Phrase("before {before}", before=before)
    )
    if formula := evidence.formulas.get(item, ""):
        words = Phrase("the code {where} differs: {formula}", where=where, formula=formula)
        return Cause("glue", where, _only(evidence, item, words), "", None, item.words)
    last = _ATTENTION.search(" ".join(names)) is not None
    if last and item.torch and _ATTENTION.search(item.torch.layer):
        look = Phrase("look at the scale, the mask and the order of q, k and v")
    elif names:
        look = Phrase("look at the order of residual sum and activation, at reshapes and constants")
    else:
        look = Phrase("look at what is done to the model's inputs")
    words = Phrase("the code {where} does something else; {look}", where=where, look=look)
    return Cause("glue", where, _only(evidence, item, words), "", None, item.words)


def _only(evidence: Evidence, item: Divergence, words: Phrase) -> Phrase:
    """Return `words` behind the layers that one side alone calls there, if there are any."""
    rows = [row for found in evidence.found for row in found.rows]
    kinds = {row.torch: row.kind for row in rows}
    torch = listed([_called(key, kinds.get(key, "")) for key in item.only_torch])
    port = listed([_called(key, evidence.types.get(key.layer, "")) for key in item.only_port])
    if torch and port:
        both = "PyTorch calls {torch} there, the port {port}: {words}"
        return Phrase(both, torch=torch, port=port, words=words)
    if torch:
        return Phrase("only PyTorch calls {layers} there: {words}", layers=torch, words=words)
    if port:
        return Phrase("only the port calls {layers} there: {words}", layers=port, words=words)
    return words


def _called(key: CallKey, kind: str) -> str:
    return f"{key} ({kind.rpartition('.')[2]})" if kind else str(key)


def _named(item: Divergence, layer: str) -> bool:
    return item.mindspore is not None and item.mindspore.layer == layer
