"""The run file keeps everything, gives it back as it was, and says when it cannot."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.corpus import yamlmarks
from conformance.corpus.loader import load, load_texts
from conformance.corpus.pairs import to_wire
from conformance.errors import CallerError, ConformanceError, CorpusError, HarnessError
from conformance.run import outcome
from conformance.run.layout import FORMAT
from conformance.run.outcome import (
    Crashed,
    Named,
    Other,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
    Unsupported,
)
from conformance.run.store import PlannedItem, RunFile
from conformance.worker import wire

ROOT = Path(__file__).parents[2]
RAISED: dict[str, Any] = {
    "outcome": "raised",
    "types": ("ValueError", "Exception"),
    "message": "no — 不",
    "stage": "construct",
    "duration": 0.5,
}


def through(message: dict[str, Any]) -> Outcome:
    """Return what is read of `message` once it was stored."""
    return outcome.from_message(outcome.loads(outcome.dumps(message)))


def returned(value: Any) -> Any:
    found = through({"outcome": "returned", "output": value})
    assert isinstance(found, Returned)
    return found.output


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (RAISED, Raised(0.5, "", ("ValueError", "Exception"), "no — 不", "construct")),
        (
            {**RAISED, "outcome": "unsupported", "reason": "dtype", "note": "alone"},
            Unsupported(0.5, "alone", ("ValueError", "Exception"), "no — 不", "construct", "dtype"),
        ),
        (
            {"outcome": "crashed", "signal": "SIGFPE", "stderr": "a\nb", "note": "twice"},
            Crashed(0.0, "twice", "SIGFPE", "a\nb"),
        ),
        (
            {"outcome": "timed-out", "limit": 30.0, "stderr": "here", "duration": 30.0},
            TimedOut(30.0, "", 30.0, "here"),
        ),
        ({"outcome": "unavailable", "reason": "no GPU"}, Unavailable(0.0, "", "no GPU")),
    ],
)
def test_every_outcome_but_returned(message: dict[str, Any], expected: Outcome) -> None:
    found = through(message)
    assert type(found) is type(expected)
    assert found == expected
    assert found.kind == message["outcome"]


def test_a_returned_outcome() -> None:
    found = through(
        {
            "outcome": "returned",
            "duration": 0.25,
            "output": to_wire(np.array([1.5], np.float16)),
            "gradients": {"x": to_wire(np.array([2.0])), "y": None},
            "gradient_error": {**RAISED, "outcome": "unsupported", "reason": "device"},
            "mutated": {"x": to_wire(np.array([True]))},
            "state": {"w": to_wire(np.array(3)), "b": None},
            "warnings": (("UserWarning", "careful"),),
        }
    )
    assert isinstance(found, Returned)
    assert (found.kind, found.duration) == ("returned", 0.25)
    assert (found.output.dtype, found.output.tolist()) == (np.float16, [1.5])
    assert found.gradients["x"] is not None
    assert (found.gradients["x"].tolist(), found.gradients["y"]) == ([2.0], None)
    assert isinstance(found.gradient_error, Unsupported)
    assert found.gradient_error.reason == "device"
    assert found.mutated["x"].tolist() == [True]
    assert found.state["w"] is not None
    assert (found.state["w"].shape, found.state["b"]) == ((), None)
    assert found.warnings == (("UserWarning", "careful"),)


def test_what_is_not_said_is_empty() -> None:
    assert through({"outcome": "returned", "output": None}) == Returned()


@pytest.mark.parametrize("value", [None, True, 3, 2**80, -0.5, float("inf"), 1 + 2j, "text"])
def test_plain_outputs(value: Any) -> None:
    found = returned(value)
    assert found == value
    assert type(found) is type(value)


def test_arrays_keep_every_bit() -> None:
    special = np.array([np.nan, -0.0, np.inf, 1e-45], np.float32)
    assert returned(to_wire(special)).tobytes() == special.tobytes()
    bfloat16 = np.array([[1.5], [-0.0]], ml_dtypes.bfloat16)
    found = returned(to_wire(bfloat16))
    assert (found.dtype, found.shape) == (bfloat16.dtype, (2, 1))
    assert found.tobytes() == bfloat16.tobytes()
    assert returned(to_wire(np.zeros((2, 0, 3), np.complex64))).shape == (2, 0, 3)


def test_nested_outputs() -> None:
    array = to_wire(np.array([1.0]))
    named = {wire.NAMED: ("topk", {"values": array, "indices": (array, None)})}
    found = returned((named, [array, {wire.OBJECT: "<thing>"}], ()))
    assert (type(found), type(found[1]), found[2]) == (tuple, list, ())
    assert isinstance(found[0], Named)
    assert (found[0].type, list(found[0].fields)) == ("topk", ["values", "indices"])
    assert found[0].fields["indices"][0].tolist() == [1.0]
    assert found[1][1] == Other("<thing>")


def test_an_outcome_nobody_knows() -> None:
    with pytest.raises(ValueError, match="unknown outcome 'dreamt'"):
        through({"outcome": "dreamt"})


CASES = """\
operation: absolute
reference: elementwise.abs
accuracy: exact
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases:
  - {id: file, inputs: {input: {npy: deep/x.npy}}}
  - {id: plain, inputs: {input: [1.0]}}
