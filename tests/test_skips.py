"""A skipped test fails the whole, and not a part that was chosen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("chosen", "code"), [((), 1), (("-m", "not other"), 0), (("-k", "test"), 0)]
)
def test_skips(tmp_path: Path, chosen: tuple[str, ...], code: int) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    text = "import pytest\n\ndef test_a():\n    pass\n\ndef test_b():\n    pytest.skip('x')\n"
    (tmp_path / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert ("1 skipped, which counts as failed" in done.stdout) is bool(code)
