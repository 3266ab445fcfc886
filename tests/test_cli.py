"""The contract of the command line: what is printed where, and the exit codes CI relies on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from conformance.errors import ConformanceError
from conformance.run.store import RunFile
from tests.fakes import FAKES
from tests.project import CASES, TARGETS, Project

ROOT = FAKES.parents[1]
KNOWN = """\
- cases: "absolute/*"
  target: torch
  kinds: [value]
  reason: the fake is wrong on purpose
  owner: tests
  link: https://example.org/1
  expires: EXPIRES
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_all_conform_is_0_and_quiet(project: Project) -> None:
    code, out, err = project.run("run", *TARGETS)
    assert (code, err) == (0, "")
    assert "0 unexpected differences, 0 problems" in out
    assert RunFile.open(project.folder / "reports/run.sqlite").finished


def test_unexpected_difference_is_1_and_named(project: Project) -> None:
    project.use("wrong", "right")
    code, out, _ = project.run("run", *TARGETS)
    assert code == 1
    assert "3 unexpected differences" in out
    assert "absolute/grid[dtype=float64] · torch.abs=mindspore.ops.abs · torch" in out
    assert "value" in out


def test_a_bad_case_file_is_2_with_every_error(project: Project) -> None:
    project.write("cases/bad.yaml", "operation: x\naccuracy: 1\n")
    project.write("cases/worse.yaml", "operation: [")
    for command in ("check", "run"):
        code, _, err = project.run(command)
        assert code == 2
        assert "cases/bad.yaml:2:11: accuracy" in err
        assert "cases/worse.yaml:1:" in err
        assert "Traceback" not in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("run", "-t", "jax"), "target 'jax' is not framework"),
        (("run", "nowhere"), "nowhere: no case file here"),
        (("run", "-k", "a and and"), "a word is missing"),
        (("run", "--known", "none.yaml"), "none.yaml: no such file"),
        (("run", "--config", "none.toml"), "none.toml: no such file"),
        (("show", "absolute/some", "-t", "tf"), "choose from numpy, torch, mindspore"),
        (("show", "absolute/sme"), "did you mean absolute/some"),
        (("report", "cases/absolute.yaml", "--format", "docx"), "docx"),
    ],
)
def test_the_callers_mistake_is_one_line_and_2(
    project: Project, args: tuple[str, ...], message: str
) -> None:
    if args[0] == "report":
        assert project.run("run", *TARGETS)[0] == 0
        args = ("report", "reports/run.sqlite", *args[2:])
    code, _, err = project.run(*args)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_one_framework_missing_runs_the_other_and_says_so(project: Project) -> None:
    project.use("right", "absent")
    config = (project.folder / "conformance.toml").read_text(encoding="utf-8")
    absent = config.split("[targets.mindspore]")[1]
    project.write("conformance.toml", config + f'[targets."mindspore:cpu:graph"]{absent}')
    code, out, _ = project.run("run")
    assert code == 0
    assert "not run  mindspore: the fake framework is not installed" in out
    assert "0 unexpected differences, 0 problems, 2 targets not run" in out
    row = next(line.split() for line in out.splitlines() if line.startswith("mindspore"))
    assert row[1:7] == ["0", "0", "0", "0", "3", "3"]


def test_a_target_that_was_named_must_run(project: Project) -> None:
    project.use("right", "absent")
    code, out, _ = project.run("run", *TARGETS)
    assert code == 3
    assert "1 targets not run" in out


def test_no_framework_is_3(project: Project) -> None:
    project.use("absent", "absent")
    code, _, err = project.run("run", *TARGETS)
    assert code == 3
    assert "no framework could be started" in err


def test_nothing_selected_is_3(project: Project) -> None:
    code, _, err = project.run("run", *TARGETS, "-k", "nothing-like-this")
    assert code == 3
    assert "nothing selected" in err


def test_only_numpy_is_3(project: Project) -> None:
    """The reference agreeing with itself says nothing of any framework."""
    assert project.run("run", "-t", "numpy")[0] == 3


