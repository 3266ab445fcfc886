"""Calls made again: what does not do the same every time is told apart from what changed."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from conformance.corpus.pairs import Call
from conformance.errors import HarnessError
from conformance.run import outcome, pool
from conformance.run.behaviour import behaviour
from conformance.run.store import RunFile
from conformance.run.target import Target

IDENTITY = ("version", "build", "device", "mode", "python", "numpy")
"""What must not change of a target in the middle of a run."""
NTH = "nth"
"""Says in a message which of a row it is: the pool tells calls apart by their content."""


def repeat(
    run: RunFile,
    targets: Sequence[Target],
    calls: Mapping[str, Mapping[str, Call]],
    *,
    times: int,
    jobs: int,
    timeout: float,
    row: int = 1,
    observer: Callable[[pool.Event], None] = lambda _: None,
) -> int:
    """Make `calls` (by target and id) `times` more and keep what comes out otherwise.

    Each time in new workers and in another order, since a result may hang on what ran before it;
    and `row` times one after the other, since it may hang on how often it was asked for: not in
    graph mode, which compiles every call anew.
    Returns how many calls varied.  HarnessError when a target does not start again.
    """
    varied: set[tuple[str, str]] = set()
    names: dict[str, str] = {}
    for number in range(1, times + 1):
        lanes = []
        for target in targets:
            mine = list(calls.get(target.name, {}).values())
            random.Random(number).shuffle(mine)
            if mine:
                made = [(c, c) for c in mine]
                if row > 1 and target.mode != "graph":
                    made = [(Call({**c.message, NTH: n}), c) for c in mine for n in range(row)]
                names.update({call.id: first.id for call, first in made})
                lanes.append(pool.Lane(target, deque(call for call, _ in made), ()))
        for event in pool.execute(lanes, jobs=jobs, timeout=timeout):
            if isinstance(event, pool.Done):
                event = replace(event, call=names[event.call])  # noqa: PLW2901
            observer(event)
            match event:
                case pool.Started():
                    same_target(run, event)
                case pool.Done():
                    if _varies(run, event):
                        varied.add((event.target, event.call))
                case pool.Lost() | pool.Refused():
                    raise HarnessError(
                        f"{run.path}: {event.target} could not be repeated: {event.reason}"
                    )
    return len(varied)


def same_target(run: RunFile, event: pool.Started) -> None:
    """Refuse to mix the outcomes of two versions of a framework in one run."""
    said = run.targets().get(event.target, {})
    before = said.get("was", said)
    for key in IDENTITY:
        if "version" in before and before.get(key) != event.info.get(key):
            raise HarnessError(
                f"{run.path}: {event.target} had {key} {before.get(key)}, and now has "
                f"{event.info.get(key)}; outcomes of both do not go into one run"
            )


def _varies(run: RunFile, event: pool.Done) -> bool:
    first = run.outcome(event.target, event.call)
    now = outcome.from_message(event.message)
    if first is None or behaviour(first) == behaviour(now):
        run.faster(event.target, event.call, now.duration)
        return False
    run.add_variant(event.target, event.call, behaviour(now), event.message)
    return True
