"""What `port` does: both sides started, compared, and what was found told in every form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import typer

from conformance import destinations
from conformance.corpus import loader
from conformance.errors import CallerError, ConformanceError, HarnessError
from conformance.phrase import Phrase
from conformance.port import checkpoint, kernels, signature, static
from conformance.port import propose as proposing
from conformance.port.both import Both, Plan
from conformance.port.located import located
from conformance.port.model import Framework
from conformance.port.portfile import PortFile, load
from conformance.port.remote import Build, RemoteSide
from conformance.port.result import PortResult, Verdict
from conformance.port.result_json import as_json
from conformance.port.side import Side
from conformance.port.verify import Known
from conformance.port.verify import verify as compare
from conformance.port.weights import Inventory, map_weights
from conformance.report import port_pages, port_terminal
from conformance.run.target import Target

MODEL_SEED = 0
"""What frameworks' generators are seeded with while they build."""
SAVED = (".ckpt", ".safetensors")
CASES = Path("cases")
"""The corpus, when nobody says so."""
OUT = Path("reports")
"""The site that a page is put into when nobody says so."""


def verify(
    config: Path,
    *,
    out: Path | None,
    json_path: Path | None,
    cases: Path | None,
    seeds: int | None,
    timeout: float,
    save: Path | None,
) -> None:
    """Verify a port, print what was found, leave it as JSON and as a page; exits 1 unless same."""
    file = load(config)
    _writable(config, out or OUT, {"--json": json_path, "--save": save})
    known = knowledge(cases)

    def leave(result: PortResult) -> Path:
        given = file.config.model_dump(mode="json", exclude_unset=True)
        result = replace(result, config=given)
        if json_path is not None:
            json_path.parent.mkdir(parents=True, exist_ok=True)
            json_path.write_text(as_json(result), encoding="utf-8")
        return port_pages.write(result, out or OUT)

    name = file.config.port
    with leaving(name, leave), located(file), sides(file, timeout) as (torch, port):
        plan = planned(file, seeds)
        if save is not None:
            kept(torch, port, plan, save)
            typer.echo(f"wrote {save}; loaded back, it is the same", err=True)
        result = compare(torch, port, plan, known, lambda line: typer.echo(line, err=True))
    result = noted(result, known)
    page = leave(result)
    port_terminal.show(result)
    typer.echo(f"wrote {page}", err=True)
    raise typer.Exit(result.exit_code)


@contextlib.contextmanager
def leaving(name: str, leave: Callable[[PortResult], object]) -> Iterator[None]:
    """Have `leave` say first that nothing was compared yet; and in the end why, where this fails.

    So no verification of `name` that fails, or is stopped, leaves an earlier one's verdict behind.
    """
    leave(_unfinished(name, Phrase("the verification has not come to its end"), 3))
    try:
        yield
    except ConformanceError as error:
        leave(_unfinished(name, str(error), error.exit_code))
        raise


def _unfinished(name: str, why: str, code: int) -> PortResult:
    said = Phrase("Nothing was compared: {why}.", why=why)
    return PortResult(name, Verdict.NOT_COMPARED, said, {}, ended=code)


def propose(config: Path, *, timeout: float) -> None:
    """Print the map of tensors, and the rules that say it; exits 1 where it is not complete."""
    file = load(config)
    with located(file), sides(file, timeout) as (torch, port):
        inventories = Inventory.of(torch), Inventory.of(port)
        rows = map_weights(*inventories, file.config.weights)
    typer.echo(proposing.table(rows))
    proposals = proposing.propose(*inventories, file.config.weights)
    typer.echo(proposing.as_yaml(proposals, rows), nl=False)
    raise typer.Exit(1 if any(row.problem for row in rows) else 0)


def knowledge(cases: Path | None = None) -> Known | None:
    """Return what a corpus knows of layers; None where the default folder is not there.

    Raises CallerError where a folder is named that is not there.
    """
    if cases is None and not CASES.exists():
        return None
    return _knowledge(cases or CASES, Path.cwd())


