"""Which tensor is which: every way to tell, every way to go wrong, and nothing dropped."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.phrase import Phrase
from conformance.port.config import Weights
from conformance.port.result import WeightRow
from conformance.port.ruled import RuleError
from conformance.port.weights import Inventory, apply, map_weights, restore
from tests.port.inventories import draws, model, real

LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def mapped(torch: Inventory, port: Inventory, **config: object) -> dict[str, WeightRow]:
    """Return the rows by PyTorch's name; where there is none, by ``port`` and MindSpore's."""
    rows = map_weights(torch, port, Weights.model_validate(config))
    for said in (text for row in rows for text in (row.rule, row.problem) if text):
        assert isinstance(said, Phrase), said  # or the Chinese page would speak English
    listed = [name for row in rows for name in {row.torch} - {""}]
    assert set(listed) >= {t.name for t in torch.tensors}
    assert {row.mindspore for row in rows} >= {t.name for t in port.tensors}
    found = {row.torch or f"port {row.mindspore}": row for row in rows}
    assert len(found) == len(rows) or any("_of_" in row.transform for row in rows)
    return found


def pairs(rows: dict[str, WeightRow]) -> dict[str, str]:
    return {name: row.mindspore for name, row in rows.items() if row.mindspore and row.torch}


def _leaf(name: str) -> str:
    layer, _, leaf = name.rpartition(".")
    return f"{layer}.{LEAVES.get(leaf, leaf)}"


def _resnet18(port: str) -> str:
    return _leaf(port).replace("down_sample", "downsample").replace("classifier", "fc")


def _mobilenet_v2(port: str) -> str:
    """torchvision counts blocks of (conv, norm, relu6) where mindcv counts layers."""
    found = re.fullmatch(r"features\.(\d+)\.(?:layers\.(\d+)\.)?(\w+)", _leaf(port))
    if found is None:
        return _leaf(port)
    top, inner, leaf = int(found[1]), found[2], found[3]
    if inner is None:
        return f"features.{0 if top < 2 else 18}.{top % 2 if top < 2 else (top - 20)}.{leaf}"
    # The first block has no expansion: 3 layers before its projection; others have 6.
    projects = 3 if top == 3 else 6
    k = int(inner)
    inside = f"{k // 3}.{k % 3}" if k < projects else f"{projects // 3 + k - projects}"
    return f"features.{top - 2}.conv.{inside}.{leaf}"


def _mobilenet_v1(port: str) -> str:
    """timm numbers blocks by stage (1, 2, 2, 6, 2), mindcv throughout, from 2 on."""
    found = re.fullmatch(r"features\.(\d+)\.(?:(\d+)\.)?(\w+)", _leaf(port))
    if found is None:
        return _leaf(port)
    top, inner, leaf = int(found[1]), found[2], found[3]
    if inner is None:
        return f"{'conv_stem' if top == 0 else 'bn1'}.{leaf}"
    stages = [(s, b) for s, count in enumerate((1, 2, 2, 6, 2)) for b in range(count)]
    stage, block = stages[top - 3]
    layer = {"0": "conv_dw", "1": "bn1", "3": "conv_pw", "4": "bn2"}[inner]
    return f"blocks.{stage}.{block}.{layer}.{leaf}"


@pytest.mark.parametrize(
    ("name", "original"),
    [("resnet18", _resnet18), ("mobilenet_v2", _mobilenet_v2), ("mobilenetv1", _mobilenet_v1)],
)
def test_real_models(name: str, original: object) -> None:
    """The expected pairs are written down by how the two libraries number their layers."""
    torch, port = real(name)
    rows = mapped(torch, port)
    assert callable(original)
    assert pairs(rows) == {original(t.name): t.name for t in port.tensors}
    assert [row for row in rows.values() if row.problem] == []
    counters = [row for row in rows.values() if row.torch.endswith("num_batches_tracked")]
    assert {row.mindspore for row in counters} == {""}
    assert all("counts batches" in row.rule for row in counters)


def test_resnet18_has_17_equal_names() -> None:
    torch, port = real("resnet18")
    rows = mapped(torch, port)
    assert sum(row.rule == "same name" for row in rows.values()) == 17
    assert "gamma is MindSpore's name for weight" in rows["layer1.0.bn1.weight"].rule
    assert "by order of definition" in rows["layer2.0.downsample.0.weight"].rule


def test_order_inside_a_layer_does_not_matter() -> None:
    """MindSpore's BatchNorm defines its statistics first, and all four have one shape."""
    torch = model(*((f"n.{leaf}", (4,), "bn") for leaf in LEAVES.values()))
    port = model(*((f"m.{leaf}", (4,), "bn") for leaf in reversed(LEAVES)))
    assert pairs(mapped(torch, port)) == {f"n.{o}": f"m.{t}" for t, o in LEAVES.items()}


