"""Environments of tiny wheels, by both builders, without an index."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from conformance.errors import CallerError, HarnessError
from conformance.upgrade import builder, environment
from conformance.upgrade.environment import Environment, EnvironmentFailed, changed
from conformance.upgrade.index import IndexOptions, as_pip_would
from conformance.upgrade.spec import parse_spec
from tests.upgrade.wheels import make_wheel


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither configuration nor caches of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass
class Shelf:
    """A folder of wheels, and a builder that knows nothing else."""

    folder: Path
    builder: Literal["uv", "pip"]
    said: list[str] = field(default_factory=list)

    def wheel(self, name: str, version: str, text: str = "", *requires: str) -> Path:
        return make_wheel(self.folder, name, version, {f"{name}.py": text}, requires)

    def build(self, spec: str, *frameworks: str, **given: Any) -> Environment:
        given.setdefault("options", IndexOptions(find_links=(str(self.folder),), no_index=True))
        given.setdefault("echo", self.said.append)
        return environment.build(parse_spec(spec), frameworks, builder=self.builder, **given)


@pytest.fixture(params=["pip", "uv"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    """Wheels for either builder; where the builder is of no matter, BY_UV alone is quicker."""
    made = Shelf(tmp_path / "wheels", request.param)
    made.wheel("alpha", "1.0", "VALUE = 1", "beta>=1")
    made.wheel("beta", "1.5")
    return made


BY_UV = pytest.mark.parametrize("shelf", ["uv"], indirect=True)


def says(made: Environment, code: str) -> str:
    """Return what `code` prints in `made`, started as a worker is."""
    outer = dict(os.environ) | dict(environment.ISOLATED)
    command = [str(made.python), "-c", code]
    ended = subprocess.run(command, env=outer, check=True, capture_output=True, encoding="utf-8")
    return ended.stdout.strip()


def test_an_environment_is_built_once_and_found_again(shelf: Shelf, tmp_path: Path) -> None:
    first = shelf.build("alpha==1.0")
    assert (first.packages, first.reused) == ({"alpha": "1.0", "beta": "1.5"}, False)
    assert first.folder.parent == tmp_path / "cache" / "conformance" / "environments"
    assert first.folder.name.startswith("alpha-1.0-")
    assert says(first, "import alpha; print(alpha.VALUE)") == "1"
    assert says(first, "import sys; print(sys.prefix)") == str(first.folder)
    marker = json.loads((first.folder / environment.MARKER).read_text(encoding="utf-8"))
    assert marker["packages"] == first.packages
    assert [pin.split()[0] for pin in marker["pins"]] == ["alpha==1.0", "beta==1.5"]
    second = shelf.build("alpha==1.0")
    assert second == Environment(first.python, first.packages, first.folder, reused=True)
    assert sum("building" in line for line in shelf.said) == 1


def test_a_wheel_rebuilt_under_its_version_is_another_environment(shelf: Shelf) -> None:
    first = shelf.build("alpha")
    shelf.wheel("beta", "1.5", "REBUILT = True")
    second = shelf.build("alpha")
    assert not second.reused
    assert second.folder != first.folder
    assert says(second, "import beta; print(beta.REBUILT)") == "True"
    assert changed(first, second) == []


@BY_UV
def test_a_new_release_of_a_dependency_is_another_environment(shelf: Shelf) -> None:
    first = shelf.build("alpha")
    shelf.wheel("beta", "1.6")
    shelf.wheel("alpha", "1.1", "", "beta", "gamma")
    shelf.wheel("gamma", "3")
    second = shelf.build("alpha")
    rows = [("alpha", "1.0", "1.1"), ("beta", "1.5", "1.6"), ("gamma", None, "3")]
    assert changed(first, second) == rows
    assert changed(second, first) == [(name, after, before) for name, before, after in rows]


@BY_UV
@pytest.mark.parametrize("damage", ["marker", "empty marker", "interpreter", "package"])
def test_what_is_half_built_is_built_anew(shelf: Shelf, damage: str) -> None:
    first = shelf.build("alpha")
    poison = first.folder / "poison"
    poison.write_text("", encoding="utf-8")
    match damage:
        case "marker":
            (first.folder / environment.MARKER).unlink()
        case "empty marker":
            (first.folder / environment.MARKER).write_text("", encoding="utf-8")
        case "interpreter":
            first.python.unlink()
        case _:
            (metadata,) = first.folder.rglob("beta-1.5.dist-info/METADATA")
            metadata.unlink()
    second = shelf.build("alpha")
    assert second == first
    assert not poison.exists()
    assert says(second, "import alpha; print(alpha.VALUE)") == "1"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [("nowhere==1", "nowhere"), ("alpha==9", "alpha==9"), ("lonely", "absent")],
)
def test_what_cannot_be_resolved_is_said_in_one_line(
    shelf: Shelf, tmp_path: Path, spec: str, reason: str
) -> None:
    shelf.wheel("lonely", "1", "", "absent")
    with pytest.raises(EnvironmentFailed) as caught:
        shelf.build(spec)
    said = str(caught.value)
    assert said.startswith(f"{spec}: not resolved: ")
    assert reason in said.partition("not resolved:")[2]
    assert "\n" not in said
    assert "WARNING" not in said
    assert caught.value.exit_code == 3
    assert not (tmp_path / "cache" / "conformance").exists()


def test_a_build_that_fails_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    def change(line: str) -> None:
        if "building" in line:
            shelf.wheel("beta", "1.5", "ANOTHER = 'than was resolved'")
            shutil.rmtree(tmp_path / "cache" / "uv", ignore_errors=True)  # it keeps what it saw

    with pytest.raises(EnvironmentFailed, match=r"^alpha: not built in .*: .*[hH]ash") as caught:
        shelf.build("alpha", echo=change)
    assert "\n" not in str(caught.value)
    cache = environment.default_cache()
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


@BY_UV
def test_an_interrupted_build_leaves_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for kind in (builder.Pip, builder.Uv):
        monkeypatch.setattr(kind, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shelf.build("alpha")
    assert [path.suffix for path in environment.default_cache().iterdir()] == [".lock"]


def test_two_at_once_build_once(shelf: Shelf) -> None:
    both = threading.Barrier(2)

    def build(_: int) -> Environment:
        both.wait()
        return shelf.build("alpha")

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(build, range(2)))
    assert sorted(one.reused for one in found) == [False, True]
    assert found[0].packages == found[1].packages == {"alpha": "1.0", "beta": "1.5"}
    assert sum("building" in line for line in shelf.said) == 1


def test_nothing_of_the_outer_interpreter_leaks_in(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = tmp_path / "outer"
    info = outer / "leak-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leak\nVersion: 1.0\n", "utf-8")
    trace = tmp_path / "trace"
    (outer / "sitecustomize.py").write_text(f"open({str(trace)!r}, 'w')", "utf-8")
    (outer / "json.py").write_text("raise SystemError('not the real one')", "utf-8")
    (outer / "alpha.py").write_text("VALUE = 'outer'", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(outer))
    monkeypatch.setenv("VIRTUAL_ENV", str(outer))
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PIP_TARGET", str(outer))
    monkeypatch.chdir(outer)
    made = shelf.build("alpha")
    assert made.packages == {"alpha": "1.0", "beta": "1.5"}
    assert not trace.exists()
    monkeypatch.chdir(tmp_path)
    assert says(made, "import alpha; print(alpha.VALUE)") == "1"
    with pytest.raises(subprocess.CalledProcessError):
        says(made, "import pytest")


@BY_UV
def test_workers_bring_packages_and_the_named_version_wins(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.upgrade.spec._pinned", lambda name: f"{name}==1.0")
    for name in ("ml_dtypes", "scipy"):
        for version in ("1.0", "1.1"):
            shelf.wheel(name, version)
    for version in ("1.26", "2.2"):
        shelf.wheel("numpy", version)
    shelf.wheel("mindspore", "2.9.0")
    assert shelf.build("mindspore", "mindspore").packages["numpy"] == "1.26"
    assert shelf.build("mindspore,numpy", "mindspore").packages["numpy"] == "2.2"
    alike = {"numpy": "1.26", "ml-dtypes": "1.0", "scipy": "1.0"}
    assert shelf.build("numpy==1.26", "numpy").packages == alike
    shelf.wheel("numpy", "3.0", "", "scipy>=1.1")
    assert shelf.build("numpy==3.0", "numpy").packages == {
        "numpy": "3.0",
        "ml-dtypes": "1.1",
        "scipy": "1.1",
    }
    assert any("resolved without ml_dtypes==1.0, scipy==1.0" in line for line in shelf.said)


def test_release_candidates_only_when_asked_for(shelf: Shelf) -> None:
    shelf.wheel("beta", "2.0rc1")
    assert shelf.build("beta").packages == {"beta": "1.5"}
    links = IndexOptions(find_links=(str(shelf.folder),), no_index=True, pre=True)
    assert shelf.build("beta", options=links).packages == {"beta": "2.0rc1"}


def _index(folder: Path, *wheels: tuple[str, str]) -> str:
    for name, version in wheels:
        wheel = make_wheel(folder / name, name, version, {})
        link = f'<a href="{wheel.name}">{wheel.name}</a>\n'
        with (folder / name / "index.html").open("a", encoding="utf-8") as page:
            page.write(link)
    return folder.as_uri()


def test_the_best_of_all_indexes_is_taken(shelf: Shelf, tmp_path: Path) -> None:
    options = IndexOptions(
        index_url=_index(tmp_path / "one", ("alpha", "1.0"), ("alpha", "3.0")),
        extra_index_url=(_index(tmp_path / "two", ("alpha", "2.0"), ("delta", "4.0")),),
    )
    found = shelf.build("alpha,delta", options=options)
    assert found.packages == {"alpha": "3.0", "delta": "4.0"}
    assert shelf.build("alpha==2.0", options=options).packages == {"alpha": "2.0"}


@pytest.mark.parametrize("where", ["environment", "file"])
def test_what_pip_is_configured_with_holds_for_either_builder(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    one, two = _index(tmp_path / "one", ("alpha", "1.0")), _index(tmp_path / "two", ("eta", "1"))
    links = f"{tmp_path / 'gone'} {shelf.folder}"
    if where == "environment":
        settings = {"INDEX_URL": one, "EXTRA_INDEX_URL": two, "FIND_LINKS": links}
        for name, value in settings.items():
            monkeypatch.setenv(f"PIP_{name}", value)
    else:
        file = tmp_path / "pip.conf"
        text = f"[global]\nindex-url = {one}\nextra-index-url = {two}\nfind-links = {links}\n"
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    found = shelf.build("alpha,eta,beta", options=IndexOptions())
    assert found.packages == {"alpha": "1.0", "beta": "1.5", "eta": "1"}


def test_options_go_before_pips_configuration_and_uvs_own_before_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://p")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://q")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    given = IndexOptions(index_url="https://a", extra_index_url=("https://b",), pre=True)
    assert as_pip_would(given, {}) == IndexOptions(
        "https://a", ("https://b", "https://q"), no_index=True, pre=True
    )
    assert as_pip_would(given, {"UV_INDEX": "https://u"}) == given


@BY_UV
@pytest.mark.parametrize("given", ["nothing-of-that-name", "text"])
def test_an_interpreter_that_is_none_is_the_callers_mistake(
    shelf: Shelf, tmp_path: Path, given: str
) -> None:
    file = tmp_path / "text"
    file.write_text("#!/bin/sh\necho ERROR: no snake >&2; exit 1\n", encoding="utf-8")
    file.chmod(0o755)
    python = file if given == "text" else Path(given)
    with pytest.raises(CallerError, match=r"no such interpreter|not a Python.*no snake"):
        shelf.build("alpha", python=python)
    assert shelf.build("beta", python=Path(sys.executable)).packages == {"beta": "1.5"}


@BY_UV
def test_a_cache_that_cannot_be_written_is_said_in_one_line(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"^beta: not built in .*file") as caught:
        shelf.build("beta", cache=tmp_path / "file" / "below")
    assert caught.value.exit_code == 3


def test_uv_when_it_is_on_the_path_else_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert builder.choose(None).name == "pip"
    assert builder.choose("uv").name == "uv"  # of the package of that name
    monkeypatch.setitem(sys.modules, "uv", None)
    with pytest.raises(CallerError, match="uv is not installed"):
        builder.choose("uv")
    (tmp_path / "uv").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    assert builder.choose(None) == builder.choose("uv") == builder.Uv(str(tmp_path / "uv"))
    assert builder.choose("pip").name == "pip"


def test_an_interpreter_without_pip_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without: Callable[[str], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(CallerError, match="has no pip to build environments with"):
        builder.choose("pip")


def test_the_cache_follows_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert environment.default_cache() == Path("/somewhere/conformance/environments")
    for nothing in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", nothing)
        assert environment.default_cache() == Path.home() / ".cache/conformance/environments"
