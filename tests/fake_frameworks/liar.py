"""Computes rightly and returns another dtype: float64 for everything."""

from typing import Any

import numpy as np
from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Message


class LiarAdapter(RightAdapter):
    def invoke(self, step: Message, target: Any, args: list[Any], kwargs: Message) -> Any:
        return np.asarray(target(*args, **kwargs)).astype(np.float64)


ADAPTER = LiarAdapter
