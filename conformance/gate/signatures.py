"""What changed in the signatures of the APIs both sides described, and which warnings are new."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from conformance.gate.change import Category, Change
from conformance.judge.introspected import Argument, Signature
from conformance.judge.signature import same_default
from conformance.worker import describe

Message = Mapping[str, Any]
Difference = tuple[str, str, str, bool]
"""(what, before, after, whether it may break a caller)."""
Arguments = Sequence[Argument]
_UNREADABLE = re.compile(r" at 0x[0-9a-f]+")
"""What of ``<object at 0x7f…>`` is another one in each process."""
UNNAMED = (describe.POSITIONAL_ONLY, describe.VAR_POSITIONAL, describe.VAR_KEYWORD)
"""Kinds of parameters whose names no caller writes."""


def drift(
    target: str,
    old: Mapping[str, Message],
    new: Mapping[str, Message],
    asked: Collection[str] = (),
) -> Iterator[Change]:
    """Yield what changed of the APIs that both sides described on `target`.

    What may break a caller is a regression: an API or parameter that is gone, renamed, moved, or
    has another default; and an API that the candidate `asked` for, and could not describe.
    Additions and deprecations are not.
    """
    for api in sorted((old.keys() - new.keys()) & {*asked}):
        why = "its signature is not known any more: the worker that was asked died or hung"
        yield Change(Category.LOST, target, api, "described", "", why, regression=True)
    for api in sorted(old.keys() & new.keys()):
        for what, before, after, breaking in compare(old[api], new[api]):
            yield Change(Category.SIGNATURE, target, api, before, after, what, regression=breaking)


def new_warnings(target: str, old: frozenset[str], new: frozenset[str]) -> Iterator[Change]:
    """Yield each warning that nothing on `target` gave before."""
    for text in sorted(new - old):
        category, _, words = text.partition(": ")
        yield Change(Category.SIGNATURE, target, category, "", "", f"new warning: {words}")


def compare(old: Message, new: Message) -> Iterator[Difference]:
    """Yield what changed between two descriptions of one API."""
    before, after = Signature.from_message(old), Signature.from_message(new)
    if not (old["exists"] and new["exists"]):
        yield from _existence(old, new, before, after)
        return
    if (note := new.get("deprecated_api")) and not old.get("deprecated_api"):
        yield f"API deprecated: {note}", "", "", False
    for name in sorted(after.deprecated - before.deprecated):
        yield f"parameter {name} deprecated", "", "", False
    if _tells(before) and not _tells(after):
        yield "signature cannot be introspected any more", before.text, after.text, False
    if _tells(before) and _tells(after):
        yield from _forms(before, after)


def _tells(signature: Signature) -> bool:
    """Tell whether a signature says anything: a wrapper's ``(*args, **kwargs)`` does not."""
    kinds = [[argument.kind for argument in form] for form in signature.forms]
    return signature.known and kinds != [[describe.VAR_POSITIONAL, describe.VAR_KEYWORD]]


def _existence(
    old: Message, new: Message, before: Signature, after: Signature
) -> Iterator[Difference]:
    if old["exists"]:
        elsewhere = ", ".join(new.get("elsewhere") or ())
        what = f"API removed; the name is at {elsewhere}" if elsewhere else "API removed"
        yield what, before.text, after.error, True
    elif new["exists"]:
        yield "API added", before.error, after.text, False


def _forms(before: Signature, after: Signature) -> Iterator[Difference]:
    """Compare parameter lists; of several overloads, sets of lists."""
    if len(before.forms) == len(after.forms) == 1:
        for what, breaking in differences(before.forms[0], after.forms[0]):
            yield what, before.texts[0], after.texts[0], breaking
    else:
        yield from _overloads(before, after)
    if before.call is not None and after.call is not None:
        for what, breaking in differences(before.call, after.call):
            yield f"call: {what}", before.call_text or "", after.call_text or "", breaking


def _overloads(before: Signature, after: Signature) -> Iterator[Difference]:
    """A form that nothing replaces may break a caller; one more does not."""
    gone = [
        text
        for text, form in zip(before.texts, before.forms, strict=True)
        if all(any(b for _, b in differences(form, other)) for other in after.forms)
    ]
    came = [
        text
        for text, form in zip(after.texts, after.forms, strict=True)
        if all(any(differences(other, form)) for other in before.forms)
    ]
    if gone:
        yield "overload removed", " | ".join(gone), " | ".join(after.texts), True
    elif came:
        yield "overload added", "", " | ".join(came), False


def differences(old: Arguments, new: Arguments) -> Iterator[tuple[str, bool]]:
    """Yield (what, whether it may break a caller) for two parameter lists."""
    before, after = {a.name: a for a in old}, {a.name: a for a in new}
    renamed = _renamed(old, new, before, after)
    for was, now in renamed.items():
        yield f"parameter {was} renamed to {now}", before[was].kind not in UNNAMED
    for name in before:
        if name not in after and name not in renamed:
            yield f"parameter {name} removed", True
    for name, argument in after.items():
        if name not in before and name not in renamed.values():
            yield _added(argument, before, after)
    if _order(before, after) != _order(after, before):
        yield "parameters reordered", True
    for name, argument in before.items():
        if name in after:
            yield from _one(argument, after[name])


def _added(
    new: Argument, before: Mapping[str, Argument], after: Mapping[str, Argument]
) -> tuple[str, bool]:
    """Return what a new parameter is, and whether calls without it fail or mean something else."""
    if new.default is None and not new.kind.startswith("var-"):
        return f"parameter {new.name} added without a default", True
    pushed = [
        name
        for name, argument in after.items()
        if name in before and _place(before[name]) < _place(argument) > _place(new)
    ]
    if new.position is None or not pushed:
        return f"parameter {new.name} added", False
    return f"parameter {new.name} added before {pushed[0]}", True


def _place(argument: Argument) -> float:
    return math.inf if argument.position is None else argument.position


def _one(old: Argument, new: Argument) -> Iterator[tuple[str, bool]]:
    was, now = ("no default" if a.default is None else a.default for a in (old, new))
    if not _same_default(old, new):
        yield f"default of {old.name} changed from {was} to {now}", old.default is not None
    elif _UNREADABLE.sub("", was) != _UNREADABLE.sub("", now) and "<" in (was[0], now[0]):
        yield f"default of {old.name} changed from {was} to {now}", False
    if old.kind != new.kind:
        yield f"{old.name} is {new.kind}, was {old.kind}", new.kind != describe.POSITIONAL


def _renamed(
    old: Arguments, new: Arguments, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, str]:
    """Return parameters that go by another name at the same place, of the same kind and default."""
    return {
        one.name: other.name
        for one, other in zip(old, new, strict=False)
        if one.name not in after
        and other.name not in before
        and one.kind == other.kind
        and _same_default(one, other)
    }


def _same_default(one: Argument, other: Argument) -> bool:
    """Compare two defaults; none at all is another thing than one that cannot be read."""
    return (one.default is None) == (other.default is None) and same_default(
        one.default, other.default
    )


def _order(side: Mapping[str, Argument], other: Mapping[str, Argument]) -> list[str]:
    """Return the names that are positional on both sides, in the order of `side`."""
    return [
        name
        for name, argument in side.items()
        if argument.position is not None and name in other and other[name].position is not None
    ]
