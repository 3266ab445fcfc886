"""The gate in CI: the action's steps, the GitLab jobs and commands of docs/ci.md, and make."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conformance.cli import app
from conformance.gate import formats
from conformance.gate.change import Category, Change, Group
from tests.fakes import FAKES
from tests.project import CASES, Project
from tests.workflow import EXPRESSION, ROOT, Action, bash, environment, load, shims

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
NAMED = ["-t", "torch", "-t", "mindspore", "-t", "mindspore:cpu:graph", "-t", "numpy"]
LINE_OF_SOME = CASES.splitlines().index(next(s for s in CASES.splitlines() if "id: some" in s)) + 1
STEPS = {"install", "gate", "summary", "end"}


def use(project: Project, mindspore: str) -> None:
    """Choose what fakes MindSpore; in graph mode it is always right."""
    project.use("right", mindspore)
    file = project.folder / "conformance.toml"
    graph = f'\n[targets."mindspore:cpu:graph"]\nadapter = "{FAKES / "right.py"}"\n'
    project.write(file.name, file.read_text(encoding="utf-8") + graph)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the little project."""
    project = Project(tmp_path_factory.mktemp("baseline"))
    use(project, "right")
    assert project.run("run", "--all", *NAMED)[0] == 0
    assert project.run("baseline")[0] == 0
    return project.folder / "reports" / "baseline"


@pytest.fixture
def project(tmp_path: Path, baseline: Path) -> Project:
    made = Project(tmp_path)
    use(made, "right")
    shutil.copytree(baseline, tmp_path / "reports" / "baseline")
    return made


@pytest.fixture
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(shims(tmp_path_factory.mktemp("job") / "bin"))


def outside(env: dict[str, str]) -> Path:
    """Return the folder of the shims."""
    return Path(env["PATH"].split(":")[0])


# The action's shape ------------------------------------------------------------------------------


def test_it_is_a_composite_action() -> None:
    action = Action()
    assert action.message.keys() == {"name", "description", "inputs", "outputs", "runs"}
    assert action.message["runs"]["using"] == "composite"
    assert {step["id"] for step in action.steps} == STEPS
    for step in action.steps:
        assert step["shell"] == "bash"
        assert step.keys() <= {"name", "id", "if", "shell", "env", "run"}
    for name, declared in action.message["inputs"].items():
        assert declared.keys() == {"description", "default"}, name
        assert isinstance(declared["default"], str), name
        assert "${{" not in declared["default"], "most contexts are not there yet"
    for name, declared in action.message["outputs"].items():
        assert declared.keys() == {"description", "value"}, name
        assert EXPRESSION.fullmatch(declared["value"])[1].split(".")[1] in STEPS  # type: ignore[index]


def test_inputs_reach_scripts_through_variables_only() -> None:
    action = Action()
    read = set()
    for step in action.steps:
        assert "${{" not in step["run"]
        for value in step.get("env", {}).values():
            read |= set(EXPRESSION.findall(value))
    assert {name for name in read if name.startswith("inputs.")} == {
        f"inputs.{name}" for name in action.message["inputs"]
    }


# The action's steps ------------------------------------------------------------------------------


def test_a_green_gate(project: Project, env: dict[str, str]) -> None:
    project.write("typer.py", "raise SystemError('what lies in the checkout is no module of ours')")
    job = Action().run(project.folder, env, summary="# Before\n")
    assert job.code == 0, job.printed
    assert job.outputs == {
        "exit-code": "0",
        "regressions": "0",
        "report": "conformance-gate/gate.md",
        "json": "conformance-gate/gate.json",
        "junit": "conformance-gate/junit.xml",
    }
    assert job.summary.startswith("# Before\n# Gate: ")
    assert "**no regression; 12 items compared**" in job.summary
    assert json.loads((project.folder / job.outputs["json"]).read_text("utf-8"))["exit_code"] == 0
    assert ET.parse(project.folder / job.outputs["junit"]).getroot().tag == "testsuites"
    assert "::error" not in "".join(job.printed.values())
    asked = (outside(env) / "pip.txt").read_text("utf-8").splitlines()
    assert asked[-3:] == ["-c", f"{ROOT}/constraints.txt", f"{ROOT}[torch,mindspore]"]


def test_a_regression_is_1_and_shown_where_reviewers_look(
    project: Project, env: dict[str, str]
) -> None:
    use(project, "wrong")
    job = Action().run(project.folder, env, summary="# Before\n", install="")
    assert (job.code, job.outputs["exit-code"], job.outputs["regressions"]) == (1, "1", "3")
    assert f"::error file=cases/absolute.yaml,line={LINE_OF_SOME},title=" in job.printed["gate"]
    assert f"::error file=cases/absolute.yaml,line={LINE_OF_SOME + 1}," in job.printed["gate"]
    assert job.printed["gate"].count("::error") == 2
    assert "repeating 3 changes" in job.printed["gate"]
    assert job.summary.startswith("# Before\n# Gate: ")
    assert "**3 regressions (3 broken); 12 items compared**" in job.summary
    assert "`mindspore.ops.abs`" in job.summary
    assert not (outside(env) / "pip.txt").exists()


