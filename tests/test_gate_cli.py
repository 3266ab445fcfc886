"""The commands of the gate, as a person or a CI job runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.project import CASES, TARGETS, Project

UNLUCKY = CASES.replace("cases:\n", "cases:\n  - {id: unlucky, inputs: {input: [1.5, 13.0]}}\n")
OTHER = CASES.replace("operation: absolute", "operation: other")


RUNS = {
    "a": ("right", "right", ()),
    "b": ("right", "right", ()),
    "wrong": ("right", "wrong", ()),
    "crasher": ("right", "crasher", ()),
    "hanger": ("right", "hanger", ("--timeout", "2")),
    "absent": ("right", "absent", ()),
    "part": ("right", "right", ("-k", "some")),
    "dice": ("right", "dice", ()),
    "again": ("right", "dice", ()),
}
"""Run files by name: frameworks and options."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with finished runs."""
    project = Project(tmp_path_factory.mktemp("made"))
    project.write("cases/absolute.yaml", UNLUCKY)
    for name, (torch, mindspore, options) in RUNS.items():
        project.use(torch, mindspore)
        run(project, f"{name}.sqlite", *options)
    return project.folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    """A copy of that project, its frameworks right."""
    project = Project.__new__(Project)
    project.folder = tmp_path / "project"
    shutil.copytree(made, project.folder)
    project.use("right", "right")
    return project


def run(project: Project, out: str, *more: str) -> int:
    return project.run("run", *TARGETS, "--out", out, *more)[0]


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def test_the_same_again_reports_nothing(project: Project) -> None:
    code, out, err = project.run("gate", "a.sqlite", "b.sqlite")
    assert (code, err) == (0, "")
    assert lines(out)[-1] == "no regression; 12 items compared"


def test_what_broke_is_named_with_evidence_and_an_exit_code(project: Project) -> None:
    outputs = ["--json", "o/g.json", "--junit", "o/g.xml", "--markdown", "o/g.md", "--annotate"]
    code, out, _ = project.run("gate", "a.sqlite", "wrong.sqlite", *outputs)
    assert code == 1
    assert "FAIL  broken: mindspore.ops.abs (mindspore" in out
    assert "::error file=cases/absolute.yaml,line=" in out
    told = json.loads((project.folder / "o/g.json").read_text())
    assert {c["api"] for c in told["changes"]} == {"mindspore.ops.abs"}
    assert told["exit_code"] == 1
    assert "mindspore.ops.abs" in (project.folder / "o/g.xml").read_text()


@pytest.mark.parametrize("fake", ["crasher", "hanger"])
def test_a_crash_or_a_hang_is_broken_and_nothing_else_is(project: Project, fake: str) -> None:
    code, out, _ = project.run("gate", "a.sqlite", f"{fake}.sqlite")
    assert code == 1
    assert lines(out)[-1].startswith("1 regression (1 broken);")
    assert "absolute/unlucky" in out


