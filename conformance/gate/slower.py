"""Which APIs take longer, as far as single durations on a noisy machine can tell."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping

from conformance.gate.change import Category, Change, api_of, role
from conformance.gate.join import Two

LEAST_CALLS = 5
LEAST_FACTOR = 1.5
LEAST_SECONDS = 50e-6
DEVIATIONS = 4.0
"""How many standard errors of the median a change must exceed."""
_TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard deviation, for the normal law."""

Durations = Mapping[tuple[str, str], float]


def slower(common: list[Two], before: Durations, after: Durations) -> Iterator[Change]:
    """Yield the APIs whose calls take longer, compared with all other calls of the same target.

    For each API the median over its calls of log(after / before), less the target's own median:
    that is the machine's doing.  The noise is the standard error of that median, estimated from the
    median absolute deviation.  An API is slower when its factor is at least 1.5, its median call
    takes 50 µs more, and the change exceeds four standard errors.
    """
    for target, by_api in _ratios(common, before, after).items():
        logs = [math.log(b / a) for calls in by_api.values() for a, b in calls]
        if len(logs) < LEAST_CALLS:
            continue
        machine = statistics.median(logs)
        for api, calls in by_api.items():
            if len(calls) >= LEAST_CALLS and (told := _told(calls, machine)):
                yield Change(Category.SLOWER, target, api, *told)


def _told(calls: list[tuple[float, float]], machine: float) -> tuple[str, str, str] | None:
    logs = [math.log(b / a) - machine for a, b in calls]
    middle = statistics.median(logs)
    deviation = _TO_DEVIATION * statistics.median(abs(x - middle) for x in logs)
    error = max(1.2533 * deviation / math.sqrt(len(logs)), 0.02)
    factor = math.exp(middle)
    old, new = (statistics.median(side) for side in zip(*calls, strict=True))
    enough = factor >= LEAST_FACTOR and new - old * math.exp(machine) >= LEAST_SECONDS
    if not enough or middle < DEVIATIONS * error:
        return None
    noise = math.exp(error) - 1
    detail = (
        f"{factor:.1f} times as long, noise ±{noise:.0%}, over {len(calls)} calls; "
        f"the whole target took {math.exp(machine):.2f} times as long"
    )
    return _time(old), _time(new), detail


def _ratios(
    common: list[Two], before: Durations, after: Durations
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return (before, after) seconds of each distinct call that returned, by target and API."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    seen: set[tuple[str, str]] = set()
    for old, new in common:
        key = (role(new.target), new.call)
        if key in seen or not old.label == new.label == "returned":
            continue
        seen.add(key)
        a, b = before.get((old.target, old.call), 0.0), after.get((new.target, new.call), 0.0)
        if a > 0 and b > 0:
            api = api_of(new.target, new.pair, new.operation)
            found.setdefault(new.target, {}).setdefault(api, []).append((a, b))
    return found


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
