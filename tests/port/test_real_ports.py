"""Ports that were not written here, in environments of their own; docs/ports tells of all six.

`make test` builds the environments first.  Without them these tests fail: a port that nobody ran
is not green.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PORTS = Path(__file__).parents[2] / "docs/ports"
pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(1200)]


def verified(name: str, tmp_path: Path) -> dict[str, Any]:
    """Return what `conformance port` finds, as JSON."""
    out = tmp_path / "found.json"
    command = [sys.executable, "-m", "conformance", "port", str(PORTS / f"{name}.yaml")]
    done = subprocess.run(
        [*command, "--seeds", "2", "--json", str(out), "--out", str(tmp_path)],
        cwd=PORTS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.exists(), f"{done.stderr}\n(make test builds .venv-vision and .venv-mindcv)"
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    assert done.returncode == found["exit_code"]
    return found


def test_mindcvs_mobilenet_v2_is_torchvisions(tmp_path: Path) -> None:
    found = verified("mobilenet_v2", tmp_path)
    assert found["causes"] == []
    assert found["verdict"] == "same", found["sentence"]
    rows = [*found["forward"], *found["gradients"], *found["state"]]
    assert {row["verdict"] for row in rows} == {"same"}
    assert {row["mode"] for row in found["forward"]} == {"pynative", "graph"}
    assert not [row for row in found["weights"] if row["problem"]]
    # A bias before a normalisation has no true gradient: 17 of 158.
    none = [row for row in found["gradients"] if row["problem"].startswith("no gradient on either")]
    assert (len(none), len(found["gradients"])) == (17, 158)


def test_mindcvs_mobilenet_v1_has_relu_where_timms_has_relu6(tmp_path: Path) -> None:
    found = verified("mobilenetv1_100", tmp_path)
    assert found["verdict"] == "differs"
    (cause,) = [one for one in found["causes"] if one["confirmed"]]
    assert (cause["what"], cause["page"]) == ("kind", "relu")
    assert "ReLU in the port, ReLU6 in PyTorch" in found["sentence"]
