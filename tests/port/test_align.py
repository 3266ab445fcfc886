"""Alignment of traces that differ in every way ports do, written by hand."""

from __future__ import annotations

import pytest

from conformance.errors import CallerError
from conformance.port import matches as module
from conformance.port.align import align
from conformance.port.aligned import family, rising
from tests.port.traces import Trace, around, layer, run, shown

CONVS: list[tuple[str, str]] = [("a.weight", "c.weight"), ("b.weight", "d.weight")]


def plain(*names: str, activation: str = "relu") -> Trace:
    """Two convolutions, each followed by an activation of its own."""
    one, two, three, four = names
    layers = [
        layer(one, "conv2d", "weight"),
        layer(two, activation),
        layer(three, "conv2d", "weight"),
        layer(four, activation),
    ]
    return layers, run(*names)


def test_anchors_and_what_lies_between_them() -> None:
    aligned = align(plain("a", "r", "b", "s"), plain("c", "t", "d", "u"), CONVS)
    assert shown(aligned) == ["a = c", "r = t", "b = d", "s = u"]
    assert [a.why for a in aligned] == [module.BY_TENSORS, module.BY_PARENT] * 2
    assert [a.kind for a in aligned] == ["conv2d", "relu"] * 2
    assert not any(a.problem for a in aligned)


def test_another_activation_is_aligned_as_one() -> None:
    aligned = align(plain("a", "r", "b", "s"), plain("c", "t", "d", "u", activation="relu6"), CONVS)
    assert shown(aligned) == ["a = c", "r = t", "b = d", "s = u"]


def test_layers_that_pass_on_other_tensors_are_not_one() -> None:
    """timm's attention ends in an identity, MindCV's has dropout of its weights before that."""
    names = [("a.weight", "a.weight"), ("b.weight", "b.weight")]
    ends = [layer("a", "conv2d", "weight"), layer("b", "conv2d", "weight")]
    torch = [*ends, layer("norm", "identity")], run("a", "norm", "b")
    port = [*ends, layer("drop", "dropout")], run("a", ("drop", (2, 4, 50, 50)), "b")
    aligned = align(torch, port, names)
    assert shown(aligned) == ["a = a", "- = drop", "norm = -", "b = b"]
    assert all("at another place" in a.why for a in aligned[1:3])
    same = [*ends, layer("drop", "dropout")], run("a", "drop", "b")
    assert shown(align(torch, same, names)) == ["a = a", "norm = drop", "b = b"]


def test_a_function_instead_of_a_module_misleads_nobody() -> None:
    """The first activation is a function in one model, the second in the other."""
    torch = plain("a", "r", "b", "s")
    mindspore = plain("c", "t", "d", "u")
    without_s = torch[0][:3], run("a", "r", "b")
    without_t = [x for x in mindspore[0] if x.name != "t"], run("c", "d", "u")
    aligned = align(without_s, without_t, CONVS)
    assert shown(aligned) == ["a = c", "r = -", "b = d", "- = u"]
    assert "may be a function" in aligned[1].why
    assert shown(align(without_s, mindspore, CONVS)) == ["a = c", "r = t", "b = d", "- = u"]


def test_one_activation_called_at_two_places() -> None:
    shared = [layer("a", "conv2d", "weight"), layer("b", "conv2d", "weight"), layer("r", "relu")]
    aligned = align((shared, run("a", "r", "b", "r")), plain("c", "t", "d", "u"), CONVS)
    assert shown(aligned) == ["a = c", "r = t", "b = d", "r (call 2) = u"]
    itself = [(t, t) for t, _ in CONVS]
    once = align((shared, run("a", "b", "r")), (shared, run("a", "r", "b", "r")), itself)
    assert shown(once) == ["a = a", "- = r", "b = b", "r = r (call 2)"]


def test_a_shared_layer_called_more_often_on_one_side() -> None:
    twice = [layer("a", "conv2d", "weight")], run("a", "a")
    aligned = align(twice, ([layer("c", "conv2d", "weight")], run("c")), CONVS[:1])
    assert shown(aligned) == ["a = c", "a (call 2) = -"]
    assert aligned[1].why == "a is called 2 times in PyTorch, c 1 in the port"


def test_parallel_branches_in_another_order() -> None:
    def branches(one: str, two: str, *order: str) -> Trace:
        layers = [*around("", one, two), layer("end", "linear", "weight")]
        for name in (one, two):
            layers += [layer(f"{name}.conv", "conv2d", "weight"), layer(f"{name}.act", "relu")]
        return layers, run(*order, "end")

    torch = branches("x", "y", "x.conv", "y.conv", "x.act", "y.act")
    port = branches("l", "r", "r.conv", "r.act", "l.conv", "l.act")
    tensors = [("x.conv.weight", "l.conv.weight"), ("y.conv.weight", "r.conv.weight")]
    aligned = align(torch, port, [*tensors, ("end.weight", "end.weight")])
    assert shown(aligned) == [
        "x.conv = l.conv", "y.conv = r.conv", "x.act = l.act", "y.act = r.act", "end = end",
    ]  # fmt: skip


