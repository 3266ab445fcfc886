"""Seeded regressions: the gate names each, in its category, and nothing else.

Two versions of a toy framework are built as wheels, differ by one thing after the other (see
`tests.upgrade.seeded`), and go through the real command line in environments of their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from conformance.gate.change import Category
from tests.fakes import FAKES
from tests.upgrade.seeded import behaviour, signatures
from tests.upgrade.seeded.seed import PACKAGE, Row, Seed, framework
from tests.upgrade.wheels import make_wheel

SEEDS = [*behaviour.SEEDS, *signatures.SEEDS]
EXPECTED = [told.row(seed) for seed in SEEDS for told in seed.told]


@dataclass
class Gated:
    """What an upgrade ended with."""

    code: int
    out: str
    json: dict[str, Any]
    page: str

    @property
    def changes(self) -> list[tuple[Row, dict[str, Any]]]:
        """The changes that the gate reports, as rows and in full."""
        return [(row(change), change) for change in self.json["changes"]]


@dataclass
class Toy:
    """The toy's project: wheels, cases, and where environments are kept."""

    folder: Path

    def write(self) -> None:
        """Write the wheels of both versions, the cases, the known differences, the adapter."""
        numpy = f"numpy=={metadata.version('numpy')}"
        for version in ("1.0", "2.0"):
            files = framework(SEEDS, version)
            make_wheel(self.folder / "wheels", PACKAGE, version, files, [numpy])
        (self.folder / "cases").mkdir()
        (self.folder / "tmp").mkdir()
        for seed in SEEDS:
            (self.folder / "cases" / f"{seed.name}.yaml").write_text(seed.yaml(), "utf-8")
        (self.folder / "cases" / "known.yaml").write_text(behaviour.known_yaml(), "utf-8")
        adapter = f'[targets.torch]\nadapter = "{FAKES / "toy.py"}"\n'
        (self.folder / "conformance.toml").write_text(adapter, "utf-8")

    def upgrade(self, before: str, after: str, *more: str) -> Gated:
        """Run ``conformance upgrade`` from one version of the toy to another."""
        specs = [f"{PACKAGE}=={version}" for version in (before, after)]
        place = ["--find-links", "wheels", "--cache", "environments", "--builder", "uv"]
        given = [*specs, "-t", "torch", *place, "--timeout", "2", "--out", "out", *more]
        done = subprocess.run(
            [sys.executable, "-m", "conformance", "upgrade", *given],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr[-3000:]
        found = json.loads((self.folder / "out" / "gate.json").read_text("utf-8"))
        page = (self.folder / "out" / "site" / "upgrade.html").read_text("utf-8")
        return Gated(done.returncode, done.stdout, found, page)


def row(change: dict[str, Any]) -> Row:
    moved = f"{change['before']} → {change['after']}"
    kind = Category(change["category"])
    what = {Category.SIGNATURE: change["detail"], Category.SLOWER: ""}.get(kind, moved)
    return Row(kind.value, change["api"], change["case"], what, change["regression"])


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    made = Toy(tmp_path_factory.mktemp("toy"))
    made.write()
    return made


@pytest.fixture(scope="module")
def gated(toy: Toy) -> Gated:
    return toy.upgrade("1.0", "2.0", "--repeat", "2", "--confirm", "1")


def test_nothing_else_is_told_and_nothing_twice(gated: Gated) -> None:
    assert sorted(found for found, _ in gated.changes) == sorted(EXPECTED)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_each_is_named_in_its_category(gated: Gated, seed: Seed) -> None:
    about = re.compile(rf"\b{seed.name}\b")
    mine = {
        found: change
        for found, change in gated.changes
        if about.search(f"{found.api} {found.what}")
    }
    assert sorted(mine) == sorted(told.row(seed) for told in seed.told)
    for told in seed.told:
        assert re.search(told.evidence, mine[told.row(seed)]["detail"])


def test_only_what_varies_is_said_to_vary(gated: Gated) -> None:
    varying = {item["case"].partition("/")[0] for item in gated.json["nondeterministic"]}
    drawn = {seed.name for seed in behaviour.VARYING}
    assert varying == drawn | {"sometimes_broken", "known_at_times"}


def test_the_site_has_a_page_that_shows_each(gated: Gated) -> None:
    categories = re.findall(r'<th scope="row"><a href="#', gated.page)
    assert len(categories) == sum(map(bool, gated.json["counts"].values()))
    for _, change in gated.changes:
        assert escape(change["case"] or change["detail"]) in gated.page


def test_regressions_fail_the_gate(gated: Gated) -> None:
    assert gated.code == gated.json["exit_code"] == 1


def test_a_version_against_itself_shows_nothing(toy: Toy) -> None:
    same = toy.upgrade("1.0", "1.0", "--confirm", "3")
    assert (same.code, same.json["exit_code"], same.changes) == (0, 0, [])
    assert {item["case"] for item in same.json["nondeterministic"]} == {
        "varies_in_both/c0",
        "varies_no_more/c0",
    }
    assert same.json["facts"] == [
        "2 calls did another thing when they were repeated; their values are not compared"
    ]
