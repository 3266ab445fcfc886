"""What the rules of `weights.rules` say of two models: rows of the map, and mistakes in rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence

from conformance.corpus.yamlmarks import Path_
from conformance.errors import CallerError
from conformance.phrase import Phrase
from conformance.port.config import Rule
from conformance.port.names import COUNTER, Named
from conformance.port.result import WeightRow
from conformance.port.rows import row
from conformance.port.transforms import WHOLE, chain


class RuleError(CallerError):
    """Rules that say nothing of the models; `problems` are where in port.yaml, and what."""

    def __init__(self, problems: Sequence[tuple[Path_, str]]) -> None:
        super().__init__("\n".join(f"{'.'.join(map(str, at))}: {what}" for at, what in problems))
        self.problems = list(problems)


def check(rules: Sequence[Rule], torch: Sequence[Named], mindspore: Sequence[Named]) -> None:
    """Raise RuleError for every rule that matches nothing, or leads to nothing of the port's.

    Where a rule leads some tensors to one of the port's and others not, the port lacks these.
    """
    if problems := list(_mistakes(rules, torch, mindspore)):
        raise RuleError(problems)


def _mistakes(
    rules: Sequence[Rule], torch: Sequence[Named], mindspore: Sequence[Named]
) -> Iterator[tuple[Path_, str]]:
    names = [tensor.info.name for tensor in torch]
    known = {n.canonical for n in mindspore} | {n.info.name for n in mindspore}
    for k, rule in enumerate(rules):
        at = ("weights", "rules", k)
        matches = [m for name in names if (m := re.fullmatch(rule.torch, name))]
        aims = [match.expand(rule.mindspore) for match in matches]
        if not matches:
            yield (*at, "torch"), _matches_nothing(rule.torch, names)
        elif known.isdisjoint(aims):
            said = f"{aims[0]}, for {matches[0].string}, is no tensor of the port"
            yield (*at, "mindspore"), said + did_you_mean(aims[0], known)


def _matches_nothing(pattern: str, names: Sequence[str]) -> str:
    begun = next((name for name in names if re.match(pattern, name)), None)
    if begun is not None:
        return f"{pattern} is the beginning of {begun} only; it has to match the whole name"
    plain = re.sub(r"\\(\W)", r"\1", pattern)  # An escaped dot is a dot.
    literal = re.split(r"[\\()\[*+?{|^$]", plain)[0].strip(".")
    steps = {name[:end] for name in names for end in (*_dots(name), len(name))}
    return f"{pattern} matches no tensor of PyTorch's" + did_you_mean(literal, steps)


def _dots(name: str) -> Iterator[int]:
    return (found.start() for found in re.finditer(r"\.", name))


def did_you_mean(name: str, known: set[str]) -> str:
    """Return a question after the one of `known` that is most like `name`, "" for none."""
    near = _near(name, known)
    return f"; did you mean {near}?" if near else ""


def _near(name: str, known: set[str]) -> str:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), "")


def rows(
    torch: Sequence[Named],
    mindspore: tuple[Sequence[Named], Sequence[Named]],
    rules: Sequence[Rule],
) -> Iterator[tuple[int, WeightRow]]:
    """Yield the rows that the user's rules make, and where to sort them.

    The first rule that matches the whole name of PyTorch's tensor holds; where it takes a part of
    the tensor (``q_of_qkv``), so do all later ones that take a part.  The port's tensors are given
    by their first and by their other names.
    """
    by_name = _targets(*mindspore)
    for tensor in torch:
        whole = False
        for k, rule in enumerate(rules):
            match = re.fullmatch(rule.torch, tensor.info.name)
            if match is None:
                continue
            part = chain(rule.transform).source != WHOLE
            if whole and not part:
                continue
            target = match.expand(rule.mindspore)
            if tensor.role == COUNTER and target not in by_name:
                break
            words = "weights.rules, number {number}: {torch} to {mindspore}"
            why = Phrase(words, number=k + 1, torch=rule.torch, mindspore=rule.mindspore)
            yield tensor.index, _by_rule(tensor, target, by_name, rule.transform, why)
            whole = True
            if not part:
                break


def _targets(mindspore: Sequence[Named], others: Sequence[Named]) -> dict[str, Named]:
    """Return the port's tensors by what a rule may call them: their names, or PyTorch's for them.

    One rule for a layer so does for its weight (gamma), its bias (beta) and its statistics.
    `others` are other names of the same tensors.
    """
    first = {n.info.name: n for n in mindspore}
    again = {n.info.name: first[n.info.same_as] for n in others if n.info.same_as in first}
    return {n.canonical: n for n in mindspore} | again | first


def _by_rule(
    tensor: Named, target: str, by_name: Mapping[str, Named], transform: str, why: Phrase
) -> WeightRow:
    other = by_name.get(target)
    if other is None:
        words = "not mapped: the rule's {target} is no tensor of the port"
        problem = Phrase(words, target=target)
        if near := _near(target, set(by_name)):
            problem = Phrase("{problem}; did you mean {name}?", problem=problem, name=near)
        return WeightRow(tensor.info.name, "", tensor.info.shape, None, transform, why, problem)
    return row(tensor.info, other.info, transform, why, "")
