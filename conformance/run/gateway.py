"""One worker: an interpreter started through execnet, and what it leaves behind when it dies."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
import threading
from importlib import resources
from pathlib import Path
from typing import Any

import execnet
from execnet.gateway_base import TimeoutError as ChannelTimeout

from conformance.errors import HarnessError
from conformance.run.target import Target

STARTUP_SECONDS = 180.0
STDERR_LINES = 30
_CHATTER = ("Extension modules:", '  File "<string>"')
HUNG = "hung"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SHIPPING = threading.Lock()
"""execnet parses what it ships, and CPython 3.11's ast.parse fails now and then in two threads."""


class WorkerUnavailable(Exception):
    """The target cannot be used; the message says why."""


class WorkerDied(Exception):
    """The worker's process ended, or does not answer any more."""


def bootstrap(channel, sources, framework, device, mode):  # type: ignore[no-untyped-def]
    """Unpack the worker's sources into a folder of its own and serve from there.

    Runs in the worker, alone: it may use nothing of this module.  Files rather than memory,
    because MindSpore reads the source of what it compiles, and writes dumps where it stands.
    """
    import os  # noqa: PLC0415
    import pathlib  # noqa: PLC0415
    import shutil  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    folder = pathlib.Path(tempfile.mkdtemp(prefix="conformance-worker-"))
    for name, text in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    os.chdir(folder)
    log = os.open("stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    sys.path.insert(0, str(folder))
    for loaded in list(sys.modules):
        if loaded.split(".")[0] == "conformance":
            del sys.modules[loaded]
    channel.send(str(folder))
    try:
        from conformance.worker.serve import serve  # noqa: PLC0415

        serve(channel, framework, device, mode)
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """A started worker.  `info` is what it said of itself.

    Raises WorkerUnavailable when the interpreter, the framework, its version or the device is not
    to be had.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.folder = ""
        self._gateway: Any = None
        try:
            self._gateway = execnet.makegateway(_spec(target))
            with _SHIPPING:
                self._channel = self._gateway.remote_exec(
                    bootstrap,
                    sources=_sources(target),
                    framework=target.framework,
                    device=target.device,
                    mode=target.mode,
                )
            self.folder = self._channel.receive(timeout=STARTUP_SECONDS)
            kind, said = self._channel.receive(timeout=STARTUP_SECONDS)
        except (OSError, EOFError, ChannelTimeout, execnet.HostNotFound) as error:
            why = self._why_not(error)
            self.kill()
            raise WorkerUnavailable(why) from None
        except execnet.RemoteError as error:
            self.kill()
            raise WorkerUnavailable(self._refused(str(error).strip().splitlines()[-1])) from None
        if kind == "unavailable":
            self.close()
            raise WorkerUnavailable(self._refused(str(said)))
        self.info: dict[str, Any] = dict(said)
        if (refusal := target.refuses(said)) is not None:
            self.close()
            raise WorkerUnavailable(refusal)

    def _why_not(self, error: Exception) -> str:
        where = f"{self.target.ssh}:{self.target.python}" if self.target.ssh else self.target.python
        lines = self.stderr().splitlines()
        detail = lines[-1] if lines else str(error) or type(error).__name__
        return f"no worker in {where}: {detail}"

    def _refused(self, why: str) -> str:
        """Return why an interpreter that was started cannot serve, and which one it is, where it is
        not this one."""
        return why if self.target.python == sys.executable else f"{self.target.python}: {why}"

    def send(self, request: tuple[Any, ...]) -> None:
        """Send one request.  Raises WorkerDied."""
        try:
            self._channel.send(request)
        except OSError:
            raise WorkerDied from None

    def receive(self, timeout: float) -> tuple[Any, Any]:
        """Return the next (key, reply).  Raises WorkerDied, also when `timeout` seconds pass."""
        try:
            key, reply = self._channel.receive(timeout=timeout)
        except (EOFError, ChannelTimeout):
            raise WorkerDied from None
        except execnet.RemoteError as error:
            raise HarnessError(f"the worker's own code failed: {error}") from None
        return key, reply

    def stderr(self) -> str:
        """Return the last lines the worker wrote to stderr; empty when it ran on another host."""
        if self.target.ssh or not self.folder:
            return ""
        try:
            text = Path(self.folder, "stderr").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line for line in text.strip().splitlines() if not line.startswith(_CHATTER)]
        return "\n".join(lines[-STDERR_LINES:])

    def kill(self) -> str:
        """End the process at once and return how it ended: a signal's name, or its exit code.

        HUNG when it was still running and had to be killed.
        """
        if self._gateway is None:
            return ""
        io = self._gateway._io  # execnet gives no public way to the process
        with contextlib.suppress(OSError, AttributeError):
            code = io.popen.poll()
            if code is None:
                with contextlib.suppress(Exception):
                    io.popen.wait(timeout=2)
                code = io.popen.poll()
            hung = code is None
            if hung:
                io.popen.kill()
                io.popen.wait()
            self._forget()
            return HUNG if hung else _ended(io.popen.returncode)
        return ""

    def close(self) -> None:
        """Ask the worker to end, and make sure."""
        with contextlib.suppress(Exception):
            self._gateway.exit()
            self._gateway._io.popen.wait(timeout=5)
        self.kill()

    def _forget(self) -> None:
        with contextlib.suppress(Exception):
            self._gateway.exit()
        if self.folder and not self.target.ssh and self.folder.startswith(tempfile.gettempdir()):
            shutil.rmtree(self.folder, ignore_errors=True)


def _ended(code: int) -> str:
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _spec(target: Target) -> str:
    # Else execnet may serve in a second thread, where frameworks cannot, say, handle signals.
    model = "execmodel=main_thread_only"
    parts = [f"ssh={target.ssh}" if target.ssh else "popen", f"python={target.python}", model]
    env = dict.fromkeys(_THREADS, "1") | dict(target.env)
    return "//".join(parts + [f"env:{name}={value}" for name, value in env.items()])


def _sources(target: Target) -> dict[str, str]:
    """Return the files a worker needs, by relative path."""
    root = resources.files("conformance")
    packages = ["worker", "reference"] if target.framework == "numpy" else ["worker"]
    files = {"conformance/__init__.py": ""}
    for package in packages:
        for item in (root / package).iterdir():
            if item.name.endswith(".py"):
                files[f"conformance/{package}/{item.name}"] = item.read_text(encoding="utf-8")
    if target.adapter is not None:
        files[f"conformance/worker/{target.framework}_.py"] = target.adapter.read_text(
            encoding="utf-8"
        )
        files["conformance/worker/adapters/__init__.py"] = ""
        for sibling in target.adapter.parent.glob("*.py"):
            text = sibling.read_text(encoding="utf-8")
            files[f"conformance/worker/adapters/{sibling.name}"] = text
    return files
