"""What lies installed beside the worker as the package `torch`: a wheel made by a test.

Its functions are resolved and described as those of a real framework are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from conformance.worker.adapters.right import RightAdapter

from conformance.worker.base import Adapter, Message


class ToyAdapter(RightAdapter):
    root = "torch"
    resolve = Adapter.resolve

    def info(self) -> Message:
        return {**super().info(), "version": torch.__version__}

    def assign(self, module: Any, state: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Modules of the toy have no state."""

    def set_training(self, module: Any, train: bool) -> None:
        """Modules of the toy do the same in either mode."""

    def seed(self, seed: int) -> None:
        torch.manual_seed(seed)


ADAPTER = ToyAdapter
