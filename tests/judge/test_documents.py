"""Published claims against signatures."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.corpus.schema import Operation
from conformance.judge.documents import DocumentClaim, check
from conformance.worker import describe
from conformance.worker.base import Adapter

NOTE = {"en": "because", "zh": "因为"}
PAIR = "torch.nn.functional.f=mindspore.ops.f"


def message(api: str, text: str, call: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "api": api,
        "exists": True,
        "error": "",
        "source": "signature",
        "text": text,
        "parameters": describe.parse(text),
        "overloads": [],
        "call_text": call,
        "call_parameters": None if call is None else describe.parse(call),
        "deprecated": [],
        **more,
    }


MESSAGES = {
    m["api"]: m
    for m in (
        message(
            "torch.nn.functional.f",
            "(input, weight=None, size_average=None)",
            deprecated=["size_average"],
        ),
        message("mindspore.ops.f", "(logits, weight)"),
        message("mindspore.nn.F", "(reduction='mean', weight=None)", "(logits, labels)"),
        message("mindspore.nn.G", "", source="none"),
    )
}


def checked(messages: Any = None, **document: Any) -> tuple[list[DocumentClaim], list[str]]:
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": NOTE,
            "accuracy": "exact",
            "parameters": {"input": {"role": "input"}, "weight": {"role": "option"}},
            "documents": [{"id": "page", "title": "Page", **document}],
            "pairs": [
                {
                    "torch": "torch.nn.functional.f",
                    "mindspore": "mindspore.ops.f",
                    "mindspore_names": {"input": "logits"},
                    "torch_only": {"size_average": "deprecated"},
                }
            ],
            "cases": [{"id": "a"}],
        }
    )
    return check(operation, MESSAGES if messages is None else messages)


@pytest.mark.parametrize(
    ("api", "prints", "holds"),
    [
        ("mindspore.ops.f", "(logits, weight)", True),
        ("mindspore.ops.f", "(logits: Tensor, weight) -> Tensor", True),
        ("mindspore.ops.f", "(logits, weight=None)", False),
        ("mindspore.ops.f", "(weight, logits)", False),
        ("mindspore.ops.f", "(logits)", False),
        ("mindspore.ops.f", "(logits, weight)()", False),
        ("mindspore.nn.F", '(reduction="mean", weight=None)', True),
        ("mindspore.nn.F", "(reduction='mean', weight=None)(logits, labels) -> Tensor", True),
        ("mindspore.nn.F", "(reduction='mean', weight=None)(logits, target)", False),
        ("mindspore.nn.G", "()", None),
        ("mindspore.nn.NotDescribed", "()", None),
    ],
)
def test_signature_claims(api: str, prints: str, holds: bool | None) -> None:
    for note, lines in ((None, holds is False), (NOTE, holds is True)):
        [claim], found = checked(signatures=[{"api": api, "prints": prints, "refuted": note}])
        assert (claim.holds, claim.published, len(found)) == (holds, prints, lines)


def test_refuted_signature_says_what_is_installed() -> None:
    _, [line] = checked(signatures=[{"api": "mindspore.ops.f", "prints": "(x)"}])
    assert "document page: signature of mindspore.ops.f: prints (x)" in line
    assert "installed is (logits, weight)" in line


@pytest.mark.parametrize("prints", ["logits", "(logits", "(logits, 3)", "(logits) returns"])
def test_unreadable_signature_is_always_a_line(prints: str) -> None:
    claim = {"api": "mindspore.ops.f", "prints": prints, "refuted": NOTE}
    [found], lines = checked(signatures=[claim])
    assert found.holds is None
    assert len(lines) == 1
    assert "cannot be read" in lines[0]


@pytest.mark.parametrize(
    ("torch", "mindspore", "says", "holds"),
    [
        ("input", "logits", ["name"], True),
        ("input", "logits", ["name", "order"], True),
        ("input", "label", ["name"], False),
        ("weight", "weight", ["default"], True),
        ("weight", "weight", [], False),
        ("size_average", None, ["missing-in-mindspore", "deprecated"], True),
        ("size_average", None, ["missing-in-mindspore"], False),
        ("reduce", None, ["missing-in-mindspore"], False),
        (None, "weight", ["missing-in-torch"], False),
    ],
)
def test_row_claims(torch: str | None, mindspore: str | None, says: list[str], holds: bool) -> None:
    for note, lines in ((None, not holds), (NOTE, holds)):
        row = {"torch": torch, "mindspore": mindspore, "says": says, "refuted": note}
        [claim], found = checked(pair=PAIR, rows=[row])
        assert (claim.holds, len(found)) == (holds, lines)


@pytest.mark.parametrize("absent", ["torch.nn.functional.f", "mindspore.ops.f"])
def test_rows_are_not_held_against_a_framework_that_did_not_run(absent: str) -> None:
    there = {api: message for api, message in MESSAGES.items() if api != absent}
    rows = [
        {"torch": "input", "mindspore": "logits", "says": ["default"]},
        {"torch": None, "mindspore": "weight_init", "says": ["missing-in-torch"], "refuted": NOTE},
    ]
    claims, lines = checked(there, pair=PAIR, rows=rows)
    assert [claim.holds for claim in claims] == [None, None]
    assert lines == []


@pytest.mark.parametrize(
    ("names", "describes", "holds", "line"),
    [
        ("mindspore.nn.F", "mindspore.ops.f", False, ""),
        ("mindspore.ops.f", "mindspore.ops.f", True, "the very API"),
        ("mindspore.nn.G", "mindspore.ops.f", None, ""),
        ("mindspore.nn.F", "mindspore.ops.other", None, "not proven"),
    ],
)
def test_heading_claims(names: str, describes: str, holds: bool | None, line: str) -> None:
    claims, lines = checked(
        signatures=[{"api": "mindspore.ops.f", "prints": "(logits, weight)"}],
        headings=[{"names": names, "describes": describes, "refuted": NOTE}],
    )
    assert claims[-1].holds is holds
    assert len(lines) == bool(line)
    assert line in "".join(lines)


def test_heading_that_fits_after_all_is_stale() -> None:
    _, lines = checked(
        signatures=[
            {"api": "mindspore.nn.G", "prints": "(logits, weight)"},
        ],
        headings=[{"names": "mindspore.ops.f", "describes": "mindspore.nn.G", "refuted": NOTE}],
    )
    assert ["stale" in line for line in lines] == [True]


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore")
def test_published_bce_with_logits_signature_is_stale_in_the_installed_release() -> None:
    """The r2.0 page prints required weights; the 2.10 docstring shows them with defaults."""

    class MindSpore(Adapter):
        root = "mindspore"

    api = "mindspore.ops.binary_cross_entropy_with_logits"
    installed = describe.describe(MindSpore("", "").resolve, api)
    claim = {"api": api, "prints": "(logits, label, weight, pos_weight, reduction='mean')"}
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": NOTE,
            "accuracy": "exact",
            "parameters": {"input": {"role": "input"}},
            "documents": [{"id": "page", "title": "Page", "signatures": [claim]}],
            "pairs": [{"mindspore": api}],
            "cases": [{"id": "a"}],
        }
    )
    [found], lines = check(operation, {api: installed})
    assert (found.holds, len(lines)) == (False, 1)
