"""The verdict on a port: which one, and in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.phrase import Phrase, joined, listed
from conformance.port.result import (
    FORM,
    Cause,
    Divergence,
    ForwardRow,
    LayerRow,
    TensorRow,
    Verdict,
)


def overall(
    forward: Sequence[ForwardRow],
    layers: Sequence[LayerRow],
    tensors: Sequence[TensorRow],
    others: Sequence[Verdict] = (),
) -> Verdict:
    """Return the verdict on the port, from outputs, layers, gradients, state, step and `others`.

    A layer or tensor that cannot be told apart within kernels' noise does not unmake equal outputs;
    one that differs does.  Without a single comparison of outputs there is nothing to say.
    """
    outputs = [row.verdict for row in forward]
    wrong = [*(row.verdict for row in layers), *(row.verdict for row in tensors), *others]
    if Verdict.DIFFERS in outputs or Verdict.DIFFERS in wrong:
        return Verdict.DIFFERS
    if not outputs or all(verdict is Verdict.NOT_COMPARED for verdict in outputs):
        return Verdict.NOT_COMPARED
    unclear = [row.verdict for row in tensors] + list(others)
    if any(verdict is not Verdict.SAME for verdict in outputs) or Verdict.UNRESOLVED in unclear:
        return Verdict.UNRESOLVED
    return Verdict.SAME


def sentence(
    verdict: Verdict,
    forward: Sequence[ForwardRow],
    divergence: Divergence | None,
    causes: Sequence[Cause],
    steps: int = 0,
    unclear: Sequence[str] = (),
) -> Phrase:
    """Return the verdict in one sentence.

    `steps` says how long training was compared, too; `unclear` is what of it cannot be told.
    """
    if verdict is Verdict.SAME:
        return _same(forward, steps)
    if verdict is Verdict.NOT_COMPARED:
        problems = list(dict.fromkeys(row.problem for row in forward if row.problem))
        return Phrase(
            "Nothing was compared: {why}.", why=problems[0] if problems else Phrase("no output")
        )
    if verdict is Verdict.UNRESOLVED:
        reasons = list(dict.fromkeys(r.problem for r in forward if r.verdict is not Verdict.SAME))
        between = Phrase("what was measured lies between the budgets")
        if any(row.verdict is not Verdict.SAME for row in forward) or not unclear:
            why = next(filter(None, reasons), between)
            words = "It cannot be told whether the port is the same function: {why}."
            return Phrase(words, why=why)
        words = "Same function forward, but it cannot be told whether it trains alike: {why}."
        return Phrase(words, why=unclear[0])
    return _differs(forward, divergence, causes)


def by_weights(verdict: Verdict, why: str, agree: bool = True) -> Phrase:
    """Return the verdict where weights alone decide it, for the reason `why`.

    `agree` says whether everything else does.
    """
    if not agree:
        return Phrase("Weights do not agree: {why}.", why=why)
    if verdict is Verdict.DIFFERS:
        return Phrase("Outputs agree, but weights do not: {why}.", why=why)
    return Phrase("Outputs agree, but it cannot be told whether weights do: {why}.", why=why)


def by_settings(verdict: Verdict, told: str, proof: str) -> Phrase:
    """Return the verdict where a setting that no output showed decides it: `told`, with `proof`."""
    if verdict is Verdict.DIFFERS:
        words = "Outputs agree at these inputs, but not at others: {told}; {proof}."
        return Phrase(words, told=told, proof=proof)
    words = (
        "Outputs agree, but it cannot be told whether the port is the same function: {told} did "
        "not show; give inputs or sizes that reach it."
    )
    return Phrase(words, told=told)


def _same(forward: Sequence[ForwardRow], steps: int) -> Phrase:
    sizes = list(dict.fromkeys(row.size for row in forward))
    draws = max((len(row.measures) for row in forward), default=0)
    modes = list(dict.fromkeys(row.mode for row in forward))
    shown = Phrase("one draw") if draws == 1 else Phrase("{draws} draws each", draws=draws)
    told = {"sizes": listed(sizes), "draws": shown, "modes": ", ".join(modes)}
    words = "Same function: {what} agree at {sizes}, {draws}, in {modes} mode."
    if not steps:
        return Phrase(words, what=Phrase("outputs"), **told)
    # An optimizer's state, such as momentum, shows from the second step on.
    if modes == ["pynative"]:
        one = Phrase("outputs, gradients and one step of the optimizer")
        what = one if steps == 1 else Phrase("outputs, gradients and training")
        return Phrase(words, what=what, **told)
    # Steps are made in PyNative mode alone.
    words = (
        "Same function: outputs and gradients agree at {sizes}, {draws}, in {modes} mode; "
        "{training} in pynative mode."
    )
    training = Phrase("one step of the optimizer" if steps == 1 else "training")
    return Phrase(words, training=training, **told)


def _differs(
    forward: Sequence[ForwardRow], divergence: Divergence | None, causes: Sequence[Cause]
) -> Phrase:
    agrees = all(row.verdict is not Verdict.DIFFERS for row in forward) and divergence is None
    proven = [cause for cause in causes if cause.confirmed]
    first = (proven or list(causes))[:1]
    if agrees:
        head = Phrase("Same function forward, but it does not train alike")
        if not first:
            return Phrase("{head}.", head=head)
        return Phrase("{head}: {cause}{tail}.", head=head, cause=first[0].words, tail=_tail(proven))
    if first and first[0].what == "kernel":
        words = "No mistake of the port found, yet not the same numbers: {cause}."
        return Phrase(words, cause=first[0].words)
    head = _head(forward)
    wrong = [row for row in forward if row.verdict is Verdict.DIFFERS]
    forms = [row.problem for row in wrong if row.output == FORM]
    if forms and (divergence is None or divergence.torch is divergence.mindspore is None):
        return Phrase("{head}: {what}.", head=head, what=forms[0])
    if divergence is None and (why := _compiled_alone(forward)):
        return Phrase("{head}: in graph mode alone outputs differ: {why}.", head=head, why=why)
    if divergence is None:
        if not first:
            return Phrase("{head}; no layer alone explains it.", head=head)
        return Phrase("{head}: {cause}{tail}.", head=head, cause=first[0].words, tail=_tail(proven))
    place = _place(divergence)
    where = Phrase("at {place}", place=place) if divergence.kind == "layer" else place
    if not first:
        return Phrase("{head}: parts {where}.", head=head, where=where)
    if divergence.kind == "glue" and first[0].what == "glue":
        return Phrase(
            "{head}: parts {where}; {cause}.", head=head, where=where, cause=first[0].words
        )
    told = proven if len(proven) > 1 else first
    what = joined([cause.words for cause in told])
    return Phrase(
        "{head}: parts {where} ({what}){tail}.",
        head=head,
        where=where,
        what=what,
        tail=_tail(proven),
    )


def _head(forward: Sequence[ForwardRow]) -> Phrase:
    evaluated = {row.verdict for row in forward if not row.training}
    trained = {row.verdict for row in forward if row.training}
    if evaluated == {Verdict.SAME} and Verdict.DIFFERS in trained:
        return Phrase("Same function in evaluation, not in training")
    return Phrase("Not the same function")


def _compiled_alone(forward: Sequence[ForwardRow]) -> str:
    """Return why outputs differ in graph mode where they do not in PyNative mode, or ""."""
    wrong = [row for row in forward if row.verdict is Verdict.DIFFERS]
    agree = {
        (row.size, row.training)
        for row in forward
        if row.mode == "pynative" and row.verdict is Verdict.SAME
    }
    alone = [row.mode == "graph" and (row.size, row.training) in agree for row in wrong]
    return wrong[0].problem if wrong and all(alone) else ""


def _place(divergence: Divergence) -> str:
    if divergence.kind == "layer":
        return str(divergence.torch)
    after = listed([str(key) for key in divergence.after])
    if divergence.torch is None:
        return Phrase("after {after}, before the model's output", after=after)
    if not after:
        return Phrase("before {layer}", layer=str(divergence.torch))
    return Phrase("between {after} and {layer}", after=after, layer=str(divergence.torch))


def _tail(proven: Sequence[Cause]) -> Phrase:
    """Return what putting the causes right showed, or the empty phrase."""
    if not proven:
        return Phrase("")
    if len(proven) == 1:
        named = {"kind": Phrase("the kind of layer"), "weights": proven[0].where}
        what = named.get(proven[0].what, proven[0].what)
        return Phrase("; with {what} alone changed the port agrees", what=what)
    return Phrase("; with these {count} changed the port agrees", count=len(proven))
