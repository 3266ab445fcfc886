"""Proposed rules: few, and with them the map is what it was."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from conformance.port.config import Weights
from conformance.port.propose import as_yaml, propose, table
from conformance.port.weights import Inventory, map_weights
from tests.port.inventories import model, real


def _key(torch: Inventory, port: Inventory, config: Weights | None = None) -> list[Any]:
    rows = map_weights(torch, port, config)
    return sorted((row.torch, row.mindspore, row.transform) for row in rows)


def _read(text: str) -> Weights:
    return Weights.model_validate(YAML(typ="safe").load(text)["weights"])


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv1", "mobilenet_v2"])
def test_real_models(name: str) -> None:
    torch, port = real(name)
    proposals = propose(torch, port)
    # At worst a rule for each layer: its number in the port cannot be computed by a pattern.
    assert 0 < len(proposals) < len(torch.layers)
    config = _read(as_yaml(proposals))
    assert _key(torch, port, config) == _key(torch, port)
    assert {row.problem for row in map_weights(torch, port, config)} == {""}


def test_resnet18_needs_two() -> None:
    rules = [p.rule for p in propose(*real("resnet18"))]
    assert {(r.torch, r.mindspore) for r in rules} == {
        (r"(.*\.)downsample\.(.*)", r"\1down_sample.\2"),
        (r"fc\.(.*)", r"classifier.\1"),
    }


def test_numbers_become_groups() -> None:
    torch = model(*((f"layers.{k}.a.weight", (k + 1, 4), "fc") for k in range(12)))
    port = model(*((f"blocks.{k}.b.weight", (k + 1, 4), "fc") for k in range(12)))
    (proposal,) = propose(torch, port)
    assert len(proposal.covers) == 12
    assert _key(torch, port, Weights(rules=[proposal.rule])) == _key(torch, port)


def test_a_digit_after_a_group_is_no_part_of_it() -> None:
    torch = model(("x.1.weight", (2, 4), "fc"), ("x.2.weight", (3, 4), "fc"))
    port = model(("x.11.weight", (2, 4), "fc"), ("x.12.weight", (3, 4), "fc"))
    config = _read(as_yaml(propose(torch, port)))
    assert _key(torch, port, config) == _key(torch, port)
    assert {row.problem for row in map_weights(torch, port, config)} == {""}


def test_parts_and_transforms() -> None:
    torch = model(
        *((f"b.{k}.qkv.weight", (12, 4), "fc") for k in range(3)), ("h.weight", (5, 4), "fc")
    )
    port = model(
        *((f"b.{k}.{n}.weight", (4, 4), "fc") for k in range(3) for n in "qkv"),
        ("g.weight", (4, 5), "own"),
    )
    proposals = propose(torch, port)
    assert sorted(p.rule.transform for p in proposals) == [
        "k_of_qkv",
        "q_of_qkv",
        "transpose",
        "v_of_qkv",
    ]
    config = _read(as_yaml(proposals))
    assert _key(torch, port, config) == _key(torch, port)
    assert {row.problem for row in map_weights(torch, port, config)} == {""}


def test_what_is_ambiguous_is_proposed_with_the_doubt() -> None:
    torch, port = model(("b.weight", (4, 4), "fc")), model(("b.weight", (4, 4), "own"))
    (proposal,) = propose(torch, port)
    assert proposal.why.startswith("ambiguous: square")
    assert {row.problem for row in map_weights(torch, port, Weights(rules=[proposal.rule]))} == {""}


def test_no_rules_where_names_say_all() -> None:
    inventory = model(("a.weight", (2, 3), "fc"))
    assert propose(inventory, inventory) == []
    assert as_yaml([]).startswith("#")


def test_table() -> None:
    torch = model(("a.weight", (2, 3), "fc"), ("b.bias", (2,), "fc"))
    lines = table(map_weights(torch, model(("a.weight", (2, 3), "fc")))).splitlines()
    assert lines[0].split() == ["a.weight", "a.weight", "2x3", "same", "name"]
    assert lines[1].startswith("!  b.bias")
    assert "not mapped" in lines[1]


def test_where_a_tensor_is_left_over_nobody_says_that_names_alone_do() -> None:
    fc = ("fc.weight", (4, 4), "fc")
    rows = map_weights(model(fc, ("bn.bias", (3,), "bn")), model(fc))
    said = "# No rule is known for the row marked !; write weights.rules, or mend the port.\n"
    assert as_yaml([], rows) == said
    rows = map_weights(model(fc, ("bn.bias", (3,), "bn"), ("bn.weight", (3,), "bn")), model(fc))
    assert "for the 2 rows marked !;" in as_yaml([], rows)
