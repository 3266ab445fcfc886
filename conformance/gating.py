"""What `gate`, `baseline` and `known suggest` do, between the layers and the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import typer

from conformance.gate import baseline as texts
from conformance.gate import formats, side, suggest, words
from conformance.gate.confirm import confirm as again
from conformance.gate.gate import Result
from conformance.gate.gate import gate as compare
from conformance.gate.side import Side
from conformance.judge import known as known_differences
from conformance.judge.known import Known
from conformance.judge.run import judge_run
from conformance.known_files import known_text
from conformance.report.build_upgrade import upgrade_view
from conformance.report.formats import render
from conformance.report.pages import UPGRADE
from conformance.report.upgrade_views import UpgradeView
from conformance.run import target
from conformance.run.store import RunFile


def gate(
    baseline: Path,
    candidate: Path,
    *,
    known: Path | None,
    outputs: Mapping[str, Path],
    annotate: bool,
    html: Path | None = None,
    confirm: int = 0,
    config: Path | None = None,
) -> None:
    """Compare, print, write; exits 1 for regressions.

    With `confirm`, what changed is made that often again by the candidate's targets first.  `html`
    is a folder for the site of the candidate, with a page of what changed.

    When nothing can be compared, the `outputs` say so too: what a gate left there before must not
    be read in its place.
    """
    with failing_into(outputs, annotate=annotate, html=html):
        result = compared(baseline, candidate, known)
        if confirm and result.repeatable and candidate.is_file():
            typer.echo(f"repeating {len(result.repeatable)} changes", err=True)
            configured = target.configured(config)
            targets = [target.parse(name, configured) for name in result.candidate.targets]
            again(candidate, targets, result.repeatable, times=confirm)
            result = compared(baseline, candidate, known)
        tell(result, outputs, annotate=annotate)
        if html is not None:
            site(baseline, candidate, html, known=known)
    raise typer.Exit(result.exit_code)


def compared(baseline: Path, candidate: Path, known: Path | None) -> Result:
    """Open both sides and compare them."""
    with sides(baseline, candidate) as (before, after):
        return compare(before, after, known=excuses(known, after), today=date.today())


def site(baseline: Path, candidate: Path, out: Path, *, known: Path | None) -> None:
    """Write the site of the run file `candidate` with the page of what changed into `out`.

    All pages are judged by the same known differences: `known`, else those of the run.
    """
    upgrade = changed(baseline, candidate, known)
    run = RunFile.open(candidate)
    try:
        if known is not None:
            run.suppose(known=known_text(known))
        verdicts = judge_run(run, today=date.today())
    finally:
        run.close()
    for written in render(verdicts, out, upgrade=upgrade):
        typer.echo(f"wrote {written}")


def changed(baseline: Path, candidate: Path, known: Path | None) -> UpgradeView:
    """Open both sides, compare them, and return what a page shows of it."""
    with sides(baseline, candidate) as (before, after):
        return upgrade_view(compare(before, after, known=excuses(known, after), today=date.today()))


@contextmanager
def failing_into(
    outputs: Mapping[str, Path], *, annotate: bool, html: Path | None = None
) -> Iterator[None]:
    """Write into `outputs` that nothing was compared, and why, when that is so.

    The page of what changed that an earlier gate left in `html` is removed before anything else.
    """
    try:
        if html is not None:
            (html / UPGRADE).unlink(missing_ok=True)
        yield
    except KeyboardInterrupt:
        formats.write_failure("interrupted", outputs)
        raise
    except Exception as error:
        code = getattr(error, "exit_code", 2 if isinstance(error, OSError) else 3)
        formats.write_failure(" ".join(str(error).split()), outputs, code)
        if annotate:
            typer.echo(formats.github_error("conformance", str(error)))
        raise


def tell(result: Result, outputs: Mapping[str, Path], *, annotate: bool) -> None:
    """Print a result and write it in the formats asked for."""
    for line in words.lines(result):
        typer.echo(line)
    formats.write(result, outputs)
    if annotate:
        for command in formats.github_annotations(result):
            typer.echo(command)


def baseline(run: Path, out: Path) -> None:
    """Write a run as the baseline in the folder `out`."""
    found = side.of_run(run, today=date.today())
    try:
        size = texts.write(found, out)
    finally:
        found.close()
    counts = ", ".join(f"{n} {status}" for status, n in side.tally(found.records).items())
    typer.echo(f"wrote {out}: {len(found.records)} items ({counts}), {size / 1e6:.2f} MB")


def known_suggest(baseline: Path, candidate: Path, *, known: Path | None, out: Path | None) -> None:
    """Print entries for what broke, or add them to the file `out`."""
    today = date.today()
    with sides(baseline, candidate) as (before, after):
        given = known or (out if out and out.is_file() else None)
        result = compare(before, after, known=excuses(given, after), today=today)
        found = suggest.entries(result, today)
    if out is None:
        typer.echo(suggest.text(found) if found else "[]")
    else:
        added = suggest.add(found, out)
        told = "; fill in reason, owner and link" if added else ": nothing broke that it lacks"
        typer.echo(f"{out}: {added} entries added{told}")
    rest = dict.fromkeys(f"{c.api}: {c.category.value}" for c in suggest.left_out(result))
    for line in rest:
        typer.echo(f"no entry can excuse {line}; a new baseline accepts it", err=True)


@contextmanager
def sides(baseline: Path, candidate: Path) -> Iterator[tuple[Side, Side]]:
    """Open both sides, each a run file or the folder of a baseline."""
    before = open_side(baseline)
    try:
        after = open_side(candidate)
        try:
            yield before, after
        finally:
            after.close()
    finally:
        before.close()


def open_side(path: Path) -> Side:
    """Return the side at `path`."""
    return texts.read(path) if path.is_dir() else side.of_run(path, today=date.today())


def excuses(known: Path | None, candidate: Side) -> list[Known]:
    """Return the known differences in `known`, or those the candidate's run was judged with."""
    if known is not None:
        name, text = known_text(known)
        return known_differences.parse(text, name)
    path, text = candidate.manifest.get("known") or ("", "[]")
    return known_differences.parse(text, path)
