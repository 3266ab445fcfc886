"""A case as the program a porter would write: the same call that the workers make."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.pairs import numpy_call, plan
from conformance.corpus.schema import Pair
from conformance.report.dialects import DIALECTS, NUMPY, Dialect, call
from conformance.report.literals import Expression, draws, dtype_of, expression, literal, scalar
from conformance.run.outcome import to_array
from conformance.taxonomy import LIBRARIES
from conformance.worker import wire

RESERVED = {
    "torch", "mindspore", "np", "ml_dtypes", "random", "output", "outputs", "module", "cell",
    "optimizer", "schedule", "trajectory", "gradients", "cotangent", "cotangents", "leaves",
    "forward", "pullback", "parameters", "parameter", "print", "result",
}  # fmt: skip


def source(case: ExpandedCase, pair: Pair, framework: str, *, full: bool = False) -> str:
    """Return `case` through `pair` as Python for ``torch``, ``mindspore`` or ``numpy``.

    The text runs as it stands and leaves the result in `output`; ``numpy`` is the call of NumPy's
    API or, where the pair names none, of the reference.  With `full` it also differentiates, by the
    cotangent that the judge uses, and leaves the results in `gradients`.  Returns an empty string
    when the framework has no side in the pair, or the operation no reference.
    """
    if framework == "numpy":
        planned = numpy_call(case, pair)
    else:
        planned = plan(case, pair, "torch" if framework == "torch" else "mindspore")
    if planned is None:
        return ""
    dialect = NUMPY if framework == "numpy" and pair.numpy else DIALECTS[framework]
    return _Program(case, planned.message, dialect, full).text()


class _Program:
    """The program of one call message, in one dialect."""

    def __init__(self, case: ExpandedCase, message: Any, dialect: Dialect, full: bool) -> None:
        self.case, self.message, self.dialect = case, message, dialect
        tensors = ("tensor", "parameter")
        self.wanted = [n for n in message["gradients"] if case.specs[n].as_ in tensors]
        self.full = full and bool(self.wanted)
        self.names = self._variables()

    def text(self) -> str:
        body = [*self._inputs(), "", *self._body()]
        code = "\n".join(body)
        return f"{self._imports(code)}\n\n{code.strip()}\n"

    def _variables(self) -> dict[str, str]:
        """Canonical name: variable, called as the framework calls its parameter."""
        own: dict[str, str] = {}
        for step in self.message["steps"]:
            for group in ("kwargs", "constructor", "state"):
                own |= {term: name for name, term in step[group].items() if isinstance(term, str)}
        names: dict[str, str] = {}
        for canonical in self.case.specs:
            name = own.get(canonical) or self._positional(canonical)
            name = name.replace(".", "_")
            while name in RESERVED or keyword.iskeyword(name) or name in names.values():
                name += "_"
            names[canonical] = name
        return names

    def _positional(self, canonical: str) -> str:
        for pair in self.case.pairs():
            for framework in LIBRARIES:
                side = pair.side(framework)
                if framework == self.dialect.root and side == self.message["steps"][0]["api"]:
                    return pair.names(framework).get(canonical, canonical)
        return canonical

    def _imports(self, code: str) -> str:
        root = self.dialect.root
        lines = ["import itertools\n"] if "itertools." in code else []
        lines += ["import numpy as np"] if "np." in code else []
        if root == "numpy":
            lines = ["import ml_dtypes", *lines] if "ml_dtypes." in code else lines
            if self.message["kind"] != "reference":
                return "\n".join(lines)
            module, function = self.message["steps"][0]["api"].rsplit(".", 1)
            return "\n".join([*lines, f"from conformance.reference.{module} import {function}"])
        experimental = "import mindspore.experimental.optim"
        lines += [f"import {root}", *([experimental] if "experimental.optim" in code else [])]
        return "\n".join(sorted(lines, key=lambda line: ("itertools" not in line, line)))

    def _inputs(self) -> list[str]:
        """The arrays, drawn in the order written, so that every framework is given the same."""
        used = [n for n in self.case.specs if n in self.message["values"]]
        drawn = [n for n, spec in self.case.specs.items() if draws(spec)]
        last = max((i for i, n in enumerate(drawn) if n in used), default=-1)
        lines = [f"random = np.random.RandomState({self.case.case.seed})"] if last >= 0 else []
        for name in self.case.specs:
            if name in used:
                lines.append(f"{self.names[name]} = {self._array(name)}")
            elif name in drawn[: last + 1]:
                lines.append(f"{expression(self.case, name).text}  # {name}: not taken here")
        return lines

    def _array(self, name: str) -> str:
        spec, array = self.case.specs[name], self.case.arrays[name]
        dtype = dtype_of(array)
        if self._converted(name):
            return self._option(self.message["values"][name])
        given = expression(self.case, name)
        if spec.as_ in ("tensor", "parameter"):
            text = self.dialect.tensor(given, dtype)
            if spec.layout == "transposed" and array.ndim >= 2:
                text = self.dialect.transposed(text)
            shape = tuple(self.message["values"][name][wire.ARRAY][1])
            if shape != array.shape:
                text += f".reshape({shape})"
            if spec.as_ == "parameter":
                return self.dialect.parameter(text, self.names[name])
            return text + self._leaf(name)
        plain = DIALECTS["numpy"].tensor(given, dtype)
        return plain if spec.as_ == "ndarray" else f"{plain}.tolist()"

    def _converted(self, name: str) -> bool:
        """Whether MindSpore is given another value than PyTorch."""
        value = self.message["values"][name]
        if not (isinstance(value, dict) and wire.ARRAY in value):
            return True
        return bool(to_array(value).tobytes() != self.case.arrays[name].tobytes())

    def _leaf(self, name: str) -> str:
        """PyTorch differentiates by leaves; what the call writes into must not be one."""
        wanted = self.full and self.dialect.root == "torch" and name in self.wanted
        return ".requires_grad_()" if wanted else ""

    def _body(self) -> list[str]:
        kind = self.message["kind"]
        step = self.message["steps"][0]
        constructor = self._keywords(step["constructor"], step["fixed"])
        if kind == "optimizer":
            made = call(step["api"], ["[params]", *constructor])
            return [*self.dialect.trajectory(made), "print(output)"]
        if kind == "schedule":
            return [*self._schedule(step["api"], constructor), "print(output)"]
        if kind == "reference":
            return [*self._reference(step), "print(output)"]
        seed = [self.dialect.seed(self.message["seed"])] if kind == "random" else []
        prepare, forward = self._steps()
        if not self.full:
            return [*seed, *prepare, *forward, "print(output)"]
        return [*prepare, *self._differentiate(forward), "print(output)", "print(gradients)"]

    def _steps(self) -> tuple[list[str], list[str]]:
        """Lines that construct modules, and lines that call; the last call gives `output`."""
        prepare: list[str] = []
        forward: list[str] = []
        steps, returns = self.message["steps"], self.message["returns"]
        modules = sum(step["form"] == "module" for step in steps)
        results = [f"step{i}" for i in range(len(steps))]
        if returns is None:
            results[-1] = "output"
        for i, step in enumerate(steps):
            callee = self.dialect.api(step["api"])
            if step["form"] == "module":
                callee = self.dialect.module + (f"{i}" if modules > 1 else "")
                prepare += self._module(step, callee)
            forward.append(f"{results[i]} = {self._call(step, callee, results)}")
        if returns is not None:
            forward.append(f"output = ({', '.join(results[i] for i in returns)},)")
        return prepare, forward

    def _module(self, step: Any, variable: str) -> list[str]:
        arguments = self._keywords(step["constructor"], step["fixed"])
        lines = [f"{variable} = {call(step['api'], arguments)}"]
        if step["state"]:
            slots = {name: self.names[canonical] for name, canonical in step["state"].items()}
            lines += self.dialect.state(variable, slots, self._state_dtype(step))
        return lines + (
            self.dialect.mode(variable, self.message["training"]) if self._modal() else []
        )

    def _modal(self) -> bool:
        """Whether training or evaluation makes a difference to this operation."""
        operation = self.case.operation
        stateful = any(p.role == "state" for p in operation.parameters.values())
        return stateful or any(case.training for case in operation.cases)

    def _state_dtype(self, step: Any) -> str:
        dtypes = [
            dtype_of(self.case.arrays[n]) for n in (*step["state"].values(), *self.case.arrays)
        ]
        return next((name for name in dtypes if "float" in name), "float32")

    def _call(self, step: Any, callee: str, results: list[str]) -> str:
        args = [self._value(a, results) + self._own(step, a) for a in step["args"]]
        fixed = {} if step["form"] == "module" else step["fixed"]
        keywords = self._keywords(step["kwargs"], fixed)
        member = step["api"].rpartition(".")[2]
        if step["form"] == "result":
            return call(args[0], [*args[1:], *keywords])
        if step["form"] == "property":
            return f"{args[0]}.{member}"
        if step["form"] == "method":
            return call(f"{args[0]}.{member}", [*args[1:], *keywords])
        return call(callee, [*args, *keywords])

    def _own(self, step: Any, term: wire.Term) -> str:
        """What works in place works on a copy when a leaf must stay whole for its gradient."""
        leaf = self.full and self.dialect.root == "torch" and term in self.wanted
        return ".clone()" if leaf and self._in_place(step) else ""

    def _in_place(self, step: Any) -> bool:
        """Tell whether `step` writes into what it is given: by its name, or because it is told."""
        if step["api"].endswith("_") and not step["api"].endswith("__"):
            return True
        told = {**step["constructor"], **step["kwargs"]}.get("inplace")
        return bool(step["fixed"].get("inplace") or self.message["values"].get(told))

    def _differentiate(self, forward: list[str]) -> list[str]:
        wanted = {n: self.names[n] for n in self.wanted}
        slots = {c: name for step in self.message["steps"] for name, c in step["state"].items()}
        return self.dialect.gradients(wanted, slots, forward)

    def _reference(self, step: Any) -> Iterable[str]:
        from conformance.reference import registry  # noqa: PLC0415  (scipy: not for every page)

        entry = registry.get(step["api"])
        taken = entry.taken(self.message["values"])
        terms: dict[str, wire.Term] = {n: n for n in taken}
        terms |= {n: {"list": self.case.members(n)} for n in taken if n in self.case.sequences}
        arguments = [f"{n}={self._value(term)}" for n, term in terms.items()]
        if "training" in entry.parameters and "training" not in taken:
            arguments.append(f"training={self.message['training']}")
        made = call(entry.function.__name__, arguments)
        # Annotated: it may return a Result, which tells of state and mutated inputs too, or
        # Identities, one of several right outputs.
        returned = str(entry.function.__annotations__.get("return"))
        if "Result" not in returned and "Identities" not in returned:
            return [f"output = {made}"]
        return [f"result = {made}", "output = getattr(result, 'output', result)"]

    def _schedule(self, api: str, constructor: list[str]) -> list[str]:
        """A class is stepped along an optimizer; a function gives all rates at once."""
        if api.rpartition(".")[2][0].islower():
            return [f"output = np.asarray({call(api, constructor)})"]
        options = self.case.options
        given = [f"{n} = {self._option(options[n])}" for n in ("base_lr", "steps") if n in options]
        return [*given, *self.dialect.schedule(api, constructor)]

    def _keywords(self, given: dict[str, wire.Term], fixed: dict[str, Any]) -> list[str]:
        named = {name: self._value(term) for name, term in given.items()}
        named |= {name: self._option(value) for name, value in fixed.items()}
        return [f"{name}={value}" for name, value in named.items()]

    def _value(self, term: wire.Term, results: Sequence[str] = ()) -> str:
        if isinstance(term, int):
            return results[term]
        if isinstance(term, dict):
            kind, members = next(iter(term.items()))
            if kind == "api":
                return str(members)
            items = ", ".join(self._value(member, results) for member in members)
            if kind == "list":
                return f"[{items}]"
            return f"({items},)" if len(members) == 1 else f"({items})"
        if term in self.case.specs:
            return self.names[term]
        return self._option(self.message["values"][term])

    def _option(self, value: Any) -> str:
        if isinstance(value, dict) and wire.ARRAY in value:
            array = to_array(value)
            return self.dialect.tensor(Expression(literal(array), array.size > 0), dtype_of(array))
        if isinstance(value, dict) and wire.API in value:
            return str(value[wire.API])
        if isinstance(value, dict):
            return self.dialect.dtype(value[wire.DTYPE])
        if isinstance(value, tuple | list):
            items = ", ".join(map(self._option, value))
            return f"({items},)" if len(value) == 1 else f"({items})"
        return scalar(value)
