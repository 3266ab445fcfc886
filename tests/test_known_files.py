from pathlib import Path

import pytest

from conformance.known_files import known_file

KNOWN = "known.yaml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a known.yaml of its own, where another project lies; not the current."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / KNOWN).write_text("[]")
    (tmp_path / "project/cases/loss").mkdir(parents=True)
    return tmp_path


def test_it_is_found_above_the_cases_inside_the_project(home: Path) -> None:
    project = home / "project"
    (project / "pyproject.toml").touch()
    (project / KNOWN).write_text("[]")
    for path in (project / "cases", project / "cases/loss", project / "cases/loss/bce.yaml"):
        assert known_file([path], None) == project / KNOWN
    (project / "cases" / KNOWN).write_text("[]")
    assert known_file([project / "cases/loss"], None) == project / "cases" / KNOWN


def test_what_lies_beyond_the_project_is_of_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_file([home / "project/cases"], None) is None
    (home / "project/.git").mkdir()
    assert known_file([home / "project/cases"], None) is None
    monkeypatch.chdir(home)
    assert known_file([Path("project/cases/loss")], None) is None
    (home / "project/.git").rmdir()
    assert known_file([Path("project/cases/loss")], None) == home / KNOWN
