"""Dies of SIGFPE on the unlucky input, as native code does."""

import os
import signal
import sys

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class CrasherAdapter(RightAdapter):
    def run_function(self, message: Message) -> Message:
        if self.unlucky(message):
            print("last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGFPE)
        return super().run_function(message)


ADAPTER = CrasherAdapter
