from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conformance.errors import CorpusError
from conformance.gate import suggest
from conformance.gate.gate import Result, gate
from conformance.gate.record import Record
from conformance.judge import known
from tests.gate.records import CONFORMS, declared, differs, record, side

TODAY = date(2026, 6, 1)
GRAPH = "mindspore:cpu:graph"


def result(*pairs: tuple[Record, Record]) -> Result:
    before, after = zip(*pairs, strict=True)
    return gate(side(before), side(after, version="2.10.0"), today=TODAY)


def both(case: str, broken: tuple[str, ...] = ("mindspore", GRAPH)) -> list[tuple[Record, Record]]:
    """The case on both modes, broken on some."""
    return [
        (
            record(case=case, hash=case, call=case, target=target),
            (differs if target in broken else record)(
                case=case, hash=case, call=case, target=target
            ),
        )
        for target in ("mindspore", GRAPH)
    ]


def told(found: Result) -> list[tuple[str, str, list[str]]]:
    return [(e["cases"], e["target"], e["kinds"]) for e in suggest.entries(found, TODAY)]


def test_one_entry_for_all_modes_and_for_a_whole_grid() -> None:
    grid = [p for i in range(3) for p in both(f"absolute/grid[x={i}]")]
    assert told(result(*grid)) == [("absolute/grid[*", "mindspore", ["value"])]


def test_a_part_of_a_grid_and_of_the_modes_is_named() -> None:
    grid = both("absolute/grid[x=1]", (GRAPH,)) + both("absolute/grid[x=2]", ())
    assert told(result(*grid)) == [("absolute/grid[x=1]", GRAPH, ["value"])]
    eager = both("absolute/some", ("mindspore",))
    assert told(result(*eager)) == [("absolute/some", "mindspore:cpu:pynative", ["value"])]


def test_an_entry_excuses_the_candidate_only_and_until_a_day() -> None:
    found = result(*both("absolute/some"))
    (entry,) = suggest.entries(found, TODAY)
    assert (entry["versions"], entry["expires"]) == (">=2.10.0", "2026-08-30")
    filled = suggest.text([{**entry, "reason": "r", "owner": "o", "link": "l"}])
    entries = known.parse(filled, "known.yaml")
    again = gate(found.baseline, found.candidate, known=entries, today=TODAY)
    assert (again.exit_code, {c.category.value for c in again.changes}) == (0, {"known"})
    assert not entries[0].applies("mindspore", "2.9.0")


def test_what_is_suggested_is_refused_until_somebody_owns_it(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    suggest.add(suggest.entries(result(*both("absolute/some")), TODAY), path)
    with pytest.raises(CorpusError) as caught:
        known.load(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}:") for line in lines)
    assert [line.split(": ")[1] for line in lines] == ["0.reason", "0.owner", "0.link"]


def test_what_is_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    path.write_text("# ours\n[]\n")
    found = suggest.entries(result(*both("absolute/some"), *both("absolute/other")), TODAY)
    assert suggest.add(found[:1], path) == 1
    text = path.read_text()
    assert text.startswith("# ours\n- cases: ")
    for key in ("reason", "owner", "link"):
        text = text.replace(f'{key}: ""', f"{key}: mine")
    path.write_text(text + "# the end\n")
    assert suggest.add(found, path) == 1
    assert path.read_text().startswith(text + "# the end\n- cases: ")
    assert path.read_text().count("absolute/some") == 1


def test_what_no_entry_can_excuse_is_left_out_and_told() -> None:
    found = result((CONFORMS, declared()))
    assert told(found) == []
    assert [change.api for change in suggest.left_out(found)] == ["mindspore.ops.abs"]
