"""Mutants of a kernel's arguments: a wrong kernel behaves as if it had been called like this."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from conformance.corpus.pairs import Call, to_wire
from conformance.corpus.schema import Operation
from conformance.run.outcome import to_array
from conformance.worker import wire

Message = dict[str, Any]
Change = Callable[[Message], Message | None]
"""Returns the message a wrong kernel would have been right for, or None where it does not apply."""


def of(operation: Operation, kind: str) -> Iterator[tuple[str, Change]]:
    """Yield the mutants of the calls of `operation`, whose message kind is `kind`."""
    for name, parameter in operation.parameters.items():
        if kind == "schedule" and name in ("base_lr", "steps"):
            continue
        if parameter.role == "option" or "default" in parameter.model_fields_set:
            yield f"{name} ignored", _ignoring(name)
        if parameter.role == "option":
            yield f"{name} off by one", _moved(name)
    yield "float16 inputs", _half
    yield "conjugate inputs", _conjugate
    yield "strides ignored", _unstrided
    if any(case.training for case in operation.cases):
        yield "training mode ignored", _untrained


def changed(call: Call, change: Change) -> Call | None:
    """Return the mutated call; None where the mutant does not touch it."""
    message = change(copy.deepcopy(call.message))
    if message is None or Call(message).id == call.id:
        return None
    return Call(message)


def _ignoring(name: str) -> Change:
    def change(message: Message) -> Message | None:
        if name not in message["values"]:
            return None
        for step in message["steps"]:
            if step["args"] and name in step["args"]:
                if step["args"][-1] != name:
                    return None  # what follows by position would take its place
                step["args"].remove(name)
            for group in ("kwargs", "constructor"):
                step[group] = {k: v for k, v in step[group].items() if v != name}
            if name in step["state"].values():
                return None
        del message["values"][name]
        message["gradients"] = [n for n in message["gradients"] if n != name]
        return message

    return change


def _moved(name: str) -> Change:
    def change(message: Message) -> Message | None:
        if name not in message["values"]:
            return None
        message["values"][name] = _off(message["values"][name])
        return message

    return change


def _off(value: Any) -> Any:
    """Return a number off by one or a hundredth, of several the last, of a flag the other."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.01 + (0.01 if value == 0 else 0)
    if isinstance(value, tuple) and value:
        return (*value[:-1], _off(value[-1]))
    if isinstance(value, dict) and wire.ARRAY in value:
        array = to_array(value)
        return to_wire(array[..., ::-1].copy()) if array.ndim else value
    return value


def _arrays(message: Message, change: Callable[[Any, Message], Any]) -> Message | None:
    values = message["values"]
    for name, value in values.items():
        if isinstance(value, dict) and wire.ARRAY in value:
            array = to_array(value)
            moved = change(array, value)
            if moved is not array:
                values[name] = {**value, **to_wire(moved)}
    return message


def _half(message: Message) -> Message | None:
    def change(array: Any, _: Message) -> Any:
        if array.dtype.name not in ("float32", "float64"):
            return array
        with np.errstate(over="ignore"):
            return array.astype(np.float16).astype(array.dtype)

    return _arrays(message, change)


def _conjugate(message: Message) -> Message | None:
    return _arrays(message, lambda a, _: a.conj() if a.dtype.kind == "c" else a)


def _unstrided(message: Message) -> Message | None:
    def change(array: Any, value: Message) -> Any:
        if value.get("layout") != "transposed" or array.ndim < 2:
            return array
        return np.ascontiguousarray(array.swapaxes(-1, -2)).reshape(array.shape)

    return _arrays(message, change)


def _untrained(message: Message) -> Message | None:
    if not any(step["form"] == "module" for step in message["steps"]):
        return None
    message["training"] = not message["training"]
    return message
