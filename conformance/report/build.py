"""From what the judge says to what the pages show."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self, TypeVar

from conformance import parallel
from conformance.corpus.model import Text
from conformance.corpus.schema import Operation, Pair
from conformance.corpus.sides import apis
from conformance.coverage import claims
from conformance.judge import signature
from conformance.judge.introspected import Signature
from conformance.report import build_case, build_findings, build_run, places, views
from conformance.report.anchors import Anchors
from conformance.report.aspects import aspects
from conformance.report.build_known import expired, known_views, spoken_of
from conformance.run.target import framework_of, place
from conformance.taxonomy import FRAMEWORKS, LIBRARIES, Kind, Library

if TYPE_CHECKING:
    from conformance.judge.documents import DocumentClaim
    from conformance.judge.judge import Judged, Judgement
    from conformance.judge.known import Known
    from conformance.judge.run import Verdicts

T = TypeVar("T")
PARTS = ("parameters", "evidence", "plot", "plot-told")
"""What the template appends to a pair's anchor for fragments of its own."""
LOUD = frozenset(
    {
        Kind.NAME,
        Kind.MISSING_IN_MINDSPORE,
        Kind.MISSING_IN_TORCH,
        Kind.DEPRECATED,
        Kind.CALL_FORM,
        Kind.INPUT_TYPE,
        Kind.DTYPE_SUPPORT,
        Kind.EXCEPTION,
        Kind.UNSUPPORTED,
    }
)
"""Kinds that stop whoever meets them with an error.  The others go on with something else, so a
page tells of them first."""


@dataclass(frozen=True)
class RunInfo:
    """What the report needs of a run besides its verdicts.

    `targets` maps a target's name to what it said of itself, `signatures` to the messages of
    `conformance.worker.describe` by API; `claims` maps an operation to what its documents claim,
    `paths` to its case file.  `runs` are the manifests of the run files that `manifest` joins,
    `known` the known differences, `expired` those that did not hold any more when it was judged.
    """

    manifest: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signatures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claims: Mapping[str, Sequence[DocumentClaim]] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    runs: Sequence[Mapping[str, Any]] = ()
    known: Sequence[Known] = ()
    expired: Collection[Known] = ()

    @classmethod
    def of(cls, verdicts: Verdicts) -> Self:
        """Return the facts of a judged run."""
        return cls(
            verdicts.manifest,
            verdicts.targets,
            verdicts.signatures,
            verdicts.claims,
            verdicts.paths,
            verdicts.runs,
            verdicts.known,
        )

    @property
    def started(self) -> str:
        """When the run began, in ISO format; empty where nobody knows."""
        return str(self.manifest.get("started", ""))

    def described(self, framework: Library) -> dict[str, Any]:
        """Return the signature messages of `framework` by API, each of the first target with it."""
        found: dict[str, Any] = {}
        for target, messages in self.signatures.items():
            if framework_of(target) == framework:
                found = {**messages, **found}
        return found

    def version(self, framework: Library) -> str:
        """Return the version of the first target of `framework` that started."""
        names = (t for t in self.targets if framework_of(t) == framework)
        return next((str(v) for t in names if (v := self.targets[t].get("version"))), "")


def site(judgement: Judgement, info: RunInfo) -> views.SiteView:
    """Return everything there is to show, operations in the order of the judgement."""
    info = replace(info, expired=expired(info.known, judgement.problems))
    targets = tuple(_target(name, facts) for name, facts in _targets(judgement, info).items())
    by_operation = grouped(judgement.judged, lambda j: j.item.case.operation.operation)
    given = list(by_operation.values())
    pages = tuple(parallel.mapped(lambda judged: _page(judged, info, targets), given))
    where = places.of_pages(pages)
    return views.SiteView(
        run=_run(info.manifest),
        targets=targets,
        pages=pages,
        problems=tuple(map(str, judgement.problems)),
        runs=tuple(map(_run, info.runs or (info.manifest,))),
        execution=build_run.execution(judgement.judged, [t.name for t in targets], where),
        findings=build_findings.findings(
            judgement.judged, pages, info.known, where, info.started, info.expired
        ),
    )


def grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Return `items` by `key`, in order of first appearance."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _run(manifest: Mapping[str, Any]) -> views.RunView:
    _, *arguments = manifest.get("command") or [""]
    finished, seconds = manifest.get("finished"), manifest.get("seconds")
    targets = tuple(manifest.get("targets") or ())
    return views.RunView(
        command=shlex.join(["conformance", *arguments]) if arguments else "",
        started=str(manifest.get("started", "")),
        ended=finished if isinstance(finished, str) else "",
        corpus=str(manifest.get("corpus", "")),
        finished=bool(finished),
        covering=bool(manifest.get("covering")) and any(map(_compiles, targets)),
        quick=bool(manifest.get("quick")),
        select=str(manifest.get("select") or ""),
        repeat=int(manifest.get("repeat") or 1),
        seconds=None if seconds is None else float(seconds),
        conformance=str(manifest.get("conformance", "")),
        platform=str(manifest.get("platform", "")),
        targets=targets,
        lost=tuple((manifest.get("lost") or {}).items()),
    )


def _compiles(target: str) -> bool:
    return place(target)[1] == "graph"


def _targets(judgement: Judgement, info: RunInfo) -> dict[str, Mapping[str, Any]]:
    """The targets of the run, and any a verdict speaks of that the manifest forgot."""
    judged = dict.fromkeys(j.item.target for j in judgement.judged)
    return {**{name: {} for name in judged if name not in info.targets}, **info.targets}


def _target(name: str, facts: Mapping[str, Any]) -> views.TargetView:
    """The view of a target; of one that was lost, with what it had said of itself before."""
    said = {**facts.get("was", {}), **facts}
    keys = ("version", "build", "device", "mode", "python", "platform", "cpu", "unavailable")
    return views.TargetView(name, framework_of(name), **{k: str(said.get(k) or "") for k in keys})


def _page(
    judged: list[Judged], info: RunInfo, targets: tuple[views.TargetView, ...]
) -> views.PageView:
    operation = judged[0].item.case.operation
    anchors = Anchors()
    path = info.paths.get(operation.operation, "")
    by_pair = grouped(judged, lambda j: j.item.pair.id)
    ran = tuple(t for t in targets if any(j.item.target == t.name for j in judged))
    names = [target.name for target in ran]
    claims = tuple(_claims(operation, info))
    pairs = tuple(
        _pair(operation, found, info, anchors, names, claims) for found in by_pair.values()
    )
    title = operation.title or Text(
        en=operation.operation.replace("_", " ").capitalize(), zh=operation.operation
    )
    return views.PageView(
        operation=operation.operation,
        title=title,
        targets=ran,
        pairs=pairs,
        claims=claims,
        no_reference=operation.no_reference,
        area=area(path),
        path=path,
    )


def area(path: str) -> str:
    """Return the area of the operation whose case file is `path`: the folder the file is in."""
    return PurePath(path).parent.name


def _claims(operation: Operation, info: RunInfo) -> Iterable[views.ClaimView]:
    documents = {document.id: document for document in operation.documents}
    for claim in info.claims.get(operation.operation, ()):
        document = documents.get(claim.document)
        yield views.ClaimView(
            source=build_case.source_view(document, claim.document),
            what=claim.what,
            published=claim.published,
            installed=claim.installed,
            holds=claim.holds,
            note=claim.note,
            pair=(document and document.pair) or "",
        )


