"""A case file to start from: what the installed signatures say, and what they leave in doubt."""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.corpus import loader
from conformance.corpus.schema import Operation
from conformance.judge import signature
from conformance.judge.introspected import Argument, Signature
from conformance.reference import registry
from conformance.taxonomy import FRAMEWORKS, Framework, Kind
from conformance.worker import describe

TENSORS = frozenset(
    {
        "input", "other", "self", "x", "y", "x1", "x2", "tensor", "target", "mat1", "mat2", "vec1",
        "vec2", "batch1", "batch2", "index", "indices", "src", "source", "logits", "labels",
        "condition", "mask", "query", "key", "value", "anchor", "positive", "negative", "end",
    }
)  # fmt: skip
"""Names that usually mean a tensor; a function's first parameter is one whatever its name."""

GUESSES: dict[str, Any] = {
    "dim": 0, "axis": 0, "dims": [0], "dim0": 0, "dim1": 1, "size": [2, 3], "shape": [2, 3],
    "kernel_size": 2, "num_features": 3, "normalized_shape": [3], "in_features": 3, "p": 2,
}  # fmt: skip
"""Values for options that must be given; 1 for any other."""

SYNONYMS = (
    {"dim", "axis"}, {"input", "x", "logits", "input_x", "inputs"}, {"target", "labels", "label"},
    {"bias", "has_bias"}, {"size", "shape"}, {"weight", "gamma"}, {"eps", "epsilon"},
    {"keepdim", "keep_dims"}, {"padding_mode", "pad_mode"}, {"tensors", "inputs"},
)  # fmt: skip
"""Names that the two frameworks give to one thing."""

RECEIVER = Argument("input", describe.POSITIONAL_ONLY, None, 0)
ALIKE = 0.8
"""Likeness (difflib's ratio) from which two names are taken for one parameter."""
_KINDS = (Kind.DEFAULT, Kind.ORDER)


