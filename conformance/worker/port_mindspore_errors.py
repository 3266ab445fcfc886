"""What MindSpore raises, made short enough to tell."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_TITLE = re.compile(r"\A\s*-{20,}\n- [^\n]*\n-{20,}\n")
_REST = re.compile(r"\n-{20,}\n")
_NOISE = re.compile(
    r", Please confirm whether the device target|\nnode: @|; Error msg:|, error_code\["
)
_PLACE = re.compile(r"In file ([^\n:]+):(\d+)")


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Leave of what MindSpore raises its sentence, and the user's line when it was compiling.

    Some messages begin with a title between rules, all end with a call stack of C++; what was
    being compiled is told by a list of places, the innermost last.
    """
    try:
        yield
    except Exception as error:
        text = str(error)
        own = _REST.split(_TITLE.sub("", text), maxsplit=1)[0]
        own = _NOISE.split(own, maxsplit=1)[0].strip()
        place = next((f"{f}:{n}" for f, n in reversed(_PLACE.findall(text)) if _user(f)), "")
        if own and own != text.strip():
            error.args = (f"{own} ({place})" if place and place not in own else own,)
        raise


def _user(file: str) -> bool:
    return "mindspore" not in Path(file).parts and Path(file).parent != Path(__file__).parent
