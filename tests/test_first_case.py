"""docs/first-case.md, executed: files are written as they stand, commands print what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
EXIT = re.compile(r"\[exit code (\d)\]")


@dataclass(frozen=True)
class Block:
    """A fenced block: ``console``, or a file's language, name and whether it is appended."""

    language: str
    file: str
    append: bool
    text: str


def blocks(page: str) -> Iterator[Block]:
    for found in BLOCK.finditer(page):
        language, *rest = found["info"].split()
        yield Block(language, rest[0] if rest else "", rest[1:] == ["append"], found["text"])


def commands(text: str) -> Iterator[tuple[list[str], int, list[str]]]:
    """Yield each command of a console block, its exit code, and the lines it must print."""
    for part in text.split("$ ")[1:]:
        line, *printed = part.splitlines()
        code = next((int(m[1]) for p in printed if (m := EXIT.fullmatch(p))), 0)
        yield (
            line.split(),
            code,
            [p.strip() for p in printed if not EXIT.fullmatch(p) and p.strip()],
        )


def program(name: str) -> list[str]:
    return [sys.executable, "-m", "conformance"] if name == "conformance" else [sys.executable]


@pytest.mark.frameworks
def test_the_walkthrough_works_as_written(tmp_path: Path) -> None:
    for folder in ("conformance", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "300"}
    ran = 0
    for block in blocks((ROOT / "docs" / "first-case.md").read_text(encoding="utf-8")):
        if block.language != "console":
            path = tmp_path / block.file
            before = path.read_text(encoding="utf-8") if block.append else ""
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{before}\n{block.text}" if before else block.text, encoding="utf-8")
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
            at = 0
            for line in printed:
                at = said.find(line, at)
                assert at >= 0, f"{name} {arguments} does not print {line!r}, but {said}"
            assert "SURVIVED" not in said
            ran += 1
    assert ran == 6
    assert (tmp_path / "reports" / "operations" / "logaddexp.html").exists()
