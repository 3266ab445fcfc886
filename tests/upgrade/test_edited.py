"""Edited case files: whatever is edited, an unchanged framework is never accused."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from typing import Any

import pytest

from conformance.gate.change import Category
from tests.project import Project
from tests.upgrade.seeded.edits import EDITS, SQUARE, Edit, file

ADDED = "{id: c9, inputs: {input: [-1.5, 3.0]}}"


def put(project: Project, text: str, name: str) -> None:
    project.write(f"cases/{name}.yaml", text.replace("NAME", name))


def made(project: Project, out: str) -> None:
    """Run the corpus into the run file `out`."""
    code, _, err = project.run("run", "-t", "torch", "-o", out)
    assert code in (0, 1), err


def gated(project: Project, before: str, after: str) -> tuple[int, dict[str, Any]]:
    code, _, err = project.run("gate", before, after, "--json", "gate.json")
    assert code in (0, 1), err
    return code, json.loads((project.folder / "gate.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with two runs, each before and after all edits, and a baseline."""
    made_of = Project(tmp_path_factory.mktemp("edited"))
    for edit in EDITS:
        put(made_of, edit.old, edit.name)
    made(made_of, "before.sqlite")
    code, _, err = made_of.run("baseline", "before.sqlite", "-o", "baseline")
    assert code == 0, err
    for edit in EDITS:
        put(made_of, edit.new, edit.name)
    made(made_of, "after.sqlite")
    return made_of


@pytest.fixture(scope="module", params=["before.sqlite", "baseline"])
def result(request: pytest.FixtureRequest, project: Project) -> tuple[int, dict[str, Any]]:
    return gated(project, request.param, "after.sqlite")


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_is_called_so(result: tuple[int, dict[str, Any]], edit: Edit) -> None:
    mine = [change for change in result[1]["changes"] if change["operation"] == edit.name]
    told = [(c["case"].partition("/")[2], c["api"], Category(c["category"])) for c in mine]
    assert sorted(told) == sorted(edit.told)


def test_no_edit_is_a_regression(result: tuple[int, dict[str, Any]]) -> None:
    code, found = result
    assert not any(change["regression"] for change in found["changes"])
    assert found["summary"].startswith("no regression; ")
    # That they differ now fails all the same: nobody would see it otherwise.
    assert code == found["exit_code"] == 1
    unexpected = {c["operation"] for c in found["changes"] if c["unexpected"]}
    assert unexpected == {"exception", "printed_wrong", "undeclared", "undeclared_at_times"}
    assert {change["operation"] for change in found["changes"]} <= {edit.name for edit in EDITS}


def test_the_same_corpus_again_shows_nothing(project: Project) -> None:
    made(project, "again.sqlite")
    code, found = gated(project, "after.sqlite", "again.sqlite")
    assert (code, found["changes"]) == (0, [])


def test_what_is_missing_of_an_unedited_case_is_lost(project: Project) -> None:
    shutil.copy(project.folder / "after.sqlite", project.folder / "holed.sqlite")
    with contextlib.closing(sqlite3.connect(project.folder / "holed.sqlite")) as holed, holed:
        holed.execute(
            "DELETE FROM items WHERE \"case\" = 'pair_added/c0' AND pair LIKE '%mindspore%'"
        )
        holed.execute("DELETE FROM items WHERE \"case\" = 'nothing/c1'")
        holed.execute("DELETE FROM records")
        holed.execute("DELETE FROM manifest WHERE key = 'judged_by'")
    code, found = gated(project, "after.sqlite", "holed.sqlite")
    told = [(c["category"], c["case"], c["regression"]) for c in found["changes"]]
    lost = [("coverage lost", case, True) for case in ("nothing/c1", "pair_added/c0")]
    assert (code, sorted(told)) == (1, lost)


def test_a_case_that_is_added_and_differs_fails(project: Project) -> None:
    put(project, file(ADDED, pairs=f"{{torch: {SQUARE}}}"), "added_wrong")
    made(project, "more.sqlite")
    code, found = gated(project, "after.sqlite", "more.sqlite")
    told = [(c["category"], c["case"], c["regression"]) for c in found["changes"]]
    assert (code, told) == (1, [("new", "added_wrong/c9", True)])
