"""``pytest cases/``: every case, pair and target as a test, through the engine of `run`.

Inert in a session that collects no case file.  The selected items of all targets are executed
together when the first of them is asked for; under ``pytest -n`` the processes share the targets
among them by file locks, so every target still starts once for the whole session.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.loader import KNOWN_FILE, Corpus, Document, load, read
from conformance.corpus.schema import Pair
from conformance.errors import ConformanceError
from conformance.judge import known
from conformance.judge.judge import Judged
from conformance.judge.run import Verdicts, judge_runs
from conformance.judge.verdict import Status
from conformance.run import session as runs
from conformance.run import target as targets
from conformance.run.outcome import Unavailable
from conformance.run.pool import DEFAULT_JOBS
from conformance.run.select import Selection, item_id
from conformance.run.store import RunFile

_CASE_FILE = re.compile(r"^operation\s*:", re.MULTILINE)
_HEAD = 4_000
_ENGINE = pytest.StashKey["Engine"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `conformance run` that make sense here."""
    group = parser.getgroup("conformance", "API conformance of PyTorch and MindSpore (case files)")
    group.addoption(
        "--conformance-target",
        action="append",
        metavar="TARGET",
        help="framework[@version][:device][:mode]; repeat for several "
        f"(default: {', '.join(targets.DEFAULT_TARGETS)})",
    )
    group.addoption("--conformance-timeout", type=float, default=60.0, metavar="SECONDS",
                    help="seconds one call may take")  # fmt: skip
    group.addoption("--conformance-known", type=Path, metavar="FILE",
                    help="known differences (default: known.yaml beside the files)")  # fmt: skip
    group.addoption("--conformance-config", type=Path, metavar="FILE",
                    help="targets by name (default: conformance.toml)")  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the session one id that the processes of ``pytest -n`` share."""
    if not hasattr(config, "workerinput") and getattr(config.option, "testrunuid", "") is None:
        config.option.testrunuid = uuid.uuid4().hex


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect YAML files that begin like a case file."""
    if file_path.suffix != ".yaml" or file_path.name == KNOWN_FILE:
        return None
    with file_path.open(encoding="utf-8", errors="replace") as file:
        if not _CASE_FILE.search(file.read(_HEAD)):
            return None
    return CaseFile.from_parent(parent, path=file_path)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Learn what was selected: that is what the engine will execute."""
    items = [item for item in session.items if isinstance(item, CaseItem)]
    if items:
        session.config.stash[_ENGINE] = Engine(session.config, items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the run files, once, where the session began."""
    engine = session.config.stash.get(_ENGINE, None)
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(
            _folder(session.config) if engine is None else engine.folder, ignore_errors=True
        )


def _folder(config: pytest.Config) -> Path:
    shared = getattr(config, "workerinput", {}).get("testrunuid") or getattr(
        config.option, "testrunuid", None
    )
    return Path(tempfile.gettempdir(), f"conformance-pytest-{shared or os.getpid()}")


class CaseFile(pytest.File):
    """A case file."""

    @cached_property
    def corpus(self) -> Corpus:
        """The file, loaded."""
        return load([self.path])

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each case, pair and target, and one for the file's declarations."""
        try:
            (document,) = self.corpus.documents.values()
        except ConformanceError as error:
            raise self.CollectError(str(error)) from None
        names = self.config.getoption("conformance_target") or targets.DEFAULT_TARGETS
        for case in expand(document.operation, document.folder):
            for pair in case.pairs():
                for name in names:
                    local = case.id.split("/", 1)[1]
                    yield CaseItem.from_parent(
                        self, name=f"{pair.id}-{name}-{local}", case=case, pair=pair, target=name
                    )
        yield DeclarationsItem.from_parent(self, name="declarations")


