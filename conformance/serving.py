"""The site of run files over HTTP, for this machine alone: rendered again as a run grows."""

from __future__ import annotations

import contextlib
import mimetypes
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import typer

from conformance.errors import CallerError
from conformance.run.store import RunFile

HOST = "127.0.0.1"
VERSION = "/-/version"
"""Where a page asks whether there is a newer one."""
RELOAD = f"""<script>
setInterval(async () => {{
  const answer = await fetch("{VERSION}").catch(() => null);
  if (answer && answer.ok && (await answer.text()) !== "%d") location.reload();
}}, 1000);
</script>
</head>"""
WAIT = '<!doctype html>\n<html lang="en"><head><title>conformance</title></head>\
<body><p>Judging and rendering …</p></body></html>\n'


class Site:
    """The pages of some run files in `root`; `version` counts the renderings."""

    def __init__(self, runs: Sequence[Path], languages: str, root: Path) -> None:
        self.runs, self.languages, self.root = runs, languages, root
        self.version = 0
        self.child: subprocess.Popen[str] | None = None
        self.stopped = threading.Event()

    def watch(self) -> None:
        """Render, and again whenever a run file changes, until stopped.

        As long as a rendering took is waited before the next one.
        """
        seen, pause = None, 0.0
        while not self.stopped.wait(pause):
            start, stamp = time.monotonic(), [_stamp(run) for run in self.runs]
            if stamp != seen:
                self._render(self.root / str(self.version + 1))
                seen = stamp
            pause = max(1.0, time.monotonic() - start)

    def _render(self, out: Path) -> None:
        """Render in a process of its own, so that requests are answered meanwhile."""
        command = [sys.executable, "-m", "conformance", "report", *map(str, self.runs)]
        self.child = subprocess.Popen(
            [*command, "--out", str(out), "--lang", self.languages],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the server, which ends its child
        )
        if self.stopped.is_set():  # since before there was a child to end
            self.child.terminate()
        _, errors = self.child.communicate()
        if self.child.returncode == 0:
            self.version += 1
            shutil.rmtree(self.root / str(self.version - 1), ignore_errors=True)
        elif not self.stopped.is_set():
            typer.echo(f"not rendered: {errors.strip()}", err=True)

    def stop(self) -> None:
        """Render no more."""
        self.stopped.set()
        if self.child is not None:
            self.child.terminate()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return type and content of what is at `path`, or None; HTML gets the script that reloads.

        Nothing outside the folder of the pages is read.
        """
        version = self.version
        if path == VERSION:
            return "text/plain", str(version).encode()
        if version == 0:
            return "text/html", _live(WAIT, version)
        folder = (self.root / str(version)).resolve()
        try:
            file = (folder / (path.lstrip("/") or "index.html")).resolve()
            if not file.is_relative_to(folder):
                return None
            content = file.read_bytes()
        except (OSError, ValueError):  # no file, removed meanwhile, or a zero byte in its name
            return None
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return kind, _live(content.decode(), version) if kind == "text/html" else content


def _stamp(run: Path) -> list[tuple[int, int]]:
    """What changes when a run file does; it grows in its write-ahead log first."""
    found = []
    for path in (run, Path(f"{run}-wal")):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime_ns, status.st_size))
    return found


def _live(page: str, version: int) -> bytes:
    return page.replace("</head>", RELOAD % version, 1).encode()


class Server(ThreadingHTTPServer):
    """Answers for a site on the loopback address; port 0 is any free one."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__((HOST, port), Handler)
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; the base class refuses everything else."""

    server: Server

    def do_GET(self) -> None:
        """Send what is there, or say that it is not."""
        found = self.server.site.answer(unquote(urlsplit(self.path).path))
        if self.headers.get("Host") not in self.server.names:  # a foreign name that leads here
            self.send_error(403)
        elif found is None:
            self.send_error(404)
        else:
            kind, content = found
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is for failures."""


def serve(runs: Sequence[Path], *, port: int, languages: str) -> None:
    """Serve the site of `runs` until Ctrl-C; leave nothing behind.

    Raises CallerError for what is no run file and for a port that is taken.
    """
    for run in runs:
        RunFile.open(run).close()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="conformance-serve-") as folder:
        site = Site(runs, languages, Path(folder))
        watching = threading.Thread(target=site.watch)
        try:
            server = Server(site, port)
        except OSError as error:
            why = f"port {port}: {error.strerror}; --port 0 takes a free one"
            raise CallerError(why) from None
        typer.echo(f"http://{HOST}:{server.server_port}/ (Ctrl-C ends)")
        with contextlib.suppress(KeyboardInterrupt), server:
            watching.start()
            server.serve_forever()
        site.stop()
        watching.join()
