from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import CallerError, HarnessError
from conformance.gate import baseline
from conformance.gate.gate import gate
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.gate.signatures import compare
from conformance.judge.verdict import Status
from conformance.worker import describe
from tests.gate.records import CONFORMS, declared, differs, raised, record, side
from tests.gate.test_signatures import GONE, UNKNOWN, message

GRAPH = "mindspore:cpu:graph"
COMPOSITE = "torch.abs=a name of its own"
RECORDS = [
    CONFORMS,
    record(pair=COMPOSITE),
    record(target=GRAPH),
    record(target="torch", behaviour="1234567890", gradient_ratio=0.25),
    declared(case="absolute/grid[dtype=float32,x=empty]", hash="1" * 16, kinds=("value", "claim")),
    differs(case="absolute/off", hash="2" * 16, kinds=("value", "gradient"), open=("value",)),
    raised(case="absolute/raises", hash="3" * 16),
    record(case="absolute/none", hash="4" * 16, call="", behaviour="", status=Status.NOT_COMPARABLE,
           label="unavailable", ratio=None),
    record(case="absolute/varies", hash="5" * 16, variants=((), ("value",), ("gradient", "value"))),
    record(case="absolute/at-times", hash="6" * 16, sometimes=("value",)),
    differs("crash", case="other/dies", label="crashed SIGFPE", status=Status.NOT_COMPARABLE),
]  # fmt: skip
SIGNATURES = {
    "mindspore": {
        "mindspore.f": {**message("(x, axis=-1, *, out=None)"), "api": "mindspore.f"},
        "mindspore.Net": {
            **message("(a='b', *args, **kwargs)", "(b)", call="(input, target)"),
            "api": "mindspore.Net",
            "deprecated": ["a", "b"],
            "deprecated_api": "use Other",
        },
        "mindspore.gone": {**GONE, "api": "mindspore.gone"},
        "mindspore.opaque": {**UNKNOWN, "api": "mindspore.opaque"},
        "mindspore.empty": {**message("()"), "api": "mindspore.empty"},
    },
}


