"""The run file: one SQLite database with the corpus, the plan, the manifest and every outcome.

It is self-sufficient: produced on one machine, it is judged and rendered on another.  Outcomes are
written in batches, one transaction each, so a kill loses at most what was in flight; the footer
``finished`` in the manifest says that nothing is missing.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from conformance.corpus import yamlmarks
from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.loader import Corpus, load_texts
from conformance.errors import CallerError, HarnessError
from conformance.run import outcome
from conformance.run.layout import FORMAT, LATER, SCHEMA, was_run_file
from conformance.run.outcome import Outcome


@dataclass(frozen=True)
class PlannedItem:
    """One item of a run by names; `call` is empty when the pair has no side for the target."""

    case: str
    hash: str
    pair: str
    target: str
    call: str


class RunFile:
    """An open run file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create an empty run file, replacing what was there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        connection = sqlite3.connect(path)
        connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA + LATER
        )
        run = cls(path, connection)
        run.note(format=FORMAT)
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run file.  Raises CallerError when it is none, HarnessError for another format."""
        if path.is_dir():
            raise CallerError(f"{path}: a folder, where a run file is wanted")
        if not path.is_file():
            raise CallerError(f"{path}: no such run file; `conformance run` makes one")
        run = cls(path, sqlite3.connect(path))
        try:
            found = run.manifest.get("format")
        except (sqlite3.DatabaseError, ValueError) as error:
            run.close()
            if was_run_file(path):
                raise HarnessError(f"{path}: a damaged or truncated run file ({error})") from None
            raise CallerError(f"{path}: not a run file ({error})") from None
        if found != FORMAT:
            run.close()
            raise HarnessError(f"{path}: run file format {found}, this version reads {FORMAT}")
        return run

    def close(self) -> None:
        """Close; a writer folds the write-ahead log in, so that copying one file copies the run."""
        if self._db.total_changes:
            with contextlib.suppress(sqlite3.OperationalError):  # somebody else reads it just now
                self._fold()
        self._db.close()

    def _fold(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.execute("PRAGMA journal_mode=DELETE")

    # Writing ------------------------------------------------------------------------------------

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO manifest VALUES (?, ?)",
                [(key, json.dumps(value)) for key, value in facts.items()],
            )
        self.__dict__.pop("manifest", None)

    def suppose(self, **facts: Any) -> None:
        """Let the manifest say `facts` until something is noted; the file stays as it is."""
        self.__dict__["manifest"] = {**self.manifest, **facts}

    def keep_corpus(self, corpus: Corpus) -> None:
        """Keep the text of every case file and the arrays beside it that its cases read."""
        with self._db:
            for document in corpus.documents.values():
                self._db.execute(
                    "INSERT INTO documents VALUES (?, ?)", (document.path, document.text)
                )
                self._db.execute(
                    "INSERT OR REPLACE INTO plain VALUES (?, ?)",
                    (yamlmarks.key(document.text), json.dumps(document.marked.data)),
                )
                names = {
                    spec.npy
                    for case in expand(document.operation, document.folder)
                    for spec in case.specs.values()
                    if spec.npy is not None
                }
                self._db.executemany(
                    "INSERT INTO files VALUES (?, ?, ?)",
                    [(document.path, n, (document.folder / n).read_bytes()) for n in sorted(names)],
                )

    def plan(self, items: Iterable[PlannedItem]) -> None:
        """Write down what the run is to execute."""
        with self._db:
            self._db.executemany(
                'INSERT INTO items ("case", "hash", pair, target, call) VALUES (?, ?, ?, ?, ?)',
                [(i.case, i.hash, i.pair, i.target, i.call) for i in items],
            )

    def target(self, name: str, info: Mapping[str, Any]) -> None:
        """Write down what a target said of itself, or ``{"unavailable": reason}``."""
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO targets VALUES (?, ?)", (name, json.dumps(info))
            )

    def describe(self, target: str, signatures: Iterable[dict[str, Any]]) -> None:
        """Keep introspected signatures."""
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO signatures VALUES (?, ?, ?)",
                [(target, s["api"], json.dumps(s)) for s in signatures],
            )

    def add(self, batch: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Write (target, call, outcome message) triples in one transaction."""
        rows = [
            (target, call, m["outcome"], m.get("duration", 0.0), outcome.dumps(m))
            for target, call, m in batch
        ]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?)", rows)

    def add_variant(self, target: str, call: str, behaviour: str, message: dict[str, Any]) -> None:
        """Keep what a repetition of a call did otherwise than its first execution."""
        with self._db:
            self._db.executescript(LATER)
            self._db.execute(
                "INSERT OR REPLACE INTO variants VALUES (?, ?, ?, ?)",
                (target, call, behaviour, outcome.dumps(message)),
            )

    def faster(self, target: str, call: str, seconds: float) -> None:
        """Keep the shorter duration of a call that was repeated."""
        with self._db:
            self._db.execute(
                "UPDATE outcomes SET duration = MIN(duration, ?) WHERE target = ? AND call = ?",
                (seconds, target, call),
            )

    def keep_records(self, judged_by: str, records: Iterable[Any]) -> bool:
        """Keep one record for each item of the plan; False where the file cannot be written."""
        try:
            with self._db:
                self._db.executescript(LATER)
                self._db.execute("DELETE FROM records")
                rows = enumerate(map(json.dumps, records), 1)
                self._db.executemany("INSERT INTO records VALUES (?, ?)", rows)
            self.note(judged_by=judged_by, variants_judged=self.variant_count())
        except sqlite3.OperationalError:
            return False
        return True

    # Reading ------------------------------------------------------------------------------------

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The facts of the run."""
        rows = self._db.execute("SELECT key, value FROM manifest")
        return {key: json.loads(value) for key, value in rows}

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return bool(self.manifest.get("finished"))

    def targets(self) -> dict[str, dict[str, Any]]:
        """Return what each target said of itself, in the order they were asked for."""
        found = {name: json.loads(info) for name, info in self._db.execute("SELECT * FROM targets")}
        order = self.manifest.get("targets", list(found))
        return {name: found.get(name, {"unavailable": "it was never started"}) for name in order}

    def signatures(self, target: str) -> dict[str, dict[str, Any]]:
        """Return the introspected signatures of one target by API."""
        rows = self._db.execute("SELECT api, signature FROM signatures WHERE target = ?", (target,))
        return {api: json.loads(text) for api, text in rows}

    def executed(self) -> set[tuple[str, str]]:
        """Return the (target, call) that have an outcome."""
        return set(self._db.execute("SELECT target, call FROM outcomes"))

    def items(self) -> list[PlannedItem]:
        """Return the plan."""
        rows = self._db.execute(
            'SELECT "case", "hash", pair, target, call FROM items ORDER BY number'
        )
        return [PlannedItem(*row) for row in rows]

    def outcomes(self) -> dict[tuple[str, str], Outcome]:
        """Return every outcome by (target, call)."""
        rows = self._db.execute("SELECT target, call, message FROM outcomes")
        return {(t, c): outcome.from_message(outcome.loads(m)) for t, c, m in rows}

    def outcome(self, target: str, call: str) -> Outcome | None:
        """Return the outcome of one call, or None when it has none."""
        row = self._db.execute(
            "SELECT message FROM outcomes WHERE target = ? AND call = ?", (target, call)
        ).fetchone()
        return None if row is None else outcome.from_message(outcome.loads(row[0]))

    def variants(self) -> dict[tuple[str, str], list[Outcome]]:
        """Return, by (target, call), what repetitions did otherwise than the first execution."""
        found: dict[tuple[str, str], list[Outcome]] = {}
        if self._has("variants"):
            for target, call, message in self._db.execute(
                "SELECT target, call, message FROM variants ORDER BY target, call, behaviour"
            ):
                known = outcome.from_message(outcome.loads(message))
                found.setdefault((target, call), []).append(known)
        return found

    def variant_count(self) -> int:
        """Return how many variants there are."""
        if not self._has("variants"):
            return 0
        return int(self._db.execute("SELECT COUNT(*) FROM variants").fetchone()[0])

    def records(self, judged_by: str) -> list[Any] | None:
        """Return the record of each item in the order of the plan, or None if it has none.

        Records that another judge than `judged_by` made are none.
        """
        if self.manifest.get("judged_by") != judged_by or not self._has("records"):
            return None
        rows = self._db.execute("SELECT record FROM records ORDER BY number")
        return [json.loads(text) for (text,) in rows]

    def durations(self) -> dict[tuple[str, str], float]:
        """Return the seconds inside the framework by (target, call)."""
        rows = self._db.execute("SELECT target, call, duration FROM outcomes")
        return {(target, call): seconds for target, call, seconds in rows}

    def texts(self) -> dict[str, str]:
        """Return the text of each case file by its path."""
        return dict(self._db.execute("SELECT path, text FROM documents ORDER BY path"))

    def _has(self, table: str) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
        return found.fetchone() is not None

    def framework_seconds(self) -> float:
        """Return the time spent inside framework calls, summed over all outcomes."""
        return float(
            self._db.execute("SELECT COALESCE(SUM(duration), 0) FROM outcomes").fetchone()[0]
        )

    def corpus(self) -> Corpus:
        """Return the corpus as it was when the run was made.

        Its arrays lie in a temporary folder until the process ends, since cases draw them late.
        Raises HarnessError when one would lie outside that folder.
        """
        folders = self._unpack()
        rows = self._db.execute("SELECT path, text FROM documents ORDER BY path")
        nowhere = self.path / "nothing lies under a file"
        kept = dict(self._db.execute("SELECT * FROM plain")) if self._has("plain") else {}
        return load_texts([(path, text, folders.get(path, nowhere)) for path, text in rows], kept)

    def _unpack(self) -> dict[str, Path]:
        """Write the kept arrays to files; return the folder of each document that has some."""
        rows = self._db.execute("SELECT document, name, data FROM files").fetchall()
        if not rows:
            return {}
        root = Path(tempfile.mkdtemp(prefix="conformance-run-")).resolve()
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        documents = sorted({document for document, _, _ in rows})
        folders = {document: root / str(i) for i, document in enumerate(documents)}
        for document, name, data in rows:
            path = (folders[document] / name).resolve()
            if not path.is_relative_to(folders[document]):
                raise HarnessError(f"{self.path}: {name!r} leads out of the run file")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folders

    def cases(self, corpus: Corpus) -> Iterator[tuple[PlannedItem, ExpandedCase]]:
        """Yield every planned item with its case."""
        by_id = {case.id: case for case in corpus.cases()}
        for item in self.items():
            yield item, by_id[item.case]
