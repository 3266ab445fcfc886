"""Which item of one side is which of the other: by what was asked, not by what it is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.errors import HarnessError
from conformance.gate.change import role
from conformance.gate.record import Record

Key = tuple[str, str, str]
Two = tuple[Record, Record]


@dataclass
class Joined:
    """Items of both sides.

    `common` asked the same of the framework.  `changed` have the same name and ask something
    else.  `gone` are only in the baseline, `new` only in the candidate.
    """

    common: list[Two] = field(default_factory=list)
    changed: list[Two] = field(default_factory=list)
    gone: list[Record] = field(default_factory=list)
    new: list[Record] = field(default_factory=list)


def join(baseline: Iterable[Record], candidate: Iterable[Record]) -> Joined:
    """Join items by the content hash of their case, their pair and their target's role.

    An item whose case has another name on the other side is found by its content.  HarnessError
    when one side holds two versions of one target, so that nobody can tell which is meant.
    """
    before, after = _by_name(baseline), _by_name(candidate)
    joined = Joined()
    left: dict[Key, Record] = {}
    for key, old in before.items():
        new = after.get(key)
        if new is not None and new.hash == old.hash:
            (joined.common if same_call(old, new) else joined.changed).append((old, new))
        else:
            left[key] = old
    unmatched = {key: new for key, new in after.items() if _other(before.get(key), new)}
    by_content = {(new.hash, new.pair, role(new.target)): key for key, new in unmatched.items()}
    edited: dict[Key, Record] = {}
    for key, old in left.items():
        renamed = by_content.pop((old.hash, old.pair, role(old.target)), None)
        if renamed is not None and same_call(old, unmatched[renamed]):
            joined.common.append((old, unmatched.pop(renamed)))
        else:
            edited[key] = old
    for key, old in edited.items():
        if key in unmatched:
            joined.changed.append((old, unmatched.pop(key)))
        else:
            joined.gone.append(old)
    joined.new = list(unmatched.values())
    return joined


def same_call(old: Record, new: Record) -> bool:
    """Tell whether two items asked the same; a baseline keeps the head of a call's hash only."""
    shorter = min(len(old.call), len(new.call))
    return bool(old.call) == bool(new.call) and old.call[:shorter] == new.call[:shorter]


def _other(old: Record | None, new: Record) -> bool:
    return old is None or old.hash != new.hash


def _by_name(records: Iterable[Record]) -> dict[Key, Record]:
    found: dict[Key, Record] = {}
    for record in records:
        key = (record.case, record.pair, role(record.target))
        if key in found:
            first = found[key].target
            raise HarnessError(
                f"{record.case} ran on both {first} and {record.target}: a side has one version "
                "of each target"
            )
        found[key] = record
    return found
