"""Hostile-safe YAML: plain data with the place of every value, within fixed bounds.

A file is composed into nodes, never constructed into objects: no tags, no anchors, no merge keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from conformance.errors import CorpusError, Problem

MAX_FILE_BYTES = 1_000_000
MAX_SCALAR = 20_000
MAX_NODES = 100_000
MAX_DEPTH = 40

Path_ = tuple[str | int, ...]
_PLAIN = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "map", "seq")
}

_DATE = "tag:yaml.org,2002:timestamp"
"""2026-12-31 without quotes; it stays text, and the schema reads it."""


@dataclass
class Marked:
    """Plain data, and line and column (1-based) of the value at each path, and of its key."""

    data: Any
    marks: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path_) -> tuple[int, int]:
        """Return the place of the deepest value known on the way to `path`."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def key_place(self, path: Path_) -> tuple[int, int]:
        """Return the place of the key that `path` ends with, or of the value where it is none."""
        return self.keys.get(path) or self.place(path)


def key(text: str) -> str:
    """Return a hash of `text` and of all that reads it: what is kept under it need not be read."""
    return hashlib.sha256(_reader() + text.encode()).hexdigest()[:16]


@cache
def _reader() -> bytes:
    return Path(__file__).read_bytes() + metadata.version("ruamel.yaml").encode()


def parse(text: str, name: str) -> Marked:
    """Parse `text` (the content of the file called `name`).

    Raises CorpusError with one problem when the text is not YAML, or uses tags, anchors, aliases,
    duplicate keys, or more bytes, nodes or nesting than a case file needs.
    """

    def fail(line: int, column: int, message: str) -> CorpusError:
        return CorpusError([Problem(name, line, column, message)])

    if len(text) > MAX_FILE_BYTES:
        raise fail(1, 1, f"{len(text):,} bytes; a case file has at most {MAX_FILE_BYTES:,}")
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(str(error.problem or error.context).split())
        raise fail(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, message) from None
    except YAMLError as error:
        raise fail(1, 1, " ".join(str(error).split())) from None
    except RecursionError:
        raise fail(1, 1, "nested too deeply") from None
    if node is None:
        raise fail(1, 1, "empty file; `conformance schema` prints what a case file holds")
    return _Builder(name, yaml.constructor).build(node)


class _Builder:
    def __init__(self, name: str, constructor: SafeConstructor) -> None:
        self.name, self.constructor = name, constructor
        self.marks: dict[Path_, tuple[int, int]] = {}
        self.keys: dict[Path_, tuple[int, int]] = {}
        self.seen: set[int] = set()

    def build(self, node: Any) -> Marked:
        return Marked(self.value(node, ()), self.marks, self.keys)

    def fail(self, node: Any, message: str) -> CorpusError:
        return CorpusError([Problem(self.name, *_place(node), message)])

    def value(self, node: Any, path: Path_) -> Any:
        self.marks[path] = _place(node)
        if id(node) in self.seen or node.anchor:
            raise self.fail(node, "anchors and aliases are not allowed; write the value out")
        self.seen.add(id(node))
        if len(self.seen) > MAX_NODES or len(path) > MAX_DEPTH:
            raise self.fail(node, f"more than {MAX_NODES:,} values or {MAX_DEPTH} levels")
        if str(node.tag) == _DATE and isinstance(node, ScalarNode):
            return str(node.value)
        if str(node.tag) not in _PLAIN:
            raise self.fail(node, f"tag {node.tag} is not allowed; case files hold plain data")
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        if len(node.value) > MAX_SCALAR:
            raise self.fail(
                node, f"{len(node.value):,} characters; a value has at most {MAX_SCALAR:,}"
            )
        try:
            return self.constructor.construct_object(node)
        except (ValueError, YAMLError) as error:
            raise self.fail(node, " ".join(str(error).split())) from None

    def mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                raise self.fail(key_node, "a key must be a plain word")
            key = "null" if key_node.value == "" else str(key_node.value)
            if len(key) > MAX_SCALAR or key == "<<":
                raise self.fail(key_node, "not a usable key")
            if key in result:
                raise self.fail(key_node, f"{key!r} is given twice")
            self.keys[(*path, key)] = _place(key_node)
            result[key] = self.value(value_node, (*path, key))
        return result


def _place(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