@dataclass
class Draft:
    """A case file in the making, and how many `doubts` it marks."""

    torch: Signature
    mindspore: Signature
    doubts: int = 0
    names: dict[str, str] = field(default_factory=dict)
    only: dict[Framework, list[str]] = field(default_factory=lambda: {f: [] for f in FRAMEWORKS})

    def text(self) -> str:
        """Return the case file."""
        inputs, options = self._parameters()
        self._match("call", inputs)
        self._match("constructor", options)
        name = self.torch.api.rpartition(".")[2].lower()
        lines = [
            f"operation: {name}",
            *self._oracle(name),
            "accuracy: elementwise"
            + self.doubt("exact, elementwise, accumulation or statistical?"),
            f"gradients: [{', '.join(a.name for a in inputs[:1])}]",
            "",
            "parameters:",
            *(line for a in inputs for line in self._parameter(a, "input")),
            *(line for a in options for line in self._parameter(a, "option")),
            *self._state(),
            "",
            "pairs:",
            *self._pair(inputs, options),
            "",
            "cases:",
            "  - id: random",
            *self._example(inputs, options),
        ]
        return "\n".join(lines) + "\n"

    def doubt(self, question: str) -> str:
        """Return a comment that asks the author."""
        self.doubts += 1
        return f"  # doubt: {question}"

    def form(self, framework: Framework) -> str:
        """Return how the API of `framework` is called."""
        own = self.torch if framework == "torch" else self.mindspore
        if ".Tensor." in own.api:
            return "method" if own.known else "property"
        return "module" if own.call is not None else "function"

    def _sections(self, own: Signature) -> dict[str, list[Argument]]:
        """Return what goes to the call and, of a class, what goes to the constructor."""
        first = [a for a in own.forms[0] if a.kind != describe.VAR_KEYWORD]
        if own.call is not None:
            call = [a for a in own.call if a.kind != describe.VAR_KEYWORD]
            return {"call": call, "constructor": first}
        if ".Tensor." in own.api:
            rest = first[1:] if first and first[0].name in ("input", "self") else first
            first = [RECEIVER, *rest]
        return {"call": first, "constructor": []}

    def _parameters(self) -> tuple[list[Argument], list[Argument]]:
        """Return PyTorch's inputs and options, ``out`` excepted, as the file names them."""
        sections = self._sections(self.torch)
        if self.torch.call is not None:
            return sections["call"], sections["constructor"]
        inputs: list[Argument] = []
        options: list[Argument] = []
        for place, argument in enumerate(sections["call"]):
            if argument.name in ("out", *self.torch.deprecated):
                continue
            first = place == 0 and argument.name not in GUESSES
            tensor = first or (argument.name in TENSORS and argument.default is None)
            (inputs if tensor else options).append(argument)
        return inputs, options

    def _match(self, section: str, wanted: list[Argument]) -> None:
        """Pair parameters by name, then by position; what is left over is on one side only."""
        theirs = self._sections(self.mindspore)
        listed = theirs[section] if self.mindspore.call is not None else theirs["call"]
        taken = {*self.names.values(), *self.only["mindspore"]}
        free = [a for a in listed if a.name not in taken]
        for alike in (_same_name, _synonyms, _similar, _same_place):
            for argument in wanted:
                other = next((a for a in free if alike(argument, a)), None)
                if argument.name not in self.names and other is not None:
                    free.remove(other)
                    self.names[argument.name] = other.name
        self.only["torch"] += [a.name for a in wanted if a.name not in self.names]
        # Of a function, inputs are matched before options: what is left then may still be one.
        if section == "constructor" or self.mindspore.call is not None:
            named = [a for a in free if a.kind != describe.VAR_POSITIONAL]
            self.only["mindspore"] += [a.name for a in named]

    def _oracle(self, name: str) -> list[str]:
        found = [r for r in registry.all_references() if r.rpartition(".")[2] == name]
        if found:
            return [f"reference: {found[0]}" + self.doubt("is this the same mathematics?")]
        return [
            "no_reference:" + self.doubt("write one in conformance/reference/, then name it here"),
            "  en: No oracle is written yet; MindSpore is compared with PyTorch.",
            "  zh: 尚未编写参考实现，暂以PyTorch的结果作为对照。",
        ]

    def _parameter(self, argument: Argument, role: str) -> Iterator[str]:
        default = ""
        if argument.default is not None:
            known, value = _literal(argument.default)
            default = f", default: {json.dumps(value)}" if known else ""
        doubt = ""
        if argument.kind == describe.VAR_POSITIONAL and role == "input":
            yield f"  {argument.name}: {{role: input, sequence: true, variadic: true}}"
            return
        if role == "option" and argument.default is None and self.torch.call is None:
            doubt = self.doubt("an option, or an input (a tensor)?")
        yield f"  {argument.name}: {{role: {role}{default}}}{doubt}"

    def _state(self) -> list[str]:
        if self.form("torch") != "module":
            return []
        question = "does the module hold weights? {role: state}, and their values in each case"
        return ["  " + self.doubt(question).strip()]

    def _pair(self, inputs: Sequence[Argument], options: Sequence[Argument]) -> Iterator[str]:
        forms = {framework: self.form(framework) for framework in FRAMEWORKS}
        alike = forms["torch"] == forms["mindspore"]
        yield f"  - torch: {self.torch.api}"
        yield f"    mindspore: {self.mindspore.api}"
        yield (
            f"    call: {forms['torch']}"
            if alike
            else f"    call: {{torch: {forms['torch']}, mindspore: {forms['mindspore']}}}"
        )
        renamed = {a.name: self.names[a.name] for a in (*inputs, *options) if a.name in self.names}
        renamed = {n: other for n, other in renamed.items() if n != other}
        if renamed:
            listed = ", ".join(f"{name}: {other}" for name, other in renamed.items())
            yield f"    mindspore_names: {{{listed}}}" + self.doubt(
                "guessed from name and position"
            )
        for framework in FRAMEWORKS:
            own = self.torch if framework == "torch" else self.mindspore
            key = f"{framework}_only"
            names = [n for n in self.only[framework] if n != "out"]
            names += sorted(own.deprecated - set(names))
            if names:
                said = {n: "deprecated" if n in own.deprecated else "absent" for n in names}
                listed = ", ".join(f"{name}: {word}" for name, word in said.items())
                yield f"    {key}: {{{listed}}}" + self.doubt("under another name, perhaps?")

    def _example(self, inputs: Sequence[Argument], options: Sequence[Argument]) -> Iterator[str]:
        required = [a for a in options if a.default is None]
        if required:
            values = {a.name: GUESSES.get(a.name, 1) for a in required}
            listed = ", ".join(f"{name}: {json.dumps(value)}" for name, value in values.items())
            yield f"    parameters: {{{listed}}}" + self.doubt("do these values make sense?")
        needed = [a for a in inputs if a.default is None]
        if needed:
            drawn = ", ".join(f"{a.name}: {_drawn(a)}" for a in needed)
            yield f"    inputs: {{seed: 1, {drawn}}}" + self.doubt("shapes and dtypes it accepts?")