def test_recurrent_weights_go_by_name() -> None:
    leaves = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    torch = model(*((f"rnn.{x}", (12, 3) if "w" in x else (12,), "lstm") for x in leaves))
    port = model(*((f"lstm.{x}", (12, 3) if "w" in x else (12,), "lstm") for x in reversed(leaves)))
    assert pairs(mapped(torch, port)) == {f"rnn.{x}": f"lstm.{x}" for x in leaves}


def test_one_dimensional_convolution_gains_an_axis() -> None:
    torch, port = (
        model(("c.weight", (8, 4, 3), "conv1d")),
        model(("c.weight", (8, 4, 1, 3), "conv1d")),
    )
    row = mapped(torch, port)["c.weight"]
    assert (row.transform, row.problem) == ("insert_axis_2", "")


def test_transposed_weight_of_an_own_layer() -> None:
    torch = model(("a.fc.weight", (8, 4), "fc"), ("a.fc.bias", (8,), "fc"))
    port = model(("a.fc.weight", (4, 8), "own"), ("a.fc.bias", (8,), "own"))
    rows = mapped(torch, port)
    assert (rows["a.fc.weight"].transform, rows["a.fc.weight"].problem) == ("transpose", "")
    assert rows["a.fc.bias"].transform == ""


def test_linear_and_dense_of_reversed_shapes_are_no_transpose() -> None:
    row = mapped(model(("fc.weight", (8, 4), "fc")), model(("fc.weight", (4, 8), "fc")))[
        "fc.weight"
    ]
    assert row.problem == "shape changed: (8, 4) does not become (4, 8)"


def test_a_square_weight_is_turned_like_its_siblings() -> None:
    torch = model(("a.weight", (8, 4), "fc"), ("b.weight", (4, 4), "fc"))
    for shape, transform in (((4, 8), "transpose"), ((8, 4), "")):
        types = {"a": "my.Dense", "b": "my.Dense"}
        port = model(("a.weight", shape, "own"), ("b.weight", (4, 4), "own"), types=types)
        row = mapped(torch, port)["b.weight"]
        assert (row.transform, row.problem) == (transform, "")
        assert "like a.weight of the same classes" in row.rule


def test_a_square_weight_without_siblings_is_ambiguous() -> None:
    torch, port = model(("b.weight", (4, 4), "fc")), model(("b.weight", (4, 4), "own"))
    assert mapped(torch, port)["b.weight"].problem.startswith("ambiguous: square")
    rule = {"torch": r"b\.weight", "mindspore": "b.weight", "transform": "transpose"}
    row = mapped(torch, port, rules=[rule])["b.weight"]
    assert (row.transform, row.problem) == ("transpose", "")


def test_a_square_weight_of_known_layers_is_certain() -> None:
    torch, port = model(("b.weight", (4, 4), "fc")), model(("c.weight", (4, 4), "fc"))
    assert mapped(torch, port)["b.weight"].problem == ""


def _attention(*names: str, extent: int = 4) -> Inventory:
    return model(
        *((f"b.attn.{n}.weight", (extent * (3 if "qkv" in n else 1), 4), "fc") for n in names),
        *((f"b.attn.{n}.bias", (extent * (3 if "qkv" in n else 1),), "fc") for n in names),
    )