def whole() -> Side:
    signatures = {**SIGNATURES, GRAPH: SIGNATURES["mindspore"], "torch": {}}
    warnings = {"torch": frozenset({"UserWarning: b", "UserWarning: a"})}
    return side(RECORDS, signatures=signatures, warnings=warnings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    baseline.write(whole(), tmp_path / "baseline")
    return tmp_path / "baseline"


def test_what_is_written_is_read_again(folder: Path) -> None:
    read = baseline.read(folder)
    for wrote, found in zip(RECORDS, sorted(read.records, key=order), strict=True):
        assert found.call == wrote.call[:8]
        told = (found.case, found.hash, found.pair, found.target, found.row())
        assert told == (wrote.case, wrote.hash, wrote.pair, wrote.target, kept(wrote).row())
    assert read.warnings == whole().warnings
    assert read.version("torch") == "1.0.0"
    assert gate(read, whole(), today=date.min).changes == []
    assert gate(whole(), read, today=date.min).changes == []


def order(found: Any) -> int:
    names = [(r.case, r.pair, r.target) for r in RECORDS]
    return names.index((found.case, found.pair, found.target))


def kept(one: Any) -> Any:
    """What a baseline keeps of a record: not its evidence in words, nor values that vary."""
    varying = {"behaviour": baseline.VARIES, "ratio": None, "gradient_ratio": None}
    return record(**{**vars(one), "detail": "", "warnings": ()} | (varying if one.variants else {}))


def test_what_does_not_repeat_changes_no_line(folder: Path, tmp_path: Path) -> None:
    toss: Any = {"behaviour": "5" * 10, "ratio": 7.0, "gradient_ratio": 8.0}
    again = [replace(r, **toss) if r.variants else r for r in RECORDS]
    assert again != RECORDS
    baseline.write(replace(whole(), records=again), tmp_path / "again")
    for path in (folder / "operations").iterdir():
        assert (tmp_path / "again" / "operations" / path.name).read_text() == path.read_text()
    stays = [replace(r, **toss) for r in RECORDS]
    baseline.write(replace(whole(), records=stays), tmp_path / "stays")
    assert baseline.read(tmp_path / "stays").records != baseline.read(folder).records


def test_signatures_survive(folder: Path) -> None:
    read = baseline.read(folder)
    assert read.signatures.keys() == {"mindspore", GRAPH, "torch"}
    for target in ("mindspore", GRAPH):
        assert read.signatures[target].keys() == SIGNATURES["mindspore"].keys()
        for api, wrote in SIGNATURES["mindspore"].items():
            found = read.signatures[target][api]
            assert list(compare(wrote, found)) == list(compare(found, wrote)) == []
            assert describe.render(found["parameters"]) == describe.render(wrote["parameters"])
            assert found["deprecated"] == wrote["deprecated"]
    assert sorted(path.name for path in (folder / "signatures").iterdir()) == [
        "mindspore.txt",
        "torch.txt",
    ]


def test_the_same_results_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    before = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    told = baseline.write(whole(), again)
    after = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert after == before
    assert told == sum(map(len, before.values()))


def test_the_order_of_targets_on_a_command_line_is_not_kept(folder: Path, tmp_path: Path) -> None:
    given = whole()
    turned = replace(
        given,
        records=sorted(given.records, key=lambda r: (r.case, r.pair, r.target), reverse=True),
        targets=dict(reversed(list(given.targets.items()))),
        signatures=dict(reversed(list(given.signatures.items()))),
        warnings=dict(reversed(list(given.warnings.items()))),
    )
    by_plan = replace(turned, records=sorted(turned.records, key=_planned(given.records)))
    assert [r.target for r in by_plan.records] != [r.target for r in given.records]
    baseline.write(by_plan, tmp_path / "turned")
    for path in (p for p in folder.rglob("*") if p.is_file()):
        assert (tmp_path / "turned" / path.relative_to(folder)).read_text() == path.read_text()


def _planned(records: list[Record]) -> Callable[[Record], Any]:
    """Sort as a plan is: by case, then by pair."""
    cases = list(dict.fromkeys(r.case for r in records))
    pairs = list(dict.fromkeys(r.pair for r in records))
    return lambda r: (cases.index(r.case), pairs.index(r.pair))


def test_one_change_is_one_line(folder: Path, tmp_path: Path) -> None:
    other = side(
        [differs(), *RECORDS[1:]], signatures=whole().signatures, warnings=whole().warnings
    )
    baseline.write(other, tmp_path / "other")
    name = "operations/absolute.txt"
    one, two = ((f / name).read_text().splitlines() for f in (folder, tmp_path / "other"))
    # Two pairs shared the line, so the one that went its own way is one line more.
    assert len(set(two) - set(one)) == 2
    assert len(set(one) - set(two)) == 1


def test_a_baseline_is_replaced_and_nothing_else_is(folder: Path, tmp_path: Path) -> None:
    stale = folder / "operations/stale.txt"
    stale.write_text("x")
    baseline.write(whole(), folder)
    assert not stale.exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(CallerError, match="no baseline; nothing was written"):
        baseline.write(whole(), mine)
    assert (mine / "thesis.txt").read_text() == "years of work"
    (mine / "manifest.json").write_text('{"name": "a site", "items": []}')
    with pytest.raises(CallerError, match="no baseline; nothing was written"):
        baseline.write(whole(), mine)
    (folder / "notes.txt").write_text("beside the baseline")
    baseline.write(whole(), folder)
    assert (folder / "notes.txt").exists()


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return act


def cut(folder: Path) -> None:
    path = folder / "operations/absolute.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def cut_signatures(folder: Path) -> None:
    path = folder / MINDSPORE
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


LINE = "not a line of a baseline; write it anew"
ABSOLUTE, MINDSPORE = "operations/absolute.txt", "signatures/mindspore.txt"


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (cut, "absolute.txt: holds .* items, the manifest says"),
        (edit(ABSOLUTE, "case ", "<<<<<<< ours\ncase "), rf"absolute.txt:\d+:1: {LINE}"),
        (edit(ABSOLUTE, " conforms ", " perfect "), rf"absolute.txt:\d+:1: {LINE}"),
        (edit(ABSOLUTE, " m 1", " m 7"), rf"absolute.txt:\d+:1: {LINE}"),
        (edit(ABSOLUTE, "target m ", "target q "), rf"absolute.txt:\d+:1: {LINE}"),
        (cut_signatures, "mindspore.txt: holds 4 APIs, the manifest says 5"),
        (edit(MINDSPORE, " or ", " and "), rf"mindspore.txt:\d+:1: {LINE}"),
        (edit("manifest.json", '"format": 1', '"format": 99'), "format 99, this version reads 1"),
        (edit("manifest.json", '"targets"', '"tragets"'), "damaged .no targets.; write"),
        (edit("manifest.json", '"judged_by"', '"judge"'), "damaged .no judged_by.; write"),
        (edit("manifest.json", "{", "<<<<<<<"), "manifest.json: damaged"),
        (lambda folder: (folder / "operations/other.txt").unlink(), "other.txt: .* damaged"),
        (lambda folder: (folder / "signatures/torch.txt").unlink(), "torch.txt: .* damaged"),
    ],
)
def test_a_damaged_baseline_is_no_evidence(
    folder: Path, damage: Callable[[Path], None], why: str
) -> None:
    damage(folder)
    with pytest.raises(HarnessError, match=why) as caught:
        baseline.read(folder)
    assert caught.value.exit_code == 3


def test_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no baseline here"):
        baseline.read(tmp_path)


def test_tags_are_distinct(tmp_path: Path) -> None:
    targets = ["torch", "torch:cuda", "torch:cpu", "mindspore@2.9.0", "mindspore@2.10.0"]
    records = [record(target=target) for target in targets]
    baseline.write(side(records), tmp_path)
    assert [r.target for r in baseline.read(tmp_path).records] == [
        *targets[:1],
        "torch:cpu",
        "torch:cuda",
        "mindspore@2.10.0",
        "mindspore@2.9.0",
    ]


def test_it_stays_small(tmp_path: Path) -> None:
    """10,000 cases of 8 items each, as many lines as the corpus has for each: under 5 MB."""
    records = [
        record(
            case=f"operation{i % 200}/a-case-with-a-name[dtype=float32,{i}]",
            hash=f"{i:016x}",
            pair=f"torch.abs=mindspore.f{pair}",
            target=target,
            call=f"{i * 8 + pair * (target[0] == 'm'):08x}",
            behaviour=f"{i * 8 + pair:010x}" if target[0] == "m" else f"{i:010x}",
            gradient_ratio=0.125,
        )
        for i in range(10_000)
        for pair in range(2)
        for target in ("numpy", "torch", "mindspore", GRAPH)
    ]
    size = baseline.write(side(records), tmp_path)
    assert size < 5_000_000
    assert len(baseline.read(tmp_path).records) == 80_000
    assert json.loads((tmp_path / "manifest.json").read_text())["items"]["operation0"] == 400
