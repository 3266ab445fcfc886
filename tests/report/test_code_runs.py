"""The programs on the pages make the call that the workers make, on the real frameworks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = HERE.parents[1] / "cases"
MAX_CRASHES = 20


def run(*arguments: str, cwd: Path) -> tuple[int, list[str], str]:
    command = [sys.executable, str(HERE / "agreement.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.frameworks
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("framework", "full"),
    [
        ("torch", False),
        ("torch", True),
        ("mindspore", False),
        ("mindspore", True),
        ("numpy", False),
    ],
)
def test_programs_make_the_workers_call(framework: str, full: bool, tmp_path: Path) -> None:
    ran, disagreements, first = 0, [], 0
    for _ in range(MAX_CRASHES):
        options = ["--from", str(first), *(["--full"] if full else [])]
        code, lines, errors = run(framework, str(CASES), *options, cwd=tmp_path)
        disagreements += [json.loads(line) for line in lines if line.startswith("{")]
        ran += sum(" program " in line for line in lines)
        if lines and lines[-1] == "done":
            break
        assert lines, errors[-2000:]
        number, who, *_ = lines[-1].split()
        assert code < 0, errors[-2000:]
        assert who == "worker", f"only the program crashes: {lines[-1]}"
        first = int(number) + 1
    else:
        pytest.fail("the frameworks crash more often than a corpus can mean")
    assert disagreements == []
    assert ran > 30
