"""Right, but for every seventh time that it is asked the same, as kernels that try out threads."""

from collections import Counter
from typing import ClassVar

from conformance.worker.adapters.right import RightAdapter

from conformance.worker import wire
from conformance.worker.base import Message


class SeventhAdapter(RightAdapter):
    asked: ClassVar[Counter[str]] = Counter()

    def run_function(self, message: Message) -> Message:
        reply = super().run_function(message)
        key = str(message["values"])
        self.asked[key] += 1
        if self.asked[key] % 7 == 0:
            found = wire.unpack(reply["output"])
            found.flat[0] = 0.0
            reply["output"] = self.array(found)
        return reply


ADAPTER = SeventhAdapter
