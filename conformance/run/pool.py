"""Calls to workers, workers to replies: windows of calls in flight, crashes and hangs pinned down.

A *lane* is one target's queue.  `jobs` threads each take the lane with most work left, start a
worker for it and drain it; a thread that finishes early joins the longest remaining lane.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from conformance.corpus.pairs import Call
from conformance.run.gateway import HUNG, Worker, WorkerDied, WorkerUnavailable
from conformance.run.target import Target
from conformance.worker.serve import TIMED_OUT_BANNER

DEFAULT_JOBS = (os.cpu_count() or 1) + 2
"""Two more than cores: MindSpore sleeps three seconds over each error of a compiled graph."""

WINDOW = 8
GRACE_SECONDS = 10.0
JOIN_SECONDS = 4.0
"""Estimated work that makes a second worker on one lane worth its start-up."""
ESTIMATED_SECONDS = {"graph": 0.06}

Message = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A call's reply."""

    target: str
    call: str
    message: Message


@dataclass(frozen=True)
class Queued:
    """A target has that many calls to make."""

    target: str
    calls: int


@dataclass(frozen=True)
class Started:
    """A target's first worker is up."""

    target: str
    info: Message


@dataclass(frozen=True)
class Refused:
    """A target cannot be used."""

    target: str
    reason: str


@dataclass(frozen=True)
class Lost:
    """A target that had started died and could not be started again: calls are missing."""

    target: str
    reason: str


@dataclass(frozen=True)
class Described:
    """Signatures of the APIs a target was asked about."""

    target: str
    signatures: list[Message]


@dataclass(frozen=True)
class Broken:
    """The harness itself failed in a thread."""

    error: BaseException


Event = Queued | Done | Started | Refused | Lost | Described | Broken


@dataclass
class Lane:
    """One target's calls and the APIs it is asked to describe."""

    target: Target
    calls: deque[Call]
    apis: tuple[str, ...] = ()
    expects_death: bool = False
    workers: int = 0
    refused: bool = False
    spare: Future[Worker] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds(self) -> float:
        """Return a rough estimate of the work left."""
        return len(self.calls) * ESTIMATED_SECONDS.get(self.target.mode, 0.003)


def execute(lanes: Iterable[Lane], *, jobs: int, timeout: float) -> Iterator[Event]:
    """Run every call of every lane and yield what happens, as it happens."""
    events: queue.Queue[Event | None] = queue.Queue()
    pool = _Pool(list(lanes), events, timeout)
    for lane in pool.lanes:
        yield Queued(lane.target.name, len(lane.calls))
    threads = [threading.Thread(target=pool.work, daemon=True) for _ in range(max(1, jobs))]
    for thread in threads:
        thread.start()

    def finish() -> None:
        for thread in threads:
            thread.join()
        pool.close()
        events.put(None)

    threading.Thread(target=finish, daemon=True).start()
    try:
        while (event := events.get()) is not None:
            if isinstance(event, Broken):
                raise event.error
            yield event
    finally:
        pool.stop.set()


