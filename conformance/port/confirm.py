"""Trying causes: patch only that, measure again, see whether the verdict turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from conformance.port.evidence import Suspect
from conformance.port.result import Verdict

Attempt = Callable[[Sequence[Suspect]], Verdict | None]
"""Puts these right and nothing else, measures again, puts all back; None where it cannot."""


def confirm(suspects: Sequence[Suspect], attempt: Attempt, most: int = 8) -> list[Suspect]:
    """Return suspects with `confirmed`, confirmed ones first, else in their order.

    A cause is confirmed when the port agrees with only this put right.  Where none does so alone,
    all are put right together: those without which the others do not suffice are confirmed.  Only
    the first `most` are tried.
    """
    tried = list(suspects[:most])
    alone = {place: attempt([item]) for place, item in enumerate(tried)}
    confirmed: dict[int, bool | None] = {
        place: None if verdict is None else verdict is Verdict.SAME
        for place, verdict in alone.items()
    }
    usable = [place for place, verdict in alone.items() if verdict is not None]
    if len(usable) > 1 and not any(confirmed[place] for place in usable):
        confirmed |= _together(tried, usable, attempt)
    marked = [
        replace(item, cause=replace(item.cause, confirmed=confirmed.get(place)))
        for place, item in enumerate(suspects)
    ]
    return sorted(marked, key=lambda item: item.cause.confirmed is not True)


def _together(
    tried: Sequence[Suspect], usable: Sequence[int], attempt: Attempt
) -> dict[int, bool | None]:
    """Return which causes are needed, if all of them together make the port agree."""
    if attempt([tried[place] for place in usable]) is not Verdict.SAME:
        return {}
    needed = list(usable)
    for place in usable:
        others = [other for other in needed if other != place]
        if others and attempt([tried[other] for other in others]) is Verdict.SAME:
            needed = others
    return {place: place in needed for place in usable}
