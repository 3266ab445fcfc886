"""The baseline: what a run showed, as text that is committed, reviewed and compared against.

A folder with one file for each operation, one for each target's signatures, and ``manifest.json``.
The same run gives the same bytes, and two runs that show the same do too: nothing in it speaks of
time.  One line of an operation's file stands for what one call did::

    pair 1 torch.abs=mindspore.ops.abs
    pair 2 torch.abs=mindspore.mint.abs
    case dtypes[dtype=float32] 8a3f09c1d2e4f5a6
     torch 1-2 c91ac03f1b2d4e57 5f3e9a0c1b2d conforms 0.43 0.44
     mindspore 1 0d2f… 77ab… differs 5410 - value special-values/value

that is: target, numbers of pairs, call, behaviour, status, error in roundoffs of value and gradient
(``-`` for none), what happened unless it returned, kinds found, those of them that are not declared
after ``!``, those that come and go after ``?``, and after each ``~`` what a repetition showed
instead.
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
from conformance.gate.change import role
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.judge.verdict import Status
from conformance.worker import describe

FORMAT = 1
MANIFEST = "manifest.json"
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
_BY_WORD = {word: status for status, word in STATUS.items()}
_SAFE = re.compile(r"[^\w.@+-]")


def write(side: Side, folder: Path) -> int:
    """Write `side` into `folder`, replacing the baseline there; return its size in bytes.

    Raises CallerError when the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise CallerError(f"{folder}: holds files, but no baseline; nothing was written")
    texts = dict(_texts(side))
    if folder.exists():
        shutil.rmtree(folder)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sum(len(text.encode()) for text in texts.values())


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
        target: dict(_messages(folder / "signatures" / name))
        for target, name in manifest["signatures"].items()
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
        missing = {"targets", "items", "signatures", "warnings"} - manifest.keys()
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
    tags = _tags(side.targets)
    for operation, records in by_operation.items():
        yield f"operations/{operation}.txt", "\n".join(_operation(records, tags)) + "\n"
    shared: dict[str, str] = {}
    names = {}
    for target, messages in side.signatures.items():
        text = "\n".join(line for api in sorted(messages) for line in _signature(messages[api]))
        names[target] = shared.setdefault(text, f"{_SAFE.sub('-', target)}.txt")
    for text, name in shared.items():
        yield f"signatures/{name}", text + "\n"
    manifest = {
        "format": FORMAT,
        **{key: side.manifest.get(key) for key in KEPT},
        "targets": {
            name: {key: info[key] for key in HOST if key in info}
            for name, info in side.targets.items()
        },
        "items": {operation: len(records) for operation, records in by_operation.items()},
        "signatures": names,
        "warnings": {target: sorted(texts) for target, texts in side.warnings.items()},
    }
    yield MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def _tags(targets: Iterable[str]) -> dict[str, str]:
    """Return a short name for each target: its initials, numbered where they coincide."""
    found: dict[str, str] = {}
    for target in targets:
        initials = "".join(part[0] for part in role(target).split(":"))
        tags = (f"{initials}{n or ''}" for n in itertools.count())
        found[target] = next(tag for tag in tags if tag not in found.values())
    return found


def _operation(records: Sequence[Record], tags: Mapping[str, str]) -> Iterator[str]:
    for target in dict.fromkeys(record.target for record in records):
        yield f"target {tags[target]} {target}"
    pairs = {pair: i for i, pair in enumerate(dict.fromkeys(r.pair for r in records), 1)}
    for pair, number in pairs.items():
        yield f"pair {number} {pair}"
    cases: dict[tuple[str, str], dict[str, list[int]]] = {}
    for record in records:
        line = _line(record)
        lines = cases.setdefault((record.case, record.hash), {})
        lines.setdefault(f"{tags[record.target]} {line}", []).append(pairs[record.pair])
    for (case, hash_), lines in cases.items():
        yield f"case {case.partition('/')[2]} {hash_}"
        for line, numbers in lines.items():
            tag, rest = line.split(" ", 1)
            yield f" {tag} {','.join(map(str, numbers))} {rest}"


def _line(record: Record) -> str:
    words = [record.call[:8] or "-", record.behaviour or "-", STATUS[record.status]]
    words += ["-" if r is None else f"{r:g}" for r in (record.ratio, record.gradient_ratio)]
    if record.label != "returned":
        words.append("=" + record.label.replace(" ", "_"))
    if record.kinds:
        words.append("+" + "/".join(record.kinds))
    if record.open:
        words.append("!" + "/".join(record.open))
    if record.sometimes:
        words.append("?" + "/".join(record.sometimes))
    return " ".join([*words, *("~" + "/".join(kinds) for kinds in record.variants)])


def _signature(message: Mapping[str, Any]) -> Iterator[str]:
    api = message["api"]
    if not message["exists"]:
        yield f"{api} absent: {' '.join(str(message['error']).split())}"
        return
    if message["source"] == "none":
        yield f"{api} unknown"
    else:
        yield f"{api} {describe.render(message['parameters'])}"
    for overload in message["overloads"]:
        yield f" or {describe.render(overload['parameters'])}"
    if message["call_parameters"] is not None:
        yield f" call {describe.render(message['call_parameters'])}"
    if message["deprecated"]:
        yield f" deprecated {', '.join(message['deprecated'])}"
    if note := message.get("deprecated_api"):
        yield f" obsolete {' '.join(note.split())}"


# Reading ----------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path}: the baseline is damaged ({error})") from None
    yield from enumerate(text.splitlines(), 1)


def _records(path: Path, operation: str, tags: Mapping[str, str]) -> Iterator[Record]:
    pairs: dict[str, str] = {}
    case = hash_ = ""
    for number, line in _lines(path):
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


def _messages(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield API and message, in the form of `conformance.worker.describe`."""
    message: dict[str, Any] = {}
    for number, line in _lines(path):
        word, _, rest = line.lstrip(" ").partition(" ")
        try:
            if not line.startswith(" "):
                if message:
                    yield message["api"], message
                message = _message(word, rest)
            elif word == "or":
                message["overloads"].append({"text": rest, "parameters": describe.parse(rest)})
            elif word == "call":
                message |= {"call_text": rest, "call_parameters": describe.parse(rest)}
            elif word == "deprecated":
                message["deprecated"] = rest.split(", ")
            elif word == "obsolete":
                message["deprecated_api"] = rest
            else:
                raise ValueError
        except (KeyError, ValueError):
            raise HarnessError(
                f"{path}:{number}:1: not a line of a baseline; write it anew"
            ) from None
    if message:
        yield message["api"], message


def _message(api: str, rest: str) -> dict[str, Any]:
    message = describe.blank(api)
    if rest.startswith("absent: "):
        return {**message, "error": rest.removeprefix("absent: ")}
    message["exists"] = True
    if rest == "unknown":
        return message
    parameters = describe.parse(rest)
    return {**message, "source": "signature", "text": rest, "parameters": parameters}
