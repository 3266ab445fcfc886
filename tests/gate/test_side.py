from __future__ import annotations

import ast
import shutil
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance.errors import CallerError, ConformanceError, HarnessError
from conformance.gate import side
from conformance.gate.gate import gate
from conformance.judge import judge
from conformance.judge.run import Verdicts, judge_run
from conformance.judge.verdict import Status
from conformance.run.store import RunFile
from tests import fakes

TODAY = date(2026, 6, 1)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("run") / "run.sqlite")


@pytest.fixture
def path(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(kept, tmp_path / "run.sqlite"))


def make(path: Path, torch: str = "right", mindspore: str = "right") -> Path:
    targets = [fakes.fake(torch), fakes.fake(mindspore, "mindspore")]
    _, _, run = fakes.run(fakes.abs_corpus([1.0, 2.0, 13.0]), targets, path)
    run.close()
    return path


def sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def note(key: str, value: str) -> Callable[[Path], None]:
    return lambda path: sql(path, f"INSERT OR REPLACE INTO manifest VALUES ('{key}', '{value}')")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (note("finished", "null"), "the run did not finish"),
        (note("lost", '{"torch": "it died"}'), "target torch was lost on the way: it died"),
        (
            lambda p: sql(p, 'UPDATE targets SET info = \'{"unavailable": "absent"}\''),
            "target torch did not start: absent",
        ),
        (
            lambda p: sql(p, "DELETE FROM outcomes WHERE target = 'torch'"),
            "truncated: 3 of 6 items have no outcome",
        ),
        (lambda p: sql(p, "DELETE FROM items"), "truncated: 0 of 0 items"),
        (lambda p: p.write_bytes(b""), "a damaged or truncated run file"),
        (note("format", "99"), "run file format 99"),
    ],
)
def test_what_is_not_whole_is_no_evidence(
    path: Path, damage: Callable[[Path], None], why: str
) -> None:
    damage(path)
    with pytest.raises(HarnessError, match=why) as caught:
        side.of_run(path, today=TODAY)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_a_file_cut_in_half(path: Path) -> None:
    cut(path)
    with pytest.raises((HarnessError, sqlite3.DatabaseError)):
        side.of_run(path, today=TODAY)


@pytest.mark.parametrize("content", [b"no run", b"SQLite"])
def test_what_is_no_run_file_is_the_callers_mistake(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(CallerError) as caught:
        side.of_run(path, today=TODAY)
    assert caught.value.exit_code == 2
    with pytest.raises(CallerError, match="no such run file"):
        side.of_run(tmp_path / "absent", today=TODAY)


def test_a_judge_that_broke_down_is_no_verdict(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the judge is ill")

    monkeypatch.setattr(judge, "examine", broken)
    with pytest.raises(
        HarnessError, match=r"the judge failed on 6 items, first: .*the judge is ill"
    ):
        side.of_run(path, today=TODAY)


def test_records_are_read_again_and_not_judged_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = side.of_run(path, today=TODAY)
    first.close()
    monkeypatch.setattr(side, "judge_run", None)
    second = side.of_run(path, today=TODAY)
    second.close()
    assert second.records == first.records
    assert len(second.records) == 6


def test_another_judge_judges_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side.of_run(path, today=TODAY).close()
    monkeypatch.setattr(side, "judged_by", lambda: "another")
    asked: list[RunFile] = []

    def asking(run: RunFile, **given: Any) -> Verdicts:
        asked.append(run)
        return judge_run(run, **given)

    monkeypatch.setattr(side, "judge_run", asking)
    side.of_run(path, today=TODAY).close()
    assert len(asked) == 1


def test_what_judges_is_known_by_its_code() -> None:
    """A verdict is kept under a hash of that code; what it imports beside decides nothing."""
    package = Path(conformance.__file__).parent
    known = {
        path.relative_to(package).with_suffix("").as_posix()
        for part in side.JUDGES
        for path in ((package / part).rglob("*.py") if "." not in part else [package / part])
    }
    imported = {
        name.replace(".", "/")
        for path in known
        for node in ast.walk(ast.parse((package / f"{path}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conformance.")
        for name in _modules(package, str(node.module).removeprefix("conformance."), node)
    }
    assert imported - known == {"errors", "run/store", "run/target", "worker/whereabouts"}


def _modules(package: Path, module: str, node: ast.ImportFrom) -> list[str]:
    """Return the modules that ``from module import …`` reads."""
    folder = package / module.replace(".", "/")
    inside = [f"{module}.{a.name}" for a in node.names if (folder / f"{a.name}.py").is_file()]
    return inside or [f"{module}.__init__" if folder.is_dir() else module]


def test_a_run_file_that_cannot_be_written_is_read(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        found = side.of_run(path, today=TODAY)
        found.close()
    finally:
        path.parent.chmod(0o755)
    assert len(found.records) == 6


@pytest.mark.parametrize(
    ("fake", "labels"),
    [
        ("wrong", {"returned"}),
        ("crasher", {"returned", "crashed SIGFPE"}),
    ],
)
def test_a_run_against_a_right_one(path: Path, tmp_path: Path, fake: str, labels: set[str]) -> None:
    other = make(tmp_path / "other.sqlite", mindspore=fake)
    before, after = (side.of_run(p, today=TODAY) for p in (path, other))
    result = gate(before, after, today=TODAY)
    before.close()
    after.close()
    broken = [c for c in result.changes if c.category == "broken"]
    assert {c.api for c in broken} == {"mindspore.ops.abs"}
    assert {r.label for r in after.records if r.target == "mindspore"} == labels
    assert result.exit_code == 1
    assert "abs" in broken[0].case


def test_a_record_knows_nothing_of_known_differences(tmp_path: Path) -> None:
    """They may have expired when it is read, or hold for the other side only."""
    path = make(tmp_path / "wrong.sqlite", mindspore="wrong")
    entry = """[{cases: "abs/*", target: mindspore, kinds: [value], reason: r, owner: o, link: l,
                 expires: "2999-01-01"}]"""
    run = RunFile.open(path)
    run.note(known=["known.yaml", entry])
    verdicts = judge_run(run, today=TODAY)
    records = side.keep(run, verdicts)
    run.close()
    assert Status.KNOWN in {j.verdict.status for j in verdicts.judgement.judged}
    assert {r.status for r in records if r.kinds} == {Status.DIFFERS}
    assert {r.open for r in records if r.kinds} == {("value",)}


def test_the_same_run_twice(path: Path) -> None:
    one, two = side.of_run(path, today=TODAY), side.of_run(path, today=TODAY)
    result = gate(one, two, today=TODAY)
    one.close()
    two.close()
    assert (result.changes, result.exit_code) == ([], 0)
    assert "both sides are the same run" in result.facts


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError):
        side.of_run(tmp_path, today=TODAY)