def test_a_target_that_is_missing_fails_closed(project: Project, env: dict[str, str]) -> None:
    use(project, "absent")
    reports = project.folder / "conformance-gate"
    reports.mkdir()
    for name in ("gate.md", "gate.json", "junit.xml", "run.sqlite"):
        (reports / name).write_text("what an earlier gate left", encoding="utf-8")
    job = Action().run(project.folder, env, install="")
    assert (job.code, job.outputs["exit-code"], job.outputs["regressions"]) == (3, "3", "")
    why = "target mindspore did not start: the fake framework is not installed"
    for told in (
        job.summary,
        job.printed["gate"],
        *map(read, sorted(reports.glob("[gj]*.[jmx]*"))),
    ):
        assert why in told
    assert "# Gate: nothing was compared" in job.summary
    assert "::error title=conformance::" in job.printed["gate"]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("inputs", "code", "why"),
    [
        ({"cases": "nowhere"}, 2, "nowhere: no case file here"),
        ({"args": "--nope"}, 2, "No such option: --nope"),
        ({"args": "'"}, 2, "args: not to be split into words"),
        ({"baseline": "nowhere"}, 2, "nowhere: no baseline here"),
        ({"before": "torch==1"}, 2, "give both before and after"),
        ({"before": "numpy==1", "after": "torch==2"}, 2, "must name the same packages"),
        ({"before": "nowhere==1", "after": "nowhere", "targets": "torch"}, 3, "not resolved"),
        ({"args": "-k some"}, 3, "run the candidate with --all too"),
        ({"out": "a\nb"}, 2, "The log says why"),
        ({"python": "no-such-python"}, 3, "The log says why"),
    ],
)
def test_what_cannot_be_compared_says_why(
    project: Project, env: dict[str, str], inputs: dict[str, str], code: int, why: str
) -> None:
    job = Action().run(project.folder, {**env, "PIP_NO_INDEX": "1"}, **inputs)
    assert (job.code, job.outputs["exit-code"], job.outputs["regressions"]) == (code, str(code), "")
    assert "# Gate: nothing was compared" in job.summary
    assert why in job.summary
    assert "\x1b" not in job.summary
    if job.outputs["junit"]:
        (error,) = ET.parse(project.folder / job.outputs["junit"]).iter("error")
        assert why in error.attrib["message"]


def test_an_installation_that_fails_is_3_and_nothing_is_run(
    project: Project, env: dict[str, str]
) -> None:
    job = Action().run(project.folder, {**env, "PIP_ENDS_WITH": "1"}, install="conformance==9")
    assert (job.outputs["exit-code"], set(job.printed)) == ("3", STEPS - {"gate"})
    assert "# Gate: nothing was compared" in job.summary
    assert (outside(env) / "pip.txt").read_text("utf-8").splitlines()[-2:] == [
        "--",
        "conformance==9",
    ]


def test_an_exit_code_without_a_result_is_not_believed(project: Project, tmp_path: Path) -> None:
    for number, code in enumerate((0, 1, 137)):
        bin = shims(tmp_path / f"bin{number}", f'[[ "$*" != *"-m conformance "* ]] || exit {code}')
        job = Action().run(project.folder, environment(bin), install="")
        assert (job.code, job.outputs["regressions"]) == (3, ""), code
        assert "# Gate: nothing was compared" in job.summary


@pytest.mark.parametrize(
    "name", ["cases", "args", "targets", "known", "config", "baseline", "after"]
)
def test_an_input_is_never_executed(project: Project, env: dict[str, str], name: str) -> None:
    hostile = (
        "$(touch pwned1) `touch pwned2`; touch pwned3 & touch pwned4 | touch pwned5 > pwned6 *"
    )
    more = {"before": "torch==1"} if name == "after" else {}
    job = Action().run(project.folder, env, **{name: hostile, **more})
    assert job.code == 2, job.printed
    assert not [path for path in project.folder.rglob("*pwned*") if "pwned" in path.name]


def test_words_of_inputs_are_split_as_a_shell_would(project: Project, env: dict[str, str]) -> None:
    project.write("two words.yaml", CASES.replace("absolute", "magnitude"))
    job = Action().run(
        project.folder,
        env,
        cases="cases\n'two words.yaml'",
        targets="torch\nmindspore  mindspore:cpu:graph numpy",
        args="-j 2 --timeout 50",
        out="the reports",
    )
    assert job.code == 0, job.printed
    assert "24         " in job.printed["gate"]
    assert "12 new; 12 items compared" in job.summary
    assert (project.folder / "the reports" / "gate.md").exists()


