"""A MindSpore optimizer with its schedule, and the rates that its steps are really made with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import mindspore as ms
from mindspore.experimental.optim.lr_scheduler import LRScheduler

from conformance.worker.port import Recipe
from conformance.worker.port_errors import SessionError


class Training:
    """An optimizer, made from a recipe for the trainable parameters of a model.

    The result of a schedule is the optimizer's ``learning_rate`` (``lr`` of those that call it
    that): a number, a list with one rate for each step, or a LearningRateSchedule.  A schedule of
    ``mindspore.experimental.optim.lr_scheduler`` is made with the optimizer instead, and steps
    after it.
    """

    def __init__(
        self, model: Any, trainable: Sequence[Any], optimizer: Recipe, schedule: Recipe | None
    ) -> None:
        rate = {}
        follows = schedule is not None and _follows(schedule.build)
        if schedule is not None and not follows:
            rate = {_rate_name(optimizer.build): schedule.make()}
        self.optimizer = optimizer.make(list(trainable) if optimizer.native else model, **rate)
        self.scheduler: Any = None
        if schedule is not None and follows:
            self.scheduler = schedule.make(self.optimizer)
        self.parameters = list(getattr(self.optimizer, "parameters", trainable))

    def step(self, gradients: Sequence[Any]) -> tuple[float, ...]:
        """Make a step with gradients of `parameters`; return the rate of each group it took."""
        rates = self.rates()
        try:
            self.optimizer(tuple(gradients))
        except Exception as error:
            error.args = (f"in the optimizer {type(self.optimizer).__name__}: {error}",)
            raise
        if self.scheduler is not None:
            self.scheduler.step()
        return rates

    def rates(self) -> tuple[float, ...]:
        """Return the rate that the next step takes for each group; none of an unknown optimizer.

        ``mint.optim.SGD`` computes with ``lr_float`` of a group, and no schedule changes that.
        """
        groups = getattr(self.optimizer, "param_groups", None)
        if groups is not None:
            return tuple(_number(group.get("lr_float", group["lr"])) for group in groups)
        if not hasattr(self.optimizer, "get_lr"):
            return ()
        try:
            rates = self.optimizer.get_lr()
        except Exception as error:
            words = str(error).strip().split("\n", 1)[0]
            words = f"the schedule has no rate for this step: {words}"
            raise SessionError("Optimizer", words) from None
        if not isinstance(rates, tuple | list):
            return (_number(rates),)
        sources = [id(source) for source in self.optimizer.learning_rate]
        groups_first = {source: i for i, source in reversed(list(enumerate(sources)))}
        return tuple(_number(rates[i]) for i in sorted(groups_first.values()))


def _follows(build: Any) -> bool:
    return isinstance(build, type) and issubclass(build, LRScheduler)


def _rate_name(build: Callable[..., Any]) -> str:
    try:
        names = inspect.signature(build).parameters
    except (TypeError, ValueError):
        return "learning_rate"
    return "lr" if "lr" in names and "learning_rate" not in names else "learning_rate"


def _number(rate: Any) -> float:
    return float(rate.asnumpy().reshape(-1)[0]) if isinstance(rate, ms.Tensor) else float(rate)
