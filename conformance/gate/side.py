"""One side of a gate, from a run file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from conformance.errors import HarnessError
from conformance.gate.places import operation_of
from conformance.gate.record import Record
from conformance.judge.item import Item
from conformance.judge.judge import judge
from conformance.judge.run import Verdicts, items, judge_run
from conformance.run.outcome import Outcome
from conformance.run.store import RunFile

SELECTION = ("select", "quick", "covering")
"""What a run's manifest says of the items it was asked for."""
JUDGES = (
    *("corpus", "reference", "judge", "phrase.py", "taxonomy.py", "gate/record.py"),
    *("run/behaviour.py", "run/outcome.py", "worker/wire.py", "worker/describe.py"),
)
"""What a verdict depends on, under the package's folder."""


@dataclass(frozen=True)
class Side:
    """What is gated.

    `targets` is what each target said of itself, `signatures` the messages of
    `conformance.worker.describe` by target and API, `warnings` the texts each target warned with.
    `run` is the open run file and `documents` maps its case files to their text; a baseline kept
    as text has neither.
    """

    name: str
    records: list[Record]
    targets: Mapping[str, Mapping[str, Any]]
    signatures: Mapping[str, Mapping[str, Mapping[str, Any]]]
    warnings: Mapping[str, frozenset[str]]
    manifest: Mapping[str, Any]
    run: RunFile | None = None
    documents: Mapping[str, str] = field(default_factory=dict)

    def version(self, target: str) -> str:
        """Return the version of the framework of `target`, empty where nobody knows."""
        return str(self.targets.get(target, {}).get("version", ""))

    def close(self) -> None:
        """Close the run file."""
        if self.run is not None:
            self.run.close()


def of_run(path: Path, *, today: date) -> Side:
    """Return the side that the run file at `path` is; its `run` is open.

    The run is judged, unless this very judge has left its records in the file.  HarnessError when
    the run is truncated or one of its targets did not start: what is missing must not pass for
    agreement.
    """
    run = RunFile.open(path)
    try:
        refuse_incomplete(str(path), run)
        records = _kept(run) or keep(run, judge_run(run, today=today))
        if broken := [record for record in records if record.failed]:
            first = broken[0].detail
            raise HarnessError(f"{path}: the judge failed on {len(broken)} items, first: {first}")
        return Side(
            name=str(path),
            records=records,
            targets=run.targets(),
            signatures={name: run.signatures(name) for name in run.targets()},
            warnings=warnings_of(records),
            manifest={**run.manifest, "judged_by": judged_by(), "files": files(run.texts())},
            run=run,
            documents=run.texts(),
        )
    except BaseException:
        run.close()
        raise


def refuse_incomplete(name: str, run: RunFile) -> None:
    """Raise HarnessError with the reason why `run` is no evidence, if there is one."""
    if lost := run.manifest.get("lost"):
        target, why = next(iter(lost.items()))
        raise HarnessError(f"{name}: target {target} was lost on the way: {why}")
    if not run.finished:
        raise HarnessError(f"{name}: the run did not finish; `conformance run --resume` goes on")
    for target, info in run.targets().items():
        if "unavailable" in info:
            raise HarnessError(f"{name}: target {target} did not start: {info['unavailable']}")
    executed = run.executed()
    planned = run.items()
    missing = [i for i in planned if i.call and (i.target, i.call) not in executed]
    if missing or not planned:
        what = f"{len(missing)} of {len(planned)} items have no outcome"
        raise HarnessError(f"{name}: the run file is truncated: {what}")


def files(texts: Mapping[str, str]) -> dict[str, str]:
    """Return a hash of the case file of each operation, from texts by path."""
    found = {
        operation_of(text): hashlib.sha256(text.encode()).hexdigest()[:12]
        for text in texts.values()
    }
    return dict(sorted(found.items()))


def keep(run: RunFile, verdicts: Verdicts) -> list[Record]:
    """Return the records of a judged run, and leave them in its file for the next reader."""
    both = zip(run.items(), verdicts.judgement.judged, strict=True)
    records = [Record.of(planned, judged) for planned, judged in both]
    return add_variants(run, records)


def add_variants(run: RunFile, records: list[Record]) -> list[Record]:
    """Return `records` with what repetitions did otherwise, judged, and leave them in the file."""
    variants = run.variants()
    if variants:
        records = list(records)
        for number, kinds in _judged_variants(run, variants):
            records[number] = replace(records[number], variants=kinds)
    run.keep_records(judged_by(), (record.row() for record in records))
    return records


def _kept(run: RunFile) -> list[Record] | None:
    rows = run.records(judged_by())
    if rows is None:
        return None
    records = [Record.of_row(*pair) for pair in zip(run.items(), rows, strict=True)]
    if run.manifest.get("variants_judged") != run.variant_count():
        return add_variants(run, records)
    return records


def _judged_variants(
    run: RunFile, variants: Mapping[tuple[str, str], list[Outcome]]
) -> Iterator[tuple[int, tuple[tuple[str, ...], ...]]]:
    """Yield, for each item that varies, its number and the kinds found on each variant."""
    given: list[tuple[Item, Outcome]] = []
    numbers: list[int] = []
    everything = list(items(run, run.corpus()))
    for number, (planned, (item, _)) in enumerate(zip(run.items(), everything, strict=True)):
        for outcome in variants.get((planned.target, planned.call), ()):
            given.append((item, outcome))
            numbers.append(number)
    # What PyTorch did goes along, for the operations that have no oracle.
    wanted = {id(item.case) for item, _ in given}
    peers = [(i, o) for i, o in everything if id(i.case) in wanted and i.framework == "torch"]
    versions = {n: str(i["version"]) for n, i in run.targets().items() if "version" in i}
    found = judge([*peers, *given], versions=versions, today=date.min, complete=False).judged
    kinds: dict[int, set[tuple[str, ...]]] = {}
    for number, judged in zip(numbers, found[len(peers) :], strict=True):
        kinds.setdefault(number, set()).add(tuple(k.value for k in judged.verdict.kinds))
    yield from ((number, tuple(sorted(seen))) for number, seen in kinds.items())


def warnings_of(records: list[Record]) -> dict[str, frozenset[str]]:
    """Return all warnings by target."""
    found: dict[str, set[str]] = {}
    for record in records:
        if record.warnings:
            found.setdefault(record.target, set()).update(record.warnings)
    return {target: frozenset(texts) for target, texts in found.items()}


@cache
def judged_by() -> str:
    """Return a hash of all code that verdicts depend on, NumPy and SciPy included."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in JUDGES:
        found = package / part
        for path in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
            digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    for name in ("numpy", "scipy", "mpmath"):
        digest.update(metadata.version(name).encode())
    return digest.hexdigest()[:16]


def tally(records: list[Record]) -> Counter[str]:
    """Count records by status."""
    return Counter(str(record.status) for record in records)
