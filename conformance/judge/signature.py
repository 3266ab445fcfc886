"""Differences that signatures show: name, order, default, missing, deprecated, call form.

They come from the signatures of the installed frameworks (`conformance.worker.describe`).  Of what
cannot be introspected nothing is claimed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from conformance.corpus.pairs import is_function
from conformance.corpus.schema import Operation, Pair
from conformance.corpus.sides import Composite
from conformance.judge.introspected import Argument, Signature, signature_of
from conformance.judge.words import said
from conformance.taxonomy import FRAMEWORKS, Framework, Kind
from conformance.worker import describe

Role = Literal["input", "option", "state"]
MISSING: dict[Framework, Kind] = {
    "torch": Kind.MISSING_IN_TORCH,
    "mindspore": Kind.MISSING_IN_MINDSPORE,
}
OTHER: dict[Framework, Framework] = {"torch": "mindspore", "mindspore": "torch"}
STATE, STEP = "state", "step"
"""Kinds of an Argument that is in no signature: module state, an argument of a composite's step."""
ORDERED = (describe.POSITIONAL_ONLY, describe.POSITIONAL)
NOT_INTROSPECTABLE = said("not introspectable")


RECEIVER = Argument("self", describe.POSITIONAL_ONLY, None, 0)
"""The tensor whose method or property is used."""


@dataclass(frozen=True)
class ParameterRow:
    """One line of a difference table.

    `name` is the canonical name, or the framework's own for what the operation does not have.
    `unknown` lists the frameworks of which nothing can be said; `note` then says so.
    """

    name: str
    role: Role
    torch: Argument | None
    mindspore: Argument | None
    kinds: tuple[Kind, ...] = ()
    unknown: tuple[Framework, ...] = ()
    canonical: bool = True

    def side(self, framework: Framework) -> Argument | None:
        """Return the parameter as `framework` has it."""
        return self.torch if framework == "torch" else self.mindspore

    @property
    def note(self) -> str:
        """``not introspectable: mindspore``, or nothing."""
        if not self.unknown:
            return ""
        return said("not introspectable: {frameworks}", frameworks=list(self.unknown))


def compare(
    operation: Operation, pair: Pair, torch: Signature | None, mindspore: Signature | None
) -> list[ParameterRow]:
    """Return a row for each parameter: canonical, torch_only, mindspore_only, then undeclared ones.

    A signature is None for a side that is a composite, is not there, or was not described.  Of
    several overloads those are compared that fit each other best.
    """
    candidates = (
        _rows(operation, pair, {"torch": t, "mindspore": m})
        for t in _views(operation, pair, "torch", torch)
        for m in _views(operation, pair, "mindspore", mindspore)
    )
    return min(candidates, key=_misfit)


def compare_described(
    operation: Operation, pair: Pair, messages: Mapping[str, Mapping[str, Any]]
) -> list[ParameterRow]:
    """Return the rows of `compare` for what the frameworks said of the pair, by API."""
    sides = [signature_of(pair.side(framework), messages) for framework in FRAMEWORKS]
    return compare(operation, pair, *sides)


def call_form_differs(pair: Pair) -> bool:
    """Tell whether the two sides are called in different forms, or one is a composite."""
    if pair.torch is None or pair.mindspore is None:
        return False
    composite = isinstance(pair.torch, Composite) or isinstance(pair.mindspore, Composite)
    return composite or pair.step_form("torch") != pair.step_form("mindspore")


def same_default(a: str | None, b: str | None) -> bool:
    """Compare the texts of two defaults by value: ``1e-05`` is ``0.00001``, ``True`` is not ``1``.

    A default without a readable repr (``<object>``) is not told apart from any other.
    """
    if (a or "").startswith("<") or (b or "").startswith("<"):
        return True
    return _plain(a) == _plain(b)


