"""What each command does, between the layers and the terminal."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import typer

from conformance import draft, gating, installed
from conformance.corpus import loader
from conformance.corpus.apis import refused
from conformance.corpus.expand import ExpandedCase
from conformance.corpus.schema import Operation
from conformance.coverage.coverage import measure
from conformance.errors import CallerError, ConformanceError, CorpusError, HarnessError
from conformance.gate import side
from conformance.judge import known as known_differences
from conformance.judge.introspected import Signature
from conformance.judge.run import Verdicts, judge_run, judge_runs
from conformance.known_files import known_file, known_text
from conformance.port import config as port_config
from conformance.report import code, formats, port_pages
from conformance.report import coverage as coverage_table
from conformance.report import terminal as show_on
from conformance.run import session, target
from conformance.run.gateway import Worker, WorkerUnavailable
from conformance.run.select import Selection
from conformance.run.store import RunFile

EVERY_TARGET = (
    *target.DEFAULT_TARGETS,
    "torch:cuda",
    "torch:npu",
    "torch:mps",
    "mindspore:gpu",
    "mindspore:gpu:graph",
    "mindspore:ascend",
    "mindspore:ascend:graph",
)


def check(
    paths: Sequence[Path],
    known: Path | None,
    *,
    signatures: bool = False,
    config: Path | None = None,
) -> None:
    """Validate; raises CorpusError with every problem.

    With `signatures`, parameter tables are held against the installed frameworks as well.
    """
    corpus = loader.load(paths)
    file = known_file(paths, known)
    entries = known_differences.load(file) if file else []
    if signatures and (problems := list(installed.disagreements(corpus, config))):
        raise CorpusError(problems)
    cases = sum(1 for _ in corpus.cases())
    operations = len(corpus.documents)
    typer.echo(f"{operations} operations, {cases} cases, {len(entries)} known differences: sound")


def run(
    paths: Sequence[Path],
    *,
    targets: Sequence[str] | None,
    select: str,
    quick: bool,
    every: bool,
    repeat: int,
    jobs: int,
    timeout: float,
    out: Path,
    resume: bool,
    known: Path | None,
    config: Path | None,
) -> None:
    """Execute, judge, print; exits 1 on unexpected differences or problems."""
    selection = Selection(select, quick, covering=not (select or quick or every))
    configured = target.configured(config)
    chosen = [
        target.parse(name, configured) for name in dict.fromkeys(targets or target.DEFAULT_TARGETS)
    ]
    corpus = loader.load(paths)
    excuses = known_file(paths, known)
    text = known_text(excuses)
    whole = excuses is None or known_differences.spoken_of(excuses, corpus)
    made = session.make_plan(corpus, chosen, selection)
    file = _run_file(out, resume)
    try:
        file.note(known=text, known_complete=whole, required=bool(targets))
        with show_on.Progress() as progress:
            session.execute(
                corpus,
                chosen,
                file,
                selection=selection,
                jobs=jobs,
                timeout=timeout,
                repeat=repeat,
                made=made,
                observer=progress,
            )
        verdicts = judge_run(file, corpus=corpus, today=date.today())
        side.keep(file, verdicts)
    except KeyboardInterrupt:
        raise HarnessError(
            f"interrupted; the same command with --resume goes on in {out}"
        ) from None
    finally:
        file.close()
    show_on.summary(verdicts, out)
    raise typer.Exit(exit_code(verdicts))


def _run_file(out: Path, resume: bool) -> RunFile:
    """Return the run file to write: never in the place of something that is none."""
    if out.exists():
        existing = RunFile.open(out)
        if resume:
            return existing
        existing.close()
    return RunFile.create(out)


def exit_code(verdicts: Verdicts) -> int:
    """Return 1 for unexpected differences or problems, 3 when something did not run, else 0.

    A target that was named must run; of the default ones, one framework may be missing.
    """
    missing = any("unavailable" in info for info in verdicts.targets.values())
    if (
        verdicts.executed == 0
        or not verdicts.finished
        or (missing and verdicts.manifest["required"])
    ):
        return 3
    return 1 if verdicts.unexpected or verdicts.judgement.problems else 0


def report(
    runs: Sequence[Path],
    *,
    out: Path,
    languages: Sequence[str],
    formats_: Sequence[str],
    against: Path | None,
    ports: Sequence[Path],
    known: Path | None,
) -> None:
    """Render one or more run files of one corpus; one run with what changed `against` another.

    Raises CallerError when a comparison is asked for that has no page to stand on.
    """
    if ports and "html" not in formats_:
        raise CallerError(f"--port {ports[0]}: its page is one of the format html")
    verified = port_pages.read_all(ports)
    upgrade = None
    if against is not None:
        _one_site(runs, out, formats_, against)
        with gating.failing_into({}, annotate=False, html=out):
            upgrade = gating.changed(against, runs[0], known)
    files = [RunFile.open(run) for run in runs]
    try:
        if known is not None:
            files[0].suppose(known=known_text(known))
        elif others := [run for run, file in zip(runs, files, strict=True) if _other(file, files)]:
            typer.echo(
                f"{', '.join(map(str, others))}: judged by the known differences of {runs[0]}, "
                "which are others; --known FILE gives all of them",
                err=True,
            )
        verdicts = judge_runs(files, today=date.today())
    finally:
        for file in files:
            file.close()
    if not verdicts.finished:
        typer.echo("this run did not finish; what never ran is counted as not comparable", err=True)
    for written in formats.render(
        verdicts, out, formats=formats_, languages=languages, upgrade=upgrade, ports=verified
    ):
        typer.echo(f"wrote {written}")


def _other(run: RunFile, runs: Sequence[RunFile]) -> bool:
    """Tell whether `run` was made with other known differences than the first of `runs`."""
    own, first = ((one.manifest.get("known") or ["", ""])[1] for one in (run, runs[0]))
    return bool(own != first)


def _one_site(runs: Sequence[Path], out: Path, formats_: Sequence[str], against: Path) -> None:
    if len(runs) > 1:
        raise CallerError(f"--against {against}: compares one run file, not {len(runs)}")
    if "html" not in formats_:
        raise CallerError(f"--against {against}: its page is one of the format html")
    if out.resolve() == against.resolve():
        raise CallerError(f"--out {out}: this folder is used already; name another one")


def targets(names: Sequence[str] | None, config: Path | None) -> None:
    """Start every target, one after the other, and print what it says."""
    configured = target.configured(config)
    rows = []
    for name in dict.fromkeys(names or (*EVERY_TARGET, *configured)):
        parsed = target.parse(name, configured)
        try:
            worker = Worker(parsed)
        except WorkerUnavailable as error:
            rows.append((name, {"unavailable": str(error)}))
        else:
            rows.append((name, worker.info))
            worker.close()
    show_on.targets(rows)
    if all("unavailable" in info for name, info in rows if target.framework_of(name) != "numpy"):
        raise ConformanceError("no framework is available")


def coverage(run: Path, *, depth: bool, format_: str, config: Path | None) -> None:
    """Print what `run` says of the published pairs; exits 3 where a framework cannot be asked."""
    if format_ not in ("text", "json"):
        raise CallerError(f"--format {format_}: choose from text, json")
    file = RunFile.open(run)
    try:
        corpus = file.corpus()
        verdicts = judge_runs([file], today=date.today())
    finally:
        file.close()
    if not (verdicts.finished and verdicts.manifest.get("complete")):
        typer.echo("this run is of a part of the corpus; so is what it covers", err=True)
    found = measure(corpus, verdicts, installed.existing(config))
    if format_ == "json":
        typer.echo(json.dumps(coverage_table.as_json(found, depth=depth), indent=2))
    else:
        coverage_table.show(found, show_on.console(), depth=depth)


def new(torch: str, mindspore: str, out: Path | None, config: Path | None) -> None:
    """Write a case file for a pair; CallerError for names that are none, and never over a file."""
    signatures = []
    for framework, api in (("torch", torch), ("mindspore", mindspore)):
        if not api.startswith(f"{framework}."):
            raise CallerError(f"{api!r} is not an API of {framework}")
        if why := refused(api):
            raise CallerError(why)
        (message,) = installed.described(framework, [api], config)
        if not message["exists"]:
            raise CallerError(f"{api}: {message['error']}")
        signatures.append(Signature.from_message(message))
    text, doubts = draft.write(*signatures)
    name = own = torch.rpartition(".")[2].lower()
    taken = draft.operations(Path("cases"))
    for number in itertools.count(2):
        if name not in taken:
            break
        name = f"{own}_{number}"
    path = out or Path("cases", f"{name}.yaml")
    if path.exists():
        raise CallerError(f"{path} is there already; give another name with --out")
    text = draft.with_schema(text.replace(f"operation: {own}\n", f"operation: {name}\n", 1), path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {path}; look at its {doubts} lines marked '# doubt'")
    if name != own:
        typer.echo(
            f"it is called {name}: {taken[own]} holds {own}, and may be the place for the pair"
        )


def show(wanted: str, paths: Sequence[Path], frameworks: Sequence[str], *, gradients: bool) -> None:
    """Print code for every case whose id is `wanted`, or that it is the stem of."""
    if unknown := set(frameworks) - {"numpy", "torch", "mindspore"}:
        raise CallerError(f"--target {', '.join(unknown)}: choose from numpy, torch, mindspore")
    corpus = loader.load(paths)
    found = [c for c in corpus.cases() if wanted in (c.id, c.id.split("[")[0])]
    if not found:
        if document := corpus.documents.get(wanted):
            ids = ", ".join(f"{wanted}/{case.id}" for case in document.operation.cases)
            raise CallerError(f"{wanted!r} is an operation; show one of its cases: {ids}")
        near = loader.similar_ids(corpus, wanted)
        raise CallerError(f"no case {wanted!r}" + (f"; did you mean {near}?" if near else ""))
    for case in found[:1] if "[" not in wanted else found:
        _show(case, frameworks, gradients)
    if len(found) > 1:
        typer.echo(
            f"# {len(found) - 1} more points of the grid: " + ", ".join(c.id for c in found[1:])
        )


def _show(case: ExpandedCase, frameworks: Sequence[str], gradients: bool) -> None:
    for pair in case.pairs():
        for framework in frameworks:
            if framework != "numpy" and pair.side(framework) is None:  # type: ignore[arg-type]
                continue
            typer.echo(f"# {case.id} · {pair.id} · {framework}")
            typer.echo(code.source(case, pair, framework, full=gradients) + "\n")


def schema(of: Literal["case", "port"] = "case") -> None:
    """Print the JSON Schema of a case file, or of port.yaml."""
    if of == "port":
        typer.echo(port_config.schema(), nl=False)
    else:
        typer.echo(json.dumps(Operation.model_json_schema(by_alias=True), indent=2))
