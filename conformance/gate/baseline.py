"""The baseline: what a run showed, as text that is committed, reviewed and compared against.

A folder with one file for each operation, one for each target's signatures, and ``manifest.json``.
The same run gives the same bytes, and two runs that show the same do too: nothing in it speaks of
time.  One line of an operation's file stands for what one call did::

    target t torch
    target m mindspore
    pair 1 torch.abs=mindspore.ops.abs
    pair 2 torch.abs=mindspore.mint.abs
    case dtypes[dtype=float32] 8a3f09c1d2e4f5a6
     t 1,2 c91ac03f 5f3e9a0c1b conforms 0.43 0.44
     m 1 0d2f77ab 9c01d4e2aa differs 5410 - +special-values/value !value

that is: target, numbers of pairs, call, behaviour (``*`` where it does not repeat), status, error
in roundoffs of value and gradient (``-`` for none); then, where there is any, after ``=`` what
happened instead of returning, after ``+`` the kinds found, after ``!`` those of them that are not
declared, after ``?`` those that come and go by the case file, and after each ``~`` the kinds that a
repetition showed instead.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.errors import CallerError, HarnessError
from conformance.gate import signature_text
from conformance.gate.change import role
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.gate.signature_text import lines_of
from conformance.judge.verdict import Status
from conformance.run.target import framework_of
from conformance.taxonomy import LIBRARIES

FORMAT = 1
MANIFEST = "manifest.json"
FOLDERS = ("operations", "signatures")
KEPT = ("conformance", "corpus", "judged_by", "select", "quick", "covering", "repeat", "files")
"""What a baseline keeps of a run's manifest."""
HOST = ("version", "build", "device", "mode", "python", "numpy", "threads", "machine", "cpu")
"""What it keeps of what a target said of itself."""
STATUS = {
    Status.CONFORMS: "conforms",
    Status.DECLARED: "declared",
    Status.DIFFERS: "differs",
    Status.NOT_COMPARABLE: "uncompared",
}
VARIES = "*"
"""Stands for a behaviour that another run would not show, so that it changes no line."""
_BY_WORD = {word: status for status, word in STATUS.items()}
_SAFE = re.compile(r"[^\w.@+-]")


def write(side: Side, folder: Path) -> int:
    """Write `side` into `folder`, replacing the baseline there; return its size in bytes.

    Raises CallerError when the folder holds something else.
    """
    if folder.is_file():
        raise CallerError(f"{folder}: a file; a baseline is written into a folder")
    if folder.exists() and any(folder.iterdir()) and not _is_baseline(folder):
        raise CallerError(f"{folder}: holds files, but no baseline; nothing was written")
    texts = dict(_texts(side))
    for part in FOLDERS:
        shutil.rmtree(folder / part, ignore_errors=True)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sum(len(text.encode()) for text in texts.values())


