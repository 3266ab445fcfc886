"""What is known to change between NumPy 1.26 and 2: cases whose verdicts an upgrade turns.

On NumPy 1.26 every case conforms, differs as declared, or has no oracle.  What an upgrade must
show is in `CHANGES`: run the folder with another interpreter for the target ``numpy`` to see it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import date
from html import unescape
from pathlib import Path
from re import M, search, sub

import numpy as np
import pytest

from conformance.corpus.loader import load
from conformance.judge.run import Verdicts, judge_run
from conformance.judge.verdict import Status
from conformance.report.formats import render
from conformance.run import session
from conformance.run.select import Selection
from conformance.run.store import RunFile
from conformance.run.target import parse

FOLDER = Path(__file__).parent / "numpy2"
AGREEMENT = Path(__file__).parents[1] / "report" / "agreement.py"
OK, AS_DECLARED, DIFFERS = Status.CONFORMS, Status.DECLARED, Status.DIFFERS
NO_ORACLE = Status.NOT_COMPARABLE
CHANGES = {
    ("numpy_add/float32-array-and-0d-float64", "numpy.add"): (OK, DIFFERS),
    ("numpy_add/uint8-array-and-0d-int64", "numpy.add"): (OK, DIFFERS),
    ("numpy_add/float32-0d-and-python-float", "numpy.add"): (AS_DECLARED, OK),
    ("numpy_add/uint8-array-and-python-300", "numpy.add"): (AS_DECLARED, DIFFERS),
    ("numpy_add/float32-array-and-python-1e300", "numpy.add"): (AS_DECLARED, OK),
    ("numpy_where/float32-array-and-0d-float64", "numpy.where"): (OK, DIFFERS),
    ("numpy_array/copy-false-of-another-dtype", "numpy.array"): (OK, DIFFERS),
    ("numpy_array/copy-false-of-a-list", "numpy.array"): (OK, DIFFERS),
    ("numpy_array/python-300-as-uint8", "numpy.array"): (OK, DIFFERS),
    ("numpy_unique/inverse-of-a-matrix", "numpy.unique"): (AS_DECLARED, OK),
    ("numpy_alltrue/of-rows", "numpy.alltrue"): (OK, DIFFERS),
    ("numpy_sometrue/of-rows", "numpy.sometrue"): (OK, DIFFERS),
    ("numpy_product/of-rows", "numpy.product"): (OK, DIFFERS),
    ("numpy_cumproduct/along-an-axis", "numpy.cumproduct"): (OK, DIFFERS),
    ("numpy_round/to-digits", "numpy.round_"): (OK, DIFFERS),
    ("numpy_in1d/of-a-vector", "numpy.in1d"): (NO_ORACLE, DIFFERS),
    ("numpy_trapz/of-a-vector", "numpy.trapz"): (NO_ORACLE, DIFFERS),
}
"""What NumPy 1.26 and NumPy 2.4 show."""
NEW = int(np.__version__.split(".")[0]) >= 2


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    corpus = load([FOLDER])
    with contextlib.closing(RunFile.create(tmp_path_factory.mktemp("run") / "run.sqlite")) as run:
        session.execute(corpus, [parse("numpy")], run, selection=Selection(), jobs=1, timeout=30)
        return judge_run(run, corpus=corpus, today=date(2026, 1, 1))


def test_every_case_is_as_this_release_is_known_to_be(verdicts: Verdicts) -> None:
    met = {(j.item.case.id, j.item.pair.id): j for j in verdicts.judgement.judged}
    assert met.keys() >= CHANGES.keys()
    for key, judged in met.items():
        unchanged = OK if judged.item.case.operation.reference else NO_ORACLE
        assert judged.verdict.status is CHANGES.get(key, (unchanged,) * 2)[NEW], judged.verdict


def test_what_never_changes_is_called_so() -> None:
    """A gate may tell by the id; an API that stays beside one that is gone has the case's id."""
    changing = {case for case, _ in CHANGES}
    for case in load([FOLDER]).cases():
        assert (case.id in changing) is not case.case.id.startswith("unchanged")


def test_numpys_apis_count_as_executed_and_are_described(verdicts: Verdicts) -> None:
    assert verdicts.executed == len(verdicts.judgement.judged)
    assert verdicts.signatures["numpy"]["numpy.cumsum"]["exists"]
    assert verdicts.signatures["numpy"]["numpy.cumproduct"]["exists"] is not NEW
    assert (verdicts.judgement.problems == []) is not NEW


def test_pages_show_an_api_that_numpy_alone_has(verdicts: Verdicts, tmp_path: Path) -> None:
    render(verdicts, tmp_path, formats=["html", "markdown"], languages=["en", "zh"])
    pages = [p.read_text(encoding="utf-8") for p in tmp_path.rglob("numpy?cumsum.*")]
    assert len(pages) == 3
    for page in pages:
        assert search(r"<h2[^>]*>\s*<code>numpy.<wbr>cumsum</code>|^# numpy.cumsum$", page, M)
        assert "a, axis=None, dtype=None, out=None" in unescape(sub(r"<[^>]*>", "", page))
        assert "np.cumsum(input, axis=0)" in unescape(sub(r"<[^>]*>", "", page))
        assert "which PyTorch does not have" not in page
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'title="numpy.cumproduct"' in index


def test_programs_make_the_workers_call(tmp_path: Path) -> None:
    command = [sys.executable, str(AGREEMENT), "numpy", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    lines = done.stdout.splitlines()
    assert lines[-1:] == ["done"], done.stderr[-2000:]
    assert [line for line in lines if line.startswith("{")] == []