class CaseItem(pytest.Item):
    """One case through one pair on one target."""

    def __init__(self, *, case: ExpandedCase, pair: Pair, target: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.case, self.pair, self.target = case, pair, target

    def setup(self) -> None:
        """Execute and judge, and mark a known difference as one that must fail."""
        judged = self.config.stash[_ENGINE].judged(self)
        if judged.verdict.status is Status.KNOWN:
            self.add_marker(pytest.mark.xfail(strict=True, reason=judged.verdict.why))

    def runtest(self) -> None:
        """Report the verdict: green conforms, or differs as declared; not comparable is skipped."""
        judged = self.config.stash[_ENGINE].judged(self)
        verdict = judged.verdict
        self.user_properties.append(("verdict", verdict.status.value))
        if verdict.ratio is not None:
            self.user_properties.append(("roundoffs", f"{verdict.ratio:.3g}"))
        self._must_have_run(judged)
        if verdict.status is Status.NOT_COMPARABLE:
            pytest.skip(f"not comparable: {verdict.why}")
        if verdict.status in (Status.DIFFERS, Status.KNOWN):
            raise ConformanceFailure(judged)

    def _must_have_run(self, judged: Judged) -> None:
        """Fail what the harness is to blame for: nothing that should have run is skipped."""
        verdicts = self.config.stash[_ENGINE].verdicts
        about_it = [p for p in verdicts.judgement.problems if p.startswith(f"{self.case.id}: ")]
        if verdicts.executed == 0:
            reasons = [str(info["unavailable"]) for info in verdicts.targets.values()]
            pytest.fail(f"no framework could be started: {'; '.join(reasons)}", pytrace=False)
        if isinstance(judged.outcome, Unavailable) and not verdicts.finished:
            pytest.fail(f"it never ran: {judged.verdict.why}", pytrace=False)
        if about_it:
            pytest.fail("\n".join(about_it), pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Say what differs, without the traceback of this file."""
        if isinstance(excinfo.value, ConformanceFailure | ConformanceError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the item as every other place does."""
        return self.path, None, item_id(self.case.id, self.pair.id, self.target)


class DeclarationsItem(pytest.Item):
    """What the file declares and nothing shows, or shows and nothing declares."""

    def runtest(self) -> None:
        """Fail with one line for each problem of this file."""
        engine = self.config.stash.get(_ENGINE, None)
        if engine is None or not engine.complete(self.path):
            pytest.skip("judged only when every item of the file is selected")
        operation = next(iter(self.parent.corpus.documents))  # type: ignore[union-attr]
        lines = [
            p
            for p in engine.verdicts.judgement.problems
            if p.startswith((operation + ":", operation + "/"))
        ]
        lines += [p for p in engine.verdicts.judgement.problems if p.startswith("known difference")]
        if lines:
            pytest.fail("\n".join(lines), pytrace=False)


@dataclass
class ConformanceFailure(Exception):
    """An unexpected difference."""

    judged: Judged

    def __str__(self) -> str:
        findings = [f"{f.kind.value} ({f.where}): {f.detail}" for f in self.judged.verdict.findings]
        return "\n".join([*findings, self.judged.verdict.why]).strip()


class Engine:
    """Executes and judges everything selected, once."""

    def __init__(self, config: pytest.Config, items: Sequence[CaseItem]) -> None:
        self.config, self.items = config, items
        self.folder = _folder(config)
        self.xdist = hasattr(config, "workerinput")
        configured = targets.configured(config.getoption("conformance_config"))
        self.targets = [
            targets.parse(n, configured) for n in dict.fromkeys(i.target for i in items)
        ]
        documents: dict[str, Document] = {}
        for item in items:
            assert isinstance(item.parent, CaseFile)
            for name, document in item.parent.corpus.documents.items():
                if documents.setdefault(name, document).path != document.path:
                    first = documents[name].path
                    raise pytest.UsageError(f"{document.path}: {name!r} is already in {first}")
        self.corpus = Corpus(documents)
        self.selection = Exactly(frozenset(item_id(i.case.id, i.pair.id, i.target) for i in items))

    def complete(self, path: Path) -> bool:
        """Tell whether every item of the file at `path` is selected."""
        (document,) = (d for d in self.corpus.documents.values() if Path(d.path) == path)
        return all(
            self.selection.takes(case, pair, target.name)
            for case in expand(document.operation, document.folder)
            for pair in case.pairs()
            for target in self.targets
        )

    def judged(self, item: CaseItem) -> Judged:
        """Return the judgement on `item`, executing everything when it is the first asked for."""
        return self.by_id[item_id(item.case.id, item.pair.id, item.target)]

    @cached_property
    def by_id(self) -> dict[str, Judged]:
        """Every judgement by item id."""
        return {
            item_id(j.item.case.id, j.item.pair.id, j.item.target): j
            for j in self.verdicts.judgement.judged
        }

    @cached_property
    def verdicts(self) -> Verdicts:
        """Execute what no other process has executed yet, then judge everything."""
        self.folder.mkdir(parents=True, exist_ok=True)
        groups = [[t] for t in self.targets] if self.xdist else [self.targets]
        # Every process starts elsewhere in the list, so that they do not queue for one target.
        first = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "0")) or 0)
        order = groups[first % len(groups) :] + groups[: first % len(groups)]
        files = [self._executed(group) for group in order]
        try:
            return judge_runs(files, corpus=self.corpus, today=date.today())
        finally:
            for file in files:
                file.close()

    def _executed(self, group: Sequence[targets.Target]) -> RunFile:
        name = "+".join(re.sub(r"\W", "_", target.name) for target in group)
        path = self.folder / f"{name}.sqlite"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists() and (done := RunFile.open(path)).finished:
                return done
            file = RunFile.create(path)
            known_text = self._known()
            whole = not known_text or known.spoken_of(Path(known_text[0]), self.corpus)
            file.note(known=known_text, known_complete=whole)
            runs.execute(
                self.corpus,
                group,
                file,
                selection=self.selection,
                jobs=1 if self.xdist else DEFAULT_JOBS,
                timeout=self.config.getoption("conformance_timeout"),
                needed=False,
            )
            file.close()
            return RunFile.open(path)

    def _known(self) -> list[str]:
        given = self.config.getoption("conformance_known")
        folders = {folder for item in self.items for folder in item.path.parents}
        found = (
            [given] if given else [f / KNOWN_FILE for f in folders if (f / KNOWN_FILE).is_file()]
        )
        if not found:
            return []
        known.load(found[0])
        return [str(found[0]), read(found[0])]


class Exactly(Selection):
    """The items that were collected and not deselected."""

    def __init__(self, ids: Iterable[str]) -> None:
        super().__init__()
        object.__setattr__(self, "ids", frozenset(ids))

    @property
    def everything(self) -> bool:
        """Whether nothing is left out: stale declarations are told by the declarations items."""
        return True

    def takes(self, case: ExpandedCase, pair: Pair, target: str) -> bool:
        """Tell whether the item was selected."""
        return item_id(case.id, pair.id, target) in self.ids  # type: ignore[attr-defined]
