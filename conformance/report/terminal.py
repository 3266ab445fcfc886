"""What a person at a terminal sees: progress while it runs, the summary after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.judge.judge import Judged
from conformance.judge.run import Verdicts
from conformance.judge.verdict import Status
from conformance.run import pool
from conformance.run.select import item_id
from conformance.run.target import place

SHOWN_DIFFERENCES = 25
STYLES = {
    Status.CONFORMS: "green",
    Status.DECLARED: "cyan",
    Status.KNOWN: "yellow",
    Status.DIFFERS: "bold red",
    Status.NOT_COMPARABLE: "magenta",
}
_HEADINGS = {
    Status.CONFORMS: "conforms",
    Status.DECLARED: "as declared",
    Status.KNOWN: "known",
    Status.DIFFERS: "differs",
    Status.NOT_COMPARABLE: "not comparable",
}


def console(*, stderr: bool = False) -> Console:
    """Return a console; output that is not a terminal is plain text, wide enough not to wrap."""
    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=200)


class Progress:
    """A bar for each target on stderr; silent when that is not a terminal."""

    def __init__(self) -> None:
        self._console = console(stderr=True)
        self._bars = bars.Progress(
            bars.TextColumn("{task.description:>22}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[tuple[str, str], bars.TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, event: pool.Event) -> None:
        """Show one event."""
        self._show(event, "")

    def of(self, side: str) -> Callable[[pool.Event], None]:
        """Return an observer of one of several runs, whose bars carry the name `side`."""
        return lambda event: self._show(event, side)

    def _show(self, event: pool.Event, side: str) -> None:
        key = (side, getattr(event, "target", ""))
        match event:
            case pool.Queued():
                label = f"{event.target} of {side}" if side else event.target
                self._tasks[key] = self._bars.add_task(label, total=event.calls, note="waiting")
            case pool.Started():
                self._bars.update(self._tasks[key], note=str(event.info.get("version", "")))
            case pool.Done():
                self._bars.advance(self._tasks[key])
            case pool.Refused():
                self._bars.update(self._tasks[key], note=f"unavailable: {event.reason}"[:80])


def summary(verdicts: Verdicts, out: Path) -> None:
    """Print targets, totals, unexpected differences and problems."""
    screen = console()
    screen.print(_totals(verdicts))
    for name, info in verdicts.targets.items():
        if "unavailable" in info:
            why = escape(info["unavailable"])
            screen.print(f"[magenta]not run[/]  {escape(name)}: {why}", soft_wrap=True)
    for name, reason in (verdicts.manifest.get("lost") or {}).items():
        screen.print(f"[bold red]lost[/]  {escape(name)}: {escape(reason)}", soft_wrap=True)
    if verdicts.manifest.get("covering"):
        for name in verdicts.targets:
            if place(name)[1:] == ["graph"]:
                screen.print(
                    f"{escape(name)} compiled what covers the corpus; --all compiles it all"
                )
    if not verdicts.finished:
        screen.print("[bold red]not finished[/]  outcomes are missing; --resume goes on")
    differing = [j for j in verdicts.judgement.judged if j.verdict.status is Status.DIFFERS]
    for judged in differing[:SHOWN_DIFFERENCES]:
        screen.print(_line(judged), soft_wrap=True)
    if len(differing) > SHOWN_DIFFERENCES:
        screen.print(f"… and {len(differing) - SHOWN_DIFFERENCES} more; the report shows all")
    for problem in verdicts.judgement.problems:
        screen.print(f"[bold red]problem[/]  {escape(problem)}", soft_wrap=True)
    missing = sum("unavailable" in info for info in verdicts.targets.values())
    absent = f", {missing} targets not run" if missing else ""
    if verdicts.executed == 0:
        screen.print("no framework was run: the reference alone says nothing of one")
    screen.print(
        f"{verdicts.unexpected} unexpected differences, {len(verdicts.judgement.problems)} problems"
        f"{absent}; run file {escape(str(out))}"
    )


def _totals(verdicts: Verdicts) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("target")
    for status in Status:
        table.add_column(_HEADINGS[status], justify="right", style=STYLES[status])
    table.add_column("items", justify="right")
    table.add_column("version")
    for name, info in verdicts.targets.items():
        mine = [j.verdict.status for j in verdicts.judgement.judged if j.item.target == name]
        counts = Counter(mine)
        version = str(info.get("version", "unavailable"))
        table.add_row(name, *(str(counts[s]) for s in Status), str(len(mine)), version)
    everything = Counter(j.verdict.status for j in verdicts.judgement.judged)
    total = len(verdicts.judgement.judged)
    table.add_section()
    table.add_row("all", *(str(everything[s]) for s in Status), str(total), "")
    return table


def _line(judged: Judged) -> str:
    item, verdict = judged.item, judged.verdict
    where = escape(item_id(item.case.id, item.pair.id, item.target))
    kinds = ", ".join(kind.value for kind in verdict.kinds)
    details = "; ".join(
        f"{f.where}: {f.detail}" if f.where else f.detail for f in verdict.findings[:3]
    )
    return f"[bold red]differs[/]  {where}\n         {kinds}: {escape(details)}"


def targets(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Print a table of targets: what each is, or why it is unavailable."""
    table = Table(box=None, pad_edge=False)
    for heading in ("target", "framework version", "build", "python", "numpy", "available"):
        table.add_column(heading, overflow="fold")
    for name, info in rows:
        why = info.get("unavailable")
        facts = [escape(str(info.get(key, ""))) for key in ("version", "build", "python", "numpy")]
        table.add_row(escape(name), *facts, "yes" if why is None else f"no: {escape(str(why))}")
    console().print(table)
