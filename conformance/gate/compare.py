"""One item before and after: broken, lost, fixed, drifted, new, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from conformance.gate.change import Category, Change, api_of
from conformance.gate.join import Two
from conformance.gate.record import Record
from conformance.judge.known import Known
from conformance.judge.verdict import Status
from conformance.run.target import framework_of
from conformance.taxonomy import Kind

RETURNED = "returned"
FAILURES = {Kind.EXCEPTION, Kind.UNSUPPORTED, Kind.DTYPE_SUPPORT, Kind.CLAIM}
"""Kinds that say that a call raised; which one depends on the wording of the exception."""
WORSE = 10.0
"""How many times greater an error must be, which the judge does not admit anyway, to be broken."""
GARBAGE = {Kind.VALUE, Kind.SPECIAL_VALUES}
"""What memory that nobody wrote shows: it may hold a number or an infinity."""
_RANK = {Status.CONFORMS: 0, Status.DECLARED: 1, Status.NOT_COMPARABLE: 2, Status.DIFFERS: 3}


@dataclass(frozen=True)
class Context:
    """What comparing one item needs of the others.

    `edited` tells whether the case file of an operation is another one, or the judge is.  `peer`
    returns what PyTorch did with the case and pair of a record, before and after.  `version` gives
    the version of a record's framework.
    """

    edited: Callable[[str], bool]
    peer: Callable[[Record], Two | None]
    known: Sequence[Known] = ()
    version: Callable[[Record], str] = lambda _: ""
    today: date = date.min


def compare(old: Record, new: Record, context: Context) -> Change | None:
    """Return what changed from `old` to `new`, two items that asked the same; None if nothing.

    A framework is accused only of what it does otherwise.  Where it does the same and is judged
    otherwise, the change is PyTorch's if that is what it was compared with, or the corpus's.
    """
    if (ended := _ended(old, new, context)) and not _excuses(new, context):
        return _still_there(old, new, ended[0], context)
    if old.behaviour == new.behaviour and not (old.variants or new.variants):
        return _same_behaviour(old, new, context)
    if old.varies or new.varies:
        return _varying(old, new, context)
    return _moved(old, new, context)


def _ended(old: Record, new: Record, context: Context) -> list[Known]:
    """Return what excuses `old`, and would `new` if it held for its version too."""
    version = context.version(new) or None
    return [
        entry
        for entry in _excuses(old, context)
        if not entry.applies(new.target, version) and {k.value for k in entry.kinds} & {*new.open}
    ]


def _still_there(old: Record, new: Record, entry: Known, context: Context) -> Change:
    """Report what a known difference excused in the baseline's version, and no longer does."""
    change = _change(Category.BROKEN, old, new, context)
    why = f"the known difference ({entry.reason}) holds for {entry.versions or 'the baseline'} only"
    return replace(change, before=f"{change.before}, known", detail=f"{why}; {change.detail}")


def _moved(old: Record, new: Record, context: Context) -> Change | None:
    """Compare two items that did different things."""
    if not new.behaviour:
        return _change(Category.LOST, old, new, context) if old.judged else None
    if fate := _fate(old, new):
        return _change(fate, old, new, context)
    if _fails(old) and _fails(new):
        undeclared = old.accepted and not new.accepted
        fate = Category.BROKEN if undeclared else Category.DRIFTED
        return _change(fate, old, new, context)
    if fate := _claim(old, new):
        return _change(fate, old, new, context)
    if old.judged and not new.judged:
        return _change(Category.LOST, old, new, context)
    if new.judged and not old.judged:
        return _change(Category.NEW, old, new, context)
    gained, lost = _gained(old, new)
    if gained or (old.accepted and not new.accepted and new.judged) or _worse(old, new):
        return _change(Category.BROKEN, old, new, context)
    if lost or (new.accepted and not old.accepted):
        return _change(Category.FIXED, old, new, context)
    return _change(Category.DRIFTED, old, new, context)


def _worse(old: Record, new: Record) -> bool:
    """Tell whether an error that was too great already, every time, has become much greater."""
    errors = (
        (Kind.VALUE, old.ratio, new.ratio),
        (Kind.GRADIENT, old.gradient_ratio, new.gradient_ratio),
    )
    return any(
        kind in {*old.kinds} & {*new.kinds} - {*new.sometimes}
        and None not in (was, now)
        and now > WORSE * was  # type: ignore[operator]
        for kind, was, now in errors
    )


def _fate(old: Record, new: Record) -> Category | None:
    """Tell whether a call that returned does no longer, or the other way round."""
    returned, returns = old.label == RETURNED, new.label == RETURNED
    if returned and not returns and new.status is not Status.CONFORMS:
        return Category.BROKEN
    if returns and not returned and old.status is not Status.CONFORMS and not new.open:
        return Category.FIXED
    return None


def _claim(old: Record, new: Record) -> Category | None:
    """Tell what became of a printed value, which is checked also where nothing else can be."""
    if not old.label == new.label == RETURNED:
        return None
    if not old.judged and Kind.CLAIM in new.kinds:
        return Category.BROKEN
    if not new.judged and {*old.kinds} == {Kind.CLAIM}:
        return Category.FIXED
    return None


def _fails(record: Record) -> bool:
    """Tell whether the call raised and should not have, in whatever words."""
    return record.label != RETURNED and bool(record.kinds) and FAILURES.issuperset(record.kinds)