@lru_cache(maxsize=1)
def _knowledge(cases: Path, folder: Path) -> Known:  # noqa: ARG001
    """Read the corpus `cases`, once for the folder it is relative to."""
    corpus = loader.load([cases])
    operations = [document.operation for document in corpus.documents.values()]
    return Known(static.pages(corpus), kernels.known(operations))


def noted(result: PortResult, known: Known | None) -> PortResult:
    """Return `result` with a note where no corpus was at hand, and something is to be explained."""
    if known is not None or result.verdict is Verdict.SAME:
        return result
    words = Phrase(
        "no corpus in {folder}, so pages and less exact kernels are not known; --cases names one",
        folder=str(CASES),
    )
    return replace(result, notes=(*result.notes, words))


def planned(file: PortFile, seeds: int | None = None) -> Plan:
    """Return what `file` asks for."""
    config, training = file.config, file.config.training
    varies = config.calibrated or file.drawn
    return Plan(
        name=config.port,
        draw=file.draw,
        sizes=config.size_names,
        seeds=(seeds or config.seeds) if varies else 1,
        modes=config.mindspore.modes,
        calibrated=config.calibrated,
        loaded=config.mindspore.weights is not None,
        weights=config.weights,
        layers=config.layers,
        steps=training.steps if training and training.optimizer else 0,
        memory=config.memory,
    )


@contextlib.contextmanager
def sides(file: PortFile, timeout: float) -> Iterator[tuple[Side, Side]]:
    """Start both sides, each in its interpreter, and load their checkpoints."""
    with contextlib.ExitStack() as stack:
        started = []
        for framework in ("torch", "mindspore"):
            side = started_side(file, framework, timeout)
            stack.callback(side.close)
            signature.check(file, framework, side.ask("parameters"))
            if (weights := file.config.side(framework).weights) is not None:
                side.load(str(file.resolve(weights)))
            started.append(side)
        yield started[0], started[1]


def started_side(file: PortFile, framework: Framework, timeout: float) -> RemoteSide:
    """Return the model of `framework` in a worker of its own."""
    config = file.config.side(framework)
    target = Target(framework, framework, device=config.device, env=tuple(config.env.items()))
    if config.python is not None:
        target = replace(target, python=str(file.resolve(config.python)))
    told = file.message(framework, MODEL_SEED)
    told.pop("dtype")
    return RemoteSide(target, Build(**told, folder=file.path.parent), timeout=timeout)


def _writable(config: Path, out: Path, files: Mapping[str, Path | None]) -> None:
    """Raise CallerError for what could not be written in the end: before anything runs."""
    taken = {config.resolve()}
    for option, path in files.items():
        if path is None:
            continue
        if option == "--save" and path.suffix not in SAVED:
            raise CallerError(f"--save {path}: give it one of the endings {', '.join(SAVED)}")
        if path.resolve() in taken:
            raise CallerError(f"{option} {path}: this file is used already; name another one")
        taken.add(path.resolve())
        destinations.file(option, path)
    for folder in (out, out / port_pages.FOLDER):
        destinations.folder("--out", folder)


def kept(torch: Side, port: Side, plan: Plan, path: Path) -> None:
    """Write PyTorch's own values as a checkpoint of the port, and prove it by loading it back.

    Before anything calibrates them; the port gets back what it held.  Raises HarnessError for a
    file that does not give back what was written.
    """
    held = port.read()
    both = Both(torch, port, replace(plan, calibrated=False, loaded=False))
    both.give(plan.draws[0])
    brought = {name: value for name, value in port.read().items() if name not in both.unsaved}
    path.parent.mkdir(parents=True, exist_ok=True)
    lost = checkpoint.write(port, brought, str(path.absolute()))
    port.write(held)
    if lost:
        raise HarnessError(f"{path}: {len(lost)} tensors did not come back: {', '.join(lost)}")
