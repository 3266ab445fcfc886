"""Right, and says in which thread it serves."""

import threading

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class MainThreadAdapter(RightAdapter):
    def info(self) -> Message:
        return {**super().info(), "thread": threading.current_thread().name}


ADAPTER = MainThreadAdapter
