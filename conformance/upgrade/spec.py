"""What one side of an upgrade is made of: the requirements named, and those they bring along."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from conformance.errors import CallerError

AS_HERE = {"numpy": ("numpy", "ml_dtypes", "scipy")}
"""What a framework's worker imports and does not depend on, wanted in this interpreter's version.

The worker of `numpy` is the reference, which is to differ in nothing but what was named.
"""

NEEDED = {"torch": ("numpy",), "mindspore": ("numpy<2",)}
"""What a framework's worker needs beyond the framework's own dependencies.

MindSpore's wheel is compiled against NumPy 1 but admits NumPy 2, with which dozens of operations
raise SystemError.
"""

_PIECE = re.compile(r"""(?:\[[^]]*\]|\([^)]*\)|"[^"]*"|'[^']*'|,(?=\s*[<>=!~])|[^,])+""")
"""One requirement of a list; a comma before an operator separates clauses of one version."""

_PLACE = re.compile(r"[/\\]|\.(whl|zip|tar\.gz)$")


@dataclass(frozen=True)
class Spec:
    """Requirements as named on the command line; `label` is how they were written."""

    label: str
    requirements: tuple[Requirement, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The packages' canonical names, in the order given."""
        return tuple(canonicalize_name(r.name) for r in self.requirements)


def parse_spec(text: str) -> Spec:
    """Return what `text`, such as ``torch==2.13.0,numpy>=1.26,<2``, asks for.

    Raises CallerError for what is no requirement, names a place instead of a version, or names a
    package twice.
    """
    pieces = _PIECE.findall(text)
    if ",".join(pieces) != text or not all(piece.strip() for piece in pieces):
        raise CallerError(f"{text!r}: a requirement is missing before or after a comma")
    if not pieces:
        raise CallerError("an empty requirement; name a package and a version, as in torch==2.13.0")
    found = tuple(_requirement(piece.strip()) for piece in pieces)
    spec = Spec(",".join(piece.strip() for piece in pieces), found)
    twice = sorted({name for name in spec.names if spec.names.count(name) > 1})
    if twice:
        raise CallerError(f"{text!r} names {twice[0]} twice")
    return spec


def _requirement(text: str) -> Requirement:
    nowhere = f"{text!r} says where a package is: name a version; use --find-links for a wheel"
    try:
        found = Requirement(text)
    except InvalidRequirement as error:
        if _PLACE.search(text):
            raise CallerError(nowhere) from None
        raise CallerError(f"{text!r} is not a requirement: {str(error).splitlines()[0]}") from None
    if found.url is not None or _PLACE.search(found.name):
        raise CallerError(nowhere)
    return found


def implied(spec: Spec, frameworks: Iterable[str], *, as_here: bool = True) -> list[Requirement]:
    """Return what the workers of `frameworks` need besides `spec`; what that names itself wins.

    With `as_here`, packages that are wanted as they are in this interpreter are pinned; without,
    any version will do.
    """
    wanted = []
    for framework in sorted(frameworks):
        names = AS_HERE.get(framework, ())
        wanted += [_pinned(name) for name in names] if as_here else list(names)
        wanted += NEEDED.get(framework, ())
    needed = [Requirement(text) for text in dict.fromkeys(wanted)]
    return [r for r in needed if canonicalize_name(r.name) not in spec.names]


def _pinned(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name
