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
DEVIATIONS = 10.0
"""How far an API must lie outside what the others of its target show.  A busy machine slows what
runs at that moment, so single durations scatter in lumps, far beyond the normal law."""
_TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard deviation, for the normal law."""

Durations = Mapping[tuple[str, str], float]
Calls = list[tuple[float, float]]


def slower(common: list[Two], before: Durations, after: Durations) -> Iterator[Change]:
    """Yield the APIs whose calls take longer, compared with all other calls of the same target.

    For each API the median over its calls of log(after / before), less the median of the whole
    target: that is the machine's doing.  The noise is the scatter of these figures over all APIs of
    the target, estimated by their median absolute deviation.  An API is slower when its factor is
    at least 1.5, its median call takes 50 µs more, and it lies ten deviations out.  Repeated runs
    keep the shortest duration of each call, which makes the noise smaller and the gate sharper.
    """
    for target, by_api in _ratios(common, before, after).items():
        logs = [math.log(b / a) for calls in by_api.values() for a, b in calls]
        enough = {api: calls for api, calls in by_api.items() if len(calls) >= LEAST_CALLS}
        if len(enough) < LEAST_CALLS:
            continue
        machine = statistics.median(logs)
        moved = {
            api: statistics.median(math.log(b / a) for a, b in calls) - machine
            for api, calls in enough.items()
        }
        noise = max(_TO_DEVIATION * statistics.median(map(abs, moved.values())), 0.02)
        for api, middle in moved.items():
            if middle >= max(math.log(LEAST_FACTOR), DEVIATIONS * noise):
                yield from _told(target, api, enough[api], middle, machine, noise)


def _told(
    target: str, api: str, calls: Calls, middle: float, machine: float, noise: float
) -> Iterator[Change]:
    old, new = (statistics.median(side) for side in zip(*calls, strict=True))
    if new - old * math.exp(machine) < LEAST_SECONDS:
        return
    detail = (
        f"{math.exp(middle):.1f} times as long, over {len(calls)} calls; the other APIs of the "
        f"target scatter by ±{math.exp(noise) - 1:.0%} about {math.exp(machine):.2f} times"
    )
    yield Change(Category.SLOWER, target, api, _time(old), _time(new), detail)


def _ratios(common: list[Two], before: Durations, after: Durations) -> dict[str, dict[str, Calls]]:
    """Return (before, after) seconds of each distinct call that returned, by target and API."""
    found: dict[str, dict[str, Calls]] = {}
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
