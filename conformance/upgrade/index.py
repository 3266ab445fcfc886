"""Where packages come from: in pip's words, for pip and for uv."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.upgrade.tools import ToolFailed, run

_SECTIONS = (":env:", "install", "global")
"""Of pip's configuration, the strongest first."""

_UVS_OWN = (
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_NO_INDEX",
)


@dataclass(frozen=True)
class IndexOptions:
    """Where packages come from, besides what pip is configured with; `pre` admits pre-releases."""

    index_url: str | None = None
    extra_index_url: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False

    def arguments(self) -> list[str]:
        """Return the options that both builders spell alike: all but `pre`."""
        found = ["--no-index"] if self.no_index else []
        found += [f"--index-url={self.index_url}"] if self.index_url else []
        found += [f"--extra-index-url={url}" for url in self.extra_index_url]
        return found + [f"--find-links={place}" for place in self.find_links]


def as_pip_would(options: IndexOptions, outer: Mapping[str, str]) -> IndexOptions:
    """Return `options` with what pip is configured with; unchanged where `outer` configures uv.

    uv reads nothing of pip's, and which builder is found must not decide which packages are.
    """
    if any(outer.get(name) for name in _UVS_OWN):
        return options
    try:
        listed = run([sys.executable, "-I", "-m", "pip", "config", "list"])
    except ToolFailed:  # no pip, nothing it is configured with
        return options
    pip = _configured(listed)
    links = [place for place in pip.get("find-links", "").split() if _there(place)]
    return IndexOptions(
        index_url=options.index_url or pip.get("index-url"),
        extra_index_url=(*options.extra_index_url, *pip.get("extra-index-url", "").split()),
        find_links=(*options.find_links, *links),
        no_index=options.no_index or pip.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        pre=options.pre,
    )


def _configured(listed: str) -> dict[str, str]:
    """Return the settings that ``pip config list`` prints, as ``section.name='value'`` lines."""
    found: dict[str, str] = {}
    for section in reversed(_SECTIONS):
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return found


def _there(place: str) -> bool:
    """Tell whether `place` may hold wheels; where pip passes over a missing folder, uv fails."""
    return "://" in place or Path(place).exists()