UPGRADED = """
if [[ "$*" == *"conformance upgrade"* ]]; then
  printf '%s\\n' "${@:4}" > asked.txt
  mkdir -p "$OUT"
  for ((i = 0; i < 30000; i++)); do
    echo "| row $i | ein Überschuß an Zeichen, 数字 und mehr |"
  done > "$OUT/gate.md"
  echo '{"exit_code": 1, "changes": [{"regression": true}, {"regression": false}]}' \
    > "$OUT/gate.json"
  exit 1
fi
"""


def test_two_versions_and_a_page_that_is_too_large(project: Project, tmp_path: Path) -> None:
    env = environment(shims(tmp_path / "bin", UPGRADED))
    job = Action().run(
        project.folder,
        env,
        summary="# Before\n",
        before="mindspore==2.9.0",
        after="mindspore",
        known="cases/known.yaml",
        config="other.toml",
        args="--repeat 2 -k 'softmax and not graph'",
    )
    assert (job.code, job.outputs["exit-code"], job.outputs["regressions"]) == (1, "1", "1")
    asked = read(project.folder / "asked.txt").splitlines()
    assert asked == [
        "upgrade",
        "--cases=cases",
        "--known=cases/known.yaml",
        "--config=other.toml",
        *("--repeat", "2", "-k", "softmax and not graph"),
        *("--out", "conformance-gate", "--", "mindspore==2.9.0", "mindspore"),
    ]
    assert parsed(asked)["select"] == "softmax and not graph"
    assert (project.folder / "conformance-gate/gate.md").stat().st_size > 1 << 20
    assert (1 << 20) - 4096 < len(job.summary.encode()) <= 1 << 20
    assert job.summary.startswith("# Before\n| row 0 |")
    *_, row, empty, last = job.summary.splitlines()
    assert row.endswith("und mehr |")
    assert empty == ""
    assert last == "**Cut**: a summary holds 1 MiB; all is in conformance-gate/gate.md"


def test_names_of_apis_are_shown_as_they_are() -> None:
    def row(api: str) -> str:
        change = Change(Category.BROKEN, "torch", api, "conforms", "differs", "a_b")
        return list(formats._table(Category.BROKEN, [Group(Category.BROKEN, api, (change,))]))[-1]

    assert row("numpy.round_").startswith("| `numpy.round_` | torch |")
    assert row("numpy.round_").endswith("| a\\_b |")
    assert row("reference of <a_b>|`x.y`").startswith("| reference of &lt;a\\_b&gt;\\|")


# docs/ci.md --------------------------------------------------------------------------------------


