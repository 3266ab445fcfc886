"""The command line: one short function per command."""

from __future__ import annotations

import os
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from conformance import __version__, cli_gate, cli_port, commands, serving
from conformance.cli_options import Config, Known
from conformance.errors import ConformanceError
from conformance.run.pool import DEFAULT_JOBS

app = typer.Typer(
    name="conformance",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Executable API mapping between PyTorch and MindSpore.

Case files (YAML) say which APIs correspond, with which inputs, and what differs.  This tool runs
them on the installed frameworks, judges every result against an independent float64 oracle, and
renders the difference pages people write by hand.

    conformance check                      # are the case files sound?

    conformance run                        # execute and judge; exit 1 on an unexpected difference

    conformance report reports/run.sqlite  # write reports/index.html

    conformance upgrade mindspore==2.9.0 mindspore==2.10.0   # what would an upgrade break?

    conformance port port.yaml             # is a ported model the same function?

**Exit codes**: 0 all conform, or differ as declared or known, and nothing regressed; 1 unexpected
differences, stale declarations or regressions; 2 your mistake (a case file, an option); 3 the
harness could not do its job: nothing ran, a target named with -t did not start, the run was
interrupted, two runs cannot be compared, an environment cannot be built.
""",
)

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Case files or folders.", show_default="cases", metavar="[PATH]…"),
]


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version when asked; the help text of the application is above."""
    if version:
        typer.echo(f"conformance {__version__}")
        raise typer.Exit


@app.command()
def check(
    paths: Paths = None,
    known: Known = None,
    signatures: Annotated[
        bool,
        typer.Option("--signatures", help="Hold parameter tables against installed signatures."),
    ] = False,
    config: Config = None,
) -> None:
    """Validate case files; every error of every file at once, as `file:line:column: message`."""
    commands.check(paths or [Path("cases")], known, signatures=signatures, config=config)


@app.command()
def run(
    paths: Paths = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            help="framework[@version][:device][:mode]; repeat for several.",
            show_default="numpy, torch, mindspore, mindspore:cpu:graph",
        ),
    ] = None,
    select: Annotated[
        str,
        typer.Option(
            "--select",
            "-k",
            help="Words looked for in `case · pair · target`, with and, or, not, ( ).",
        ),
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the first value case of each pair.")
    ] = False,
    every: Annotated[
        bool,
        typer.Option("--all", help="Compile every case in graph mode, not what covers the corpus."),
    ] = False,
    repeat: Annotated[
        int,
        typer.Option(min=1, help="Make every call that often, to find what does not repeat."),
    ] = 1,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Workers at a time.")
    ] = DEFAULT_JOBS,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds one call may take.")] = 60.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run file.")] = Path(
        "reports/run.sqlite"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    known: Known = None,
    config: Config = None,
) -> None:
    """Execute cases on the targets, judge every outcome, and print the summary.

    A framework that is missing is named and the others run; the exit code is 3 when none starts, or
    when a target given with `-t` does not.
    `conformance run -k "softmax and not graph" -t torch -t mindspore` runs a part.
    """
    commands.run(
        paths or [Path("cases")],
        targets=target,
        select=select,
        quick=quick,
        every=every,
        repeat=repeat,
        jobs=jobs,
        timeout=timeout,
        out=out,
        resume=resume,
        known=known,
        config=config,
    )


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run files of one corpus, from any machines.", metavar="RUN…"),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.")] = Path(
        "reports"
    ),
    lang: Annotated[str, typer.Option(help="Languages, separated by commas: en, zh.")] = "en,zh",
    format: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="Formats, separated by commas: html, markdown, csv, json."
        ),
    ] = "html",
    against: Annotated[
        Path | None,
        typer.Option(
            help="Add a page of what changed since this run file, or folder of a baseline.",
            metavar="BASELINE",
        ),
    ] = None,
    port: Annotated[
        list[Path] | None,
        typer.Option(
            help="Add the page of a verified port: the JSON that `port` left beside it; repeat.",
            metavar="JSON",
        ),
    ] = None,
    known: Known = None,
) -> None:
    """Judge run files and render difference pages and tables.

    `html` is the site; `markdown` one page a pair, in the layout of MindSpore's mapping documents,
    for a documentation repository.

    With `--against BASELINE` the site of one run has a page, upgrade.html, of what `gate` finds
    between the two.  It is a report and no verdict: regressions do not change the exit code, which
    is 3 when the two cannot be compared.
    """
    commands.report(
        runs,
        out=out,
        languages=lang.split(","),
        formats_=format.split(","),
        against=against,
        ports=port or [],
        known=known,
    )


