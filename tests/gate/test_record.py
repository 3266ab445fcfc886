"""What the gate keeps of one item's verdict."""

from __future__ import annotations

import pytest

from conformance.gate.record import evidence, normal
from conformance.judge.verdict import Finding
from conformance.taxonomy import Kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abs will\n  go", "FutureWarning: abs will go"),
        ("\x1b[31mabs\x1b[0m\x07 will go", "FutureWarning: [31mabs [0m will go"),
        ("since 2.1, in 3 places", "FutureWarning: since #, in # places"),
        ("see /usr/lib/python3/warn.py, 0x7fa0", "FutureWarning: see #, #"),
    ],
)
def test_a_warning_is_one_line_without_what_changes_from_place_to_place(
    text: str, said: str
) -> None:
    assert normal("FutureWarning", text) == said


def test_evidence_steers_no_terminal() -> None:
    found = Finding(Kind.EXCEPTION, "output", "raises \x1b]0;title\x07ValueError\u202e")
    assert evidence((found,)) == "exception: output: raises ]0;title ValueError"