@dataclass(frozen=True)
class _View:
    """One side of a pair with one overload: where to find a parameter by the framework's name."""

    framework_names: Mapping[str, str]
    expected: frozenset[str]
    constructor: Mapping[str, Argument]
    call: Mapping[str, Argument]
    known: bool = True
    call_known: bool = True
    receiver: str | None = None
    deprecated: frozenset[str] = frozenset()

    def find(self, name: str, role: Role) -> Argument | None:
        """Return the argument that canonical `name` is, or None.

        A declared name the installed release does not have gives way to the canonical one:
        then only the declaration is stale, and nothing is missing.
        """
        if name == self.receiver:
            return RECEIVER
        found = self.section(role).get(self.framework_names.get(name, name))
        taken = name in self.framework_names.values()
        return found if found or taken else self.section(role).get(name)

    @property
    def split(self) -> bool:
        """Whether inputs and options go to different calls, as a module's do."""
        return self.call is not self.constructor

    def key(self, name: str, role: Role) -> tuple[str, str]:
        """Tell arguments of the same name apart when they are in different calls."""
        return (role if self.split else "", name)

    def section(self, role: Role) -> Mapping[str, Argument]:
        """Return the list a parameter of `role` is in; functions have but one."""
        return self.call if role == "input" else self.constructor

    def open(self, role: Role) -> bool:
        """Whether a parameter that is not found may be there all the same."""
        known = self.call_known if role == "input" else self.known
        return not known or any(
            a.kind == describe.VAR_KEYWORD
            or (a.kind == describe.VAR_POSITIONAL and a.name not in self.expected)
            for a in self.section(role).values()
        )


def _views(
    operation: Operation, pair: Pair, framework: Framework, signature: Signature | None
) -> Iterator[_View]:
    side, form, names = pair.side(framework), pair.step_form(framework), pair.names(framework)
    expected = frozenset(names.get(name, name) for name in operation.parameters)
    if isinstance(side, Composite):
        names = _composite_names(side)
        used = {own: Argument(own, STEP) for own in names.values()}
        yield _View(names, expected, used, used)
    elif side is None:
        yield _View(names, expected, {}, {})
    elif signature is None or not signature.known:
        yield _View(names, expected, {}, {}, known=False, call_known=False)
    elif form == "module":
        call = {a.name: a for a in signature.call or ()}
        for own in signature.forms:
            constructor = {a.name: a for a in own}
            known = signature.call is not None
            yield _View(names, expected, constructor, call, True, known, None, signature.deprecated)
    else:
        receiver = _receiver(operation, pair, framework) if form in ("method", "property") else None
        for own in signature.forms:
            listed = {a.name: _after(receiver, a) for a in own}
            yield _View(names, expected, listed, listed, True, True, receiver, signature.deprecated)


def _composite_names(side: Composite) -> dict[str, str]:
    """Return canonical name: the name it goes by in the steps that use it."""
    names: dict[str, str] = {}
    for step in side.steps:
        flat = [part for arg in step.args for part in (arg if isinstance(arg, list) else [arg])]
        names |= {arg: arg for arg in flat if isinstance(arg, str) and not is_function(arg)}
        names |= {canonical: own for own, canonical in (step.kwargs | step.constructor).items()}
    return names


def _receiver(operation: Operation, pair: Pair, framework: Framework) -> str | None:
    listed = pair.torch_positional if framework == "torch" else pair.mindspore_positional
    inputs = [n for n, p in operation.parameters.items() if p.role == "input"]
    return next(iter(listed or inputs), None)


def _after(receiver: str | None, argument: Argument) -> Argument:
    if receiver is None or argument.position is None:
        return argument
    return replace(argument, position=argument.position + 1)


def _rows(operation: Operation, pair: Pair, views: Mapping[Framework, _View]) -> list[ParameterRow]:
    rows: list[ParameterRow] = []
    used: set[tuple[Framework, str, str]] = set()

    def add(name: str, role: Role, found: Mapping[Framework, Argument | None], own: bool) -> None:
        if any(found.values()) or (not own and any(v.open(role) for v in views.values())):
            rows.append(_row(name, role, found, views, canonical=not own))
        used.update((f, *views[f].key(a.name, role)) for f, a in found.items() if a)

    for name, parameter in operation.parameters.items():
        if parameter.role == "state":
            torch, mindspore = (Argument(pair.names(f).get(name, name), STATE) for f in FRAMEWORKS)
            rows.append(ParameterRow(name, "state", torch, mindspore))
            # A composite's steps take by argument what the module holds.
            used |= {("torch", "", torch.name), ("mindspore", "", mindspore.name)}
            continue
        found = {f: view.find(name, parameter.role) for f, view in views.items()}
        if all(found.values()) or not (parameter.role == "input" and _drives(pair)):
            add(name, parameter.role, found, own=False)
    for name, role in _others(pair, views):
        found = {f: view.section(role).get(name) for f, view in views.items()}
        found = {f: None if (f, *views[f].key(name, role)) in used else a for f, a in found.items()}
        add(name, role, found, own=True)
    return _with_order(pair, rows)


