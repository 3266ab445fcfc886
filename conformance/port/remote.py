"""Sides of a port: a session in a worker, or in this process."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.errors import HarnessError, PortFailed
from conformance.port.asking import Asking, Message
from conformance.run.gateway import HUNG, Worker, WorkerDied, WorkerUnavailable
from conformance.run.target import Target
from conformance.worker.port import Recipe, Session
from conformance.worker.port_calls import Trail
from conformance.worker.port_errors import failure

TIMEOUT = 3_600.0
"""Seconds a side may take over one question."""

_FRAME = re.compile(r'  File "(.+)", line (\d+) in ')
_FAULT = re.compile(r'  File "|  \.\.\.|Fatal Python error|(Current t|T)hread 0x|Extension modules')
"""What faulthandler writes when it tells of a crash."""


@dataclass(frozen=True)
class Build:
    """How a side builds its model; the keys of ``build`` that `worker/port.py` knows.

    Relative paths are meant from `folder`, which is the current one while the model is built.
    """

    build: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: Sequence[str] = (".",)
    folder: Path = Path()
    seed: int = 0
    loss: Mapping[str, Any] | None = None
    optimizer: Mapping[str, Any] | None = None
    schedule: Mapping[str, Any] | None = None

    def message(self) -> Message:
        """Return the arguments of ``build`` in wire form, all paths absolute."""
        folder = self.folder.absolute()
        return {
            "build": self.build,
            "arguments": dict(self.arguments),
            "path": [os.path.normpath(folder / entry) for entry in self.path],
            "folder": str(folder),
            "seed": self.seed,
            "loss": None if self.loss is None else dict(self.loss),
            "optimizer": None if self.optimizer is None else dict(self.optimizer),
            "schedule": None if self.schedule is None else dict(self.schedule),
        }


class RemoteSide(Asking):
    """A model in a worker: its own interpreter, environment and crashes.

    A relative `python` is meant from the folder of `build`.
    """

    def __init__(self, target: Target, build: Build, *, timeout: float = TIMEOUT) -> None:
        if target.framework == "numpy":
            raise ValueError("no models are built in NumPy")
        self.framework = target.framework
        self.folder, self.timeout = build.folder, timeout
        self.named = build.build
        self._path: list[str] = build.message()["path"]
        self._keys = itertools.count()
        self._worker: Worker | None = None
        try:
            self._worker = Worker(_placed(target, self.folder))
        except WorkerUnavailable as error:
            raise self.failed("start", "Unavailable", str(error)) from None
        self.info = self._worker.info
        try:
            self.ask("build", **build.message())
        except BaseException:
            self.close()
            raise

    def reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        """Ask the worker."""
        if self._worker is None:
            raise self.failed(method, "Died", "the worker has ended")
        key = next(self._keys)
        try:
            self._worker.send(("port", key, method, arguments))
            _, reply = self._worker.receive(self.timeout)
        except WorkerDied:
            raise self._died(method) from None
        except HarnessError as error:
            last = str(error).strip().splitlines()[-1]
            raise self.failed(method, "Harness", f"our own code failed: {last}") from None
        outcome, value = reply
        return outcome, value

    def _died(self, method: str) -> PortFailed:
        """Return how the worker ended, and end it."""
        assert self._worker is not None
        layer, last = None, ""
        where = ""
        if self._worker.folder and not self._worker.target.ssh:
            layer = Trail.end(Path(self._worker.folder))
            where, last = _last_words(Path(self._worker.folder, "stderr"), self._path)
        ended, self._worker = self._worker.kill(), None
        if ended == HUNG:
            message = f"no answer within {self.timeout:g} seconds; --timeout allows more"
            return self.failed(method, "Hung", message, layer)
        hint = {"SIGKILL": ", as the system does when memory runs out"}.get(ended, "")
        message = f"its process ended with {ended}{hint}{last and f'; it wrote: {last}'}"
        return self.failed(method, "Died", message, layer, where)

    def close(self) -> None:
        """See `Side`."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()


class LocalSide(Asking):
    """A model that the caller has built in this process.

    The session works on a copy where its framework can make one.  `optimizer` is called with the
    model, `schedule` with the optimizer (PyTorch), see ``worker/port_abstract.Recipe``.
    """

    def __init__(
        self,
        session: Session,
        model: Any,
        *,
        loss: Callable[..., Any] | None = None,
        optimizer: Callable[..., Any] | None = None,
        schedule: Callable[..., Any] | None = None,
    ) -> None:
        self.framework = session.framework  # type: ignore[assignment]
        self.info = session.info()
        self._session = session
        recipes = [None if made is None else Recipe(made) for made in (optimizer, schedule)]
        try:
            session.adopt(model, loss, *recipes)
        except Exception as error:
            session.release()
            told = failure(error, None)
            raise self.failed("adopt", told["type"], told["message"]) from error

    def reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        """Ask the session."""
        return self._session.answer(method, arguments)

    def close(self) -> None:
        """See `Side`: there is no worker, but what the session changed of this process."""
        self._session.release()


def _last_words(stderr: Path, path: Sequence[str]) -> tuple[str, str]:
    """Return the innermost place in the user's own code, as faulthandler left it in a dead
    worker's `stderr`, and the last line that is not faulthandler's; either may be ""."""
    try:
        lines = stderr.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", ""
    frames = [frame for line in lines if (frame := _FRAME.match(line))]
    own = (f for f in frames if any(Path(f[1]).is_relative_to(folder) for folder in path))
    where = next((f"{frame[1]}:{frame[2]}" for frame in own), "")
    said = [line.strip() for line in lines if line.strip() and not _FAULT.match(line)]
    return where, said[-1][:200] if said else ""


def _placed(target: Target, folder: Path) -> Target:
    """Return `target` with an interpreter that is a path made absolute; no link is followed,
    since an environment's interpreter is one."""
    if target.ssh or os.sep not in target.python:
        return target
    return replace(target, python=os.path.normpath(folder.absolute() / target.python))
