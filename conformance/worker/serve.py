"""The worker's main loop, which ``run/gateway.py`` starts in the framework's interpreter.

Requests, in order: ``("run", key, message, timeout)``, ``("describe", key, apis)``,
``("port", key, method, arguments)``, which the framework's session answers (``port.py``).
Replies: ``(key, reply)``.  The first message out is ``("hello", info)`` or
``("unavailable", reason)``.

A call that exceeds its time is ended by ``faulthandler``'s watchdog, which is a C thread and so
also ends native code that never gives back the interpreter lock.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from conformance.worker.base import Adapter, TargetUnavailable
from conformance.worker.describe import describe
from conformance.worker.port import Session
from conformance.worker.port_calls import Recorder, Trail

_SESSIONS = "conformance.worker.port_{}"
TIMED_OUT_BANNER = "Timeout ("
"""How faulthandler's watchdog begins what it writes before it ends the process."""


def serve(channel: Any, framework: str, device: str, mode: str) -> None:
    """Answer requests on `channel` until it closes."""
    faulthandler.enable(sys.stderr)
    try:
        module = importlib.import_module(f"conformance.worker.{framework}_")
        adapter: Adapter = module.ADAPTER(device, mode)
    except TargetUnavailable as error:
        channel.send(("unavailable", str(error)))
        return
    except Exception as error:
        channel.send(("unavailable", f"{type(error).__name__}: {error}"[:500]))
        return
    gc.freeze()  # what the imports left is not garbage; looking through it costs every call
    channel.send(("hello", {**adapter.info(), **_host()}))
    session: Session | None = None
    for request in channel:
        if request[0] == "port":
            session = session or _session(module, adapter)
            channel.send((request[1], session.answer(*request[2:])))
        else:
            channel.send((request[1], _answer(adapter, request)))


def _session(module: Any, adapter: Adapter) -> Session:
    """Return a session on the adapter's device; an adapter's module may bring one of its own."""
    Recorder.trail = Trail(Path.cwd())
    own = getattr(module, "SESSION", None)
    made: type[Session] = own or importlib.import_module(_SESSIONS.format(adapter.root)).SESSION
    return made(adapter.device, adapter.mode)


def _answer(adapter: Adapter, request: tuple[Any, ...]) -> Any:
    match request:
        case ("run", _, message, timeout):
            faulthandler.dump_traceback_later(timeout, exit=True, file=sys.stderr)
            try:
                return adapter.execute(message)
            finally:
                faulthandler.cancel_dump_traceback_later()
        case ("describe", _, apis):
            return [describe(adapter.resolve, api) for api in apis]
        case _:
            raise ValueError(f"unknown request {request[0]!r}")


def _host() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count() or 0,
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "pid": os.getpid(),
    }


def _cpu() -> str:
    """Return the processor's model: kernels are chosen by it, and last digits by kernels.

    With its numbers, since virtual machines often tell no more than the maker's name.
    """
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return platform.processor()
    rows = (line.partition(":") for line in first.splitlines())
    facts = {key.strip(): value.strip() for key, _, value in rows}
    numbers = [facts[key] for key in ("cpu family", "model", "stepping") if key in facts]
    return " ".join([facts.get("model name") or platform.processor(), "/".join(numbers)]).strip()
