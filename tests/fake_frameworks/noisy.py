"""Right, and prints to stdout and stderr, from Python and past Python, before every call."""

import os

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class NoisyAdapter(RightAdapter):
    def run_function(self, message: Message) -> Message:
        print("noise on stdout")
        os.write(1, b"native noise on stdout\n" * 100)
        os.write(2, b"native noise on stderr\n" * 100)
        return super().run_function(message)


ADAPTER = NoisyAdapter
