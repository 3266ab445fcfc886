"""What two models return, side by side: what belongs together, and what is made otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from conformance.phrase import Phrase, listed
from conformance.port.model import Forward

INTEGERS = ("int8", "int16", "int32", "int64")
Part = tuple[str, "Node"]
Number = bool | int | float


@dataclass(frozen=True)
class Node:
    """Part of what a model returns: a ``worker/port_form.Form`` whose tensors are numbered."""

    kind: str
    value: Any = None
    """A tensor's dtype, a number, a text, or the type of what is none of these."""
    parts: tuple[Part, ...] = ()
    tensor: int = 0

    def tensors(self) -> list[Node]:
        """Return the tensors inside, in their order."""
        found = [node for _, part in self.parts for node in part.tensors()]
        return [self] if self.kind == "tensor" else found


@dataclass
class Paired:
    """Outputs that belong together, by where they lie: ``cls``, ``1.boxes``, "" for the only one.

    `tensors` are their numbers on both sides, `numbers` plain ones; `problems` says what is made
    otherwise.
    """

    tensors: dict[str, tuple[int, int]] = field(default_factory=dict)
    numbers: dict[str, tuple[Number, Number]] = field(default_factory=dict)
    problems: dict[str, Phrase] = field(default_factory=dict)


def node(ran: Forward) -> Node:
    """Return what `ran` returned; where it does not say, its tensors in a row."""
    forms = [("tensor", array.dtype.name) for array in ran.outputs]
    given = ran.form or (forms[0] if len(forms) == 1 else ("items", forms))
    return _node(given, count())


def paired(torch: Node, port: Node) -> Paired:
    """Return the outputs of two models that belong together: by keys, else by position."""
    found = Paired()
    _pair(torch, port, "", found)
    return found


def _node(form: Sequence[Any], tensors: count[int]) -> Node:
    kind, *rest = form
    if kind == "tensor":
        return Node(kind, rest[0], tensor=next(tensors))
    if kind == "items":
        named = [(str(n), part) for n, part in enumerate(rest[0])]
        return Node(kind, parts=tuple((name, _node(part, tensors)) for name, part in named))
    if kind in ("keys", "fields"):
        return Node(kind, parts=tuple((name, _node(part, tensors)) for name, part in rest[0]))
    return Node(kind, rest[0] if rest else None)


def _pair(torch: Node, port: Node, place: str, found: Paired) -> None:
    if torch.kind == "tensor" and port.kind == "tensor":
        found.tensors[place] = torch.tensor, port.tensor
        if torch.value != port.value and not (torch.value in INTEGERS and port.value in INTEGERS):
            words = "{output} is of dtype {port}, PyTorch's of {torch}"
            said = Phrase(words, output=_output(place), port=port.value, torch=torch.value)
            found.problems[place] = said
    elif torch.kind == "number" and port.kind == "number":
        found.numbers[place] = torch.value, port.value
    elif torch.kind == port.kind == "keys":
        _by_name(torch, port, place, found)
    elif {torch.kind, port.kind} <= {"items", "fields"}:
        _in_order(torch, port, place, found)
    elif torch.kind == port.kind == "other":
        pass  # An object that nothing is known of, with nothing inside that could be compared.
    elif torch.kind != port.kind or torch.value != port.value:
        _otherwise(torch, port, place, found)


def _by_name(torch: Node, port: Node, place: str, found: Paired) -> None:
    mine, theirs = dict(port.parts), dict(torch.parts)
    if set(mine) != set(theirs):
        _otherwise(torch, port, place, found)
    for name, part in theirs.items():
        if name in mine:
            _pair(part, mine[name], _at(place, name), found)


def _in_order(torch: Node, port: Node, place: str, found: Paired) -> None:
    """Pair sequences and records, which may stand for each other: not all modes return records."""
    sides = [torch.parts, port.parts]
    if torch.kind != port.kind:  # A record's fields that are not set are not in a sequence.
        sides = [_set(torch), _set(port)]
    names = [[name for name, _ in parts] for parts in sides]
    other = torch.kind == port.kind == "fields" and names[0] != names[1]
    if other or len(sides[0]) != len(sides[1]):
        _otherwise(torch, port, place, found)
    for (name, theirs), (_, mine) in zip(*sides, strict=False):
        _pair(theirs, mine, _at(place, name), found)


def _set(one: Node) -> tuple[Part, ...]:
    if one.kind == "items":
        return one.parts
    return tuple(part for part in one.parts if part[1].kind != "none")


def _otherwise(torch: Node, port: Node, place: str, found: Paired) -> None:
    """Say that the two are made otherwise; equally many tensors are compared all the same."""
    found.problems[place] = unlike(torch, port, place)
    theirs, mine = torch.tensors(), port.tensors()
    if torch.kind != port.kind and len(theirs) == len(mine):
        for number, pair in enumerate(zip(theirs, mine, strict=True)):
            found.tensors[_at(place, str(number))] = pair[0].tensor, pair[1].tensor


def unlike(torch: Node, port: Node, place: str) -> Phrase:
    """Return in words that the two sides' outputs at `place` are other things."""
    told = {"port": _said(port), "torch": _said(torch)}
    if place:
        return Phrase("{output} is {port}, PyTorch's {torch}", output=_output(place), **told)
    return Phrase("it returns {port}, PyTorch {torch}", **told)


def _output(place: str) -> Phrase:
    return Phrase("its output {place}", place=place) if place else Phrase("its output")


def _at(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _said(one: Node) -> str:
    """Return in words what a part is."""
    if one.kind == "tensor":
        return Phrase("a tensor")
    if one.kind == "items":
        return Phrase("a sequence of {n}", n=len(one.parts))
    names = listed([name for name, _ in one.parts], 6) or "-"
    if one.kind == "keys":
        return Phrase("a mapping with the keys {names}", names=names)
    if one.kind == "fields":
        return Phrase("a record with the fields {names}", names=names)
    if one.kind == "number":
        return Phrase("the number {number}", number=str(one.value))
    return "None" if one.kind == "none" else repr(one.value)
