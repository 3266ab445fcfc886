"""A gate's result in the formats that people's CI already reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import junitparser

from conformance.gate.change import MEANING, Category, Change, Group, api_of
from conformance.gate.gate import Result
from conformance.gate.places import Places
from conformance.gate.words import QUIET, line, shown, summary, title

SHOWN = 60
"""Groups of one category in the Markdown summary, which GitHub cuts at a mebibyte."""
TEXT = 300
CODE = re.compile(r"\w+(\.\w+)+")
"""Names that can stand between backticks as they are, where an escape would be shown."""


def as_json(result: Result) -> str:
    """Return everything: sides, counts, facts and each change with its file and line."""
    places = Places(result.candidate.documents)
    return json.dumps(
        {
            "exit_code": result.exit_code,
            "summary": summary(result),
            "baseline": {"name": result.baseline.name, "targets": result.baseline.targets},
            "candidate": {"name": result.candidate.name, "targets": result.candidate.targets},
            "compared": dict(result.compared),
            "counts": {category.value: result.counts[category] for category in Category},
            "facts": result.facts,
            "nondeterministic": [
                {"target": new.target, "case": new.case, "pair": new.pair}
                for old, new in result.joined.common
                if old.varies or new.varies
            ],
            "changes": [_flat(change, places) for change in result.changes],
        },
        indent=1,
        ensure_ascii=False,
    )


def as_markdown(result: Result) -> str:
    """Return a page for a step summary or a pull request."""
    lines = [f"# Gate: {_text(title(result))}", "", f"**{summary(result)}**", ""]
    lines += [f"- {_text(fact)}" for fact in result.facts]
    if result.changes:
        lines += ["", "| category | APIs | changes | means |", "|---|---:|---:|---|"]
    by_category: dict[Category, list[Group]] = {}
    for group in result.groups:
        by_category.setdefault(group.category, []).append(group)
    for category, groups in by_category.items():
        count = result.counts[category]
        lines.append(f"| {category.value} | {len(groups)} | {count} | {MEANING[category]} |")
    for category, groups in by_category.items():
        lines += ["", f"## {category.value.capitalize()}", "", *_table(category, groups)]
    return "\n".join(lines) + "\n"


def _table(category: Category, groups: list[Group]) -> Iterator[str]:
    if category in QUIET:
        groups = sorted(groups, key=lambda g: not g.fails)
    yield "| API | on | cases | before | after | evidence |"
    yield "|---|---|---|---|---|---|"
    for group in groups[:SHOWN]:
        api = f"`{group.api}`" if CODE.fullmatch(group.api) else _text(group.api)
        for change in shown(group):
            told = ["<br>".join(group.targets), _cases(group), change.before, change.after]
            yield "| " + " | ".join([api, *map(_text, [*told, change.detail])]) + " |"
    if len(groups) > SHOWN:
        yield f"\n… and {len(groups) - SHOWN} more APIs; the JSON has all."


def _cases(group: Group) -> str:
    if not group.cases:
        return ""
    more = f" and {len(group.cases) - 1} more" if len(group.cases) > 1 else ""
    return f"{group.cases[0]}{more}"


def _text(text: str) -> str:
    """Return `text` for one cell of a table, where nothing but a line break is markup."""
    text = " ".join(text.split())
    text = text if len(text) <= TEXT else text[:TEXT] + "…"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    for character in "|[]*_~@#":
        text = text.replace(character, f"\\{character}")
    return text.replace("&lt;br&gt;", "<br>")


def as_junit(result: Result) -> str:
    """Return JUnit XML: a suite for each target, a test for each API and operation it ran."""
    report = junitparser.JUnitXml("conformance gate")
    told: dict[tuple[str, str, str], list[Change]] = {}
    for change in result.changes:
        told.setdefault((change.target, change.operation, change.api), []).append(change)
    for target in result.candidate.targets:
        suite = junitparser.TestSuite(target)
        before, after = result.versions(target)
        suite.add_property("baseline", before)
        suite.add_property("candidate", after)
        ran = dict.fromkeys(
            (new.operation, api_of(target, new.pair, new.operation))
            for _, new in result.joined.common
            if new.target == target and new.call
        )
        ran |= dict.fromkeys((operation, api) for name, operation, api in told if name == target)
        for operation, api in ran:
            suite.add_testcase(_test(operation, api, told.get((target, operation, api), [])))
        report.add_testsuite(suite)
    return _serialised(report)


def _test(operation: str, api: str, changes: list[Change]) -> junitparser.TestCase:
    case = junitparser.TestCase(api, operation or "signatures")
    broken = [change for change in changes if change.fails]
    known = [change for change in changes if change.category is Category.KNOWN]
    if broken:
        failure = junitparser.Failure(_xml(line(broken[0])), broken[0].category.value)
        failure.text = _xml("\n".join(map(line, broken)))
        case.result = [failure]
    elif known:
        case.result = [junitparser.Skipped(_xml(line(known[0])))]
    elif changes:
        case.system_out = _xml("\n".join(map(line, changes[:20])))
    return case


def _xml(text: str) -> str:
    """Return `text` without the characters that XML 1.0 cannot hold."""
    return "".join(
        c for c in text if c in "\t\n" or (ord(c) >= 32 and ord(c) not in (0xFFFE, 0xFFFF))
    )


def github_annotations(result: Result) -> Iterator[str]:
    """Yield a GitHub workflow command for each case with regressions, on its file and line."""
    places = Places(result.candidate.documents)
    found: dict[tuple[str, int] | None, list[Change]] = {}
    for change in (change for change in result.changes if change.fails):
        found.setdefault(places.of(change), []).append(change)
    for place, changes in found.items():
        apis = ", ".join(dict.fromkeys(change.api for change in changes))
        heading = _escaped(f"{changes[0].category.value}: {apis}"[:200], ":,")
        where = f"file={_escaped(place[0], ':,')},line={place[1]}," if place else ""
        text = "\n".join(line(change) for change in changes[:5])
        yield f"::error {where}title={heading}::{_escaped(text)}"


def _escaped(text: str, also: str = "") -> str:
    """Return `text` as workflow commands want it: percent, line ends and `also` encoded."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + also else c for c in text)


