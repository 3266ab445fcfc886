"""Signatures as the text of a baseline, and back.

A line for each API, and under it, one space in, what else there is to say of it::

    mindspore.mint.nn.BCELoss (weight=None, reduction='mean')
     call (input, target)
    mindspore.Tensor.max ()
     or (dim, keepdim=False)
    mindspore.ops.gone absent: mindspore.ops has no gone
    mindspore.ops.opaque unknown
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.errors import HarnessError
from conformance.worker import describe


def write(messages: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of `messages`, which `conformance.worker.describe` gave by API."""
    return "".join(f"{line}\n" for api in sorted(messages) for line in _signature(messages[api]))


def read(path: Path, count: int) -> dict[str, dict[str, Any]]:
    """Return the messages of `count` APIs by API; HarnessError when the file holds others."""
    found = dict(_messages(path))
    if len(found) != count:
        raise HarnessError(f"{path}: holds {len(found)} APIs, the manifest says {count}")
    return found


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line; HarnessError when `path` cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path}: the baseline is damaged ({error}); write it anew") from None
    yield from enumerate(text.splitlines(), 1)


def _signature(message: Mapping[str, Any]) -> Iterator[str]:
    api = message["api"]
    if not message["exists"]:
        yield f"{api} absent: {' '.join(str(message['error']).split())}"
        return
    if message["source"] == "none":
        yield f"{api} unknown"
    else:
        yield f"{api} {describe.render(message['parameters'])}"
    for overload in message["overloads"]:
        yield f" or {describe.render(overload['parameters'])}"
    if message["call_parameters"] is not None:
        yield f" call {describe.render(message['call_parameters'])}"
    if message["deprecated"]:
        yield f" deprecated {', '.join(message['deprecated'])}"
    if note := message.get("deprecated_api"):
        yield f" obsolete {' '.join(note.split())}"


def _messages(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield API and message, in the form of `conformance.worker.describe`."""
    message: dict[str, Any] = {}
    for number, line in lines_of(path):
        word, _, rest = line.lstrip(" ").partition(" ")
        try:
            if not line.startswith(" "):
                if message:
                    yield message["api"], message
                message = _message(word, rest)
            elif word == "or":
                message["overloads"].append({"text": rest, "parameters": describe.parse(rest)})
            elif word == "call":
                message |= {"call_text": rest, "call_parameters": describe.parse(rest)}
            elif word == "deprecated":
                message["deprecated"] = rest.split(", ")
            elif word == "obsolete":
                message["deprecated_api"] = rest
            else:
                raise ValueError
        except (KeyError, ValueError):
            raise HarnessError(
                f"{path}:{number}:1: not a line of a baseline; write it anew"
            ) from None
    if message:
        yield message["api"], message


def _message(api: str, rest: str) -> dict[str, Any]:
    message = describe.blank(api)
    if rest.startswith("absent: "):
        return {**message, "error": rest.removeprefix("absent: ")}
    message["exists"] = True
    if rest == "unknown":
        return message
    parameters = describe.parse(rest)
    return {**message, "source": "signature", "text": rest, "parameters": parameters}