@app.command()
def serve(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run files of one corpus; they may still grow.", metavar="RUN…"),
    ],
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    lang: Annotated[str, typer.Option(help="Languages, separated by commas: en, zh.")] = "en,zh",
) -> None:
    """Serve the site on this machine alone, rendered again while a run is under way.

    Open pages reload themselves when the run file has grown. Ctrl-C ends it; no file is left.
    """
    serving.serve(runs, port=port, languages=lang)


@app.command()
def coverage(
    run: Annotated[Path, typer.Argument(help="A run file of the whole corpus.")] = Path(
        "reports/run.sqlite"
    ),
    depth: Annotated[
        bool, typer.Option("--depth", help="For each pair, which kinds of cases it has.")
    ] = False,
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    config: Config = None,
) -> None:
    """Count published pairs: executed, upheld, refuted, not comparable here, not covered.

    The published tables are those of MindSpore r2.0, r2.4.10 and r2.7; the latest claim on a pair
    is judged.  Which names exist is asked of the installed frameworks.
    """
    commands.coverage(run, depth=depth, format_=format, config=config)


@app.command()
def targets(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Targets to ask.",
            metavar="[TARGET]…",
            show_default="every framework, device and mode",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Start each target and print framework, version and device, or why it is unavailable."""
    commands.targets(names, config)


@app.command()
def show(
    case: Annotated[
        str, typer.Argument(help="Id of a case: operation/case, with [grid point] or not.")
    ],
    paths: Annotated[
        list[Path] | None, typer.Option("--cases", help="Case files or folders.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="numpy, torch or mindspore.")
    ] = None,
    gradients: Annotated[bool, typer.Option(help="With the gradients the judge compares.")] = False,
) -> None:
    """Print a case as runnable code for each framework, one snippet for each pair."""
    frameworks = target or ["torch", "mindspore"]
    commands.show(case, paths or [Path("cases")], frameworks, gradients=gradients)


@app.command()
def new(
    torch: Annotated[str, typer.Argument(help="A PyTorch API, such as torch.cumsum.")],
    mindspore: Annotated[str, typer.Argument(help="Its MindSpore API.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The case file.", show_default="cases/NAME.yaml"),
    ] = None,
    config: Config = None,
) -> None:
    """Write a case file to start from: parameters paired by signature, doubts marked."""
    commands.new(torch, mindspore, out, config)


@app.command()
def schema(
    of: Annotated[
        Literal["case", "port"], typer.Argument(help="Of a case file, or of port.yaml.")
    ] = "case",
) -> None:
    """Print the JSON Schema of case files, or of `port.yaml`, for editors."""
    commands.schema(of)


app.add_typer(cli_gate.app)
app.add_typer(cli_port.app, name="port")
INTERRUPTED = 130
"""What Typer ends with on Ctrl-C."""


def entry() -> None:
    """Run the command line; every failure is one line and an exit code.

    What nobody foresaw exits with 3, never with 1: a crash of ours says nothing of a framework.
    Typer would end with 1 where nobody reads what is printed, and where input ends.
    """
    try:
        app(standalone_mode=True)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(2)  # Nobody reads any more, so nobody is told.
        if isinstance(ended.__context__, OSError):
            _end(f"output: {ended.__context__.strerror}", 2)
        if isinstance(ended.__context__, typer.Abort) or ended.code == INTERRUPTED:
            _end("interrupted", 3)
        raise
    except ConformanceError as error:
        _end(str(error), error.exit_code)
    except sqlite3.Error as error:
        _end(f"run file: damaged or in use ({error})", 3)
    except OSError as error:
        _end(f"{error.filename or 'file'}: {error.strerror or error}", 2)
    except Exception as error:
        if os.environ.get("CONFORMANCE_TRACEBACK"):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _end(
            f"conformance itself failed at {where}: {what} (CONFORMANCE_TRACEBACK=1 shows more)", 3
        )


def _end(message: str, code: int) -> NoReturn:
    typer.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    entry()
