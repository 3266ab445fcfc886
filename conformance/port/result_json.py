"""A verified port as JSON, for CI and for pages made later, and read back.

Sentences stand in it as the English text; ``phrases`` tells, by that text, the template and the
values it was made of, so that a page of what was read back speaks every language still.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from string import Formatter
from typing import Any, Literal, Union

from conformance.errors import CallerError
from conformance.phrase import Phrase
from conformance.port.result import PortResult

VERSION = 1
"""Of the layout.  A file of another one is not read."""
INFINITE = ("nan", "inf", "-inf")
"""What JSON has no number for, as text."""
PROSE = frozenset({"sentence", "notes", "problem", "rule", "words", "where", "evidence"})
"""Fields with sentences; others hold names and values, whatever they happen to be called."""
Phrases = Mapping[str, Phrase]


def as_json(result: PortResult) -> str:
    """Return everything found as JSON; NaN and infinities as text."""
    found: dict[str, Any] = {}
    content = {
        "version": VERSION,
        **_plain(result, found),
        "exit_code": result.exit_code,
        "phrases": found,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str, name: str = "the port's JSON") -> PortResult:
    """Return the result that `as_json` wrote; CallerError, led by `name`, for anything else."""
    try:
        content = json.loads(text)
        if "\\u" in text:
            content = _plain(content, {})  # An escape may be half a character.
        if content["version"] != VERSION:
            raise ValueError(f"layout {content['version']!r}, this release reads {VERSION}")
        made: PortResult = _made(PortResult, content, _phrases(content["phrases"]), "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise CallerError(f"{name}: not what `conformance port` writes: {why}") from None
    return made


def _plain(value: Any, found: dict[str, Any]) -> Any:
    """Return `value` in JSON's types; the phrases in it are added to `found`."""
    if isinstance(value, Phrase):
        _keep(value, found)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, found) for item in value]
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(item, found) for key, item in value.items()}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), found) for field in fields(value)}
    return value


def _text(value: str) -> str:
    """Return `value` as plain text, without half characters, which no file can hold."""
    return value.encode(errors="backslashreplace").decode()


def _keep(phrase: Phrase, found: dict[str, Any]) -> None:
    text = _text(phrase)
    if text and text not in found:
        found[text] = None  # Before what it is made of: the order of first use.
        values = {name: _value(value, found) for name, value in phrase.values.items()}
        found[text] = {"template": phrase.template, "values": values}


def _value(value: Any, found: dict[str, Any]) -> Any:
    """Return a value that a template is filled with: it says the same after JSON, too."""
    if isinstance(value, Phrase):
        _keep(value, found)
        return {"phrase": _text(value)}
    plain = isinstance(value, int) and not isinstance(value, bool)
    return value if plain else _text(str(value))


def _phrases(given: Mapping[str, Any]) -> dict[str, Phrase]:
    """Return phrases by their text.  What does not say its text again is left as text."""
    known: dict[str, Phrase] = {}

    def phrase(text: str) -> str:
        if text in known or text not in given:
            return known.get(text, text)
        template, values = given[text]["template"], given[text]["values"]
        if not _simple(template, values):
            return text
        parts = {n: phrase(v["phrase"]) if isinstance(v, dict) else v for n, v in values.items()}
        made = Phrase(template, **parts)
        if made == text:
            known[text] = made
        return known.get(text, text)

    for text in given:
        phrase(text)
    return known


def _simple(template: str, values: Mapping[str, Any]) -> bool:
    """Whether a template has nothing but the names of `values` between its braces."""
    try:
        parts = list(Formatter().parse(template)) if values else []
    except ValueError:
        return False
    asked = {name for _, name, *_ in parts if name is not None}
    plain = not any(spec or conversion for *_, spec, conversion in parts)
    return plain and asked <= set(values) and all(name.isidentifier() for name in values)


def _made(kind: Any, value: Any, known: Phrases, where: str) -> Any:
    """Return `value` as the type `kind` of a field of `PortResult`; ValueError when it is none."""
    if kind is float:
        return _number(value, where)
    if kind in (str, int, bool):
        given = _of(kind, value, where)
        prose = kind is str and where.rpartition(".")[2].partition("[")[0] in PROSE
        return known.get(given, given) if prose else given
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, value, known, where)
    if origin in (types.UnionType, Union):
        if value is None and type(None) in inner:
            return None
        (kind,) = (one for one in inner if one is not type(None))
        return _made(kind, value, known, where)
    if kind is Any:
        return value
    if origin is tuple:
        return tuple(_items(inner[0], _of(list, value, where), known, where))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        items = _of(dict, value, where).items()
        return {key: _made(inner[1], item, known, f"{where}.{key}") for key, item in items}
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{where}: {value!r} is none of {', '.join(inner)}")
        return value
    return kind(value)  # An Enum.


def _dataclass(kind: Any, value: Any, known: Phrases, where: str) -> Any:
    given = _of(dict, value, where)
    return kind(
        **{
            name: _made(type_, given[name], known, f"{where}.{name}".strip("."))
            for name, type_ in _fields(kind).items()
            if name in given
        }
    )


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _items(kind: Any, values: Sequence[Any], known: Phrases, where: str) -> Iterator[Any]:
    for number, value in enumerate(values):
        yield _made(kind, value, known, f"{where}[{number}]")


def _number(value: Any, where: str) -> float:
    if value in INFINITE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: {value!r} is no number")
    return float(value)


def _of(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where or 'it'} is no {kind.__name__}")
    return value
