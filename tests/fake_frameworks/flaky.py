"""Dies on its third call, whatever that is: no single case is guilty."""

import os
import signal

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class FlakyAdapter(RightAdapter):
    calls = 0

    def run_function(self, message: Message) -> Message:
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().run_function(message)


ADAPTER = FlakyAdapter