def test_an_api_of_numpy_is_executed(project: Project) -> None:
    """It is NumPy that answers then, not our reference."""
    text = (project.folder / "cases" / "absolute.yaml").read_text(encoding="utf-8")
    project.write("cases/absolute.yaml", text.replace("pairs: [{", "pairs: [{numpy: numpy.abs}, {"))
    code, out, _ = project.run("run", "-t", "numpy", "-k", "numpy.abs")
    assert code == 0
    assert "no framework was run" not in out
    assert project.run("run", "-t", "numpy", "-k", "torch.abs")[0] == 3
    code, out, _ = project.run("show", "absolute/some", "-t", "numpy")
    assert code == 0
    assert "output = np.abs(input)" in out
    assert "from conformance.reference.elementwise import abs" in out


def test_select_runs_a_part(project: Project) -> None:
    code, out, _ = project.run("run", *TARGETS, "-k", "float32 and not mindspore:")
    assert code == 0
    assert next(line.split() for line in out.splitlines() if line.startswith("all"))[6] == "3"


def test_a_pair_that_is_not_selected_is_nobodys_to_describe(project: Project) -> None:
    other = ", {torch: torch.abs, mindspore: mindspore.mint.abs}]"
    project.write("cases/absolute.yaml", CASES.replace("ops.abs}]", "ops.abs}" + other))
    code, out, _ = project.run("run", *TARGETS, "-k", "ops.abs")
    assert (code, "problem " in out) == (0, False)


def test_declared_but_not_shown_is_1(project: Project) -> None:
    declared = "differences: [{kind: value, cases: [some], note: {en: x, zh: y}}]"
    text = CASES.replace("mindspore.ops.abs}", f"mindspore.ops.abs, {declared}}}")
    project.write("cases/absolute.yaml", text)
    code, out, _ = project.run("run", *TARGETS)
    assert code == 1
    assert "problem  absolute: torch.abs=mindspore.ops.abs: declared difference value" in out
    project.use("right", "wrong")
    code, out, _ = project.run("run", *TARGETS)
    assert "2 unexpected differences, 0 problems" in out


@pytest.mark.parametrize(
    ("torch", "expires", "code", "says"),
    [
        ("wrong", "2999-01-01", 0, "0 unexpected differences, 0 problems"),
        ("right", "2999-01-01", 1, "no longer differs; remove the entry"),
        ("wrong", "2020-01-01", 1, "expired on 2020-01-01"),
    ],
)
def test_known_differences_expire(
    project: Project, torch: str, expires: str, code: int, says: str
) -> None:
    project.use(torch, "right")
    project.write("cases/known.yaml", KNOWN.replace("EXPIRES", expires))
    found, out, _ = project.run("run", *TARGETS)
    assert found == code
    assert says in out


def test_a_known_difference_that_matches_nothing_is_1(project: Project) -> None:
    text = KNOWN.replace("EXPIRES", "2999-01-01").replace("absolute/", "nothing/")
    project.write("cases/known.yaml", text)
    code, out, _ = project.run("run", *TARGETS)
    assert code == 1
    assert "matches no case" in out


def test_a_part_of_the_corpus_says_nothing_of_entries_for_the_rest(project: Project) -> None:
    text = KNOWN.replace("EXPIRES", "2999-01-01").replace("absolute/", "other/")
    project.write("cases/known.yaml", text)
    project.write("cases/other.yaml", CASES.replace("operation: absolute", "operation: other"))
    code, out, _ = project.run("run", "cases/absolute.yaml", *TARGETS)
    assert (code, "matches no case" in out) == (0, False)
    code, out, _ = project.run("run", *TARGETS)
    assert code == 1
    assert "no longer differs" in out


def test_runs_with_other_known_differences_are_not_joined_in_silence(project: Project) -> None:
    project.write(
        "excuses.yaml",
        "- {cases: absolute/some, target: mindspore, kinds: [value], reason: r, owner: o, "
        "link: https://tracker.example/1, expires: 2999-01-01}\n",
    )
    project.use("right", "wrong")
    project.run("run", "-t", "torch", "--out", "torch.sqlite")
    project.run("run", "-t", "mindspore", "--known", "excuses.yaml", "--out", "mindspore.sqlite")
    both = ("report", "torch.sqlite", "mindspore.sqlite", "--format", "json", "--out", "both")
    _, _, err = project.run(*both)
    assert "mindspore.sqlite: judged by the known differences of torch.sqlite" in err
    code, _, err = project.run(*both, "--known", "excuses.yaml")
    assert (code, err) == (0, "")
    assert "known until a date" in verdicts(project.folder / "both/verdicts.json").values()


