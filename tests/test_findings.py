"""docs/findings.md stays true: every program in it runs, alone, and prints what stands below it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.corpus.loader import load

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(600)]
PAGE = Path("docs/findings.md")
REFUTED = "Published claims refuted"
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CASE = re.compile(r"`([a-z0-9_]+/[a-z0-9-]+)`")


@dataclass(frozen=True)
class Finding:
    """One `###` section: its title, its `##` group, its text, its program and what that prints."""

    group: str
    title: str
    text: str
    program: str
    prints: str


def sections(text: str, level: str) -> list[tuple[str, str]]:
    """Return (title, body) of each heading of a level, such as ``## ``."""
    parts = re.split(rf"^{level}(.+)$", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def findings() -> list[Finding]:
    found = []
    for group, body in sections(PAGE.read_text(encoding="utf-8"), "## "):
        for title, text in sections(body, "### "):
            programs = PROGRAM.findall(text)
            assert len(programs) == 1, f"{title}: {len(programs)} programs with what they print"
            found.append(Finding(group, title, text, *programs[0]))
    return found


def claims() -> list[list[str]]:
    """The rows of the table of refuted claims: page, claim, what is, evidence."""
    body = dict(sections(PAGE.read_text(encoding="utf-8"), "## "))[REFUTED]
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    return [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in rows[1:]]


@pytest.fixture(scope="module")
def cases() -> set[str]:
    documents = load([Path("cases")]).documents
    return {f"{name}/{case.id}" for name, d in documents.items() for case in d.operation.cases}


@pytest.mark.parametrize("finding", findings(), ids=lambda f: f.title)
def test_program_prints_what_the_page_says(finding: Finding, tmp_path: Path) -> None:
    """In an interpreter, a folder and a file of its own: mindspore.jit reads its source."""
    file = tmp_path / "program.py"
    file.write_text(finding.program, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOG_v": "4"}
    run = subprocess.run(
        [sys.executable, str(file)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.splitlines() == finding.prints.splitlines()


def test_every_finding_names_cases_that_exist(cases: set[str]) -> None:
    for finding in findings():
        said = finding.text.split("```")[0]
        named = set(CASE.findall(said))
        assert bool(named) != ("No case:" in said), f"{finding.title}: no case, and no reason"
        assert named <= cases, f"{finding.title}: {named - cases}"


def test_the_evidence_of_every_refuted_claim_exists(cases: set[str]) -> None:
    """A case, or a case file that says of a published document what no longer holds."""
    for page, claim, _, evidence in claims():
        name = evidence.strip("` ")
        if name.endswith(".yaml"):
            assert "refuted:" in Path(name).read_text(encoding="utf-8"), f"{page}: {claim}"
        else:
            assert name in cases, f"{page}: {claim}"


def test_counts_of_the_text_hold() -> None:
    text = PAGE.read_text(encoding="utf-8")
    stated = re.search(r"\*\*(\d+) findings\*\* and \*\*(\d+) refuted claims\*\*", text)
    assert stated is not None
    assert [int(number) for number in stated.groups()] == [len(findings()), len(claims())]
    rows = re.findall(r"^\| (.+?) \| (\d+) \|$", text, re.MULTILINE)
    counts = {name: int(number) for name, number in rows}
    groups = [finding.group for finding in findings()]
    assert counts == {group: groups.count(group) for group in groups}