def _flat(change: Change, places: Places) -> dict[str, Any]:
    place = places.of(change) if change.case else None
    file, number = place or (None, None)
    return {**asdict(change), "category": change.category.value, "file": file, "line": number}


def github_error(title: str, message: str) -> str:
    """Return the workflow command for an error that belongs to no file."""
    return f"::error title={_escaped(title, ':,')}::{_escaped(message)}"


WRITERS: dict[str, Callable[[Result], str]] = {
    "json": as_json,
    "junit": as_junit,
    "markdown": as_markdown,
}


def write(result: Result, outputs: Mapping[str, Path]) -> None:
    """Write the result in each format of `outputs` (see WRITERS) into the file given for it."""
    for name, path in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(WRITERS[name](result), encoding="utf-8")


def write_failure(reason: str, outputs: Mapping[str, Path], exit_code: int = 3) -> None:
    """Write into each of `outputs` that nothing could be compared, why, and the exit code."""
    case = junitparser.TestCase("comparison", "conformance gate")
    case.result = [junitparser.Error(_xml(reason))]
    suite = junitparser.TestSuite("conformance gate")
    suite.add_testcase(case)
    report = junitparser.JUnitXml("conformance gate")
    report.add_testsuite(suite)
    texts = {
        "json": json.dumps(
            {"exit_code": exit_code, "summary": reason}, indent=1, ensure_ascii=False
        ),
        "junit": _serialised(report),
        "markdown": f"# Gate: nothing was compared\n\n{_text(reason)}\n",
    }
    for name, path in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], encoding="utf-8")


def _serialised(report: junitparser.JUnitXml) -> str:
    xml: bytes = report.tostring()  # type: ignore[no-untyped-call]
    return xml.decode()
