"""What a target did with a call: a small family of frozen values that cannot be mistaken for one
another.  A crash is not a wrong answer, and what never ran is neither."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import execnet
import numpy as np

from conformance.reference.dtypes import BFLOAT16
from conformance.worker import wire

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Outcome:
    """What every outcome has: how long the call took, and what the harness has to add."""

    kind: ClassVar[str] = ""
    duration: float = 0.0
    """Seconds inside the framework's call, gradients included."""
    note: str = ""


@dataclass(frozen=True)
class Returned(Outcome):
    """The call came back.

    `output` is an array, a Python scalar, an Other, a tuple or list of these, or a Named tuple.
    `gradients` maps canonical names to arrays, or None where the framework gave none;
    `gradient_error` is a Raised when differentiation failed.  `mutated` holds inputs whose values
    changed, `state` all assigned module state after the call.
    """

    kind: ClassVar[str] = "returned"
    output: Any = None
    gradients: dict[str, Array | None] = field(default_factory=dict)
    gradient_error: Raised | None = None
    mutated: dict[str, Array] = field(default_factory=dict)
    state: dict[str, Array | None] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Raised(Outcome):
    """An exception: `types` is its class and its bases by name, nearest first."""

    kind: ClassVar[str] = "raised"
    types: tuple[str, ...] = ()
    message: str = ""
    stage: str = "call"
    """``construct``, ``call`` or ``gradient``; ``resolve`` (no such API) or ``assign`` (no such
    state) when the call could not even be made."""

    @property
    def exception(self) -> str:
        """The exception's own class name."""
        return self.types[0] if self.types else "Exception"


@dataclass(frozen=True)
class Unsupported(Raised):
    """An exception by which the framework says that it has no kernel: `reason` device or dtype."""

    kind: ClassVar[str] = "unsupported"
    reason: str = "device"


@dataclass(frozen=True)
class Crashed(Outcome):
    """The interpreter died in this call, also when it ran alone."""

    kind: ClassVar[str] = "crashed"
    signal: str = ""
    """``SIGFPE``, ``exit code 3``, or empty when the host cannot tell."""
    stderr: str = ""


@dataclass(frozen=True)
class TimedOut(Outcome):
    """The call did not end within the limit (seconds), also when it ran alone."""

    kind: ClassVar[str] = "timed-out"
    limit: float = 0.0
    stderr: str = ""


@dataclass(frozen=True)
class Unavailable(Outcome):
    """The target could not start, so nothing is known; `reason` says why."""

    kind: ClassVar[str] = "unavailable"
    reason: str = ""


@dataclass(frozen=True)
class Named:
    """A named tuple: its type's name and its fields."""

    type: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Other:
    """A returned object that is neither a tensor nor a number, by its repr."""

    repr: str


def to_array(value: dict[str, Any]) -> Array:
    """Return the array in wire form `value`; bfloat16 as the ml_dtypes type."""
    array = wire.unpack(value)
    return array.view(BFLOAT16) if value[wire.ARRAY][0] == "bfloat16" else array


def from_message(message: dict[str, Any]) -> Outcome:
    """Return the outcome a worker's reply, or a stored one, stands for."""
    common = {"duration": message.get("duration", 0.0), "note": message.get("note", "")}
    match message["outcome"]:
        case "returned":
            error = message.get("gradient_error")
            return Returned(
                **common,
                output=_value(message["output"]),
                gradients=_arrays(message.get("gradients", {})),
                gradient_error=_raised(error) if error else None,
                mutated={k: to_array(v) for k, v in message.get("mutated", {}).items()},
                state=_arrays(message.get("state", {})),
                warnings=tuple((c, m) for c, m in message.get("warnings", ())),
            )
        case "raised" | "unsupported":
            return _raised(message)
        case "crashed":
            return Crashed(**common, signal=message["signal"], stderr=message["stderr"])
        case "timed-out":
            return TimedOut(**common, limit=message["limit"], stderr=message["stderr"])
        case "unavailable":
            return Unavailable(**common, reason=message["reason"])
        case unknown:
            raise ValueError(f"unknown outcome {unknown!r}")


def dumps(message: dict[str, Any]) -> bytes:
    """Serialise an outcome message for the run file."""
    return bytes(execnet.dumps(message))


def loads(blob: bytes) -> dict[str, Any]:
    """Return the outcome message in `blob`; only builtin types come out of it."""
    result: dict[str, Any] = execnet.loads(blob)
    return result


def _raised(message: dict[str, Any]) -> Raised:
    common: dict[str, Any] = {
        "duration": message.get("duration", 0.0),
        "note": message.get("note", ""),
        "types": tuple(message["types"]),
        "message": message["message"],
        "stage": message["stage"],
    }
    if message["outcome"] == "unsupported":
        return Unsupported(**common, reason=message["reason"])
    return Raised(**common)


def _arrays(values: dict[str, Any]) -> dict[str, Array | None]:
    return {k: None if v is None else to_array(v) for k, v in values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        if wire.ARRAY in value:
            return to_array(value)
        if wire.NAMED in value:
            name, fields = value[wire.NAMED]
            return Named(name, {k: _value(v) for k, v in fields.items()})
        return Other(value.get(wire.OBJECT, repr(value)))
    if isinstance(value, list | tuple):
        return type(value)(_value(item) for item in value)
    return value
