"""Right, and of another version."""

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class NewerAdapter(RightAdapter):
    def info(self) -> Message:
        return {**super().info(), "version": "2.0.0"}


ADAPTER = NewerAdapter
