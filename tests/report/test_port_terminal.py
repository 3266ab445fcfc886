"""A verified port on a terminal: everything once, nothing that was not asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.phrase import Phrase
from conformance.port.result import Cause, PortResult, WeightRow
from conformance.report import port_terminal
from tests.report import ported


def printed(result: PortResult, capsys: pytest.CaptureFixture[str]) -> list[str]:
    port_terminal.show(result)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_sentence_is_first_and_modes_that_show_the_same_share_a_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = ported.differing()
    lines = printed(result, capsys)
    assert lines[0] == result.sentence
    table = [line.split() for line in lines[1:5]]
    assert table[0][:4] == ["size", "pass", "mode", "output"]
    assert table[1][:5] == ["default", "eval", "pynative,", "graph", "0"]
    assert table[2][:3] == ["even", "eval", "pynative"]
    assert table[3][:3] == ["default", "train", "pynative"]


def test_a_ratio_is_not_told_in_words_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(ported.differing(), capsys)
    assert not any("the port is" in line for line in lines[:10])
    wrong = [line for line in lines if line.startswith("  differs ")]
    assert wrong[0].endswith(" 41.2") and ": ratio " in wrong[0]  # noqa: PT018
    assert wrong[-1] == "  differs bn.running_mean: moves in the port only"
    assert not any("farther" in line for line in wrong)


def test_what_is_cut_off_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    causes = tuple(Cause("layer", f"layer{n}", f"words {n}", "") for n in range(21))
    rows = tuple(WeightRow(f"w{n}", "", (1,), None, problem="not mapped") for n in range(13))
    lines = printed(replace(ported.agreeing(), causes=causes, weights=rows), capsys)
    assert "and 9 more causes" in lines
    assert "cause: words 11: layer11" in lines
    assert "cause: words 12: layer12" not in lines
    assert "and 1 more rows" in lines


def test_a_tensor_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = Phrase("{tensor}: {problem}", tensor="fc.bias", problem="not mapped")
    rows = (
        WeightRow("fc.bias", "", (1,), None, problem="not mapped"),
        WeightRow("a.bias", "b.bias", (1,), (2,), problem="shape changed"),
    )
    causes = (Cause("weights", "fc.bias", words, ""),)
    lines = printed(replace(ported.agreeing(), causes=causes, weights=rows), capsys)
    assert [line for line in lines if "fc.bias" in line] == ["cause: fc.bias: not mapped"]
    assert "weights: a.bias → b.bias: shape changed" in lines


def test_what_was_not_asked_for_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    result = ported.agreeing()
    lines = printed(result, capsys)
    assert not any(line.startswith(("step", "state")) for line in lines)
    assert any(line.startswith("gradient: 1 same") for line in lines)
    lines = printed(replace(result, gradients=(), trajectory=()), capsys)
    assert not any(line.startswith(("gradient", "training")) for line in lines)


def test_training_is_told_by_its_end_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = ported.differing()
    (line,) = [line for line in printed(result, capsys) if line.startswith("training: ")]
    assert line.startswith("training: after 8 steps the port is 8.0e-03 from float64, float32 ")
    last = result.trajectory[-1]
    assert line.endswith(f"loss {last.port_loss:.4g}, PyTorch's {last.torch_loss:.4g}")