def _same_behaviour(old: Record, new: Record, context: Context) -> Change | None:
    if (old.kinds, old.status) == (new.kinds, new.status):
        return None
    worse = bool(_gained(old, new)[0]) or _RANK[new.status] > _RANK[old.status]
    if context.edited(new.operation):
        return changed(old, new, context)
    peer = context.peer(new) if framework_of(new.target) != "torch" else None
    fate = Category.BROKEN if worse else Category.FIXED
    if old.judged and not new.judged:
        fate = Category.LOST
    if peer is None or peer[0].behaviour == peer[1].behaviour:
        return _change(fate, old, new, context)
    return _of_peer(_change(fate, old, new, context), peer, old, new)


def _of_peer(change: Change, peer: Two, old: Record, new: Record) -> Change:
    """Blame PyTorch: the other, which was compared with it, does what it did."""
    before, after = peer
    return replace(
        change,
        target=after.target,
        api=api_of(after.target, after.pair, after.operation),
        before=f"{before.label}; {change.api} {said(old)}",
        after=f"{after.label}; {change.api}, unchanged, {said(new)}",
    )


def _varying(old: Record, new: Record, context: Context) -> Change | None:
    """Compare what does not repeat: only what no repetition of the other side shows counts.

    Which of its behaviours comes first is a toss, so those that repetitions showed weigh the same.
    """
    at_times = {kind for kinds in new.variants for kind in kinds}
    _, lost = _gained(old, new)
    gained = {*new.kinds, *at_times} - old.shown - {*new.sometimes}
    if old.variants and GARBAGE & old.shown:
        gained -= GARBAGE
    gained |= _beyond(old, new)
    steady = not old.variants
    if gained or (steady and (_fate(old, new) is Category.BROKEN or _worse(old, new))):
        return _change(Category.BROKEN, old, new, context, tuple(sorted(gained - {*new.kinds})))
    if old.judged and not new.judged:
        return _change(Category.LOST, old, new, context)
    if old.accepted and new.status is Status.DIFFERS and steady:
        return _change(Category.BROKEN, old, new, context)
    if lost and not (old.varies and new.varies) and new.status is not Status.DIFFERS:
        return _change(Category.FIXED, old, new, context)
    if new.varies and not old.varies:
        return _change(Category.VARIES, old, new, context)
    return None


def _beyond(old: Record, new: Record) -> set[str]:
    """Return the kinds that the case file declares, and `new` shows beyond what it declares."""
    declared = {*old.kinds, *new.sometimes} - {*old.open}
    return declared & {*new.open}


def _gained(old: Record, new: Record) -> tuple[set[str], set[str]]:
    """Return the kinds of difference that only `new` shows, and those that only `old` does."""
    return set(new.kinds) - old.shown, set(old.kinds) - new.shown


def _change(
    category: Category, old: Record, new: Record, context: Context, at_times: tuple[str, ...] = ()
) -> Change:
    """Return the change; `at_times` are kinds that only repetitions of `new` showed."""
    regression = category in (Category.BROKEN, Category.LOST)
    detail = new.detail
    if at_times:
        detail = "; ".join(filter(None, [f"at times: {', '.join(at_times)}", detail]))
    if category is Category.NEW:
        regression = new.status is Status.DIFFERS
    if category is Category.FIXED:
        detail = old.detail
    if regression and (excuses := _excuses(new, context, at_times)):
        first = excuses[0]
        category, regression = Category.KNOWN, False
        detail = f"until {first.expires.isoformat()}: {first.reason} ({first.link}); {detail}"
    return Change(
        category,
        new.target,
        api_of(new.target, new.pair, new.operation),
        said(old),
        said(new),
        detail,
        new.operation,
        new.case,
        new.pair,
        (*new.kinds, *at_times),
        regression,
    )


def _excuses(record: Record, context: Context, at_times: tuple[str, ...] = ()) -> list[Known]:
    """Return the known differences that excuse all that is not declared of `record`, if all is."""
    open_ = (*record.open, *at_times)
    if not open_:
        return []
    version = context.version(record)
    speaking = [
        entry
        for entry in context.known
        if context.today < entry.expires
        and entry.speaks_of(record.case, record.pair)
        and entry.applies(record.target, version or None)
    ]
    excused = {kind for entry in speaking for kind in entry.kinds}
    return speaking if all(Kind(kind) in excused for kind in open_) else []


def added(new: Record, context: Context) -> Change:
    """Report an item that the baseline lacks; it may differ as known."""
    change = _change(Category.NEW, new, new, context)
    return replace(change, before="", after=str(new.status))


def changed(old: Record, new: Record, context: Context) -> Change:
    """Report an item whose case was edited: nobody can call it a regression, but it may fail.

    It does where it differs in a way that nothing declares or excuses, and did not before.
    """
    change = _change(Category.CHANGED, old, new, context)
    newly = old.status is not Status.DIFFERS or bool({*new.open} - {*old.open})
    fails = new.status is Status.DIFFERS and newly
    excused = fails and bool(_excuses(new, context))
    what = "edited: another input, parameter or expectation"
    detail = "; ".join(filter(None, [what, new.detail if fails else ""]))
    return replace(change, detail=detail, unexpected=fails and not excused)


def said(record: Record) -> str:
    """Return verdict and outcome in a few words."""
    kinds = f" ({', '.join(record.kinds)})" if record.kinds else ""
    label = "" if record.label in (RETURNED, "") else f", {record.label}"
    varies = ", not always the same" if record.varies else ""
    return f"{record.status}{kinds}{label}{varies}"
