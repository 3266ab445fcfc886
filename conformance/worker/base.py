"""What every framework's adapter shares: how a call message becomes a reply.

Runs inside a framework's interpreter: standard library and NumPy only.  A reply is a dict of
builtin types with the key ``outcome``: ``returned``, ``raised`` or ``unsupported``.
"""

from __future__ import annotations

import importlib
import re
import time
import types
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from conformance.worker import wire
from conformance.worker.values import named_fields, same

Message = dict[str, Any]
MAX_TEXT = 2_000
PLAIN: tuple[Any, ...] = (bool, int, float, complex, str)
"""What execnet carries; of a subclass, such as np.float64, it carries none."""


class TargetUnavailable(Exception):
    """The framework, device or mode cannot be used here; the message says why."""


class Adapter:
    """One framework on one device in one mode.  Subclasses know the framework's own names."""

    root = ""
    """The framework's top-level package; a resolved API must come from it."""
    unsupported: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """(reason, pattern of the messages by which the framework says that it has no kernel)."""

    def __init__(self, device: str, mode: str) -> None:
        self.device, self.mode = device, mode
        self.stage = "call"

    # What a subclass provides ---------------------------------------------------------------

    def info(self) -> Message:
        """Return version, build and device of the framework, for the manifest."""
        raise NotImplementedError

    def tensor(self, value: Message) -> Any:
        """Return the framework's tensor for a wire array."""
        raise NotImplementedError

    def dtype(self, name: str) -> Any:
        """Return the framework's dtype object."""
        raise NotImplementedError

    def array(self, value: Any) -> Message | None:
        """Return the wire form of a tensor, or None when `value` is not one."""
        raise NotImplementedError

    def run_function(self, message: Message) -> Message:
        """Run the steps and, when asked, differentiate; see `returned`."""
        raise NotImplementedError

    def run_optimizer(self, message: Message) -> Message:
        """Apply the given gradients one by one; the output is the parameter after each step."""
        raise NotImplementedError

    def run_schedule(self, message: Message) -> Message:
        """Return the learning rate before each of `steps` steps, in the dtype it is kept in."""
        raise NotImplementedError

    def seed(self, seed: int) -> None:
        """Seed the framework's default generator."""
        raise NotImplementedError

    # What is the same everywhere --------------------------------------------------------------

    def execute(self, message: Message) -> Message:
        """Carry out one call.  Never raises: what the framework raises is the reply."""
        handler: Callable[[Message], Message] = getattr(self, f"run_{message['kind']}")
        self.stage = "call"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            try:
                reply = handler(message)
            except Exception as error:
                reply = self.raised(error)
            reply["duration"] = time.perf_counter() - start
        if caught:
            reply["warnings"] = tuple(
                (w.category.__name__, _encodable(str(w.message)[:MAX_TEXT])) for w in caught[:20]
            )
        return reply

    def raised(self, error: BaseException) -> Message:
        """Return the reply for an exception, told apart from "I have no kernel for this"."""
        text = str(error)
        names = tuple(t.__name__ for t in type(error).__mro__ if t not in (object, BaseException))
        reply = {"outcome": "raised", "types": names, "message": _short(text), "stage": self.stage}
        for reason, pattern in self.unsupported:
            if pattern.search(f"{names[0]}: {text}"):
                return {**reply, "outcome": "unsupported", "reason": reason}
        return reply

    def resolve(self, api: str) -> Any:
        """Return the object `api` names.  Raises AttributeError, also for what is not public."""
        before, self.stage = self.stage, "resolve"
        steps = api.split(".")
        if steps[0] != self.root or any(step.startswith("_") for step in steps):
            raise AttributeError(f"{api} is not a public name of {self.root}")
        found: Any = importlib.import_module(self.root)
        for i, step in enumerate(steps[1:], 2):
            try:
                found = getattr(found, step)
            except AttributeError:
                if not isinstance(found, types.ModuleType):
                    raise
                try:
                    found = importlib.import_module(".".join(steps[:i]))
                except ImportError:
                    raise AttributeError(f"{'.'.join(steps[: i - 1])} has no {step}") from None
        owner = getattr(found, "__module__", None) or self.root
        if isinstance(found, types.ModuleType) or owner.split(".")[0] != self.root:
            raise AttributeError(f"{api} is not a {self.root} operation")
        self.stage = before
        return found

    def value(self, value: Any) -> Any:
        """Return the Python or framework object for a wire value."""
        if isinstance(value, dict):
            if wire.ARRAY in value:
                return self.given(value)
            if wire.API in value:
                return self.resolve(value[wire.API])
            return self.dtype(value[wire.DTYPE])
        if isinstance(value, tuple):
            return tuple(self.value(item) for item in value)
        return value

    def given(self, value: Message) -> Any:
        """Return an array as the case asks: tensor, parameter, ndarray, list or scalar.

        NumPy and Python have no bfloat16: they get the float32 numbers that equal it.
        """
        form = value.get("as", "tensor")
        if form in ("tensor", "parameter"):
            tensor = self.tensor(value)
            return self.parameter(tensor) if form == "parameter" else tensor
        array = wire.unpack(value)
        if value[wire.ARRAY][0] == "bfloat16":
            array = wire.bfloat16_values(array)
        return array if form == "ndarray" else array.tolist()

    def parameter(self, tensor: Any) -> Any:
        """Return `tensor` as the framework's trainable parameter."""
        raise NotImplementedError

    def output(self, value: Any) -> Any:
        """Return the wire form of anything an API may return."""
        packed = self.array(value)
        if packed is not None:
            return packed
        if value is None:
            return None
        for plain in PLAIN:
            if isinstance(value, plain):
                return plain(value)
        if isinstance(value, tuple) and (fields := named_fields(value)):
            named = {name: self.output(item) for name, item in zip(fields, value, strict=True)}
            return {wire.NAMED: (type(value).__name__, named)}
        if isinstance(value, tuple | list):
            kind = tuple if isinstance(value, tuple) else list
            return kind(self.output(item) for item in value)
        return {wire.OBJECT: _encodable(repr(value)[:MAX_TEXT])}

    def run_random(self, message: Message) -> Message:
        """Draw after seeding, again after the same seed, and once more without seeding."""
        draws = []
        for reseed in (True, True, False):
            if reseed:
                self.seed(message["seed"])
            values = self.inputs(message)
            draws.append(self.output(self.forward(message, values)))
        changed = self.mutated(message, values)
        return {"outcome": "returned", "output": tuple(draws), "mutated": changed}

    def inputs(self, message: Message) -> dict[str, Any]:
        """Return all values of `message` as the framework's own objects, by canonical name."""
        return {name: self.value(value) for name, value in message["values"].items()}

    def forward(self, message: Message, values: Mapping[str, Any]) -> Any:
        """Run the steps of `message` once and return what they return."""
        results: list[Any] = []
        for step in message["steps"]:
            results.append(self.step(step, values, results, message["training"]))
        if message["returns"] is None:
            return results[-1]
        return tuple(results[i] for i in message["returns"])

    def step(
        self, step: Message, values: Mapping[str, Any], results: list[Any], train: bool
    ) -> Any:
        """Run one step; a module is constructed, given its state and called."""
        target = self.callable(step, values, train)
        args = [self.term(a, values, results) for a in step["args"]]
        return self.invoke(step, target, args, self.kwargs(step, values, results))

    def term(self, term: wire.Term, values: Mapping[str, Any], results: list[Any]) -> Any:
        """Return what `term` stands for: a value, the result of an earlier step, or several."""
        if isinstance(term, dict):
            kind, members = next(iter(term.items()))
            if kind == "api":
                return self.resolve(members)
            return wire.SEQUENCES[kind](self.term(m, values, results) for m in members)
        return results[term] if isinstance(term, int) else values[term]

    def invoke(self, step: Message, target: Any, args: list[Any], kwargs: Message) -> Any:
        """Call `target` in the form of `step`."""
        if step["form"] == "result":
            return args[0](*args[1:], **kwargs)
        if step["form"] in ("method", "property"):
            name = step["api"].rsplit(".", 1)[1]
            member = getattr(args[0], name)
            return member if step["form"] == "property" else member(*args[1:], **kwargs)
        return target(*args, **kwargs)

    def callable(self, step: Message, values: Mapping[str, Any], train: bool) -> Any:
        """Return what `step` calls: the API itself, or the module it constructs.

        A step of form ``result`` calls its first argument, so there it is None.
        """
        if step["form"] == "result":
            return None
        api = self.resolve(step["api"])
        if step["form"] != "module":
            return api
        self.stage = "construct"
        module = api(**self.constructor(step, values))
        self.stage = "assign"
        self.assign(module, {name: values[c] for name, c in step["state"].items()}, values)
        self.set_training(module, train)
        self.stage = "call"
        return module

    def assign(self, module: Any, state: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Assign the named `state`; LookupError for a name it lacks, ValueError for a shape."""
        raise NotImplementedError

    def set_training(self, module: Any, train: bool) -> None:
        """Put `module` into train or eval mode."""
        raise NotImplementedError

    def constructor(self, step: Message, values: Mapping[str, Any]) -> Message:
        """Return the keyword arguments a module, optimizer or schedule is constructed with."""
        given = {n: self.term(t, values, []) for n, t in step["constructor"].items()}
        return given | self._fixed(step)

    def kwargs(self, step: Message, values: Mapping[str, Any], results: list[Any]) -> Message:
        """Return the keyword arguments of the call."""
        given = {n: self.term(t, values, results) for n, t in step["kwargs"].items()}
        constructs = step["form"] in ("module", "optimizer", "schedule")
        return given if constructs else given | self._fixed(step)

    def _fixed(self, step: Message) -> Message:
        return {name: self.value(value) for name, value in step["fixed"].items()}

    def mutated(self, message: Message, values: Mapping[str, Any]) -> Message:
        """Return the tensors among `values` that no longer hold what they were given."""
        changed: Message = {}
        states = {c for step in message["steps"] for c in step["state"].values()}
        for name, before in message["values"].items():
            if not (isinstance(before, dict) and wire.ARRAY in before) or name in states:
                continue
            after = self.array(values[name])
            if after is not None and not same(before, after):
                changed[name] = after
        return changed


def _short(text: str) -> str:
    """Keep what a person reads: MindSpore appends pages of C++ call stack after dashes."""
    text = re.split(r"\n-{20,}\n- C\+\+ Call Stack", text.strip(), maxsplit=1)[0].strip()
    text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " …"
    return _encodable(text)


def _encodable(text: str) -> str:
    """Return `text` without half characters, as of a strange file's name: no channel takes them."""
    return text.encode(errors="replace").decode()