@pytest.mark.parametrize(
    "split", [("q", "k", "v"), ("to_q", "to_k", "to_v"), ("value", "key", "query")]
)
def test_fused_and_split_projections(split: tuple[str, ...]) -> None:
    fused, three = _attention("qkv", "proj"), _attention(*split, "proj")
    letters = {name.removeprefix("to_")[0]: name for name in split}
    values = draws(fused)
    rows = map_weights(fused, three)
    assert [row.problem for row in rows] == [""] * 8
    found = apply(rows, values)
    for k, letter in enumerate("qkv"):
        for leaf in ("weight", "bias"):
            expected = values[f"b.attn.qkv.{leaf}"][4 * k : 4 * k + 4]
            np.testing.assert_array_equal(found[f"b.attn.{letters[letter]}.{leaf}"], expected)
    back = restore(rows, found)
    assert set(back) == set(values)
    for name, array in values.items():
        np.testing.assert_array_equal(back[name], array)
    reverse = map_weights(three, fused)
    assert [row.problem for row in reverse] == [""] * 8
    np.testing.assert_array_equal(
        apply(reverse, found)["b.attn.qkv.weight"], values["b.attn.qkv.weight"]
    )


def test_projections_of_multihead_attention_are_split_too() -> None:
    torch = model(
        ("a.in_proj_weight", (12, 4), "own"),
        ("a.in_proj_bias", (12,), "own"),
        ("a.out_proj.weight", (4, 4), "fc"),
    )
    port = model(
        *(
            (f"a.{n}_proj.{leaf}", shape, "fc")
            for n in "qkv"
            for leaf, shape in (("weight", (4, 4)), ("bias", (4,)))
        ),
        ("a.out_proj.weight", (4, 4), "fc"),
    )
    rows = map_weights(torch, port)
    assert [row.problem for row in rows] == [""] * 7
    assert {row.mindspore: row.transform for row in rows}["a.k_proj.bias"] == "k_of_qkv"


def test_split_on_both_sides_stays_split() -> None:
    rows = mapped(_attention("q", "k", "v", "proj"), _attention("q", "k", "v", "proj"))
    assert {row.transform for row in rows.values()} == {""}


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("y", "x")])
def test_keys_and_values_fused_beside_queries(x: str, y: str) -> None:
    """A lone `key` is no projection to be fused, and of two layers only the fused one is."""
    split = {p: [(f"{p}.{n}.weight", (4, 4), "fc") for n in "qkv"] for p in "xy"}
    fused = {**split, x: [split[x][0], (f"{x}.kv.weight", (8, 4), "fc")]}
    key = ("key.weight", (4, 4), "fc")
    torch, port = (model(key, *side["x"], *side["y"]) for side in (fused, split))
    rows = map_weights(torch, port)
    assert [row.problem for row in rows] == [""] * 7
    found = {row.mindspore: (row.torch, row.transform) for row in rows}
    assert found[f"{x}.k.weight"] == (f"{x}.kv.weight", "k_of_kv")
    assert found[f"{x}.v.weight"] == (f"{x}.kv.weight", "v_of_kv")
    assert found[f"{y}.k.weight"] == (f"{y}.k.weight", "")


def test_only_as_many_are_fused_as_the_other_side_holds() -> None:
    torch = model(*((f"{p}.{n}.weight", (4, 4), "fc") for p in "xy" for n in "qkv"))
    port = model(
        ("a.qkv.weight", (12, 4), "fc"), *((f"b.to_{n}.weight", (4, 4), "fc") for n in "qkv")
    )
    rows = map_weights(torch, port)
    found = [(row.torch, row.mindspore, row.transform) for row in rows]
    assert found == [
        *((f"x.{n}.weight", "a.qkv.weight", f"{n}_into_qkv") for n in "qkv"),
        *((f"y.{n}.weight", f"b.to_{n}.weight", "") for n in "qkv"),
    ]


