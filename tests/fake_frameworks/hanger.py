"""Never comes back from the unlucky input, and ignores being asked to stop."""

import signal
import time

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class HangerAdapter(RightAdapter):
    def run_function(self, message: Message) -> Message:
        if self.unlucky(message):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        return super().run_function(message)


ADAPTER = HangerAdapter
