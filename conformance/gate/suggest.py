"""Known differences to start from: entries for what broke, for a person to explain and to own."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from conformance.gate.change import Change, role
from conformance.gate.gate import Result
from conformance.gate.record import Record
from conformance.judge import known
from conformance.run.target import framework_of
from conformance.taxonomy import SIGNATURE_KINDS

DAYS = 90
"""How long a suggested entry holds from today."""

Entry = dict[str, Any]


def entries(result: Result, today: date) -> list[Entry]:
    """Return an entry for each case, pair and set of kinds that is broken and not declared.

    Reason, owner and link are empty, which `check` refuses: only a person knows them.  The versions
    begin with the candidate's, so that the baseline's side is not excused.
    """
    broken = _excusable(result)
    ran: dict[tuple[str, str, str], set[str]] = {}
    for _, new in result.joined.common:
        ran.setdefault((_stem(new.case), new.pair, role(new.target)), set()).add(new.case)
    found: dict[tuple[str, str, tuple[str, ...]], dict[str, set[str]]] = {}
    for record in broken:
        key = (_stem(record.case), record.pair, record.open)
        found.setdefault(key, {}).setdefault(role(record.target), set()).add(record.case)
    told: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for (stem, pair, kinds), by_target in found.items():
        for target, cases in by_target.items():
            whole = cases == ran.get((stem, pair, target)) and len(cases) > 1
            for case in [f"{stem}[*"] if whole else sorted(cases):
                version = _from(result, target)
                told.setdefault((case, pair, version, kinds), []).append(target)
    expires = (today + timedelta(days=DAYS)).isoformat()
    return [
        {
            "cases": Quoted(case),
            "pair": Quoted(pair),
            "target": target,
            **({"versions": Quoted(version)} if version else {}),
            "kinds": list(kinds),
            "reason": Quoted(""),
            "owner": Quoted(""),
            "link": Quoted(""),
            "expires": Quoted(expires),
        }
        for (case, pair, version, kinds), targets in told.items()
        for target in _together(targets, result)
    ]


def left_out(result: Result) -> list[Change]:
    """Return the regressions that no known difference can excuse."""
    named = {(r.case, r.pair, r.target) for r in _excusable(result)}
    return [c for c in result.regressions if (c.case, c.pair, c.target) not in named]


def text(found: Iterable[Entry]) -> str:
    """Return entries as the YAML of a file of known differences."""
    writer = YAML()
    writer.width = 1000
    writer.indent(mapping=2, sequence=2, offset=0)
    out = io.StringIO()
    writer.dump([{**entry, "kinds": _flow(entry["kinds"])} for entry in found], out)
    return out.getvalue()


def add(found: Iterable[Entry], path: Path) -> int:
    """Append to the file at `path` the entries it does not hold; return how many those are.

    What is in the file stays as it is, comments too.  Raises CorpusError when it is not sound.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    have = {(e.cases, e.pair, e.target, tuple(k.value for k in e.kinds)) for e in known.load(path)}
    new = [e for e in found if (e["cases"], e["pair"], e["target"], tuple(e["kinds"])) not in have]
    if new:
        kept = "" if not have else before.rstrip("\n") + "\n"
        if not have:  # comments, and perhaps [] for none
            kept = "".join(f"{line}\n" for line in before.splitlines() if line.startswith("#"))
        path.write_text(kept + text(new), encoding="utf-8")
    return len(new)


def _excusable(result: Result) -> list[Record]:
    broken = {(c.case, c.pair, c.target) for c in result.regressions if c.case}
    signatures = {kind.value for kind in SIGNATURE_KINDS}
    candidates = [*(new for _, new in result.joined.common), *result.joined.new]
    return [
        record
        for record in candidates
        if (record.case, record.pair, record.target) in broken
        and record.open
        and not signatures & set(record.open)
    ]


def _together(targets: list[str], result: Result) -> Iterator[str]:
    """Yield the framework's name where all of its targets are meant, else each target."""
    for framework in dict.fromkeys(map(framework_of, targets)):
        mine = [target for target in targets if framework_of(target) == framework]
        every = {role(t) for t in result.candidate.targets if framework_of(t) == framework}
        if set(mine) == every:
            yield framework
        else:
            yield from (_exact(target) for target in mine)


def _exact(target: str) -> str:
    """Return a target that speaks of no other mode than that of `target`."""
    plain = {"mindspore": "mindspore:cpu:pynative", "torch": "torch:cpu:eager"}
    return plain.get(target, target)


def _from(result: Result, target: str) -> str:
    for name in result.candidate.targets:
        if role(name) == target:
            try:
                return f">={Version(result.candidate.version(name)).public}"
            except InvalidVersion:
                return ""
    return ""


def _stem(case: str) -> str:
    return case.partition("[")[0]


def _flow(kinds: list[str]) -> Any:
    row = CommentedSeq(kinds)
    row.fa.set_flow_style()
    return row