def test_names_against_order_are_followed_and_said() -> None:
    torch = model(
        *((f"a.{n}_proj.weight", (4, 4), "fc") for n in "qkv"), ("a.o.weight", (4, 4), "fc")
    )
    port = model(
        *((f"a.{n}_dense.weight", (4, 4), "fc") for n in "qvk"), ("a.o.weight", (4, 4), "fc")
    )
    rows = mapped(torch, port)
    assert rows["a.q_proj.weight"].mindspore == "a.q_dense.weight"
    assert rows["a.q_proj.weight"].problem == ""
    for letter, other in ("kv", "vk"):
        row = rows[f"a.{letter}_proj.weight"]
        assert row.mindspore == f"a.{letter}_dense.weight"
        assert f"by its name it would be a.{letter}_dense" in row.problem
        assert f"by order of definition a.{other}_dense" in row.problem


def test_names_that_say_half_leave_order_and_are_said() -> None:
    """One name likens the other layer, the second likens none: order stands, in doubt."""
    torch = model(
        ("a.input_norm.weight", (4,), "norm"), ("a.post_attention_norm.weight", (4,), "norm")
    )
    port = model(("a.attention_norm.gamma", (4,), "norm"), ("a.ffn_norm.gamma", (4,), "norm"))
    rows = mapped(torch, port)
    assert rows["a.input_norm.weight"].mindspore == "a.attention_norm.gamma"
    assert rows["a.post_attention_norm.weight"].problem.startswith("ambiguous")


def test_equal_numbers_do_not_outweigh_order() -> None:
    """1, 3, 5 against 3, 5, 7: two names are equal by chance."""
    torch = model(*((f"f.{k}.weight", (4, 4), "fc") for k in (1, 3, 5)))
    port = model(*((f"f.{k}.weight", (4, 4), "fc") for k in (3, 5, 7)))
    rows = mapped(torch, port)
    assert pairs(rows) == {
        "f.1.weight": "f.3.weight",
        "f.3.weight": "f.5.weight",
        "f.5.weight": "f.7.weight",
    }
    assert "by its name it would be f.3.weight" in rows["f.3.weight"].problem


def test_equal_names_in_another_order_are_equal_names() -> None:
    torch = model(("fc1.weight", (4, 4), "fc"), ("fc2.weight", (4, 4), "fc"))
    port = model(("fc2.weight", (4, 4), "fc"), ("fc1.weight", (4, 4), "fc"))
    rows = mapped(torch, port)
    assert pairs(rows) == {"fc1.weight": "fc1.weight", "fc2.weight": "fc2.weight"}
    assert {row.problem for row in rows.values()} == {""}


def test_one_of_many_equal_layers_missing_is_ambiguous_without_names() -> None:
    torch = model(*((f"a{k}.weight", (4, 4), "fc") for k in "xyz"))
    port = model(*((f"b{k}.weight", (4, 4), "fc") for k in "mn"))
    rows = mapped(torch, port)
    doubtful = [row for row in rows.values() if row.mindspore]
    assert len(doubtful) == 2
    assert all("others" in row.problem or "other layers" in row.problem for row in doubtful)


def test_two_left_over_in_other_places_are_ambiguous() -> None:
    torch = model(("x.weight", (7, 4), "fc"), ("m.weight", (4, 4), "fc"))
    port = model(("m.weight", (4, 4), "fc"), ("y.weight", (7, 4), "fc"))
    row = mapped(torch, port)["x.weight"]
    assert row.mindspore == "y.weight"
    assert "defined in another place" in row.problem


def test_a_missing_bias_is_explained() -> None:
    torch = model(("c.weight", (4, 3, 3, 3), "conv"), ("c.bias", (4,), "conv"))
    rows = mapped(torch, model(("d.weight", (4, 3, 3, 3), "conv")))
    assert rows["c.weight"].mindspore == "d.weight"
    assert rows["c.bias"].problem == (
        "not mapped: d has no bias: MindSpore's convolutions have none unless has_bias=True"
    )


