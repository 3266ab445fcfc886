"""Files to operations, with every error of every file at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from conformance import parallel
from conformance.corpus import invalid, yamlmarks
from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.rules import broken_rules
from conformance.corpus.schema import Operation
from conformance.errors import CallerError, CorpusError, Problem

KNOWN_FILE = "known.yaml"


@dataclass(frozen=True)
class Document:
    """One case file: where it lies, its text, and the operation it holds."""

    path: str
    text: str
    operation: Operation
    marked: yamlmarks.Marked = field(repr=False)
    folder: Path = Path()

    def problem(self, where: yamlmarks.Path_, message: str) -> Problem:
        """Return a problem at the value that `where` leads to."""
        return Problem(self.path, *self.marked.place(where), message)


@dataclass(frozen=True)
class Corpus:
    """The operations of a set of case files, by name."""

    documents: dict[str, Document]

    def cases(self) -> Iterator[ExpandedCase]:
        """Yield every expanded case, lazily, in the order of the files."""
        for document in self.documents.values():
            yield from expand(document.operation, document.folder)


def similar_ids(corpus: Corpus, wanted: str) -> str:
    """Return the case ids closest to `wanted`, joined by commas; empty when none is close."""
    stems = dict.fromkeys(case.id.split("[")[0] for case in corpus.cases())
    by_name = [stem for stem in stems if wanted in stem]
    return ", ".join(difflib.get_close_matches(wanted, stems, n=3) or by_name[:3])


def case_files(paths: Iterable[Path]) -> list[Path]:
    """Return the case files under `paths`, sorted.  Raises CallerError for a path without any."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*.yaml") if p.name != KNOWN_FILE)
        else:
            files = [path] if path.is_file() else []
        if not files:
            raise CallerError(f"{path}: no case file here; case files end in .yaml")
        found.update(dict.fromkeys(files))
    return list(found)


def load(paths: Iterable[Path]) -> Corpus:
    """Load and validate the case files under `paths`.

    Raises CorpusError with all problems of all files, each as ``file:line:column: message``.
    """
    return load_texts([(str(path), read(path), path.parent) for path in case_files(paths)])


def read(path: Path) -> str:
    """Return the text of `path`; CorpusError when it is too large or not UTF-8."""
    if path.stat().st_size > 2 * yamlmarks.MAX_FILE_BYTES:
        size = path.stat().st_size
        limit = f"a case file has at most {yamlmarks.MAX_FILE_BYTES:,}"
        raise CorpusError([Problem(str(path), 1, 1, f"{size:,} bytes; {limit}")])
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError([Problem(str(path), 1, 1, f"not UTF-8 at byte {error.start}")]) from None


def load_texts(
    texts: Iterable[tuple[str, str, Path]], kept: Mapping[str, str] = MappingProxyType({})
) -> Corpus:
    """Load (path, text, folder) triples; what a run file keeps is loaded through here too.

    `kept` holds the data of texts as JSON, by their `yamlmarks.key`: to read YAML takes most of
    the time.
    """
    problems: list[Problem] = []
    documents: dict[str, Document] = {}
    for document, found in parallel.mapped(lambda given: _read(*given, kept), list(texts)):
        problems += found
        if document is None:
            continue
        name = document.operation.operation
        if name in documents:
            first = documents[name].path
            problems.append(document.problem(("operation",), f"{name!r} is already in {first}"))
        documents.setdefault(name, document)
    if problems:
        raise CorpusError(sorted(problems, key=lambda p: (p.path, p.line, p.column)))
    return Corpus(documents)


def _read(
    path: str, text: str, folder: Path, kept: Mapping[str, str]
) -> tuple[Document | None, list[Problem]]:
    """Return the document, if its text is one, and everything that is wrong with it."""
    marked = _kept(text, kept)
    try:
        document = _document(path, text, folder, marked or yamlmarks.parse(text, path))
        broken = broken_rules(document.operation, document.folder)
        problems = [document.problem(where, message) for where, message in broken]
    except CorpusError as error:
        document, problems = None, list(error.problems)
    # Only the text knows lines and columns.
    return _read(path, text, folder, {}) if problems and marked else (document, problems)


def _kept(text: str, kept: Mapping[str, str]) -> yamlmarks.Marked | None:
    try:
        return yamlmarks.Marked(json.loads(kept[yamlmarks.key(text)])) if kept else None
    except (KeyError, ValueError, RecursionError):
        return None


def _document(path: str, text: str, folder: Path, marked: yamlmarks.Marked) -> Document:
    try:
        operation = Operation.model_validate(marked.data)
    except ValidationError as error:
        raise CorpusError(
            invalid.problems(path, marked, error, Operation.model_json_schema())
        ) from None
    return Document(path, text, operation, marked, folder)
