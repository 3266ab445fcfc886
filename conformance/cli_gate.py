"""The commands of the upgrade gate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from conformance import gating, upgrading
from conformance.cli_options import Config, Known
from conformance.errors import CallerError
from conformance.gate.confirm import TIMES
from conformance.gate.formats import WRITERS
from conformance.run.pool import DEFAULT_JOBS
from conformance.run.select import Selection
from conformance.upgrade.index import IndexOptions
from conformance.upgrade.sides import Limits

app = typer.Typer()
known_app = typer.Typer(no_args_is_help=True, help="Known differences: temporary exemptions.")
app.add_typer(known_app, name="known")

BASELINE = Path("reports/baseline")
ON_GITHUB = os.environ.get("GITHUB_ACTIONS") == "true"

Before = Annotated[
    Path,
    typer.Argument(help="A run file, or the folder of a committed baseline.", metavar="BASELINE"),
]
After = Annotated[Path, typer.Argument(help="A run file.", metavar="CANDIDATE")]
KnownToRun = Annotated[
    Path | None,
    typer.Option(help="Known differences.", show_default="those the candidate's run was made with"),
]
Json = Annotated[Path | None, typer.Option(help="Write the whole result as JSON.")]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit XML.")]
Markdown = Annotated[Path | None, typer.Option(help="Write a Markdown page.")]
Html = Annotated[
    Path | None,
    typer.Option(help="Write CANDIDATE's site into this folder, with a page of what changed."),
]
Annotate = Annotated[
    bool,
    typer.Option(
        "--annotate/--no-annotate",
        help="Print GitHub annotations on case files.",
        show_default="when GITHUB_ACTIONS is true",
    ),
]


@app.command()
def gate(
    baseline: Before,
    candidate: After,
    confirm: Annotated[
        int, typer.Option(min=0, help="Make what changed so often again in CANDIDATE's targets.")
    ] = 0,
    known: KnownToRun = None,
    config: Config = None,
    json: Json = None,
    junit: Junit = None,
    markdown: Markdown = None,
    html: Html = None,
    annotate: Annotate = ON_GITHUB,
) -> None:
    """Say what CANDIDATE broke, fixed and drifted of what BASELINE showed, API by API.

    Items are joined by what was asked of the framework, so an edited case is never a
    regression; where it differs now and did not before, it fails all the same.
    With `--confirm 5` what changed is first made again on this machine, so that what varies by
    itself is not called a change.
    Exit code 1: something broke, is judged no more, or a signature changed so that callers break.
    Exit code 3: the two cannot be compared (a run did not finish, a target did not start, other
    targets or selections, another corpus, nothing in common).
    """
    outputs = chosen(json, junit, markdown)
    _keep([baseline, candidate], outputs if html is None else {**outputs, "html": html})
    if html is not None and candidate.is_dir():
        raise CallerError(f"--html {html}: made from a run file, and {candidate} is a folder")
    gating.gate(
        baseline,
        candidate,
        known=known,
        outputs=outputs,
        annotate=annotate,
        html=html,
        confirm=confirm,
        config=config,
    )


@app.command()
def baseline(
    run: Annotated[Path, typer.Argument(help="A finished run file.")] = Path("reports/run.sqlite"),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = BASELINE,
) -> None:
    """Write a run as text to commit: what the gate compares the next run with.

    The same results give the same bytes.  Make the run with `--all`, and with `--repeat 2` or more
    so that what does not repeat is known.
    """
    gating.baseline(run, out)


@app.command()
def upgrade(
    before: Annotated[
        str, typer.Argument(help="Such as mindspore==2.9.0, or torch==2.13.0,numpy==1.26.4.")
    ],
    after: Annotated[str, typer.Argument(help="The same packages in other versions.")],
    cases: Annotated[
        list[Path] | None, typer.Option("--cases", help="Case files or folders.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="Targets.", show_default="the frameworks named"),
    ] = None,
    select: Annotated[str, typer.Option("--select", "-k", help="As for `run`.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="As for `run`.")] = False,
    repeat: Annotated[int, typer.Option(min=1, help="As for `run`.")] = 1,
    confirm: Annotated[
        int, typer.Option(min=0, help="Make every call that changed so often again.")
    ] = TIMES,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Workers at a time on each side.")
    ] = max(1, DEFAULT_JOBS // 2),
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds one call may take.")] = 60.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder.", show_default="reports/upgrades/A-to-B"),
    ] = None,
    builder: Annotated[
        str | None,
        typer.Option(help="uv or pip.", show_default="uv when on PATH, else pip"),
    ] = None,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter to build of.", show_default="this one")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Environments.", show_default="~/.cache/conformance/environments"),
    ] = None,
    index_url: Annotated[str | None, typer.Option(help="As for pip.")] = None,
    extra_index_url: Annotated[list[str] | None, typer.Option(help="As for pip.")] = None,
    find_links: Annotated[
        list[str] | None, typer.Option("--find-links", "-f", help="As for pip.")
    ] = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="As for pip.")] = False,
    pre: Annotated[bool, typer.Option("--pre", help="As for pip.")] = False,
    known: Known = None,
    config: Config = None,
    annotate: Annotate = ON_GITHUB,
) -> None:
    """Build an environment for each of BEFORE and AFTER, run the corpus in both, and gate.

    `conformance upgrade mindspore==2.9.0 mindspore==2.10.0` leaves two run files, the result as
    gate.md, gate.json and junit.xml, and a site with the page upgrade.html in a folder under
    reports/upgrades.  Environments are kept and found again by what their requirements resolve to.
    What changed is run again on both sides, so that what varies by itself is not called a change.
    Exit codes are those of `gate`; 3 also when an environment cannot be built.
    """
    options = IndexOptions(
        index_url, tuple(extra_index_url or ()), tuple(find_links or ()), no_index, pre
    )
    if builder not in (None, "uv", "pip"):
        raise CallerError(f"--builder {builder}: choose from uv, pip")
    upgrading.upgrade(
        before,
        after,
        cases or [Path("cases")],
        targets=target,
        selection=Selection(select, quick),
        limits=Limits(jobs, timeout, repeat),
        confirm=confirm,
        building=upgrading.Building(options, builder, python, cache),  # type: ignore[arg-type]
        out=out,
        known=known,
        config=config,
        annotate=annotate,
    )


@known_app.command()
def suggest(
    baseline: Before,
    candidate: After,
    known: KnownToRun = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Add to this file.", show_default="print")
    ] = None,
) -> None:
    """Write entries of known differences for what CANDIDATE broke.

    Reason, owner and link stay empty, and `conformance check` refuses the file until a person has
    filled them in.
    """
    gating.known_suggest(baseline, candidate, known=known, out=out)


def chosen(json: Path | None, junit: Path | None, markdown: Path | None) -> dict[str, Path]:
    """Return the outputs that were asked for, by format."""
    given = dict(zip(WRITERS, (json, junit, markdown), strict=True))
    return {name: path for name, path in given.items() if path is not None}


def _keep(inputs: Sequence[Path], outputs: Mapping[str, Path]) -> None:
    """Raise CallerError for an output that would take the place of an input, or of another."""
    taken = {path.resolve() for path in inputs}
    for name, path in outputs.items():
        if path.resolve() in taken:
            raise CallerError(f"--{name} {path}: this file is used already; name another one")
        taken.add(path.resolve())
