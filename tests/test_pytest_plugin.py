"""``pytest cases/``: items, selection, xfail, skip, one start per target, and the same engine."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.project import CASES, Project
from tests.test_cli import KNOWN

pytest_plugins = ["pytester"]
TARGETS = ["--conformance-target=torch", "--conformance-target=mindspore"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    return Project(pytester.path)


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("cases", "-p", "no:cacheprovider", *TARGETS, *args)


def test_every_case_pair_and_target_is_an_item(pytester: pytest.Pytester, project: Project) -> None:
    result = run(pytester, "--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "cases/absolute.yaml::torch.abs=mindspore.ops.abs-torch-some",
            "cases/absolute.yaml::torch.abs=mindspore.ops.abs-mindspore-some",
            "cases/absolute.yaml::torch.abs=mindspore.ops.abs-torch-grid[[]dtype=float32]",
            "cases/absolute.yaml::declarations",
        ]
    )
    run(pytester).assert_outcomes(passed=7)


def test_a_difference_fails_its_item_only(pytester: pytest.Pytester, project: Project) -> None:
    project.use("right", "wrong")
    result = run(pytester)
    result.assert_outcomes(passed=4, failed=3)
    result.stdout.fnmatch_lines(["*value (output): *1 of 3 elements differ*roundoffs*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_select_by_k_and_junit(pytester: pytest.Pytester, project: Project) -> None:
    result = run(pytester, "-k", "float64 and mindspore", "--junitxml=out.xml")
    result.assert_outcomes(passed=2, deselected=5)
    suite = ET.parse(pytester.path / "out.xml").getroot()
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["verdict"] == "conforms"
    assert float(properties["roundoffs"] or "nan") == 0


def test_known_differences_are_strict_xfails(pytester: pytest.Pytester, project: Project) -> None:
    project.use("wrong", "right")
    project.write("cases/known.yaml", KNOWN.replace("EXPIRES", "2999-01-01"))
    run(pytester).assert_outcomes(passed=4, xfailed=3)
    project.use("right", "right")
    result = run(pytester)
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*no longer differs; remove the entry*"])


def test_what_cannot_be_compared_is_skipped_not_passed(
    pytester: pytest.Pytester, project: Project
) -> None:
    project.use("right", "absent")
    result = run(pytester, "-rs")
    result.assert_outcomes(passed=4, skipped=3)
    result.stdout.fnmatch_lines(["*not comparable*the fake framework is not installed*"])


def test_processes_share_the_targets(pytester: pytest.Pytester, project: Project) -> None:
    """Under -n 2 every target starts once for the whole session."""
    starts = pytester.path / "starts"
    project.use("counted", "counted")
    config = (pytester.path / "conformance.toml").read_text()
    counted = config.replace("\n\n", f'\nenv = {{STARTS = "{starts}"}}\n\n')
    project.write("conformance.toml", counted + f'env = {{STARTS = "{starts}"}}\n')
    run(pytester, "-n", "2").assert_outcomes(passed=7)
    assert starts.read_text().splitlines() == ["started"] * 2


def test_stale_declaration_fails(pytester: pytest.Pytester, project: Project) -> None:
    declared = "differences: [{kind: value, cases: [some], note: {en: x, zh: y}}]"
    text = CASES.replace("mindspore.ops.abs}", f"mindspore.ops.abs, {declared}}}")
    project.write("cases/absolute.yaml", text)
    result = run(pytester)
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["*declared difference value*"])
    run(pytester, "-k", "some or declarations").assert_outcomes(passed=2, skipped=1, deselected=4)


def test_a_bad_file_is_a_collection_error(pytester: pytest.Pytester, project: Project) -> None:
    project.write("cases/bad.yaml", "operation: x\naccuracy: 1\n")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.yaml:2:11: accuracy*"])


def test_other_yaml_files_are_left_alone(pytester: pytest.Pytester, tmp_path: Path) -> None:
    (pytester.path / "docker-compose.yaml").write_text("services: {}\n")
    pytester.makepyfile("def test_one(): pass")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