def _pair(
    operation: Operation,
    judged: list[Judged],
    info: RunInfo,
    anchors: Anchors,
    targets: Sequence[str],
    claims: Iterable[views.ClaimView],
) -> views.PairView:
    pair = judged[0].item.pair
    torch, mindspore, numpy = (build_case.side_name(pair.side(library)) for library in LIBRARIES)
    anchor = anchors.new(torch or mindspore or numpy)
    for part in PARTS:  # A case may be called like a part of the page.
        anchors.new(f"{anchor}-{part}")
    by_case = grouped(judged, lambda j: j.item.case.case.id)
    cases = tuple(build_case.case_view(found, anchor, anchors) for found in by_case.values())
    title = views.title(torch, mindspore, numpy)
    where = dict(places.of_cases(operation.operation, pair.id, title, cases))
    return views.PairView(
        id=pair.id,
        anchor=anchor,
        torch=torch,
        mindspore=mindspore,
        numpy=numpy,
        signatures=tuple(_signatures(pair, info)),
        rows=tuple(_rows(operation, pair, info)),
        summary=operation.summary_of(pair),
        differences=tuple(
            build_case.difference_view(d, judged, cases)
            for d in sorted(operation.differences_of(pair), key=lambda d: d.kind in LOUD)
            if d in pair.differences or build_case.shown_by(d, judged)
        ),
        published=tuple(_published(operation, pair, judged, info)),
        cases=cases,
        aspects=aspects(judged, targets),
        documented=tuple(claim.holds for claim in claims if claim.pair in ("", pair.id)),
        known=known_views(spoken_of(info.known, judged), judged, where, info.started, info.expired),
    )


def _published(
    operation: Operation, pair: Pair, judged: list[Judged], info: RunInfo
) -> Iterable[views.PublishedView]:
    decided = claims.answered(judged)
    rows = _compared(operation, pair, info)
    for release, claim in pair.published.items():
        found = claims.verdict(claim, rows, judged)
        holds, against = (found.upheld, tuple(found.against)) if decided else (None, ())
        yield views.PublishedView(release, claim, holds, against)


def _signatures(pair: Pair, info: RunInfo) -> Iterable[views.SignatureView]:
    for framework in LIBRARIES:
        described = info.described(framework)
        side = pair.side(framework)
        for api in dict.fromkeys(apis(side)):
            message = described.get(api)
            found = None if message is None else Signature.from_message(message)
            yield views.SignatureView(
                framework=framework,
                api=api,
                text=found.text if found is not None and found.known else "",
                version=info.version(framework),
                error="" if found is None else found.error,
            )


def _rows(operation: Operation, pair: Pair, info: RunInfo) -> Iterable[views.ParameterRowView]:
    """The parameter table: inputs before options where a constructor tells them apart."""
    if pair.torch is None or pair.mindspore is None:
        return
    rows = _compared(operation, pair, info)
    constructs = any(pair.step_form(f) == "module" for f in FRAMEWORKS)
    categories = ("input", "option", "state") if constructs else ("option", "state")
    for category in categories:
        chosen = [r for r in rows if _category(r, constructs) == category]
        for number, row in enumerate(chosen, 1):
            yield _row(pair, row, category, number)


def _compared(operation: Operation, pair: Pair, info: RunInfo) -> list[signature.ParameterRow]:
    messages = {api: m for f in FRAMEWORKS for api, m in info.described(f).items()}
    return signature.compare_described(operation, pair, messages)


def _category(row: signature.ParameterRow, constructs: bool) -> str:
    return "option" if row.role == "input" and not constructs else row.role


def _row(
    pair: Pair, row: signature.ParameterRow, category: str, number: int
) -> views.ParameterRowView:
    note = pair.torch_only.get(row.name) or pair.mindspore_only.get(row.name)
    return views.ParameterRowView(
        category=category,
        number=number,
        torch=row.torch.name if row.torch else None,
        mindspore=row.mindspore.name if row.mindspore else None,
        torch_default=row.torch.default if row.torch else None,
        mindspore_default=row.mindspore.default if row.mindspore else None,
        kinds=row.kinds,
        unknown=row.unknown,
        note=note if isinstance(note, Text) else None,
    )