"""
ITEM = PlannedItem("absolute/file", "hash", "torch.abs=mindspore.ops.abs", "torch", "call")


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    """A closed, finished run; the case files it was made from are gone."""
    folder = tmp_path / "cases"
    (folder / "deep").mkdir(parents=True)
    (folder / "absolute.yaml").write_text(CASES, encoding="utf-8")
    np.save(folder / "deep" / "x.npy", np.array([-2.0, 3.0]))
    path = tmp_path / "made" / "run.sqlite"
    run = RunFile.create(path)
    run.keep_corpus(load([folder]))
    run.plan([ITEM, PlannedItem("absolute/plain", "h", ITEM.pair, "numpy", "")])
    run.note(targets=["torch", "numpy", "mindspore"], finished=True)
    run.target("numpy", {"unavailable": "it is Sunday"})
    run.target("torch", {"version": "1.0"})
    run.describe("torch", [{"api": "torch.abs", "parameters": []}])
    run.add([("torch", "call", {"outcome": "returned", "output": 3, "duration": 0.5})])
    run.close()
    shutil.rmtree(folder)
    return path


def test_everything_comes_back(run_path: Path) -> None:
    run = RunFile.open(run_path)
    assert run.manifest == {
        "format": FORMAT,
        "targets": ["torch", "numpy", "mindspore"],
        "finished": True,
    }
    assert run.finished
    assert run.items()[0] == ITEM
    assert [item.case for item in run.items()] == ["absolute/file", "absolute/plain"]
    assert list(run.targets().items()) == [
        ("torch", {"version": "1.0"}),
        ("numpy", {"unavailable": "it is Sunday"}),
        ("mindspore", {"unavailable": "it was never started"}),
    ]
    assert run.signatures("torch") == {"torch.abs": {"api": "torch.abs", "parameters": []}}
    assert run.signatures("numpy") == {}
    assert run.executed() == {("torch", "call")}
    assert run.outcomes() == {("torch", "call"): Returned(duration=0.5, output=3)}
    assert run.framework_seconds() == 0.5
    run.close()


def test_the_corpus_comes_back_with_its_arrays(run_path: Path) -> None:
    run = RunFile.open(run_path)
    corpus = run.corpus()
    (item, case), _ = run.cases(corpus)
    run.close()
    assert (item, case.id) == (ITEM, "absolute/file")
    assert case.arrays["input"].tolist() == [-2.0, 3.0]  # drawn after all is closed


def tamper(path: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(path) as database:
        database.execute(statement, values)
    database.close()


def test_what_yaml_holds_is_not_read_again(run_path: Path, monkeypatch: Any) -> None:
    read = load_texts([("a.yaml", CASES.replace("{npy: deep/x.npy}", "[2]"), Path())])
    monkeypatch.setattr(yamlmarks, "parse", None)
    run = RunFile.open(run_path)
    (document,) = run.corpus().documents.values()
    run.close()
    assert document.operation.pairs == read.documents["absolute"].operation.pairs
    assert document.text == CASES


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plain SET key = 'of another reader'",
        "UPDATE plain SET data = '{'",
        "UPDATE plain SET data = replace(hex(zeroblob(99999)), '0', '[')",
        "DROP TABLE plain",
    ],
)
def test_what_another_reader_kept_or_nobody_can_read_is_not_used(
    run_path: Path, statement: str
) -> None:
    tamper(run_path, statement)
    run = RunFile.open(run_path)
    assert [case.id for case in run.corpus().cases()] == ["absolute/file", "absolute/plain"]
    run.close()


def test_a_problem_in_what_was_kept_is_told_by_the_text(run_path: Path) -> None:
    tamper(run_path, "UPDATE plain SET data = replace(data, 'elementwise.abs', 'no.such')")
    run = RunFile.open(run_path)
    (document,) = run.corpus().documents.values()
    assert document.operation.reference == "elementwise.abs"
    run.close()


def test_every_case_file_is_the_same_from_json() -> None:
    for document in load([ROOT / "cases"]).documents.values():
        again = json.loads(json.dumps(document.marked.data))
        assert repr(again) == repr(document.marked.data), document.path


@pytest.mark.parametrize("name", ["../escaped.npy", "{absolute}"])
def test_a_hostile_run_file_writes_nothing_elsewhere(
    run_path: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    name = name.format(absolute=tmp_path / "escaped.npy")
    tamper(run_path, "UPDATE files SET name = ?", name)
    run = RunFile.open(run_path)
    with pytest.raises(HarnessError, match=r"leads out of the run file"):
        run.corpus()
    run.close()
    assert not list(tmp_path.rglob("escaped.npy"))


def test_an_array_that_is_not_in_the_run_file_is_not_looked_for_here(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(run_path, "DELETE FROM files")
    (tmp_path / "deep").mkdir()
    np.save(tmp_path / "deep" / "x.npy", np.array([666.0]))
    monkeypatch.chdir(tmp_path)
    run = RunFile.open(run_path)
    with pytest.raises(CorpusError, match=r"cannot read 'deep/x.npy'"):
        run.corpus()
    run.close()


def test_a_copied_file_is_the_whole_run(run_path: Path, tmp_path: Path) -> None:
    assert [path.name for path in run_path.parent.iterdir()] == [run_path.name]
    copy = tmp_path / "copy"
    shutil.copyfile(run_path, copy)
    run = RunFile.open(copy)
    assert run.finished
    assert len(run.outcomes()) == 1
    run.close()


def test_what_was_added_survives_a_kill(tmp_path: Path) -> None:
    """Another connection sees what was committed, though nobody closed the file."""
    run = RunFile.create(tmp_path / "run")
    run.add([("torch", "call", RAISED)])
    other = RunFile.open(tmp_path / "run")
    assert other.executed() == {("torch", "call")}
    assert not other.finished
    other.close()
    run.close()


def test_the_later_of_two_outcomes_counts(tmp_path: Path) -> None:
    run = RunFile.create(tmp_path / "run")
    run.add([("torch", "call", RAISED)])
    run.add([("torch", "call", {"outcome": "unavailable", "reason": "gone"})])
    assert run.outcomes() == {("torch", "call"): Unavailable(reason="gone")}
    run.note(finished=False)
    assert run.manifest["finished"] is False
    run.note(finished=True)
    assert run.finished
    run.close()


def test_create_replaces_what_was_there(run_path: Path) -> None:
    run = RunFile.create(run_path)
    assert (run.items(), run.executed(), run.manifest) == ([], set(), {"format": FORMAT})
    run.close()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no such run file") as caught:
        RunFile.open(tmp_path / "absent")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "absent").exists()


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CallerError, match="not a run file"):
        RunFile.open(path)
    assert path.read_bytes() == b"no database at all" * 100


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00"])
def test_what_is_left_of_a_file_that_was_cut(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="a damaged or truncated run file"):
        RunFile.open(path)
    assert path.read_bytes() == content


def test_another_database(tmp_path: Path) -> None:
    tamper(tmp_path / "run", "CREATE TABLE other (x)")
    with pytest.raises(CallerError, match="not a run file"):
        RunFile.open(tmp_path / "run")


def test_a_broken_manifest(run_path: Path) -> None:
    tamper(run_path, "UPDATE manifest SET value = '{' WHERE key = 'format'")
    with pytest.raises(HarnessError, match="a damaged or truncated run file"):
        RunFile.open(run_path)


@pytest.mark.parametrize("found", ["0", "2", '"1"'])
def test_another_format(run_path: Path, found: str) -> None:
    tamper(run_path, "UPDATE manifest SET value = ? WHERE key = 'format'", found)
    with pytest.raises(HarnessError, match=f"this version reads {FORMAT}"):
        RunFile.open(run_path)


def test_a_file_cut_short(run_path: Path) -> None:
    """Half a copy must not pass for a run with fewer outcomes."""
    run = RunFile.open(run_path)
    big = to_wire(np.arange(50_000.0))
    run.add([("torch", "big", {"outcome": "returned", "output": big})])
    run.close()
    content = run_path.read_bytes()
    run_path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ConformanceError):
        RunFile.open(run_path).outcomes()
