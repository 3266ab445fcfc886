"""Several run files judged together."""

from datetime import date
from pathlib import Path
from typing import Any

from conformance.corpus.pairs import plan
from conformance.judge.run import judge_runs
from conformance.judge.verdict import Status
from conformance.run.session import corpus_hash
from conformance.run.store import PlannedItem, RunFile
from tests import fakes

KNOWN = """
- {cases: "abs/*", target: mindspore, kinds: [exception], reason: why, owner: me, link: "#1",
   expires: "2027-01-01"}
"""


def run(path: Path, target: Any, **facts: Any) -> RunFile:
    """A run file of one case on one target: torch returns, MindSpore raises."""
    corpus = fakes.abs_corpus([1.0])
    file = RunFile.create(path)
    file.keep_corpus(corpus)
    (case,) = corpus.cases()
    (pair,) = case.pairs()
    call = plan(case, pair, target)
    assert call is not None
    file.plan([PlannedItem(case.id, case.hash, pair.id, target, call.id)])
    file.target(target, {"version": "2.10.0"})
    raised = {"outcome": "raised", "types": ["ValueError"], "message": "m", "stage": "call"}
    returned = {"outcome": "returned", "output": 1.5}
    file.add([(target, call.id, returned if target == "torch" else raised)])
    file.note(corpus=corpus_hash(corpus), targets=[target], complete=True, **facts)
    return file


def test_each_run_keeps_its_manifest(tmp_path: Path) -> None:
    here = run(tmp_path / "a", "torch", finished="then", platform="desk", covering=False)
    there = run(tmp_path / "b", "mindspore", finished=None, platform="rack", covering=True)
    found = judge_runs([here, there], today=date(2026, 6, 1))
    assert [manifest["platform"] for manifest in found.runs] == ["desk", "rack"]
    assert [manifest["targets"] for manifest in found.runs] == [["torch"], ["mindspore"]]
    assert found.manifest["targets"] == ["torch", "mindspore"]
    assert found.manifest["covering"] is True
    assert not found.finished


def test_known_differences_are_told_with_what_they_excuse(tmp_path: Path) -> None:
    here = run(tmp_path / "a", "torch", finished="then", known=["known.yaml", KNOWN])
    there = run(tmp_path / "b", "mindspore", finished="then")
    found = judge_runs([here, there], today=date(2026, 6, 1))
    (entry,) = found.known
    assert entry.owner == "me"
    torch, mindspore = found.judgement.judged
    assert torch.known == ()
    assert mindspore.verdict.status is Status.KNOWN
    assert mindspore.known == (entry,)
