"""Right, but for the unlucky input, of which it reads memory that nobody wrote."""

import os

from conformance.worker.adapters.right import RightAdapter

from conformance.worker import wire
from conformance.worker.base import Message


class DiceAdapter(RightAdapter):
    def run_function(self, message: Message) -> Message:
        reply = super().run_function(message)
        if self.unlucky(message):
            found = wire.unpack(reply["output"])
            found.flat[0] = int.from_bytes(os.urandom(2), "big")
            reply["output"] = self.array(found)
        return reply


ADAPTER = DiceAdapter
