"""From a run file to its judgement: what every consumer of a run starts with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import Corpus
from conformance.corpus.schema import Operation, Pair
from conformance.errors import CallerError
from conformance.judge import documents, known, signature
from conformance.judge.documents import DocumentClaim
from conformance.judge.item import Item
from conformance.judge.judge import Judgement, judge
from conformance.judge.known import Known
from conformance.judge.undeclared import undeclared
from conformance.judge.verdict import Status
from conformance.judge.words import said
from conformance.run.outcome import Outcome, Unavailable
from conformance.run.store import PlannedItem, RunFile
from conformance.run.target import framework_of
from conformance.taxonomy import FRAMEWORKS

NEVER_RAN = said("it never ran: the run was interrupted before it; --resume goes on")


@dataclass(frozen=True)
class Verdicts:
    """A judged run: verdicts, and what the run file says of itself.

    `manifest` speaks of all run files together, `runs` are the manifests of each; `known` are the
    known differences that verdicts heeded.
    `executed` counts items whose framework answered, so neither our reference on the target
    ``numpy`` nor what was unavailable; `signatures` are introspected ones by target and API;
    `paths` are those of the case files, by operation.
    """

    judgement: Judgement
    manifest: dict[str, Any]
    targets: dict[str, dict[str, Any]]
    signatures: dict[str, dict[str, dict[str, Any]]]
    claims: dict[str, list[DocumentClaim]] = field(default_factory=dict)
    executed: int = 0
    framework_seconds: float = 0.0
    paths: dict[str, str] = field(default_factory=dict)
    runs: tuple[dict[str, Any], ...] = ()
    known: tuple[Known, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.manifest.get("finished"))

    @property
    def messages(self) -> dict[str, dict[str, Any]]:
        """Introspected signatures by API, over all targets; the first target that has one wins."""
        return _messages(self.signatures)

    @property
    def unexpected(self) -> int:
        """How many items differ in a way that nothing declares or excuses."""
        return sum(j.verdict.status is Status.DIFFERS for j in self.judgement.judged)


def judge_run(run: RunFile, *, today: date, corpus: Corpus | None = None) -> Verdicts:
    """Judge what `run` holds, with its own corpus unless the same `corpus` is at hand."""
    return judge_runs([run], today=today, corpus=corpus)


def judge_runs(runs: Sequence[RunFile], *, today: date, corpus: Corpus | None = None) -> Verdicts:
    """Judge several run files of one corpus together, such as one from each machine.

    Raises CallerError when their case files or targets do not go together.
    """
    _agree(runs)
    corpus = corpus or runs[0].corpus()
    targets = {name: info for run in runs for name, info in run.targets().items()}
    signatures = {name: run.signatures(name) for run in runs for name in run.targets()}
    given = [found for run in runs for found in items(run, corpus)]
    operations = dict.fromkeys(item.case.operation.operation for item, _ in given)
    chosen = [corpus.documents[name].operation for name in operations]
    messages = _messages(signatures)
    claims = {op.operation: documents.check(op, messages) for op in chosen}
    lines = [line for _, problems in claims.values() for line in problems]
    ran = {(item.case.operation.operation, item.pair.id): item.pair for item, _ in given}
    lines += _signature_lines(
        [(corpus.documents[name].operation, pair) for (name, _), pair in ran.items()],
        messages,
        targets,
    )
    known_path, known_text = runs[0].manifest.get("known") or ("", "[]")
    entries = tuple(known.parse(known_text, known_path))
    finished = all(run.finished for run in runs)
    judgement = judge(
        given,
        known=entries,
        versions={n: str(i["version"]) for n, i in targets.items() if "version" in i},
        today=today,
        complete=finished and all(run.manifest.get("complete") for run in runs),
        known_complete=bool(runs[0].manifest.get("known_complete", True)),
        problems=lines,
    )
    return Verdicts(
        judgement=judgement,
        manifest={
            **runs[0].manifest,
            "targets": list(targets),
            "finished": finished,
            "covering": any(run.manifest.get("covering") for run in runs),
        },
        targets=targets,
        signatures=signatures,
        claims={name: found for name, (found, _) in claims.items()},
        executed=sum(
            not item.of_reference and not isinstance(outcome, Unavailable)
            for item, outcome in given
        ),
        framework_seconds=sum(run.framework_seconds() for run in runs),
        runs=tuple(run.manifest for run in runs),
        known=entries,
        paths={name: corpus.documents[name].path for name in operations},
    )


def _agree(runs: Sequence[RunFile]) -> None:
    first = runs[0]
    seen: dict[str, RunFile] = {}
    for run in runs:
        if run.manifest.get("corpus") != first.manifest.get("corpus"):
            raise CallerError(f"{run.path} and {first.path} were made from different case files")
        for name in run.targets():
            if name in seen:
                raise CallerError(f"{run.path} and {seen[name].path} both hold target {name}")
            seen[name] = run


def items(run: RunFile, corpus: Corpus) -> Iterator[tuple[Item, Outcome]]:
    """Yield every item that `run` planned with its outcome, in the order of the plan."""
    outcomes, targets = run.outcomes(), run.targets()
    pairs: dict[tuple[str, str], Pair] = {}
    for planned, case in run.cases(corpus):
        key = (case.operation.operation, planned.pair)
        if key not in pairs:
            pairs[key] = next(p for p in case.operation.pairs if p.id == planned.pair)
        found = outcomes.get((planned.target, planned.call))
        lost = (run.manifest.get("lost") or {}).get(planned.target)
        reason = targets[planned.target].get("unavailable", lost or NEVER_RAN)
        yield (
            Item(case, pairs[key], planned.target),
            found or Unavailable(reason=_why(planned, case, reason)),
        )


def _why(planned: PlannedItem, case: ExpandedCase, reason: str) -> str:
    if planned.call:
        return reason
    if framework_of(planned.target) == "numpy":
        why = case.operation.no_reference
        return said("no oracle: {why}", why=why) if why else said("no oracle")
    return said("no API of {framework} in this pair", framework=framework_of(planned.target))


def _messages(signatures: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Join the targets' signatures; the first target of a framework that has one wins."""
    joined: dict[str, dict[str, Any]] = {}
    for found in signatures.values():
        joined = {**found, **joined}
    return joined


def _signature_lines(
    ran: Iterable[tuple[Operation, Pair]],
    messages: dict[str, dict[str, Any]],
    targets: dict[str, dict[str, Any]],
) -> Iterator[str]:
    """Yield what signatures show and the case file does not say, where both sides are there."""
    there = {framework_of(name) for name, info in targets.items() if "unavailable" not in info}
    for operation, pair in ran:
        if any(pair.side(f) is not None and f not in there for f in FRAMEWORKS):
            continue
        for api in (pair.torch, pair.mindspore):
            if isinstance(api, str) and api not in messages:
                yield f"{operation.operation}: {pair.id}: nobody described {api}"
        rows = signature.compare_described(operation, pair, messages)
        yield from undeclared(operation, pair, rows)