class _Pool:
    def __init__(
        self, lanes: list[Lane], events: queue.Queue[Event | None], timeout: float
    ) -> None:
        self.lanes, self.events, self.timeout = lanes, events, timeout
        self.stop = threading.Event()
        self.choosing = threading.Lock()
        self.starters = ThreadPoolExecutor(max_workers=4, thread_name_prefix="spare")

    def work(self) -> None:
        """Drain lane after lane until none is worth joining.  The body of each thread."""
        try:
            while (choice := self.choose()) is not None:
                self.drain(*choice)
        except BaseException as error:
            self.stop.set()
            self.events.put(Broken(error))

    def choose(self) -> tuple[Lane, bool] | None:
        """Return the lane to work on, and whether this is its first worker."""
        with self.choosing:
            waiting = [
                lane
                for lane in self.lanes
                if not lane.refused and (lane.calls or (lane.apis and lane.workers == 0))
            ]
            fresh = [lane for lane in waiting if lane.workers == 0]
            busy = [lane for lane in waiting if lane.seconds() > JOIN_SECONDS * lane.workers]
            if self.stop.is_set() or not (fresh or busy):
                return None
            lane = max(fresh or busy, key=Lane.seconds)
            lane.workers += 1
            return lane, lane.workers == 1

    def drain(self, lane: Lane, first: bool) -> None:
        """Start a worker for `lane` and let it work; the first one also describes signatures."""
        try:
            worker = Worker(lane.target)
        except WorkerUnavailable as error:
            lane.refused = True
            self.events.put(Refused(lane.target.name, str(error)))
            return
        self.events.put(Started(lane.target.name, worker.info))
        if lane.expects_death:
            self.prepare(lane)
        try:
            if lane.apis and first:
                worker = self.describe(lane, worker)
            while lane.calls and not self.stop.is_set():
                worker = self.stream(lane, worker)
        except WorkerUnavailable as error:
            lane.refused = True
            self.events.put(Lost(lane.target.name, f"could not be restarted: {error}"))
        else:
            worker.close()

    def describe(self, lane: Lane, worker: Worker) -> Worker:
        found: list[Message] = []
        for api in lane.apis:
            try:
                worker.send(("describe", api, [api]))
                found += worker.receive(self.timeout + GRACE_SECONDS)[1]
            except WorkerDied:
                worker.kill()
                worker = self.replacement(lane)
        self.events.put(Described(lane.target.name, found))
        return worker

    def stream(self, lane: Lane, worker: Worker) -> Worker:
        """Keep a window of calls in flight; return the worker to go on with."""
        flight: OrderedDict[str, Call] = OrderedDict()
        try:
            while not self.stop.is_set():
                while len(flight) < WINDOW and (call := _next(lane)) is not None:
                    flight[call.id] = call
                    worker.send(("run", call.id, call.message, self.timeout))
                if not flight:
                    return worker
                key, reply = worker.receive(self.timeout + GRACE_SECONDS)
                del flight[key]
                self.events.put(Done(lane.target.name, key, reply))
        except WorkerDied:
            how = _death(worker, self.timeout)
            return self.one_by_one(lane, list(flight.values()), how)
        return worker

    def one_by_one(self, lane: Lane, suspects: list[Call], how: Message) -> Worker:
        """Run each call that was in flight alone: what kills its worker alone is guilty."""
        guilty = False
        replies: dict[str, Message] = {}
        try:
            worker = self.replacement(lane)
            for call in suspects:
                try:
                    worker.send(("run", call.id, {**call.message, "alone": True}, self.timeout))
                    replies[call.id] = worker.receive(self.timeout + GRACE_SECONDS)[1]
                except WorkerDied:
                    guilty = True
                    replies[call.id] = _death(worker, self.timeout)
                    worker = self.replacement(lane)
            if not guilty and suspects:
                said = how.get("signal") or f"no answer in {self.timeout:g} s"
                note = f"its worker died once ({said}) with this call in flight, not when alone"
                replies[suspects[0].id]["note"] = note
        finally:  # also when no worker can be had any more: what was learnt stays
            for name, reply in replies.items():
                self.events.put(Done(lane.target.name, name, reply))
        return worker

    def replacement(self, lane: Lane) -> Worker:
        """Return the spare worker, or a new one, and start the next spare."""
        with lane.lock:
            spare, lane.spare = lane.spare, None
        worker = spare.result() if spare is not None else Worker(lane.target)
        self.prepare(lane)
        return worker

    def prepare(self, lane: Lane) -> None:
        with lane.lock:
            if lane.spare is None:
                lane.spare = self.starters.submit(Worker, lane.target)

    def close(self) -> None:
        """End the spares."""
        for lane in self.lanes:
            if lane.spare is not None:
                try:
                    lane.spare.result().close()
                except WorkerUnavailable:
                    continue
        self.starters.shutdown(wait=False)


def _next(lane: Lane) -> Call | None:
    try:
        return lane.calls.popleft()
    except IndexError:
        return None


def _death(worker: Worker, timeout: float) -> Message:
    """Return the outcome message for a worker that no longer answers."""
    running = worker.stderr()
    ended = worker.kill()
    if TIMED_OUT_BANNER in running or ended == HUNG:
        return {"outcome": "timed-out", "limit": timeout, "stderr": running, "duration": timeout}
    return {"outcome": "crashed", "signal": ended, "stderr": running, "duration": 0.0}
