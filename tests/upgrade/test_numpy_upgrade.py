"""A real upgrade: NumPy 1.26.4 to NumPy 2, in two environments of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from conformance.judge.verdict import Status
from tests.upgrade.test_numpy2 import CHANGES, FOLDER

REMOVED = ("alltrue", "cumproduct", "in1d", "product", "round_", "sometrue", "trapz")
ADDED = {
    ("numpy.asarray", "parameter copy added"),
    ("numpy.asarray", "parameter device added"),
    ("numpy.unique", "parameter sorted added"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("numpy")
    command = [sys.executable, "-m", "conformance", "upgrade", "numpy==1.26.4", "numpy==2.4.6"]
    options = ["--cases", str(FOLDER), "--cache", str(folder / "environments")]
    done = subprocess.run(
        [*command, *options, "--out", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr[-2000:]
    found: dict[str, Any] = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    return found


def test_promotion_copies_and_removed_names_appear_and_nothing_else(told: dict[str, Any]) -> None:
    shown = {
        (c["case"], c["api"]): c["category"]
        for c in told["changes"]
        if c["category"] != "signature drift"
    }
    wanted = {
        key: "fixed" if after is Status.CONFORMS else "broken"
        for key, (_, after) in CHANGES.items()
    }
    assert shown == wanted


def test_names_that_are_gone_and_parameters_that_came(told: dict[str, Any]) -> None:
    drift = [c for c in told["changes"] if c["category"] == "signature drift"]
    gone = {c["api"] for c in drift if c["detail"].startswith("API removed")}
    assert gone == {f"numpy.{name}" for name in REMOVED}
    assert {(c["api"], c["detail"]) for c in drift} >= ADDED
    assert all(c["regression"] for c in drift if "removed" in c["detail"])
    assert not any(c["regression"] for c in drift if "added" in c["detail"])


def test_both_sides_ran_whole_and_where_they_should(told: dict[str, Any]) -> None:
    versions = [told[side]["targets"]["numpy"]["version"] for side in ("baseline", "candidate")]
    assert versions == ["1.26.4", "2.4.6"]
    assert told["compared"] == {"numpy": 56}
    assert "package numpy 1.26.4 → 2.4.6" in told["facts"]
    assert [fact for fact in told["facts"] if fact.startswith("package")] == [
        "package numpy 1.26.4 → 2.4.6"
    ]
