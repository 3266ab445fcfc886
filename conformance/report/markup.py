"""Markdown that shows any text literally: in paragraphs, in tables, as code."""

from __future__ import annotations

import re

from conformance.report.pages import shortened

_SPECIAL = re.compile(r"[\\`*{}\[\]<|~&$#]|(?<![^\W_])_|_(?![^\W_])")
"""What means something within a line; an underscore only where it is not inside a word."""
_STARTS = re.compile(r"^ ?(?:\d+(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|--+\s*$|=+\s*$|>))")
"""What means something where a line starts: quotations, lists, the underline of a heading."""


class Raw(str):
    """Markdown, not text: it is written as it is."""

    __slots__ = ()


def text(value: object) -> Raw:
    """Return `value` as one line of Markdown that shows it literally, also inside a table."""
    if isinstance(value, Raw):
        return value
    # Not stripped: a template writes separators in this way too.
    escaped = _SPECIAL.sub(r"\\\g<0>", re.sub(r"\s+", " ", shortened(str(value))))
    return Raw(_STARTS.sub(r"\g<0>\\", escaped))


def code(value: object) -> Raw:
    """Return a code span; its fence is longer than any run of backquotes in it."""
    line = _line(value)
    if not line:
        return Raw("")
    ticks = "`" * (1 + max(map(len, re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Raw(f"{ticks}{pad}{line}{pad}{ticks}")


def cell(value: object) -> Raw:
    """Return a code span for a table, where a bar would end the cell even inside it.

    What has a backslash before a bar becomes text: parsers disagree on it within code.
    """
    line = _line(value)
    return text(line) if r"\|" in line else Raw(code(line).replace("|", r"\|"))


def fenced(value: object, language: str = "python") -> Raw:
    """Return a fenced block of code."""
    body = "\n".join(shortened(line).rstrip() for line in str(value).rstrip("\n").split("\n"))
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", body)), default=0))
    return Raw(f"{fence}{language}\n{body}\n{fence}")


def prose(value: str, table: bool = False) -> Raw:
    """Return `value` as text, with what is between backquotes set as code; `table`: for a cell."""
    span = cell if table else code
    parts = re.split(r"`+([^`]+)`+", _line(value))
    # Only the first part starts the line, and no part may lose the blanks around it.
    said = (span(p) if i % 2 else _SPECIAL.sub(r"\\\g<0>", p) for i, p in enumerate(parts))
    return Raw(_STARTS.sub(r"\g<0>\\", "".join(said)))


def tidy(rendered: str) -> str:
    """Return a document with one blank line between blocks and no blanks at the ends of lines.

    Fenced code is left alone.
    """
    done: list[str] = []
    fence = ""
    for line in rendered.split("\n"):
        if fence:
            done.append(line)
            fence = "" if line == fence else fence
            continue
        found = re.match(r"`{3,}", line)
        fence = found[0] if found else ""
        if line.strip() or (done and done[-1]):
            done.append(line.rstrip())
    return "\n".join(done).strip("\n") + "\n"


def _line(value: object) -> str:
    return " ".join(shortened(str(value)).split())