def test_killed_run_resumes_to_the_same_verdicts(project: Project) -> None:
    cases = "\n".join(
        f"  - {{id: c{i}, inputs: {{seed: {i}, input: {{randn: [4]}}}}}}" for i in range(40)
    )
    project.write("cases/absolute.yaml", CASES.split("  - {id: some")[0] + cases + "\n")
    project.use("sleeper", "wrong")
    process = project.start("run", *TARGETS, "--out", "killed.sqlite")
    until(project.folder / "killed.sqlite", executed=10)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed = RunFile.open(project.folder / "killed.sqlite")
    before = killed.executed()
    finished = killed.finished
    killed.close()
    assert not finished
    assert 10 <= len(before) < 120
    code, _, err = project.run("report", "killed.sqlite", "--format", "json", "--out", "half")
    assert code == 0, err
    half = verdicts(project.folder / "half/verdicts.json")
    assert "not comparable" in half.values()
    assert {"conforms", "differs"} & set(half.values())
    for out, resume in (("killed.sqlite", ["--resume"]), ("whole.sqlite", [])):
        assert project.run("run", *TARGETS, "--out", out, *resume)[0] == 1
        project.run("report", out, "--format", "json", "--out", out + ".d")
    resumed = verdicts(project.folder / "killed.sqlite.d/verdicts.json")
    assert resumed == verdicts(project.folder / "whole.sqlite.d/verdicts.json")
    assert len(resumed) == 120


