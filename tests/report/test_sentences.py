"""What the judge says, in Chinese: no sentence is left out, and numbers and quotations survive."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
from babel.messages import pofile
from babel.messages.extract import extract_from_dir

from conformance.corpus.model import Text
from conformance.gate.record import evidence
from conformance.judge import compare, words
from conformance.judge.budget import Budget
from conformance.judge.compare import Rules
from conformance.judge.expected import Expected
from conformance.judge.run import judge_run
from conformance.judge.verdict import Finding
from conformance.phrase import Phrase
from conformance.report import formats, sentences, text
from conformance.run.store import RunFile
from conformance.taxonomy import Kind
from tests.site import scale

PACKAGE = Path(words.__file__).parents[1]


def catalogue() -> dict[str, str]:
    with (text.LOCALE / "zh" / "LC_MESSAGES" / "judge.po").open("rb") as file:
        found = pofile.read_po(file, locale="zh", abort_invalid=True)
    return {str(m.id): "" if m.fuzzy else str(m.string) for m in found if m.id}


def used() -> set[str]:
    """Every template that the judge, or the report in its stead, puts values into."""
    folders = {"judge": {"said": None}, "report": {"said": None}, "reference": {"Relation": None}}
    return {
        str(message)
        for folder, keywords in folders.items()
        for _, _, message, _, _ in extract_from_dir(
            str(PACKAGE / folder), method_map=[("**.py", "python")], keywords=keywords
        )
    }


def fields(template: str) -> list[tuple[str, str | None]]:
    found = ((name, spec) for _, name, spec, _ in Formatter().parse(template) if name)
    return sorted(found)


def test_every_template_has_chinese_and_none_is_left_over() -> None:
    known = catalogue()
    assert len(known) > 80
    assert used() == set(known)
    assert [template for template, chinese in known.items() if not chinese] == []


def test_values_survive_translation() -> None:
    for template, chinese in catalogue().items():
        assert fields(template) == fields(chinese), template


def wrong(dtype: str = "float32", size: int = 3) -> Finding:
    """What the judge really says of a wrong value."""
    expected = Expected(words.said("output {number}", number=1), np.full(size, 2.0), dtype)
    got = np.full(size, 2.5, np.float32)
    found = compare.compare(got, expected, 0.0, Rules(Budget(16.0)))
    return found.findings[-1]


def test_a_finding_of_the_judge_is_chinese() -> None:
    finding = wrong()
    assert sentences.told(finding.where, "zh") == "输出1"
    told = sentences.told(finding.detail, "zh")
    assert told.startswith("3个元素中有3个不一致：输出1[0]为2.5，应为2；最大绝对误差为0.5，误差为")
    assert told.endswith("个舍入单位，上限为16")
    assert sentences.told(finding.detail, "en") == str(finding.detail)


def test_what_a_framework_said_stays_as_it_is() -> None:
    does = words.said(
        "raises {exception} ({message})", exception="ValueError", message="{0} returns"
    )
    line = words.said("{does}, but should return", does=does)
    assert line == "raises ValueError ({0} returns), but should return"
    assert sentences.told(line, "zh") == "抛出ValueError（{0} returns），应正常返回"
    assert sentences.told("a plain text", "zh") == "a plain text"


def test_prose_kinds_and_lists_are_in_the_language() -> None:
    why = Text(en="it draws", zh="结果随机")
    assert words.said("no oracle: {why}", why=why) == "no oracle: it draws"
    assert sentences.told(words.said("no oracle: {why}", why=why), "zh") == "无参考实现：结果随机"
    rows = words.said(
        "{torch} | {mindspore} | {kinds}", torch="a", mindspore="-", kinds=[Kind.NAME, Kind.ORDER]
    )
    assert rows == "a | - | name, order"
    assert sentences.told(rows, "zh") == "a | - | 参数名、参数顺序"


def test_a_sentence_travels_between_processes() -> None:
    detail = wrong().detail
    back = pickle.loads(pickle.dumps(detail))
    assert isinstance(back, Phrase)
    assert back == detail
    assert sentences.told(back, "zh") == sentences.told(detail, "zh")


def test_a_long_sentence_is_cut_in_its_own_language() -> None:
    assert sentences.short(wrong().detail, "zh", 12) == "3个元素中有3个不一致…"


@pytest.mark.parametrize("number", [1, 2])
def test_what_a_record_keeps_is_a_sentence_again(number: int) -> None:
    findings = (wrong(), Finding(Kind.GRADIENT, words.said("gradient"), wrong(size=1).detail))
    line = evidence(findings[:number])
    told = sentences.told(sentences.evidence(line), "zh")
    assert sentences.evidence(line) == line
    assert told.startswith(
        "数值：输出1：3个元素中有3个不一致：输出1[0]为2.5，应为2；最大绝对误差为0.5"
    )
    assert ("；梯度：梯度：结果不一致：输出1[0]为2.5" in told) is (number == 2)


def test_what_a_record_cut_or_nobody_says_stays_english() -> None:
    for line in ("value: output: 3 of 3 elements differ: output[0] is", "call: nobody says so"):
        assert sentences.evidence(line) == line
        assert sentences.told(sentences.evidence(line), "zh").endswith(line.split(": ")[-1])


def test_pages_say_it_in_both_languages_and_tables_in_english(tmp_path: Path) -> None:
    scale.write(tmp_path / "run.sqlite", operations=1)
    run = RunFile.open(tmp_path / "run.sqlite")
    verdicts = judge_run(run, today=date(2026, 1, 2))
    run.close()
    formats.render(verdicts, tmp_path, formats=("html", "markdown", "csv", "json"))
    page = (tmp_path / "operations" / "operation_0.html").read_text()
    assert '<span class="l" lang="zh-CN">12个元素中有' in page
    assert '<span class="l" lang="en">12 elements' not in page
    assert "of 12 elements differ: output[" in page
    assert "抛出ValueError（Unsupported op" in page
    chinese, english = (
        "".join(p.read_text() for p in (tmp_path / language).glob("torch*.md"))
        for language in ("zh", "en")
    )
    assert "12个元素中有" in chinese
    assert "elements differ" not in chinese
    assert "elements differ" in english
    for table in ("verdicts.csv", "verdicts.json"):
        assert "个元素中有" not in (tmp_path / table).read_text()
    assert "elements differ" in (tmp_path / "verdicts.json").read_text()