def _is_baseline(folder: Path) -> bool:
    """Tell whether `folder` holds a baseline, of any format; other things have manifests too."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and {"format", "judged_by", "items"} <= manifest.keys()


def read(folder: Path) -> Side:
    """Return the baseline in `folder`.

    Raises CallerError when there is none, HarnessError with file and line when it is damaged: cut
    off, merged by halves, of another format.
    """
    manifest = _manifest(folder)
    tags = {tag: target for target, tag in _tags(manifest["targets"]).items()}
    records: list[Record] = []
    for operation, count in manifest["items"].items():
        path = folder / "operations" / f"{operation}.txt"
        found = list(_records(path, operation, tags))
        if len(found) != count:
            raise HarnessError(f"{path}: holds {len(found)} items, the manifest says {count}")
        records += found
    signatures = {
        target: signature_text.read(folder / "signatures" / name, count)
        for target, (name, count) in manifest["signatures"].items()
    }
    return Side(
        name=str(folder),
        records=records,
        targets=manifest["targets"],
        signatures=signatures,
        warnings={target: frozenset(texts) for target, texts in manifest["warnings"].items()},
        manifest=manifest,
    )


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise CallerError(f"{folder}: no baseline here; `conformance baseline RUN` writes one")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise HarnessError(
                f"{path}: baseline format {manifest['format']}, this version reads {FORMAT}"
            )
        missing = {"targets", "items", "signatures", "warnings", *KEPT} - manifest.keys()
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{path}: damaged ({error}); write the baseline anew") from None
    if missing:
        raise HarnessError(f"{path}: damaged (no {sorted(missing)[0]}); write the baseline anew")
    return manifest


# Writing ----------------------------------------------------------------------------------------


def _texts(side: Side) -> Iterator[tuple[str, str]]:
    by_operation: dict[str, list[Record]] = {}
    for record in side.records:
        by_operation.setdefault(record.operation, []).append(record)
    targets = _in_order(side.targets)
    tags = _tags(targets)
    for operation, records in by_operation.items():
        yield f"operations/{operation}.txt", "\n".join(_operation(records, tags)) + "\n"
    shared: dict[str, str] = {}
    described = {}
    for target in _in_order(side.signatures):
        messages = side.signatures[target]
        text = signature_text.write(messages)
        name = shared.setdefault(text, f"{_SAFE.sub('-', target)}.txt")
        described[target] = (name, len(messages))
    for text, name in shared.items():
        yield f"signatures/{name}", text
    manifest = {
        "format": FORMAT,
        **{key: side.manifest.get(key) for key in KEPT},
        "targets": {
            name: {key: side.targets[name][key] for key in HOST if key in side.targets[name]}
            for name in targets
        },
        "items": {operation: len(records) for operation, records in by_operation.items()},
        "signatures": described,
        "warnings": {name: sorted(side.warnings[name]) for name in _in_order(side.warnings)},
    }
    yield MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def _in_order(targets: Iterable[str]) -> list[str]:
    """Return `targets` in an order that is not that of a command line: by framework and name."""
    return sorted(targets, key=lambda name: (LIBRARIES.index(framework_of(name)), name))


def _tags(targets: Iterable[str]) -> dict[str, str]:
    """Return a short name for each target: its initials, numbered where they coincide."""
    found: dict[str, str] = {}
    for target in targets:
        initials = "".join(part[0] for part in role(target).split(":"))
        tags = (f"{initials}{n or ''}" for n in itertools.count())
        found[target] = next(tag for tag in tags if tag not in found.values())
    return found


def _operation(records: Sequence[Record], tags: Mapping[str, str]) -> Iterator[str]:
    targets = _in_order({record.target for record in records})
    for target in targets:
        yield f"target {tags[target]} {target}"
    pairs = {pair: i for i, pair in enumerate(dict.fromkeys(r.pair for r in records), 1)}
    for pair, number in pairs.items():
        yield f"pair {number} {pair}"
    # The order of the plan, but for targets: theirs is that of a command line.
    places = {case: i for i, case in enumerate(dict.fromkeys(r.case for r in records))}
    cases: dict[tuple[str, str], dict[str, list[int]]] = {}
    for record in sorted(
        records, key=lambda r: (places[r.case], pairs[r.pair], targets.index(r.target))
    ):
        line = _line(record)
        lines = cases.setdefault((record.case, record.hash), {})
        lines.setdefault(f"{tags[record.target]} {line}", []).append(pairs[record.pair])
    for (case, hash_), lines in cases.items():
        yield f"case {case.partition('/')[2]} {hash_}"
        for line, numbers in lines.items():
            tag, rest = line.split(" ", 1)
            yield f" {tag} {','.join(map(str, numbers))} {rest}"


def _line(record: Record) -> str:
    """Return the line; of what repetitions showed to vary neither behaviour nor errors."""
    behaviour = VARIES if record.variants else record.behaviour
    errors = (None, None) if record.variants else (record.ratio, record.gradient_ratio)
    words = [record.call[:8] or "-", behaviour or "-", STATUS[record.status]]
    words += ["-" if r is None else f"{r:g}" for r in errors]
    if record.label != "returned":
        words.append("=" + record.label.replace(" ", "_"))
    if record.kinds:
        words.append("+" + "/".join(record.kinds))
    if record.open:
        words.append("!" + "/".join(record.open))
    if record.sometimes:
        words.append("?" + "/".join(record.sometimes))
    return " ".join([*words, *("~" + "/".join(kinds) for kinds in record.variants)])


# Reading ----------------------------------------------------------------------------------------


def _records(path: Path, operation: str, tags: Mapping[str, str]) -> Iterator[Record]:
    pairs: dict[str, str] = {}
    case = hash_ = ""
    for number, line in lines_of(path):
        try:
            match line.split(" "):
                case ["target", tag, target] if tags[tag] == target:
                    continue
                case ["pair", index, *name]:
                    pairs[index] = " ".join(name)
                case ["case", *name, hash_]:
                    case = f"{operation}/{' '.join(name)}"
                case ["", tag, indices, call, *words] if case:
                    for index in indices.split(","):
                        given = (case, hash_, pairs[index], tags[tag], call.replace("-", ""))
                        yield _record(given, words)
                case _:
                    raise ValueError
        except (KeyError, ValueError, IndexError):
            raise HarnessError(
                f"{path}:{number}:1: not a line of a baseline; write it anew"
            ) from None


def _record(given: tuple[str, str, str, str, str], words: list[str]) -> Record:
    behaviour, status, ratio, gradient, *rest = words
    marked: dict[str, list[str]] = {mark: [] for mark in "=+!?~"}
    for word in rest:
        marked[word[0]].append(word[1:])
    kinds, open_, sometimes = (tuple(k for w in marked[m] for k in w.split("/")) for m in "+!?")
    return Record(
        *given,
        status=_BY_WORD[status],
        behaviour=behaviour.replace("-", ""),
        label=marked["="][0].replace("_", " ") if marked["="] else "returned",
        kinds=kinds,
        open=open_,
        ratio=None if ratio == "-" else float(ratio),
        gradient_ratio=None if gradient == "-" else float(gradient),
        sometimes=sometimes,
        variants=tuple(tuple(filter(None, word.split("/"))) for word in marked["~"]),
    )