def test_a_baseline_in_text_says_the_same(project: Project) -> None:
    code, out, _ = project.run("baseline", "a.sqlite")
    assert code == 0
    assert "wrote reports/baseline: 12 items (12 conforms)" in out
    code, out, _ = project.run("gate", "reports/baseline", "wrong.sqlite")
    assert code == 1
    assert "FAIL  broken: mindspore.ops.abs" in out
    assert project.run("gate", "reports/baseline", "b.sqlite")[0] == 0
    assert project.run("baseline", "b.sqlite", "--out", "again")[0] == 0
    before, after = (
        {p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")}
        for f in (project.folder / "reports/baseline", project.folder / "again")
    )
    assert before == after


def test_confirm_tells_a_toss_from_a_change(project: Project) -> None:
    project.use("right", "dice")
    code, out, _ = project.run("gate", "dice.sqlite", "again.sqlite")
    assert "drifted" in lines(out)[-1]
    project.run("gate", "again.sqlite", "dice.sqlite", "--confirm", "5")
    code, out, _ = project.run("gate", "dice.sqlite", "again.sqlite", "--confirm", "5")
    assert code == 0
    assert "drifted" not in out
    assert "1 calls did another thing when they were repeated" in out


def test_confirm_asks_often_enough_to_meet_what_hangs_on_how_often(project: Project) -> None:
    project.use("right", "seventh")
    out = project.run("gate", "wrong.sqlite", "a.sqlite", "--confirm", "1")[1]
    assert "calls did another thing when they were repeated" in out


def test_repeat_finds_what_varies_before_anybody_compares(project: Project) -> None:
    project.use("right", "dice")
    run(project, "a.sqlite", "--repeat", "4")
    run(project, "b.sqlite", "--repeat", "4")
    code, out, _ = project.run("gate", "a.sqlite", "b.sqlite")
    assert (code, lines(out)[-1]) == (0, "no regression; 12 items compared")


def truncate(project: Project) -> None:
    path = project.folder / "b.sqlite"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def unfinished(project: Project) -> None:
    with sqlite3.connect(project.folder / "b.sqlite") as connection:
        connection.execute("UPDATE manifest SET value = 'null' WHERE key = 'finished'")
    connection.close()


def absent(project: Project) -> None:
    shutil.copy(project.folder / "absent.sqlite", project.folder / "b.sqlite")


def fewer(project: Project) -> None:
    project.run("run", "-t", "torch", "-t", "numpy", "--out", "b.sqlite")


def part(project: Project) -> None:
    shutil.copy(project.folder / "part.sqlite", project.folder / "b.sqlite")


def elsewhere(project: Project) -> None:
    project.write("cases/absolute.yaml", OTHER)
    run(project, "b.sqlite")


def edited(project: Project) -> None:
    project.write("cases/absolute.yaml", UNLUCKY.replace("seed: ", "seed: 9").replace("1.5", "2.5"))
    run(project, "b.sqlite")


def damaged_baseline(project: Project) -> None:
    project.run("baseline", "a.sqlite", "--out", "base")
    path = project.folder / "base/operations/absolute.txt"
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    (project.folder / "a.sqlite").unlink()
    (project.folder / "base").rename(project.folder / "a.sqlite")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (truncate, "damaged"),
        (unfinished, "the run did not finish"),
        (absent, "target mindspore did not start: the fake framework is not installed"),
        (fewer, "did not run mindspore"),
        (part, "run the candidate with"),
        (elsewhere, "different corpora"),
        (edited, "no case in common"),
        (damaged_baseline, "not a line of a baseline"),
    ],
)
def test_fail_closed(project: Project, spoil: object, why: str) -> None:
    project.write("g.md", "# Gate: all is well, said an earlier run")
    assert callable(spoil)
    spoil(project)
    code, out, err = project.run("gate", "a.sqlite", "b.sqlite", "--markdown", "g.md")
    assert code == 3
    assert why in err
    assert len(lines(err)) == 1
    assert "no regression" not in out
    page = (project.folder / "g.md").read_text()
    assert "nothing was compared" in page
    assert "all is well" not in page


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["gate", "nowhere.sqlite", "a.sqlite"], "no such run file"),
        (["gate", "cases", "a.sqlite"], "no baseline here"),
        (["gate", "conformance.toml", "a.sqlite"], "not a run file"),
        (["gate", "a.sqlite"], "Missing argument"),
        (["gate", "a.sqlite", "b.sqlite", "--known", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["gate", "a.sqlite", "b.sqlite", "--json", "b.sqlite"], "this file is used already"),
        (["gate", "a.sqlite", "b.sqlite", "--json", "x", "--junit", "x"], "is used already"),
        (["baseline", "nowhere.sqlite"], "no such run file"),
        (["baseline", "a.sqlite", "--out", "cases"], "no baseline; nothing was written"),
        (["upgrade", "torch==1", "mindspore==1"], "must name the same packages"),
        (["upgrade", "torch==1", "torch==2", "--builder", "conda"], "choose from uv, pip"),
        (["upgrade", "torch==", "torch==2"], "is not a requirement"),
    ],
)
def test_the_callers_mistakes(project: Project, arguments: list[str], why: str) -> None:
    code, out, err = project.run(*arguments)
    assert code == 2
    assert why in err + out
    assert (project.folder / "cases/absolute.yaml").exists()
    assert (project.folder / "b.sqlite").read_bytes()[:6] == b"SQLite"


