from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.worker import whereabouts


def documented(doc: str | None) -> Any:
    def function() -> None: ...

    function.__doc__ = doc
    return function


@pytest.mark.parametrize(
    ("doc", "said"),
    [
        (None, ""),
        ("Adds.", ""),
        ("Adds.\n\nThe argument x is deprecated.\n", ""),
        (
            "Adds.\n\n.. warning::\n    This interface is deprecated.",
            ".. warning:: This interface is deprecated.",
        ),
        ("`f` is deprecated, use `g`.", "`f` is deprecated, use `g`."),
        ("Adds.\n\n.. deprecated:: 2.0\n    Use g.\n\nMore.", "deprecated 2.0 Use g."),
        ("Adds.\n\nA.\n\nB.\n\nThis is deprecated somewhere far below.", ""),
        ("Adds undeprecated things.", ""),
    ],
)
def test_what_a_docstring_says(doc: str | None, said: str) -> None:
    assert whereabouts.obsolete(documented(doc)) == said


def test_pep_702() -> None:
    function = documented("Adds.")
    function.__deprecated__ = "use g"
    assert whereabouts.obsolete(function) == "use g"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    for name in ("toy", "toy.nn", "toy._private", "toy.nn.deep", "other"):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        found[name] = module
    with warnings.catch_warnings():
        yield found


def resolve(api: str) -> Any:
    module, _, name = api.rpartition(".")
    return getattr(sys.modules[module], name)


def test_a_name_is_found_where_it_is_public(package: dict[str, Any]) -> None:
    for name in ("toy.nn.deep", "toy.nn", "toy._private", "other"):
        package[name].moved = documented(None)
    package["toy"].moved = 3  # a name, and nothing to call
    assert whereabouts.elsewhere(resolve, "toy.old.moved") == ["toy.nn.moved", "toy.nn.deep.moved"]
    assert whereabouts.elsewhere(resolve, "toy.nn.moved") == ["toy.nn.deep.moved"]
    assert whereabouts.elsewhere(resolve, "toy.old.gone") == []