def test_layers_correspond_only_if_they_hold_the_same() -> None:
    """What the original keeps in two blocks, the port has in one; one activation is a function."""
    torch = [*around("", "p", "q"), layer("p.conv", "conv2d", "weight"), layer("p.act", "relu")]
    torch += [layer("q.conv", "conv2d", "weight"), layer("q.act", "relu")]
    port = [*around("", "z"), layer("z.c", "conv2d", "weight"), layer("z.d", "conv2d", "weight")]
    port += [layer("z.act", "relu")]
    calls = run("p.conv", "p.act", "q.conv", "q.act"), run("z.c", "z.d", "z.act")
    tensors = [("p.conv.weight", "z.c.weight"), ("q.conv.weight", "z.d.weight")]
    assert shown(align((torch, calls[0]), (port, calls[1]), tensors)) == [
        "p.conv = z.c", "p.act = -", "q.conv = z.d", "q.act = z.act",
    ]  # fmt: skip


def test_what_only_the_port_has_is_told_where_it_runs() -> None:
    port = [layer("c", "conv2d", "weight"), layer("x", "flatten"), layer("y", "softmax")]
    port += [layer("d", "conv2d", "weight"), layer("z", "upsample")]
    torch = [layer("a", "conv2d", "weight"), layer("b", "conv2d", "weight")]
    aligned = align((torch, run("a", "b")), (port, run("z", "c", "x", "y", "d")), CONVS)
    assert shown(aligned) == ["- = z", "a = c", "- = x", "- = y", "b = d"]


def fused(kind: str = "batch_norm2d+relu") -> Trace:
    """Timm's way: normalisation and activation in one layer, which holds the activation."""
    layers = [layer("conv", "conv2d", "weight"), layer("bn", kind, "weight", leaf=False)]
    layers += [
        layer("bn.drop", "identity"),
        layer("bn.act", "relu"),
        layer("fc", "linear", "weight"),
    ]
    return layers, run("conv", "bn", "bn.drop", "bn.act", "fc", inner=("bn.drop", "bn.act"))


def apart(*order: str) -> Trace:
    layers = [layer("c", "conv2d", "weight"), layer("n", "batch_norm2d", "gamma")]
    layers += [layer("r", "relu"), layer("i", "identity"), layer("d", "linear", "weight")]
    return layers, run(*order)


FUSED = [("conv.weight", "c.weight"), ("bn.weight", "n.gamma"), ("fc.weight", "d.weight")]


def test_a_fused_layer_is_compared_with_a_sequence() -> None:
    aligned = align(fused(), apart("c", "n", "i", "r", "d"), FUSED)
    assert shown(aligned) == ["conv = c", "bn = n r", "- = i", "fc = d"]
    assert module.FUSED in aligned[1].why
    backwards = align(apart("c", "n", "i", "r", "d"), fused(), [(b, a) for a, b in FUSED])
    assert shown(backwards) == ["c = conv", "n r = bn", "i = -", "d = fc"]


def test_what_is_fused_may_be_a_function_on_the_other_side() -> None:
    aligned = align(fused(), apart("c", "n", "d"), FUSED)
    assert shown(aligned) == ["conv = c", "bn = n", "fc = d"]
    assert aligned[1].problem == "relu is fused into the layer; the port has no such layer here"
    assert not aligned[0].problem


def test_layers_fused_on_both_sides_are_one_pair() -> None:
    aligned = align(fused(), fused("batch_norm2d+relu6"), [(t, t) for t, _ in FUSED])
    assert shown(aligned) == ["conv = conv", "bn = bn", "fc = fc"]
    assert not aligned[1].problem


def attention() -> Trace:
    layers = [layer("mha", "multihead_attention", "in_proj_weight", leaf=False)]
    layers += [layer("mha.out_proj", "linear", "weight")]
    return layers, run("mha")


def test_attention_against_the_layers_it_is_made_of() -> None:
    """What is mapped to `mha.out_proj` belongs to `mha`: PyTorch never calls the inner layer."""
    port = [
        layer("q", "linear", "weight"),
        layer("soft", "softmax"),
        layer("o", "linear", "weight"),
    ]
    tensors = [("mha.in_proj_weight", "q.weight"), ("mha.out_proj.weight", "o.weight")]
    aligned = align(attention(), (port, run("q", "soft", "o")), tensors)
    assert shown(aligned) == ["mha = q soft o"]
    assert not aligned[0].problem