def _others(pair: Pair, views: Mapping[Framework, _View]) -> list[tuple[str, Role]]:
    """Return names and roles of all arguments: torch_only, mindspore_only, then as they come."""
    inputs = {name for view in views.values() if view.split for name in view.call}
    options = {name for view in views.values() if view.split for name in view.constructor}
    found: dict[tuple[str, Role], None] = {}
    for view in views.values():
        names = [a.name for a in view.constructor.values() if not a.kind.startswith("var-")]
        calls = [a.name for a in view.call.values() if not a.kind.startswith("var-")]
        if view.split:
            found |= dict.fromkeys((n, "option") for n in names)
            found |= dict.fromkeys((n, "input") for n in calls)
        else:
            as_input = inputs - options
            found |= dict.fromkeys((n, "input" if n in as_input else "option") for n in names)
    declared = [*pair.torch_only, *pair.mindspore_only]
    rank = {name: i for i, name in enumerate(declared)}
    return sorted(found, key=lambda item: rank.get(item[0], len(rank)))


def _row(
    name: str,
    role: Role,
    found: Mapping[Framework, Argument | None],
    views: Mapping[Framework, _View],
    canonical: bool,
) -> ParameterRow:
    unknown = tuple(f for f in FRAMEWORKS if found[f] is None and views[f].open(role))
    torch, mindspore = found["torch"], found["mindspore"]
    lacks = [f for f in FRAMEWORKS if found[f] is None and (torch or mindspore)]
    kinds = [MISSING[f] for f in lacks if f not in unknown]
    if torch and mindspore:
        if torch.name != mindspore.name and RECEIVER not in (torch, mindspore):
            kinds.append(Kind.NAME)
        told = all(a.kind != STEP and a != RECEIVER for a in (torch, mindspore))
        if told and not same_default(torch.default, mindspore.default):
            kinds.append(Kind.DEFAULT)
    if any(a and a.name in views[f].deprecated for f, a in found.items()):
        kinds.append(Kind.DEPRECATED)
    return ParameterRow(name, role, torch, mindspore, tuple(kinds), unknown, canonical)


def _with_order(pair: Pair, rows: list[ParameterRow]) -> list[ParameterRow]:
    """Add `order` to the rows whose place among the shared positional parameters differs."""
    split = any(pair.step_form(f) == "module" for f in FRAMEWORKS)
    groups: dict[str, list[tuple[int, int, int]]] = {}
    for i, row in enumerate(rows):
        places = [a.position for a in (row.torch, row.mindspore) if a and a.kind in ORDERED]
        if len(places) == 2 and None not in places:
            groups.setdefault(row.role if split else "", []).append((i, *places))  # type: ignore[arg-type]
    moved: set[int] = set()
    for group in groups.values():
        by_torch = sorted(group, key=lambda item: item[1])
        by_mindspore = sorted(group, key=lambda item: item[2])
        pairs = zip(by_torch, by_mindspore, strict=True)
        moved |= {i for a, b in pairs if a != b for i in (a[0], b[0])}
    order = (Kind.ORDER,)
    return [replace(r, kinds=r.kinds + order) if i in moved else r for i, r in enumerate(rows)]


def _misfit(rows: list[ParameterRow]) -> tuple[int, int, int]:
    """Rank overloads: most canonical parameters found, then fewest missing, then fewest kinds."""
    sides = [side for row in rows if row.canonical for side in (row.torch, row.mindspore)]
    missing = sum(kind in MISSING.values() for row in rows for kind in row.kinds)
    return sides.count(None) - len(sides), missing, sum(len(row.kinds) for row in rows)


def _drives(pair: Pair) -> bool:
    """Whether the harness itself turns inputs (gradients, steps) into calls."""
    return any(pair.form(f) in ("optimizer", "schedule") for f in FRAMEWORKS)


def _plain(text: str | None) -> tuple[bool, Any]:
    """Return (is a bool, value) of a default's text, free of the framework's own prefix."""
    if text is None:
        return False, ...
    bare = re.sub(
        r"""^(torch|mindspore|mstype|math|np|numpy)\.|float\(['"]|['"]\)$""", "", text.strip()
    )
    try:
        value = ast.literal_eval(bare)
    except (ValueError, SyntaxError):
        return False, bare
    return isinstance(value, bool), tuple(value) if isinstance(value, list) else value