def fenced(language: str) -> list[str]:
    """Return the fenced blocks of docs/ci.md, also those inside lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", PAGE, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def yaml_blocks() -> tuple[list[Any], Any]:
    """Return the workflows, and the one text for GitLab."""
    found = [load(text) for text in fenced("yaml")]
    (gitlab,) = [message for message in found if "jobs" not in message]
    return [message for message in found if "jobs" in message], gitlab


def test_the_workflows_use_what_the_action_has() -> None:
    workflows, _ = yaml_blocks()
    assert len(workflows) == 2
    inputs = Action().message["inputs"]
    for workflow in workflows:
        assert workflow.keys() == {"name", "on", "permissions", "jobs"}
        (job,) = workflow["jobs"].values()
        (step,) = [step for step in job["steps"] if step.get("uses") == "./"]
        assert step["with"].keys() <= inputs.keys()
        first = job["steps"][0]["uses"]
        assert first.startswith("actions/checkout@")
        (kept,) = [s for s in job["steps"] if s.get("uses", "").startswith("actions/upload-art")]
        assert kept["if"] == "always()"
        assert kept["with"]["path"] == inputs["out"]["default"]


def gitlab_job(name: str) -> dict[str, Any]:
    _, gitlab = yaml_blocks()
    job = gitlab[name]
    return {**gitlab[job["extends"]], **job}


def in_gitlab(project: Project, env: dict[str, str], name: str) -> tuple[int, str]:
    job = gitlab_job(name)
    variables = {
        key: value.replace("$CI_PROJECT_DIR", str(project.folder))
        for key, value in job["variables"].items()
    }
    return bash("\n".join(job["script"]) + "\n", project.folder, {**env, **variables})


@pytest.mark.parametrize(("fake", "code"), [("right", 0), ("wrong", 1), ("absent", 3)])
def test_the_gitlab_gate(project: Project, env: dict[str, str], fake: str, code: int) -> None:
    use(project, fake)
    ended, printed = in_gitlab(project, env, "gate")
    assert ended == code, printed
    kept = gitlab_job("gate")["artifacts"]
    for path in (*kept["paths"], kept["reports"]["junit"]):
        assert (project.folder / path).stat().st_size, path
    tree = ET.parse(project.folder / kept["reports"]["junit"])
    assert len(list(tree.iter("failure"))) == (code == 1)
    assert len(list(tree.iter("error"))) == (code == 3)


def test_no_other_failure_of_a_gitlab_job_passes_for_a_regression(
    project: Project, env: dict[str, str], tmp_path: Path
) -> None:
    for name in ("gate", "upgrade"):
        job = gitlab_job(name)
        assert job["cache"]["paths"][1] == ".cache/conformance/environments"
        assert in_gitlab(project, {**env, "PIP_ENDS_WITH": "1"}, name)[0] == 3
        broken = environment(shims(tmp_path / name, '[[ "$2" != conformance ]] || exit 1'))
        assert in_gitlab(project, broken, name)[0] == 3
    ended, printed = in_gitlab(project, {**env, "PIP_NO_INDEX": "1"}, "upgrade")
    assert ended == 3
    assert "not resolved" in printed
    assert "not resolved" in read(project.folder / gitlab_job("upgrade")["artifacts"]["paths"][0])
    assert gitlab_job("upgrade")["allow_failure"] == {"exit_codes": 1}


def test_a_gitlab_upgrade_ends_as_the_gate_does(project: Project, tmp_path: Path) -> None:
    made = UPGRADED.replace("$OUT", "reports/gate")
    assert in_gitlab(project, environment(shims(tmp_path / "bin", made)), "upgrade")[0] == 1


def commands() -> Iterator[list[str]]:
    """Yield each ``conformance …`` of docs/ci.md and of the Makefile."""
    _, gitlab = yaml_blocks()
    shell = "\n".join(fenced("console"))
    told = re.findall(r"`(conformance \w[^`]*)`", PAGE) + re.findall(r"\$ (conf.*)", shell)
    for job in gitlab.values():
        for line in job.get("script", ()):
            told += re.findall(r"^(conformance .*?)(?: \|\|.*)?$", line)
    for goal in ("baseline", "gate"):
        printed = subprocess.run(
            ["make", "-n", goal], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.replace("\\\n", "")
        told += re.findall(r"bin/(conformance .*?)(?: \|\|.*)?$", printed, re.MULTILINE)
    yield from (shlex.split(line)[1:] for line in told)


def parsed(words: list[str]) -> dict[str, Any]:
    """Return the parameters that the command line makes of `words`."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("conformance", list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        if not rest and hasattr(command, "resolve_command"):
            break
        context = command.make_context(name, rest, parent=context)
    return dict(context.params)


BARE = {"gate": ["A", "B"], "upgrade": ["a", "b"], "known suggest": ["A", "B"], "report": ["A"]}


def test_every_command_on_the_page_is_one() -> None:
    found = list(commands())
    assert len(found) >= 14
    for words in found:
        name = " ".join(word for word in words if re.fullmatch("[a-z]+", word))
        given = [word for word in words if not word.startswith("-")]
        bare = BARE.get(name, []) if " ".join(given) == name else []
        assert parsed([*(word if word != "N" else "2" for word in words), *bare]) is not None
    with pytest.raises(Exception, match="No such option"):
        parsed(["gate", "A", "B", "--nope"])


def test_a_gate_names_its_targets() -> None:
    runs = [words for words in commands() if words[0] == "run" and len(words) > 3]
    assert len(runs) == 3
    for words in runs:
        assert parsed(words)["target"] == NAMED[1::2]
        assert parsed(words)["every"]


# make --------------------------------------------------------------------------------------------


def made(project: Project, env: dict[str, str], goal: str) -> tuple[int, str]:
    """Run ``make`` in the project as it is here, with an environment that is there already."""
    (project.folder / ".venv").mkdir(exist_ok=True)
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, project.folder / name)
    (project.folder / ".venv" / ".installed").touch()
    bin = shims(outside(env))
    done = subprocess.run(
        ["make", f"BIN={bin}", goal],
        cwd=project.folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_make_baseline_then_gate(project: Project, env: dict[str, str]) -> None:
    shutil.rmtree(project.folder / "reports")
    use(project, "wrong")  # a run that shows differences makes a baseline too
    code, printed = made(project, env, "baseline")
    assert code == 0, printed
    manifest = json.loads(read(project.folder / "reports/baseline/manifest.json"))
    assert (manifest["repeat"], manifest["covering"]) == (3, False)
    assert list(manifest["targets"]) == NAMED[1::2]
    for fake, expected in (("wrong", 0), ("absent", 3)):
        use(project, fake)
        code, printed = made(project, env, "gate")
        assert (code, f"Error {expected}" in printed) == (2 * bool(expected), bool(expected)), (
            printed
        )
        assert (project.folder / "reports/gate.md").exists() == (not expected)