def test_a_crash_of_ours_is_never_taken_for_a_verdict(project: Project) -> None:
    project.write("sitecustomize.py", BROKEN)
    environment = {"PYTHONPATH": str(project.folder)}
    code, out, err = project.run("gate", "a.sqlite", "a.sqlite", env=environment)
    assert code == 3
    assert len(lines(err)) == 1
    assert "conformance itself failed at sitecustomize.py:" in err
    assert "ZeroDivisionError: the gate is ill" in err
    assert out == ""


def test_an_interrupted_gate_is_no_verdict(project: Project) -> None:
    project.write(
        "sitecustomize.py",
        BROKEN.replace('ZeroDivisionError("the gate is ill")', "KeyboardInterrupt"),
    )
    project.write("g.md", "# Gate: all is well, said an earlier run")
    environment = {"PYTHONPATH": str(project.folder)}
    command = ["gate", "a.sqlite", "b.sqlite", "--markdown", "g.md"]
    code, out, err = project.run(*command, env=environment)
    assert (code, lines(err), out) == (3, ["interrupted"], "")
    assert "all is well" not in (project.folder / "g.md").read_text()


BROKEN = """
import conformance.gate.gate as gate

def broken(*given, **named):
    raise ZeroDivisionError("the gate is ill")

gate.join = broken
"""


def test_a_reader_that_goes_away_is_no_regression(project: Project) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = project.start("gate", "a.sqlite", "b.sqlite", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert lines(err) == []


def test_a_baseline_of_a_run_that_is_not_whole_is_not_written(project: Project) -> None:
    absent(project)
    code, _, err = project.run("baseline", "b.sqlite", "--out", "base")
    assert code == 3
    assert "did not start" in err
    assert not (project.folder / "base").exists()


def test_suggested_entries_are_refused_until_filled_and_then_excuse(project: Project) -> None:
    code, out, _ = project.run("known", "suggest", "a.sqlite", "wrong.sqlite")
    assert code == 0
    assert 'owner: ""' in out
    assert (
        project.run("known", "suggest", "a.sqlite", "wrong.sqlite", "-o", "cases/known.yaml")[0]
        == 0
    )
    code, _, err = project.run("check")
    assert code == 2
    assert "cases/known.yaml:" in err
    path = project.folder / "cases/known.yaml"
    text = path.read_text()
    path.write_text(text.replace('""', '"filled in"'))
    assert project.run("check")[0] == 0
    code, out, _ = project.run("gate", "a.sqlite", "wrong.sqlite", "--known", "cases/known.yaml")
    assert code == 0, out
    assert "known: mindspore.ops.abs" in out
    project.use("right", "wrong")
    assert run(project, "b.sqlite") == 0
    assert project.run("gate", "a.sqlite", "b.sqlite")[0] == 0


def test_what_seemed_slow_is_timed_again(project: Project) -> None:
    """Five APIs of five calls each, and the machine was busy when it came to one of them."""
    for name in ("fft", "linalg", "nn.functional", "special", "Tensor"):
        pair = f"pairs: [{{torch: torch.{name}.abs, mindspore: mindspore.ops.abs}}]"
        operation = f"of_{name.lower().replace('.', '_')}"
        text = re.sub("pairs: .*", pair, OTHER.replace("other", operation))
        cases = (f"  - {{id: c{i}, inputs: {{input: [{i}.5]}}}}\n" for i in range(5))
        project.write(f"cases/of_{name}.yaml", text.partition("  - ")[0] + "".join(cases))
    assert run(project, "before.sqlite") == 0
    shutil.copy(project.folder / "before.sqlite", project.folder / "after.sqlite")
    with sqlite3.connect(project.folder / "after.sqlite") as file:
        calls = "SELECT call FROM items WHERE target = 'torch' AND pair LIKE 'torch.fft.%'"
        file.execute(
            f"UPDATE outcomes SET duration = 1 WHERE target = 'torch' AND call IN ({calls})"
        )
    file.close()
    _, out, _ = project.run("gate", "before.sqlite", "after.sqlite")
    assert "slower: torch.fft.abs (torch)" in out
    code, out, _ = project.run("gate", "before.sqlite", "after.sqlite", "--confirm", "2")
    assert (code, lines(out)[-1].split(";")[0]) == (0, "no regression")
    assert "slower" not in out