def test_what_only_the_port_has_is_listed() -> None:
    rows = mapped(
        model(("fc.weight", (2, 3), "fc")), model(("fc.weight", (2, 3), "fc"), ("s", (1,), "own"))
    )
    assert rows["port s"].problem.startswith("not set")


def test_affine_off_is_no_problem_and_trained_is() -> None:
    torch = model(("n.running_mean", (4,), "bn"), ("n.running_var", (4,), "bn"))
    statistics = [("n.moving_mean", (4,), "bn"), ("n.moving_variance", (4,), "bn")]
    off = mapped(
        torch, model(*statistics, ("n.gamma", (4,), "bn", False), ("n.beta", (4,), "bn", False))
    )
    assert {row.problem for row in off.values()} == {""}
    on = mapped(torch, model(*statistics, ("n.gamma", (4,), "bn"), ("n.beta", (4,), "bn")))
    assert on["port n.gamma"].problem.startswith("not set")


def test_frozen_on_one_side() -> None:
    torch, port = model(("fc.weight", (2, 3), "fc")), model(("fc.weight", (2, 3), "fc", False))
    assert mapped(torch, port)["fc.weight"].problem == "trainable in PyTorch, frozen in the port"
    assert mapped(port, torch)["fc.weight"].problem == "frozen in PyTorch, trainable in the port"


class TestTies:
    """Embedding and output layer are one tensor, listed by both names."""

    EMBEDDING, HEAD = ("embed.weight", (9, 4), "embed"), ("head.weight", (9, 4), "fc")
    APART = model(EMBEDDING, ("between.weight", (4, 4), "fc"), HEAD)

    @staticmethod
    def tied(first: tuple[Any, ...], other: tuple[Any, ...]) -> Inventory:
        inventory = model(first, ("between.weight", (4, 4), "fc"), other)
        again = replace(inventory.tensors[2], same_as=inventory.tensors[0].name)
        return Inventory([*inventory.tensors[:2], again], inventory.layers)

    def test_on_both_sides(self) -> None:
        rows = mapped(self.tied(self.EMBEDDING, self.HEAD), self.tied(self.EMBEDDING, self.HEAD))
        assert {row.problem for row in rows.values()} == {""}
        assert rows["embed.weight"].mindspore == "embed.weight"
        for name in ("head.weight", "port head.weight"):
            assert rows[name].rule == "another name of embed.weight"

    def test_met_in_another_order(self) -> None:
        rows = mapped(self.tied(self.EMBEDDING, self.HEAD), self.tied(self.HEAD, self.EMBEDDING))
        assert {row.problem for row in rows.values()} == {""}
        assert rows["embed.weight"].mindspore == "head.weight"
        assert rows["embed.weight"].rule.startswith("same name")

    def test_in_pytorch_only(self) -> None:
        rows = mapped(self.tied(self.EMBEDDING, self.HEAD), self.APART)
        assert rows["embed.weight"].problem == ""
        assert rows["head.weight"].mindspore == "head.weight"
        assert rows["head.weight"].problem == "tied to embed.weight in PyTorch, not in the port"

    def test_in_the_port_only(self) -> None:
        rows = mapped(self.APART, self.tied(self.EMBEDDING, self.HEAD))
        assert rows["embed.weight"].problem == ""
        problem = "tied in the port only: head.weight is the same tensor as embed.weight"
        tied = self.tied(self.EMBEDDING, self.HEAD)
        found = [(r.torch, r.problem) for r in map_weights(self.APART, tied) if r.problem]
        assert found == [("head.weight", problem)]

    def test_a_rule_may_name_either(self) -> None:
        rule = {"torch": "e.weight", "mindspore": "head.weight"}
        torch = model(("e.weight", (9, 4), "embed"))
        rows = mapped(torch, self.tied(self.EMBEDDING, self.HEAD), rules=[rule])
        assert (rows["e.weight"].mindspore, rows["e.weight"].problem) == ("embed.weight", "")


