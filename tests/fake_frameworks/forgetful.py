"""Modifies an input it was only lent."""

from typing import Any

from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class ForgetfulAdapter(RightAdapter):
    def invoke(self, step: Message, target: Any, args: list[Any], kwargs: Message) -> Any:
        result = target(*args, **kwargs)
        args[0].flat[0] = 42
        return result


ADAPTER = ForgetfulAdapter
