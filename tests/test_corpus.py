"""The corpus itself on real PyTorch and real MindSpore: every case of it, executed and judged."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from conformance import commands
from conformance.corpus.loader import load
from conformance.judge.run import Verdicts, judge_run
from conformance.judge.verdict import Status
from conformance.report import formats
from conformance.run import session, target
from conformance.run.outcome import Crashed, TimedOut, Unavailable
from conformance.run.pool import DEFAULT_JOBS
from conformance.run.select import Selection
from conformance.run.store import RunFile

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(1800)]
SEEDS = {
    "0.7142954", "0.71429545", "1.7053319", "0.34636116", "0.3464", "0.3463612", "0.7193",
    "0.8167", "0.6559", "0.6855",
}  # fmt: skip
SIGMOIDS = "0.3992 0.2232 0.6435 0.3800 0.3044 0.3241 0.6281 0.4689 0.3834"
TERMS = "0.5095 1.4997 0.4408 0.4780 0.3630 1.1267 0.4651 0.6328 0.9587"
NO_CPU_KERNEL = {("torch.Tensor.bernoulli=mindspore.Tensor.bernoulli", "mindspore")}
"""Besides mindspore.mint, most of which has none."""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    corpus = load([Path("cases")])
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    file = RunFile.create(path)
    targets = [target.parse(name) for name in target.DEFAULT_TARGETS]
    session.execute(
        corpus, targets, file, selection=Selection(covering=True), jobs=DEFAULT_JOBS, timeout=120
    )
    file.close()
    reopened = RunFile.open(path)
    judged = judge_run(reopened, today=date.today())
    reopened.close()
    return judged


def test_nothing_differs_that_is_not_declared(verdicts: Verdicts) -> None:
    differing = [
        f"{j.item.case.id} {j.item.pair.id} {j.item.target}: {j.verdict.findings}"
        for j in verdicts.judgement.judged
        if j.verdict.status is Status.DIFFERS
    ]
    assert not differing
    assert not verdicts.judgement.problems
    assert commands.exit_code(verdicts) == 0


def test_every_target_started_and_every_item_ran(verdicts: Verdicts) -> None:
    assert all("unavailable" not in info for info in verdicts.targets.values())
    silent = [
        (j.item.case.id, j.item.target, j.outcome.reason)
        for j in verdicts.judgement.judged
        if isinstance(j.outcome, Unavailable)
        and not j.outcome.reason.startswith(("no oracle", "no API of"))
    ]
    assert not silent
    ended = [j for j in verdicts.judgement.judged if isinstance(j.outcome, Crashed | TimedOut)]
    assert all(j.verdict.status is Status.NOT_COMPARABLE for j in ended)  # each is declared
    assert len(ended) * 100 < len(verdicts.judgement.judged)


def test_every_pair_was_compared_on_both_frameworks_or_says_why(verdicts: Verdicts) -> None:
    compared: dict[tuple[str, str], set[str]] = {}
    reasons: dict[tuple[str, str], set[str]] = {}
    for one in verdicts.judgement.judged:
        key = (one.item.pair.id, one.item.framework)
        done = one.verdict.status is not Status.NOT_COMPARABLE
        compared.setdefault(key, set())
        (compared if done else reasons).setdefault(key, set()).add(one.verdict.why)
    never = {key for key, found in compared.items() if not found and key[1] != "numpy"}
    assert all(all(reasons[key]) for key in never), never
    mint = {key for key in never if "mindspore.mint." in key[0]}
    one_sided = {key for key in never if key[0].startswith("none=") or key[0].endswith("=none")}
    assert never == mint | one_sided | NO_CPU_KERNEL


def test_every_number_of_the_seeds_is_checked(verdicts: Verdicts) -> None:
    """The printed digits of the five documents, as claims that execution upholds or refutes."""
    printed = {check.printed for j in verdicts.judgement.judged for check in j.claims}
    everything = " ".join(printed)
    assert {number for number in SEEDS if number not in everything} == set()
    assert [number for number in f"{SIGMOIDS} {TERMS}".split() if number not in everything] == []


def test_slips_of_the_seeds_are_shown(verdicts: Verdicts) -> None:
    slips = [c for j in verdicts.judgement.judged for c in j.claims if c.slip]
    assert slips
    assert not any(check.holds for check in slips)
    refuted = [c for claims in verdicts.claims.values() for c in claims if c.holds is False]
    assert any(c.what.startswith("heading mindspore.nn.BCELoss over") for c in refuted)


def dead_links(page: Path) -> set[str]:
    """Return the links within `page` that lead nowhere."""
    text = page.read_text(encoding="utf-8")
    ids, links = (re.findall(p, text) for p in (r'id="([^"]+)"', r'href="#([^"]+)"'))
    return {unquote(unescape(link)) for link in links} - set(map(unescape, ids))


@pytest.fixture(scope="module")
def site(verdicts: Verdicts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    formats.render(verdicts, out, formats=list(formats.FORMATS))
    return out


def test_pages_are_written_for_every_operation(verdicts: Verdicts, site: Path) -> None:
    assert not set().union(*map(dead_links, site.rglob("*.html")))
    assert {p.stem for p in (site / "operations").glob("*.html")} == {*verdicts.claims}
    pairs = {j.item.pair.id for j in verdicts.judgement.judged}
    for language in ("en", "zh"):
        assert len(list((site / language).glob("*.md"))) > len(pairs)


BOTH = "binary_cross_entropy_with_logits"
PUBLISHED = {
    # The r2.4.10 page of BCEWithLogitsLoss, in Chinese: every fact of it.
    "torch.nn.BCEWithLogitsLoss=mindspore.nn.BCEWithLogitsLoss": [
        "比较与torch.nn.BCEWithLogitsLoss的差异 (r2.4.10)",
        "(weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None)"
        "(input, target) -> Tensor",
        "(reduction='mean', weight=None, pos_weight=None)(logits, labels) -> Tensor",
        "MindSpore后来已将调用参数更名为input和target",  # the signature, out of date
        "当前安装的版本中该参数名为input，与PyTorch一致",  # the first row
        "当前安装的版本中该参数名为target，与PyTorch一致",  # the second
        "参数2size_average-Deprecated by PyTorch; MindSpore does not have this parameter"
        "PyTorch已弃用该参数，MindSpore无此参数",
        "参数3reduce-Deprecated by PyTorch; MindSpore does not have this parameter",
        "pos_weightpos_weightSame function, same parameter name, same default value",
        "MindSpore的第一个参数是reduction",  # "only the names of inputs differ", refuted
        "一步计算只剩标签为0且预测很确定时的抵消误差",  # "more stable", with evidence
        "[[[4.17021990e-01, 7.20324516e-01, 1.14374816e-04], "
        "[3.02332580e-01, 1.46755889e-01, 9.23385918e-02]]] ✓",
        "[[[0., 1., 1.], [0., 0., 1.]]] ✓",
        "Published for PyTorch: 0.7142954",
        "Published for MindSpore: 0.71429545",
    ],
    # The r2.0 page of binary_cross_entropy_with_logits, in English.
    "torch.nn.functional.binary_cross_entropy_with_logits"
    "=mindspore.ops.binary_cross_entropy_with_logits": [
        "Function Differences with torch.nn.functional.binary_cross_entropy_with_logits (r2.0)",
        "(input, target, weight=None, size_average=None, reduce=None, reduction='mean', "
        "pos_weight=None)",
        "(logits, label, weight, pos_weight, reduction='mean')",
        "logits and label are now input and target, and weight and pos_weight default to None.",
        "size_average-Deprecated by PyTorch; MindSpore does not have this parameter",
        "reduce-Deprecated by PyTorch; MindSpore does not have this parameter",
        "[-0.8, 1.2, 0.7], [-0.1, -0.4, 0.7]",
        "[[ 0.3, 0.8, 1.2], [-0.6, 0.1, 2.2]]",
        "Published for MindSpore: 0.34636116",
        "Published for PyTorch: 0.3464",
    ],
}


@pytest.mark.parametrize("pair", PUBLISHED)
def test_every_fact_of_a_published_page_is_on_ours(site: Path, pair: str) -> None:
    text = (site / "operations" / f"{BOTH}.html").read_text(encoding="utf-8")
    shown = " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())
    assert [fact for fact in PUBLISHED[pair] if fact not in shown] == []
