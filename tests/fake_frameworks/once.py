"""Starts once, dies of its second call, and is not to be had any more."""

import os
import signal
from pathlib import Path

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message, TargetUnavailable

if Path(os.environ["MARKER"]).exists():
    raise TargetUnavailable("the fake framework is gone")
Path(os.environ["MARKER"]).touch()


class OnceAdapter(RightAdapter):
    calls = 0

    def run_function(self, message: Message) -> Message:
        self.calls += 1
        if self.calls == 2:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().run_function(message)


ADAPTER = OnceAdapter