def write(torch: Signature, mindspore: Signature) -> tuple[str, int]:
    """Return a case file for the pair, and how many doubts it marks.

    What the signatures show of defaults, order and form is declared in it.
    """
    draft = Draft(torch, mindspore)
    text = draft.text()
    corpus = loader.load_texts([("draft.yaml", text, Path())])
    operation = next(iter(corpus.documents.values())).operation
    rows = signature.compare(operation, operation.pairs[0], torch, mindspore)
    return _declared(text, operation, rows), draft.doubts


def with_schema(text: str, path: Path) -> str:
    """Return `text` headed by what tells an editor where the schema is, seen from `path`."""
    schema = Path(__file__).parent / "corpus" / "case.schema.json"
    return f"# yaml-language-server: $schema={os.path.relpath(schema, path.parent)}\n{text}"


def operations(folder: Path) -> dict[str, Path]:
    """Return the operations that case files under `folder` hold, and the file of each."""
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8", errors="replace")
        if named := re.search(r"^operation: *(\w+)", text, re.MULTILINE):
            found.setdefault(named[1], file)
    return found


def _declared(text: str, operation: Operation, rows: Sequence[signature.ParameterRow]) -> str:
    found = [(row, kind) for row in rows for kind in row.kinds if kind in _KINDS]
    lines = []
    for row, kind in found:
        lines += [
            f"      - kind: {kind.value}",
            f"        parameters: [{row.name}]",
            *_note(row, kind),
        ]
    if signature.call_form_differs(operation.pairs[0]):
        lines += [
            "      - kind: call-form",
            "        note: {en: The two are called in different forms., zh: 两者的调用形式不同。}",
        ]
    if not lines:
        return text
    head, tail = text.split("\n\ncases:\n")
    return "\n".join([head, "    differences:", *lines]) + "\n\ncases:\n" + tail


def _note(row: signature.ParameterRow, kind: Kind) -> list[str]:
    torch, mindspore = row.torch, row.mindspore
    if kind is Kind.DEFAULT:
        ours = mindspore.default if mindspore and mindspore.default is not None else "none"
        theirs = torch.default if torch and torch.default is not None else "none"
        en = f"The default is {ours}, in PyTorch {theirs}."
        zh = f"默认值为{ours}，PyTorch为{theirs}。"
    else:
        en = "It stands at another place in the parameter list than in PyTorch."
        zh = "在参数列表中的位置与PyTorch不同。"
    return [
        "        note:",
        f"          en: {json.dumps(en)}",
        f"          zh: {json.dumps(zh, ensure_ascii=False)}",
    ]


def _drawn(argument: Argument) -> str:
    array = "{randn: [2, 3]}"
    return f"{{list: [{array}]}}" if argument.kind == describe.VAR_POSITIONAL else array


def _same_name(ours: Argument, theirs: Argument) -> bool:
    return ours.name == theirs.name


def _synonyms(ours: Argument, theirs: Argument) -> bool:
    return any({ours.name, theirs.name} <= group for group in SYNONYMS)


def _similar(ours: Argument, theirs: Argument) -> bool:
    return difflib.SequenceMatcher(None, ours.name, theirs.name).ratio() >= ALIKE


def _same_place(ours: Argument, theirs: Argument) -> bool:
    return ours.position == theirs.position and ours.default == theirs.default


def _literal(text: str) -> tuple[bool, Any]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False, None
    return isinstance(value, None | bool | int | float | str | list | tuple), value
