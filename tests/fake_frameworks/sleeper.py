"""Right, and takes a tenth of a second for each call: long enough to be killed in between."""

import time

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class SleeperAdapter(RightAdapter):
    def run_function(self, message: Message) -> Message:
        time.sleep(0.1)
        return super().run_function(message)


ADAPTER = SleeperAdapter
