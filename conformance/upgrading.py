"""What `upgrade` does: build both environments, run both sides, gate, repeat what changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from conformance import gating
from conformance.corpus import loader
from conformance.errors import CallerError, HarnessError
from conformance.judge import known as known_differences
from conformance.known_files import known_file, known_text
from conformance.report import terminal
from conformance.run import target
from conformance.run.select import Selection
from conformance.upgrade import environment, plan, sides
from conformance.upgrade.index import IndexOptions
from conformance.upgrade.spec import Spec, parse_spec


@dataclass(frozen=True)
class Building:
    """How environments are built."""

    options: IndexOptions
    builder: Literal["uv", "pip"] | None = None
    python: Path | None = None
    cache: Path | None = None


def upgrade(
    before: str,
    after: str,
    paths: Sequence[Path],
    *,
    targets: Sequence[str] | None,
    selection: Selection,
    limits: sides.Limits,
    confirm: int,
    building: Building,
    out: Path | None,
    known: Path | None,
    config: Path | None,
    annotate: bool,
) -> None:
    """Run the corpus before and after, and gate; exits 1 for regressions."""
    specs = parse_spec(before), parse_spec(after)
    chosen = plan.choose(*specs, targets, target.configured(config))
    corpus = loader.load(paths)
    file = known_file(paths, known)
    excuses = known_text(file)
    if excuses:
        known_differences.parse(*reversed(excuses))
    folder = out or Path("reports/upgrades", "-to-".join(_readable(s.label) for s in specs))
    if folder.is_file():
        raise CallerError(f"{folder}: a file; --out names a folder")
    outputs = {
        "json": folder / "gate.json",
        "junit": folder / "junit.xml",
        "markdown": folder / "gate.md",
    }
    site = folder / "site"
    with gating.failing_into(outputs, annotate=annotate, html=site):
        made = _sides(specs, chosen, folder, building)
        typer.echo(f"running {len(corpus.documents)} operations on both sides", err=True)
        try:
            with terminal.Progress() as progress:
                both = [side.watched(progress.of(side.label)) for side in made]
                facts = {"known": excuses, "known_complete": False}
                sides.run(both, corpus, selection, limits, facts)
            typer.echo("judging", err=True)
            result = gating.compared(both[0].path, both[1].path, file)
            if confirm and result.repeatable:
                typer.echo(f"repeating {len(result.repeatable)} changes", err=True)
                with terminal.Progress() as progress:
                    both = [side.watched(progress.of(side.label)) for side in made]
                    sides.confirm(both, corpus, result.repeatable, times=confirm, limits=limits)
                result = gating.compared(both[0].path, both[1].path, file)
        except KeyboardInterrupt:
            raise HarnessError(f"interrupted; what was run lies in {folder}") from None
        gating.tell(result, outputs, annotate=annotate)
        gating.site(both[0].path, both[1].path, site, known=file)
    typer.echo(f"run files and report in {folder}")
    raise typer.Exit(result.exit_code)


def _sides(
    specs: tuple[Spec, Spec], chosen: plan.UpgradePlan, folder: Path, building: Building
) -> list[sides.SideRun]:
    """Build both environments and see that every target starts in them."""
    made = []
    for spec, name in zip(specs, ("baseline", "candidate"), strict=True):
        built = environment.build(
            spec,
            chosen.frameworks,
            options=building.options,
            builder=building.builder,
            python=building.python,
            cache=building.cache,
            echo=lambda line: typer.echo(line, err=True),
        )
        path = folder / f"{name}.sqlite"
        side = sides.SideRun(spec.label, chosen.on(built), path, built.packages)
        sides.start(side)
        made.append(side)
    return made


def _readable(label: str) -> str:
    return re.sub(r"[^\w.]+", "-", label).strip("-")
