"""Wrong by one part in a thousand, in the last element only."""

from typing import Any

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class WrongAdapter(RightAdapter):
    def invoke(self, step: Message, target: Any, args: list[Any], kwargs: Message) -> Any:
        result = target(*args, **kwargs)
        if result.size:
            result.flat[-1] *= 1.001
        return result


ADAPTER = WrongAdapter