class TestRules:
    TORCH = model(("layers.0.fc.weight", (4, 4), "fc"), ("layers.1.fc.weight", (4, 4), "fc"))
    PORT = model(("blocks.0.d.weight", (4, 4), "own"), ("blocks.1.d.weight", (4, 4), "own"))

    def test_groups_and_transform(self) -> None:
        rule = {
            "torch": r"layers\.(\d+)\.fc\.(.*)",
            "mindspore": r"blocks.\1.d.\2",
            "transform": "transpose",
        }
        rows = mapped(self.TORCH, self.PORT, rules=[rule])
        assert pairs(rows) == {f"layers.{k}.fc.weight": f"blocks.{k}.d.weight" for k in (0, 1)}
        assert {(row.transform, row.problem) for row in rows.values()} == {("transpose", "")}
        assert "weights.rules, number 1" in rows["layers.0.fc.weight"].rule

    def test_pytorch_words_name_tensors_too(self) -> None:
        torch = model(*((f"a.{leaf}", (4,), "bn") for leaf in LEAVES.values()))
        port = model(*((f"z.{leaf}", (4,), "bn") for leaf in LEAVES))
        rows = mapped(torch, port, rules=[{"torch": r"a\.(.*)", "mindspore": r"z.\1"}])
        assert pairs(rows) == {f"a.{o}": f"z.{t}" for t, o in LEAVES.items()}
        assert all("number 1" in row.rule for row in rows.values())

    def test_a_target_that_the_port_lacks(self) -> None:
        """It has another of the rule's: so it is the port that is wrong, not the rule."""
        port = Inventory(self.PORT.tensors[1:], self.PORT.layers)
        rule = {"torch": r"layers\.(.*)\.fc\.(.*)", "mindspore": r"blocks.\1.d.\2"}
        problem = mapped(self.TORCH, port, rules=[rule])["layers.0.fc.weight"].problem
        assert "blocks.0.d.weight is no tensor of the port" in problem
        assert "did you mean blocks.1.d.weight?" in problem

    @pytest.mark.parametrize(
        ("torch", "mindspore", "said"),
        [
            ("x", "y", "torch: x matches no tensor of PyTorch's"),
            (
                r"layrs\.(\d+)\.(.*)",
                "y",
                r"torch: layrs\.(\d+)\.(.*) matches no tensor of PyTorch's; did you mean layers?",
            ),
            (
                r"layers\.0\.fc",
                "y",
                r"torch: layers\.0\.fc is the beginning of layers.0.fc.weight only; "
                "it has to match the whole name",
            ),
            (
                r"layers\.(.*)\.fc\.(.*)",
                r"block.\1.d.\2",
                "mindspore: block.0.d.weight, for layers.0.fc.weight, is no tensor of the port; "
                "did you mean blocks.0.d.weight?",
            ),
        ],
    )
    def test_a_rule_that_says_nothing_of_the_models(
        self, torch: str, mindspore: str, said: str
    ) -> None:
        fine = {"torch": r"layers\.0.*", "mindspore": "blocks.0.d.weight"}
        rules = [fine, {"torch": torch, "mindspore": mindspore}]
        with pytest.raises(RuleError) as caught:
            map_weights(self.TORCH, self.PORT, Weights.model_validate({"rules": rules}))
        assert str(caught.value) == f"weights.rules.1.{said}"

    def test_a_rule_for_what_is_ignored_or_has_another_name_matches(self) -> None:
        rules = [{"torch": r"layers\.0.*", "mindspore": "blocks.0.d.weight"}]
        rows = mapped(self.TORCH, self.PORT, rules=rules, ignore={"torch": [r"layers\.0.*"]})
        assert rows["layers.0.fc.weight"].rule.startswith("ignored")

    def test_set_twice(self) -> None:
        rows = mapped(
            self.TORCH, self.PORT, rules=[{"torch": "layers.*", "mindspore": "blocks.0.d.weight"}]
        )
        assert (
            "blocks.0.d.weight is set twice, also with layers.1.fc.weight"
            in rows["layers.0.fc.weight"].problem
        )
        values = draws(self.TORCH)
        found = apply(rows.values(), values)
        np.testing.assert_array_equal(found["blocks.0.d.weight"], values["layers.0.fc.weight"])

    def test_used_in_part_only(self) -> None:
        torch = model(("qkv.weight", (6, 2), "fc"))
        port = model(("a.weight", (2, 2), "fc"), ("b.weight", (2, 2), "fc"))
        rules = [
            {"torch": "qkv.weight", "mindspore": f"{name}.weight", "transform": f"{letter}_of_qkv"}
            for name, letter in (("a", "q"), ("b", "k"))
        ]
        rows = map_weights(torch, port, Weights.model_validate({"rules": rules}))
        assert [row.problem for row in rows] == ["qkv.weight is used in part only"] * 2
        assert restore(rows, draws(port)) == {}

    def test_a_transform_that_does_not_fit(self) -> None:
        rule = {
            "torch": r"layers\.0.*",
            "mindspore": "blocks.0.d.weight",
            "transform": "insert_axis_2",
        }
        row = mapped(self.TORCH, self.PORT, rules=[rule])["layers.0.fc.weight"]
        assert row.problem == "shape changed: (4, 4) does not become (4, 4) by insert_axis_2"

    def test_ignored_is_listed(self) -> None:
        rows = mapped(
            self.TORCH, self.PORT, ignore={"torch": [r".*\.0\..*"], "mindspore": [r".*\.0\..*"]}
        )
        assert "weights.ignore.torch" in rows["layers.0.fc.weight"].rule
        assert rows["layers.0.fc.weight"].problem == ""
        assert rows["layers.1.fc.weight"].mindspore == "blocks.1.d.weight"


