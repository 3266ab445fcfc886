"""docs/port.md: its walkthrough executed, its example read, every key told."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from conformance.corpus import yamlmarks
from conformance.port import budget, config, transforms
from conformance.port.config import PortConfig
from tests.test_first_case import ROOT, blocks, commands, program

PAGE = (ROOT / "docs" / "port.md").read_text(encoding="utf-8")


@pytest.mark.frameworks
def test_the_walkthrough_works_as_written(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    ran = 0
    for block in blocks(PAGE):
        if block.language != "console":
            if block.file:
                with (tmp_path / block.file).open("a" if block.append else "w") as file:
                    file.write(block.text)
            continue
        for (name, *arguments), code, printed in commands(block.text):
            done = subprocess.run(
                [*program(name), *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            said = done.stdout + done.stderr
            assert done.returncode == code, said
            for line in printed:
                assert line in said, f"{arguments} does not print {line!r}, but {said}"
            ran += 1
    assert ran == 4
    assert (tmp_path / "reports" / "ports" / "first.html").exists()


def test_what_stands_below_the_walkthrough_is_true_of_mindspores_own_adamw() -> None:
    """Without bias correction the first update is (1 - beta1) / sqrt(1 - beta2) times as long."""
    assert f"{(1 - 0.9) / (1 - 0.999) ** 0.5:.2f}" == "3.16"
    assert "3.16 times" in PAGE


def test_the_example_is_a_configuration() -> None:
    (text,) = [block.text for block in blocks(PAGE) if block.language == "yaml" and not block.file]
    found = PortConfig.model_validate(yamlmarks.parse(text, "port.yaml").data)
    assert found.memory == 2**30
    assert found.training is not None
    assert found.training.steps == 8


def test_every_key_is_told() -> None:
    models = (PortConfig, config.SideConfig, config.TorchConfig, config.MindSporeConfig)
    keys = {key for model in models for key in model.model_fields}
    keys |= {f"weights.{key}" for key in config.Weights.model_fields}
    keys |= {f"training.{key}" for key in config.Training.model_fields}
    inputs = {*config.GENERATORS, *config.Input.model_fields} | {"transform"}
    table = PAGE.split("## port.yaml")[1].split("## Weights")[0]
    told = set(re.findall(r"`([\w.]+)[`:]", table))
    assert keys | inputs <= told
    for transform in transforms.TRANSFORMS:
        assert f"`{transform}`" in table


def test_the_budgets_are_those_of_the_judge() -> None:
    rows = re.findall(r"^\| (.*?) \| (\d+) \| (\d+) \| ([\d, ]+|none) \|", PAGE, re.MULTILINE)
    judged = [budget.OUTPUT, budget.LAYER, budget.GRADIENT, budget.LOSS, budget.STATE, budget.STEP]
    judged.append(budget.TRAJECTORY)
    assert len(rows) == len(judged)
    for (_, same, differs, peaks), one in zip(rows, judged, strict=True):
        assert (float(same), float(differs)) == (one.same, one.differs)
        told = [float(peak) for peak in peaks.split(",")] if peaks != "none" else [float("inf")] * 2
        assert told == [one.peak_same, one.peak_differs]
    assert "less than\n4,096 roundoffs" in PAGE
    assert budget.DEAD == 4096 * 2.0**-24
    assert budget.NOISE == 0.01
    assert (budget.OUTPUT.outlier, budget.LAYER.outlier) == (32, 64)
    assert budget.GRADIENT.outlier == 2**22
