"""What weights mean for the verdict, whatever outputs say: not every value shows in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conformance.phrase import Phrase, joined, parts
from conformance.port.budget import Judgement
from conformance.port.mistakes import Mistake
from conformance.port.result import Verdict, WeightRow

_SUPPOSED = "ambiguous"
"""What a match is said to be that is only supposed; outputs that agree have then proven it."""


def certain(problem: str) -> Phrase:
    """Return what is wrong with a row of weights, without what is only supposed of it."""
    return joined([part for part in parts(problem) if not part.startswith(_SUPPOSED)])


def holdings(
    rows: Sequence[WeightRow], mistakes: Sequence[Mistake], trainable: Collection[str]
) -> Judgement:
    """Judge the weights of a port: SAME, or worse with the reason.

    Another value than PyTorch's differs, unless the match was a guess.  A tensor that is trained
    (`trainable` has names of both sides) and has no equal on the other side is unresolved: outputs
    agree at these values, perhaps at no others.
    """
    guessed = {row.torch for row in rows if certain(row.problem) != row.problem}
    for item in mistakes:
        if item.tensor not in guessed:
            words = Phrase("{tensor} {what}", tensor=item.tensor, what=item.words)
            return Judgement(Verdict.DIFFERS, (), words)
    for row in rows:
        trained = row.torch in trainable or row.mindspore in trainable
        if trained and (problem := certain(row.problem)):
            name = row.torch or row.mindspore
            words = Phrase("{tensor}: {problem}", tensor=name, problem=problem)
            return Judgement(Verdict.UNRESOLVED, (), words)
    for item in mistakes:
        words = Phrase("{tensor} {what}", tensor=item.tensor, what=item.words)
        return Judgement(Verdict.UNRESOLVED, (), words)
    return Judgement(Verdict.SAME)
