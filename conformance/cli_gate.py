"""The commands of the upgrade gate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from conformance import gating
from conformance.gate.formats import WRITERS

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
Known = Annotated[
    Path | None,
    typer.Option(help="Known differences.", show_default="those the candidate's run was made with"),
]
Json = Annotated[Path | None, typer.Option(help="Write the whole result as JSON.")]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit XML.")]
Markdown = Annotated[Path | None, typer.Option(help="Write a Markdown page.")]
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
    known: Known = None,
    json: Json = None,
    junit: Junit = None,
    markdown: Markdown = None,
    annotate: Annotate = ON_GITHUB,
) -> None:
    """Say what CANDIDATE broke, fixed and drifted of what BASELINE showed, API by API.

    Items are joined by what was asked of the framework, so an edited case is never a regression.
    Exit code 1: something broke, is judged no more, or a signature changed so that callers break.
    Exit code 3: the two cannot be compared (a run did not finish, a target did not start, other
    targets or selections, another corpus, nothing in common).
    """
    outputs = chosen(json, junit, markdown)
    gating.gate(baseline, candidate, known=known, outputs=outputs, annotate=annotate)


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


@known_app.command()
def suggest(
    baseline: Before,
    candidate: After,
    known: Known = None,
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