def test_gradients_that_are_none_are_left_out() -> None:
    torch, port = model(("a.weight", (2, 3), "fc")), model(("a.weight", (2, 3), "fc"))
    assert restore(map_weights(torch, port), {"a.weight": None}) == {}


def test_a_value_that_is_missing_raises() -> None:
    torch, port = model(("a.weight", (2, 3), "fc")), model(("a.weight", (2, 3), "fc"))
    with pytest.raises(ValueError, match=r"no value is given for PyTorch's a\.weight"):
        apply(map_weights(torch, port), {})


def test_values_are_copies_in_c_order() -> None:
    torch, port = model(("a.weight", (2, 3), "fc")), model(("a.weight", (3, 2), "own"))
    values = draws(torch)
    found = apply(map_weights(torch, port), values)["a.weight"]
    assert found.flags.c_contiguous
    found[:] = 0
    assert values["a.weight"].any()


def test_neighbours_that_could_change_places_are_a_guess_where_names_share_nothing() -> None:
    def three(names: str) -> Inventory:
        sizes = zip(names.split(), (6, 6, 5), strict=True)
        return model(*((f"{name}.weight", (size, 6), "fc") for name, size in sizes))

    rows = mapped(three("q k o"), three("a b c"))
    assert pairs(rows) == {"q.weight": "a.weight", "k.weight": "b.weight", "o.weight": "c.weight"}
    assert rows["q.weight"].problem == (
        "ambiguous: k would fit a as well, and names do not tell; "
        "say which by a rule of weights.rules"
    )
    assert rows["k.weight"].problem.startswith("ambiguous: q would fit b as well")
    assert "others fit kinds and shapes too" in rows["q.weight"].rule
    assert rows["o.weight"].problem == ""
    shared = mapped(three("q_proj k_proj o"), three("a_proj b_proj c"))
    assert shared["q_proj.weight"].problem.startswith("ambiguous")
    for others in ("wq wk out", "query key out", "a.q a.k a.o"):
        found = mapped(three("q k o"), three(others))
        assert {row.problem for row in found.values()} == {""}, found
    for ours, theirs in (("fc1 fc2 o", "linear1 linear2 out"), ("f.0 f.2 o", "body.0 body.3 out")):
        found = mapped(three(ours), three(theirs))
        assert {row.problem for row in found.values()} == {""}, found