def until(path: Path, executed: int) -> None:
    """Wait until the run file at `path` holds that many outcomes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.3)
        try:
            file = RunFile.open(path)
        except ConformanceError:  # it is being made
            continue
        found = len(file.executed())
        file.close()
        if found >= executed:
            return
    pytest.fail(f"{path}: fewer than {executed} outcomes after a minute")


def verdicts(path: Path) -> dict[tuple[str, str], str]:
    rows = json.loads(path.read_text(encoding="utf-8"))["verdicts"]
    return {(row["case"], row["target"]): row["status"] for row in rows}


def test_resume_refuses_another_run(project: Project) -> None:
    assert project.run("run", *TARGETS)[0] == 0
    project.write("cases/absolute.yaml", CASES.replace("seed: 1", "seed: 9"))
    code, _, err = project.run("run", *TARGETS, "--resume")
    assert code == 3
    assert "cannot resume" in err


def test_a_file_that_is_no_run_file_is_2_and_left_alone(project: Project) -> None:
    for command in (["report", "cases/absolute.yaml"], ["run", "-o", "cases/absolute.yaml"]):
        code, _, err = project.run(*command)
        assert code == 2
        assert "not a run file" in err
    assert (project.folder / "cases/absolute.yaml").read_text(encoding="utf-8") == CASES
    assert project.run("report", "nothing.sqlite")[0] == 2


def test_a_run_that_selects_nothing_keeps_the_last_one(project: Project) -> None:
    assert project.run("run", *TARGETS)[0] == 0
    before = (project.folder / "reports/run.sqlite").read_bytes()
    assert project.run("run", *TARGETS, "-k", "nothing-like-this")[0] == 3
    assert (project.folder / "reports/run.sqlite").read_bytes() == before


def test_files_that_cannot_be_written_are_2(project: Project) -> None:
    project.write("plain", "a file")
    for command in (["run", *TARGETS, "-o", "plain/run.sqlite"], ["run", *TARGETS, "-o", "cases"]):
        code, _, err = project.run(*command)
        assert code == 2
        assert len(err.strip().splitlines()) == 1


def test_interrupted_is_3_and_resumes(project: Project) -> None:
    project.use("sleeper", "right")
    cases = "\n".join(
        f"  - {{id: c{i}, inputs: {{seed: {i}, input: {{randn: [4]}}}}}}" for i in range(60)
    )
    project.write("cases/absolute.yaml", CASES.split("  - {id: some")[0] + cases + "\n")
    process = project.start("run", *TARGETS)
    until(project.folder / "reports/run.sqlite", executed=3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "--resume" in err
    assert project.run("run", *TARGETS, "--resume")[0] == 0


def test_lost_on_the_way_is_3(project: Project) -> None:
    """A framework that starts once, dies, and cannot be started again leaves nothing green."""
    marker = project.folder / "started"
    project.use("right", "once")
    config = (project.folder / "conformance.toml").read_text(encoding="utf-8")
    project.write("conformance.toml", config + f'env = {{MARKER = "{marker}"}}\n')
    code, out, _ = project.run("run", *TARGETS)
    assert code == 3
    assert "lost  mindspore: could not be restarted" in out
    assert "not finished" in out


def test_resume_refuses_another_version(project: Project) -> None:
    assert project.run("run", *TARGETS)[0] == 0
    project.use("newer", "right")
    code, _, err = project.run("run", *TARGETS, "--resume")
    assert code == 3
    assert "torch had version 1.0.0, and now has 2.0.0" in err


def test_resume_remembers_the_version_of_a_target_that_did_not_start_again(
    project: Project,
) -> None:
    assert project.run("run", *TARGETS)[0] == 0
    project.use("absent", "right")
    assert project.run("run", *TARGETS, "--resume")[0] == 3
    project.use("newer", "right")
    code, _, err = project.run("run", *TARGETS, "--resume")
    assert code == 3
    assert "torch had version 1.0.0, and now has 2.0.0" in err
    project.use("right", "right")
    assert project.run("run", *TARGETS, "--resume")[0] == 0


def test_report_writes_what_is_asked(project: Project) -> None:
    project.run("run", *TARGETS)
    code, _, err = project.run(
        "report", "reports/run.sqlite", "-o", "site", "-f", "html,markdown,csv,json", "--lang", "zh"
    )
    assert code == 0, err
    assert (project.folder / "site/index.html").is_file()
    assert not (project.folder / "site/en").exists()
    with (project.folder / "site/verdicts.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 9


def test_schema_and_show_print(project: Project) -> None:
    code, out, _ = project.run("schema")
    assert code == 0
    assert json.loads(out)["title"] == "Operation"
    code, out, _ = project.run("schema", "port")
    assert code == 0
    assert json.loads(out)["title"] == "PortConfig"
    code, out, _ = project.run("show", "absolute/some")
    assert code == 0
    assert "torch.abs(input)" in out
    assert "mindspore.ops.abs(input)" in out


def test_targets_say_what_is_there_and_why_not(project: Project) -> None:
    project.use("right", "absent")
    code, out, _ = project.run("targets", "torch", "mindspore")
    assert code == 0
    assert "no: the fake framework is not installed" in out
    project.use("absent", "absent")
    assert project.run("targets", "torch", "mindspore")[0] == 3


def test_help_teaches() -> None:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    shown = subprocess.run(
        [sys.executable, "-m", "conformance", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for command in ("check", "run", "report", "targets", "show", "schema"):
        assert command in shown
    assert "Exit codes" in shown


def test_what_could_not_be_compared_is_written_with_the_exit_code(project: Project) -> None:
    assert project.run("run", *TARGETS, "--all")[0] == 0
    assert project.run("baseline")[0] == 0
    told = project.folder / "gate.json"
    for expected, candidate in ((2, "absent.sqlite"), (3, "reports/run.sqlite")):
        code, _, err = project.run("gate", "reports/baseline", candidate, "--json", str(told))
        assert (code, json.loads(told.read_text("utf-8"))["exit_code"]) == (expected, expected), err
        project.write("reports/baseline/manifest.json", "cut off")


SLOW_IMPORT = """\
import time
from pathlib import Path

Path("importing").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    raise ImportError("the binaries are broken")  # as NumPy has it
"""


def test_ctrl_c_while_everything_is_imported_is_3(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(SLOW_IMPORT, encoding="utf-8")
    command = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, function = command["project"]["scripts"]["conformance"].partition(":")
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {module} import {function}; {function}()"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "importing").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
    assert process.returncode == 3
