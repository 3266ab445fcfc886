"""What a schema found wrong with a document, in a person's words and at the place it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from conformance.corpus import yamlmarks
from conformance.errors import Problem

UNKNOWN_KEY = "`conformance schema` lists the known ones"
Schema = Mapping[str, Any]
"""A JSON Schema, as pydantic makes it."""

_WORDS = {
    "int": "a whole number is meant",
    "float": "a number is meant",
    "bool": "true or false is meant",
    "string": "text is meant; put it in quotes",
    "dict": "keys with values are meant, such as {key: value}",
    "model": "keys with values are meant, such as {key: value}",
    "list": "a list is meant, such as [first, second]",
}
"""What is said of a value of another kind, by how pydantic's name of the error begins."""
_KINDS = ("_type", "_parsing", "_from_float", "_attributes_type")
_BOUNDS = {
    "greater_than_equal": ("ge", "at least {} is meant"),
    "less_than_equal": ("le", "at most {} is meant"),
    "greater_than": ("gt", "more than {} is meant"),
    "less_than": ("lt", "less than {} is meant"),
    "literal_error": ("expected", "{} is meant"),
}


def problems(
    path: str,
    marked: yamlmarks.Marked,
    error: ValidationError,
    schema: Schema | None = None,
    hint: str = UNKNOWN_KEY,
) -> list[Problem]:
    """One problem for each place.

    Of an unknown key is said which of `schema` it is like, and where none is, `hint`.  Of what the
    branches of a union complain about one value, the deepest complaint is kept: it is the branch
    the author meant.
    """
    items = error.errors(include_url=False)
    places = [_in_document(item["loc"], marked) for item in items]
    found: dict[tuple[int, int], str] = {}
    for item, where in zip(items, places, strict=True):
        of_a_union = len(where) < len(item["loc"]) and item["type"] != "missing"
        deeper = any(len(p) > len(where) and p[: len(where)] == where for p in places)
        if not (of_a_union and deeper):
            name = ".".join(map(str, where))
            unknown = item["type"] == "extra_forbidden"
            place = marked.key_place(where) if unknown else marked.place(where)
            message = _unknown(where, schema, hint) if unknown else _message(item)
            found.setdefault(place, f"{name}: {message}" if name else message)
    return [Problem(path, *place, message) for place, message in found.items()]


def _message(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "missing":
        return f"{item['loc'][-1]!r} is required"
    message = item["msg"].removeprefix("Value error, ")
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        message = text.format(item.get("ctx", {}).get(key))
    elif kind.endswith(_KINDS):
        message = _WORDS.get(kind.partition("_")[0], message)
    given = item.get("input")
    if kind != "value_error" and isinstance(given, str | int | float | bool):
        message += f"; found {str(given)[:80]!r}"
    return message


def _in_document(loc: tuple[int | str, ...], marked: yamlmarks.Marked) -> yamlmarks.Path_:
    """Drop the steps pydantic adds for unions and aliases, which the document does not have."""
    path: yamlmarks.Path_ = ()
    for step in loc:
        if (*path, step) in marked.marks:
            path = (*path, step)
    return path


def _unknown(where: yamlmarks.Path_, schema: Schema | None, hint: str) -> str:
    known = known_keys(schema, where[:-1]) if schema is not None and where else []
    near = difflib.get_close_matches(str(where[-1]), known, n=2, cutoff=0.7) if where else []
    return f"unknown key; did you mean {' or '.join(near)}?" if near else f"unknown key; {hint}"


def known_keys(schema: Schema, path: yamlmarks.Path_) -> list[str]:
    """Return the keys that `schema` knows in what `path` leads to, in every branch of a union."""
    nodes = list(_branches(schema, schema))
    for step in path:
        inner = [child for node in nodes for child in _inner(node, step)]
        nodes = [branch for node in inner for branch in _branches(node, schema)]
    return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def _inner(node: Schema, step: str | int) -> list[Schema]:
    """Return what `node` says of what `step` leads to."""
    if isinstance(step, int):
        found = [node.get("items")]
    elif step in node.get("properties", {}):
        found = [node["properties"][step]]
    else:
        found = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return [inner for inner in found if isinstance(inner, Mapping)]


def _branches(node: Schema, schema: Schema) -> Iterator[Schema]:
    """Yield what `node` stands for: what it refers to, and each branch of a union."""
    if "$ref" in node:
        target: Any = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _branches(target, schema)
    for kind in ("anyOf", "oneOf", "allOf"):
        for branch in node.get(kind, ()):
            yield from _branches(branch, schema)
    yield node