def test_split_projections_have_no_output_in_common() -> None:
    wide = (2, 8, 12)
    torch = [layer("qkv", "linear", "weight")], run(("qkv", wide))
    port = [layer(n, "linear", "weight") for n in "qkv"], run(*((n, (2, 8, 4)) for n in "qkv"))
    aligned = align(torch, port, [("qkv.weight", f"{n}.weight") for n in "qkv"])
    assert shown(aligned) == ["qkv = q k v"]
    assert "no output is the same tensor" in aligned[0].problem


def test_tied_embeddings_do_not_swallow_the_network() -> None:
    torch = [layer("emb", "embedding", "weight"), layer("h", "linear", "weight")], run("emb", "h")
    port_layers = [
        layer("emb", "embedding", "embedding_table"),
        layer("h", "linear", "weight"),
        layer("head", "linear", "weight"),
    ]
    tensors = [("emb.weight", "emb.embedding_table"), ("emb.weight", "head.weight")]
    tensors += [("h.weight", "h.weight")]
    aligned = align(torch, (port_layers, run("emb", "h", "head")), tensors)
    assert shown(aligned) == ["emb = emb", "h = h", "- = head"]
    assert "none of its tensors" in aligned[2].why


def test_a_class_of_ones_own_stands_for_what_runs_in_its_place() -> None:
    """Global average pooling: one cell in the port, pooling and flattening in PyTorch."""
    flat = (2, 4)
    torch = [
        layer("a", "conv2d", "weight"),
        layer("p", "adaptive_avg_pool2d"),
        layer("f", "flatten"),
    ]
    port = [layer("c", "conv2d", "weight"), layer("gap")]
    calls = run("a", ("p", (2, 4, 1, 1)), ("f", flat))
    assert shown(align((torch, calls), (port, run("c", ("gap", flat))), CONVS[:1])) == [
        "a = c", "p f = gap",
    ]  # fmt: skip
    other = align((torch, calls), (port, run("c", ("gap", (4, 2)))), CONVS[:1])
    assert shown(other) == ["a = c", "- = gap", "p = -", "f = -"]


def test_a_layer_that_pads_belongs_to_what_it_pads_for() -> None:
    port = [layer("c", "conv2d", "weight"), layer("d", "conv2d", "weight"), layer("p", "pad")]
    torch = [layer("a", "conv2d", "weight"), layer("b", "conv2d", "weight"), layer("q", "pad")]
    aligned = align((torch, run("a", "b")), (port, run("c", "p", "d")), CONVS)
    assert shown(aligned) == ["a = c", "b = p d"]
    assert module.PADDED in aligned[1].why
    assert aligned[1].kind == "conv2d"
    both = align((torch, run("a", "q", "b")), (port, run("c", "p", "d")), CONVS)
    assert shown(both) == ["a = c", "q = p", "b = d"]


def test_the_configuration_comes_first() -> None:
    """Without names the only activations left are those in the same gap."""
    torch, port = plain("a", "r", "b", "s"), plain("c", "t", "d", "u")
    aligned = align(torch, port, CONVS, {"a": "d", "b": "c"})
    assert "a = d" in shown(aligned)
    assert "b = c" in shown(aligned)
    assert {a.why for a in aligned if a.kind == "conv2d"} == {module.BY_NAME}


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ({"aa": "c"}, "layers: the PyTorch model has no layer 'aa'; similar: a"),
        ({"a": "x"}, "layers: the port has no layer 'x'"),
    ],
)
def test_names_that_no_layer_bears(names: dict[str, str], line: str) -> None:
    with pytest.raises(CallerError) as error:
        align(plain("a", "r", "b", "s"), plain("c", "t", "d", "u"), CONVS, names)
    assert str(error.value) == line


def test_every_call_is_told_of_once() -> None:
    for torch, port in ((fused(), apart("c", "n", "i", "r", "d")), (attention(), plain(*"cdef"))):
        aligned = align(torch, port, FUSED)
        keys = (
            [c.key for a in aligned for c in a.torch],
            [c.key for a in aligned for c in a.mindspore],
        )
        assert sorted(keys[0]) == sorted(c.key for c in torch[1] if c.depth == 0)
        assert sorted(keys[1]) == sorted(c.key for c in port[1] if c.depth == 0)


def test_families() -> None:
    same = (
        ["relu", "relu6", "gelu"],
        ["max_pool2d", "adaptive_avg_pool2d"],
        ["dropout2d", "identity"],
    )
    assert [len({family(k) for k in kinds}) for kinds in same] == [1, 1, 1]
    assert family("batch_norm2d+relu") == "batch_norm2d"
    assert len({family(k) for k in ("conv1d", "conv2d", "linear", "softmax", "relu")}) == 5


def test_the_longest_rising_subsequence() -> None:
    assert rising([3, 1, 2, 9, 4, 5]) == [1, 2, 4, 5]
    assert rising([]) == []
