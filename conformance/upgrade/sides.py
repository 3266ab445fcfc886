"""Both sides of an upgrade, run at once, and what differs between them run again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from conformance.corpus.loader import Corpus
from conformance.errors import HarnessError
from conformance.gate.change import Change
from conformance.gate.confirm import confirm as again
from conformance.run import session
from conformance.run.gateway import Worker, WorkerUnavailable
from conformance.run.pool import Event
from conformance.run.select import Selection
from conformance.run.store import RunFile
from conformance.run.target import Target

Observer = Callable[[Event], None]


@dataclass(frozen=True)
class SideRun:
    """One side: what it is called, its targets, its run file, and who watches it."""

    label: str
    targets: Sequence[Target]
    path: Path
    packages: Mapping[str, str]
    observer: Observer = lambda _: None

    def watched(self, observer: Observer) -> Self:
        """Return the side with another observer."""
        return replace(self, observer=observer)


@dataclass(frozen=True)
class Limits:
    """How much may run at once on each side, for how many seconds a call, and how often."""

    jobs: int
    timeout: float
    repeat: int = 1


def start(side: SideRun) -> None:
    """Start every target of `side` once.  HarnessError with the reason when one does not."""
    for target in side.targets:
        try:
            Worker(target).close()
        except WorkerUnavailable as error:
            raise HarnessError(
                f"{side.label}: target {target.name} did not start: {error}"
            ) from None


def run(
    sides: Sequence[SideRun],
    corpus: Corpus,
    selection: Selection,
    limits: Limits,
    facts: Mapping[str, Any],
) -> None:
    """Execute `corpus` on all sides at the same time, so that the machine's moods hit them alike.

    `facts` go into each manifest.  Raises what the first side that failed raised.
    """

    def one(side: SideRun) -> None:
        file = RunFile.create(side.path)
        try:
            file.note(**facts, packages=dict(side.packages), required=True)
            session.execute(
                corpus,
                side.targets,
                file,
                selection=selection,
                jobs=limits.jobs,
                timeout=limits.timeout,
                repeat=limits.repeat,
                observer=side.observer,
            )
        finally:
            file.close()

    at_once([partial(one, side) for side in sides])


def confirm(
    sides: Sequence[SideRun],
    corpus: Corpus,
    changes: Sequence[Change],
    *,
    times: int,
    limits: Limits,
) -> None:
    """Make the calls that `changes` speak of `times` more on all sides."""
    at_once(
        [
            partial(
                again,
                side.path,
                side.targets,
                changes,
                times=times,
                jobs=limits.jobs,
                timeout=limits.timeout,
                corpus=corpus,
                observer=side.observer,
            )
            for side in sides
        ]
    )


def at_once(acts: Sequence[Callable[[], None]]) -> None:
    """Do all `acts` at the same time; raise what the first of them that failed raised."""
    errors: list[BaseException] = []

    def guarded(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a join without a timeout would not hear Ctrl-C
            thread.join(timeout=0.2)
            if errors:
                raise errors[0]
    if errors:
        raise errors[0]
