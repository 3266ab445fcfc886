from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.corpus.loader import load
from conformance.port.causes import suspects
from conformance.port.confirm import confirm
from conformance.port.divergence import Found
from conformance.port.evidence import Evidence, Kernel, Suspect
from conformance.port.kernels import known
from conformance.port.mistakes import mistakes
from conformance.port.model import Array, CallKey
from conformance.port.result import (
    Cause,
    Divergence,
    ForwardRow,
    LayerRow,
    Measure,
    StaticDifference,
    TensorRow,
    Verdict,
    WeightRow,
)
from conformance.port.sentence import overall, sentence
from conformance.port.settings import said


def measure(ratio: float) -> Measure:
    return Measure(ratio * 1e-7, 1e-7, 6e-8, 1.0)


def layer_row(name: str, kind: str, ratio: float, verdict: Verdict) -> LayerRow:
    key = CallKey(name)
    return LayerRow(key, key, kind, measure(1), measure(ratio), measure(ratio), verdict)


def parts(*rows: LayerRow, glue: Divergence | None = None) -> Found:
    found = [
        Divergence("layer", row.torch, row.mindspore, "first", False, (), "words")
        for row in rows
        if row.verdict is Verdict.DIFFERS
    ]
    return Found(tuple(rows), (glue,) if glue else tuple(found))


def forward(**sizes: Verdict) -> list[ForwardRow]:
    return [
        ForwardRow(size, False, "pynative", 0, (measure(1),) * 5, verdict)
        for size, verdict in sizes.items()
    ]


EPS = StaticDifference("encoder.0.norm1", "encoder.0.norm1", "eps", "1e-05", "1e-07", "layer_norm")
NORM = layer_row("encoder.0.norm1", "layer_norm", 71, Verdict.DIFFERS)


def test_a_setting_at_the_first_divergence_comes_first() -> None:
    other = StaticDifference("act", "act", "approximate", "none", "tanh", "gelu")
    rows = NORM, layer_row("act", "gelu", 3000, Verdict.DIFFERS)
    found = suspects(Evidence(static=[other, EPS], found=[parts(*rows)]))
    assert [(s.cause.what, s.cause.where) for s in found] == [
        ("eps", "encoder.0.norm1"),
        ("approximate", "act"),
    ]
    assert found[0].cause.words == (
        "LayerNorm eps 1e-07, PyTorch 1e-05: the frameworks' defaults differ"
    )
    assert "71 times farther" in found[0].cause.evidence
    assert (found[0].cause.page, found[0].layers, found[0].setting) == (
        "layer_norm",
        ("encoder.0.norm1",),
        "eps",
    )
    assert "GELU takes tanh by default" in found[1].cause.words


def test_equal_differences_of_many_layers_are_one_cause() -> None:
    names = [f"n{i}" for i in range(6)]
    static = [StaticDifference(n, n, "eps", "1e-06", "1e-07") for n in names]
    rows = [layer_row(n, "layer_norm", 7, Verdict.UNRESOLVED) for n in names[:5]]
    rows.append(layer_row("n5", "layer_norm", 1, Verdict.SAME))
    (found,) = suspects(Evidence(static=static, found=[Found(tuple(rows), ())]))
    assert found.layers == tuple(names)  # where it did not show, another draw may show it
    assert found.cause.where == "n0, n1, n2 and 2 more"


def test_an_activation_inside_a_layer_of_pytorch_and_of_its_own_in_the_port() -> None:
    """timm's BatchNormAct2d with ReLU6, MindCV's BatchNorm2d and ReLU."""
    static = [
        StaticDifference(f"{n}.bn", f"{n}.act", "kind", "relu6", "relu", "relu6") for n in "ab"
    ]
    rows = [
        replace(
            layer_row(f"{n}.norm", "batch_norm2d+relu6", 1e5, Verdict.DIFFERS),
            torch=CallKey(f"{n}.bn"),
        )
        for n in "ab"
    ]
    (found,) = suspects(Evidence(static=static, found=[parts(*rows)]))
    assert (found.cause.what, found.cause.where, found.rank) == ("kind", "a.bn, b.bn", 0)
    assert found.cause.words == "it is ReLU in the port, ReLU6 in PyTorch"
    assert found.layers == ("a.act", "b.act")
    assert "1e+05 times farther" in found.cause.evidence


def test_layers_of_a_kind_that_nothing_explains_are_one_cause() -> None:
    rows = [layer_row(n, "batch_norm2d", 1e5, Verdict.DIFFERS) for n in "abcde"]
    (found,) = suspects(Evidence(found=[parts(*rows)]))
    assert found.cause.where == "a, b, c and 2 more"
    assert found.cause.words.startswith("a (batch_norm2d) computes something else")
    assert found.layers == tuple("abcde")


def test_a_setting_that_changes_nothing_measured_is_no_cause() -> None:
    rows = parts(layer_row("encoder.0.norm1", "layer_norm", 1, Verdict.SAME))
    assert suspects(Evidence(static=[EPS], found=[rows])) == []


def test_padding_is_told_by_the_sizes() -> None:
    static = StaticDifference("pool", "pool", "padding", "((1, 1), (1, 1))", "same", "max_pool2d")
    rows = parts(layer_row("pool", "max_pool2d", 1e6, Verdict.DIFFERS))
    outputs = forward(odd=Verdict.SAME, even=Verdict.DIFFERS)
    (found,) = suspects(Evidence(static=[static], found=[rows], forward=outputs))
    assert "the port agrees at size odd and differs at even" in found.cause.evidence
    assert "padding 1 at odd sizes only" in found.cause.words


def test_momentum_is_proven_by_running_statistics() -> None:
    static = StaticDifference("bn", "bn", "momentum", "0.1", "0.9", "batch_norm2d", trains=True)
    state = TensorRow(
        "bn.running_mean", "bn.moving_mean", "state", (), Verdict.DIFFERS, "moves 9 times"
    )
    rows = parts(layer_row("bn", "batch_norm2d", 1, Verdict.SAME))
    (found,) = suspects(Evidence(static=[static], found=[rows], state=[state]))
    assert found.cause.words.startswith("BatchNorm momentum 0.9, PyTorch 0.1: MindSpore's momentum")
    assert found.cause.evidence == "bn.running_mean moves 9 times"
    (unproven,) = suspects(Evidence(static=[static], found=[rows]))
    assert unproven.rank > found.rank


def test_words_of_settings() -> None:
    assert "keep_prob is 1 - p" in said("dropout", "p", "0.1", "0.9")
    assert said("dropout", "p", "0.1", "0.3") == "dropout p 0.3, PyTorch 0.1"
    assert "one side has a bias" in said("conv2d", "bias", "True", "False")


def test_a_kernel_of_the_corpus_is_named_as_such() -> None:
    row = layer_row("act", "tanh", 600, Verdict.DIFFERS)
    kernels = {"mindspore.nn.Tanh": Kernel("tanh", 3400)}
    types = {"act": "mindspore.nn.Tanh"}
    (found,) = suspects(Evidence(found=[parts(row)], types=types, kernels=kernels))
    assert (found.cause.what, found.cause.page) == ("kernel", "tanh")
    assert "the port is not at fault" in found.cause.words
    gross = layer_row("act", "tanh", 1e6, Verdict.DIFFERS)
    (found,) = suspects(Evidence(found=[parts(gross)], types=types, kernels=kernels))
    assert found.cause.what == "layer"


def test_the_corpus_knows_tanh() -> None:
    cases = Path(__file__).parents[2] / "cases" / "math" / "tanh.yaml"
    found = known(document.operation for document in load([cases]).documents.values())
    assert found["mindspore.nn.Tanh"].page == "tanh"
    assert found["mindspore.nn.Tanh"].roundoffs > 1000
    assert all("+" not in api for api in found)


def glue(after: tuple[str, ...], before: str) -> Divergence:
    keys = tuple(map(CallKey, after))
    return Divergence("glue", CallKey(before), CallKey(before), "first", False, keys, "words")


def test_glue_says_between_which_layers() -> None:
    found = suspects(Evidence(found=[parts(glue=glue(("l.qkv",), "l.attn.proj"))]))
    assert found[0].cause.where == "between l.qkv and l.attn.proj"
    assert "look at the scale, the mask and the order of q, k and v" in found[0].cause.words
    found = suspects(Evidence(found=[parts(glue=glue(("b1.bn2", "down"), "b2.conv1"))]))
    assert found[0].cause.where == "between b1.bn2, down and b2.conv1"
    assert "residual sum and activation" in found[0].cause.words


def test_layers_of_one_side_are_told_with_the_glue() -> None:
    item = replace(glue(("fc1",), "fc2"), only_port=(CallKey("act"),))
    (found,) = suspects(Evidence(found=[parts(glue=item)]))
    assert found.cause.words.startswith("only the port calls act there: the code between fc1 and")
    item = replace(item, only_torch=(CallKey("act"),))
    types = {"act": "models.Root"}
    (found,) = suspects(Evidence(found=[parts(glue=item)], types=types))
    assert found.cause.words.startswith("PyTorch calls act there, the port act (Root): the code")
    item = replace(glue(("fc1",), "fc2"), only_torch=(CallKey("act"), CallKey("scale")))
    (found,) = suspects(Evidence(found=[parts(glue=item)]))
    assert found.cause.words.startswith("only PyTorch calls act, scale there: the code between")


def test_glue_whose_formula_is_known() -> None:
    item = glue(("fc2",), "head")
    formula = "PyTorch computes relu(fc2 + x); the port relu(fc2) + x"
    (found,) = suspects(Evidence(found=[parts(glue=item)], formulas={item: formula}))
    assert found.cause.words == f"the code between fc2 and head differs: {formula}"


def test_unmapped_tensors_at_a_layer_that_differs() -> None:
    row = layer_row("fc", "linear", 1e5, Verdict.DIFFERS)
    weights = [
        WeightRow("fc.bias", "", (8,), None, problem="not mapped: fc has no bias"),
        WeightRow("fc.weight", "fc.weight", (8, 8), (8, 8)),
    ]
    (found,) = suspects(Evidence(weights=weights, found=[parts(row)]))
    assert (found.cause.what, found.cause.words) == (
        "weights",
        "fc.bias: not mapped: fc has no bias",
    )
    assert found.tensors == ("fc.bias",)


# Values -------------------------------------------------------------------------------------------


def values() -> dict[str, Array]:
    rng = np.random.RandomState(1)
    shapes = {
        "bn1.running_mean": (6,),
        "bn2.running_mean": (6,),
        "fc.weight": (12, 12),
        "fc.bias": (12,),
        "qkv.weight": (24, 5),
        "lstm.weight_ih": (20, 3),
        "conv.weight": (4, 3, 3, 3),
    }
    return {name: rng.randn(*shape).astype(np.float32) for name, shape in shapes.items()}


def blocks(array: Array, *order: int) -> Array:
    split = np.split(array, len(order))
    return np.concatenate([split[n] for n in order])


def heads(array: Array) -> Array:
    """(3, 4 heads, 2, 5) to (4 heads, 3, 2, 5)."""
    return array.reshape(3, 4, 2, 5).transpose(1, 0, 2, 3).reshape(24, 5)


@pytest.mark.parametrize(
    ("name", "change", "what", "words"),
    [
        ("fc.weight", lambda a: a.T, "transposed", "is transposed"),
        ("fc.bias", lambda a: 0 * a, "unset", "was not set: it holds 0 everywhere"),
        ("qkv.weight", lambda a: blocks(a, 1, 0, 2), "reordered", "in the order 2, 1, 3"),
        ("lstm.weight_ih", lambda a: blocks(a, 0, 2, 1, 3), "reordered", "in the order 1, 3, 2, 4"),
        ("qkv.weight", heads, "reordered", "interleaved by head (4 heads)"),
        ("conv.weight", lambda a: a[..., ::-1, ::-1], "flipped", "reversed along"),
        ("fc.weight", lambda a: a * np.float32(0.5), "scaled", "is 0.5 times PyTorch's"),
        ("fc.weight", lambda a: a[::-1] ** 2, "other", "holds other values"),
        ("fc.bias", lambda a: a[:6], "other", "has shape (6,), PyTorch's (12,)"),
    ],
)
def test_mistakes_in_a_value(name: str, change, what: str, words: str) -> None:  # type: ignore[no-untyped-def]
    torch = values()
    port = torch | {name: change(torch[name])}
    (found,) = mistakes(torch, port)
    assert (found.tensor, found.what) == (name, what)
    assert words in found.words


def test_swapped_statistics_are_one_suspect() -> None:
    torch = values()
    one, two = "bn1.running_mean", "bn2.running_mean"
    port = torch | {one: torch[two], two: torch[one]}
    found = mistakes(torch, port)
    assert [m.words for m in found] == [f"is swapped with {two}", f"is swapped with {one}"]
    (suspect,) = suspects(Evidence(mistakes=found))
    assert suspect.tensors == (one, two)
    assert suspect.cause.words == f"{one} is swapped with {two}"
    (copied,) = mistakes(torch, torch | {one: torch[two]})
    assert copied.words == f"holds the values of {two}"


def test_right_values_have_no_mistakes() -> None:
    torch = values()
    assert mistakes(torch, {n: v.astype(np.float64) for n, v in torch.items()}) == []


# Confirmation -------------------------------------------------------------------------------------


def suspect(what: str) -> Suspect:
    return Suspect(Cause(what, what, what), 0)


def test_the_cause_that_turns_the_verdict_is_confirmed_and_first() -> None:
    def attempt(tried: object) -> Verdict | None:
        names = {item.cause.what for item in tried}  # type: ignore[attr-defined]
        if "never" in names:
            return None
        return Verdict.SAME if "eps" in names else Verdict.DIFFERS

    found = confirm([suspect("glue"), suspect("never"), suspect("eps")], attempt)
    assert [(s.cause.what, s.cause.confirmed) for s in found] == [
        ("eps", True),
        ("glue", False),
        ("never", None),
    ]


def test_causes_that_turn_it_only_together_are_confirmed_without_the_innocent() -> None:
    def attempt(tried: object) -> Verdict:
        names = {item.cause.what for item in tried}  # type: ignore[attr-defined]
        return Verdict.SAME if {"eps", "gelu"} <= names else Verdict.UNRESOLVED

    found = confirm([suspect("innocent"), suspect("eps"), suspect("gelu")], attempt)
    assert [(s.cause.what, s.cause.confirmed) for s in found] == [
        ("eps", True),
        ("gelu", True),
        ("innocent", False),
    ]
    found = confirm([suspect("eps"), suspect("x")], attempt)
    assert [s.cause.confirmed for s in found] == [False, False]


# Sentences ----------------------------------------------------------------------------------------

BAD = forward(odd=Verdict.DIFFERS)
AT_NORM = Divergence("layer", CallKey("encoder.0.norm1"), None, "odd", False)


def cause(what: str, words: str, confirmed: bool | None = None) -> Cause:
    return Cause(what, "encoder.0.norm1", words, confirmed=confirmed)


def test_a_cause_that_was_confirmed() -> None:
    found = cause("eps", "LayerNorm eps 1e-07, PyTorch 1e-05", True)
    words = sentence(Verdict.DIFFERS, BAD, AT_NORM, [found])
    assert words == (
        "Not the same function: parts at encoder.0.norm1 (LayerNorm eps 1e-07, PyTorch 1e-05); "
        "with eps alone changed the port agrees."
    )
    known = {"Not the same function": "不是同一函数"}
    assert words.translated(lambda t: known.get(t, t)).startswith("不是同一函数: parts at")


def test_two_causes_that_were_confirmed_together() -> None:
    found = [cause("eps", "eps of A", True), cause("approximate", "tanh of B", True)]
    assert sentence(Verdict.DIFFERS, BAD, AT_NORM, found) == (
        "Not the same function: parts at encoder.0.norm1 (eps of A; tanh of B); with these 2 "
        "changed the port agrees."
    )


def test_sentences_without_a_cause_and_of_glue() -> None:
    assert sentence(Verdict.DIFFERS, BAD, AT_NORM, []) == (
        "Not the same function: parts at encoder.0.norm1."
    )
    found = suspects(Evidence(found=[parts(glue=glue(("a", "b"), "c"))]))[0].cause
    assert sentence(Verdict.DIFFERS, BAD, glue(("a", "b"), "c"), [found]).startswith(
        "Not the same function: parts between a, b and c; the code between a, b and c does "
    )
    assert "no layer alone" in sentence(Verdict.DIFFERS, BAD, None, [])


def test_a_kernel_is_neither_green_nor_a_mistake() -> None:
    found = cause("kernel", "tanh is less accurate")
    words = sentence(Verdict.DIFFERS, BAD, AT_NORM, [found])
    assert words.startswith("No mistake of the port found, yet not the same numbers: tanh")


def test_a_port_that_only_trains_otherwise() -> None:
    good = forward(odd=Verdict.SAME)
    found = cause("schedule", "rates are off by one")
    assert sentence(Verdict.DIFFERS, good, None, [found]) == (
        "Same function forward, but it does not train alike: rates are off by one."
    )


def test_sentences_of_other_verdicts() -> None:
    good = forward(odd=Verdict.SAME, even=Verdict.SAME)
    assert sentence(Verdict.SAME, good, None, []) == (
        "Same function: outputs agree at odd, even, 5 draws each, in pynative mode."
    )
    unclear = [ForwardRow("odd", False, "graph", 0, (), Verdict.UNRESOLVED, "no signal")]
    assert sentence(Verdict.UNRESOLVED, unclear, None, []).endswith("same function: no signal.")
    none = [ForwardRow("odd", False, "graph", 0, (), Verdict.NOT_COMPARED, "it died")]
    assert sentence(Verdict.NOT_COMPARED, none, None, []) == "Nothing was compared: it died."


def test_the_verdict_on_the_whole() -> None:
    good, unclear = forward(odd=Verdict.SAME), forward(odd=Verdict.SAME, even=Verdict.UNRESOLVED)
    rough = layer_row("softmax", "softmax", 11, Verdict.UNRESOLVED)
    lost = TensorRow("w", "w", "gradient", (), Verdict.UNRESOLVED)
    assert overall(good, [rough], []) is Verdict.SAME
    assert overall(good, [NORM], []) is Verdict.DIFFERS
    assert overall(good, [], [lost]) is Verdict.UNRESOLVED
    assert overall(good, [], [], [Verdict.DIFFERS]) is Verdict.DIFFERS
    assert overall(unclear, [], []) is Verdict.UNRESOLVED
    assert overall([], [], []) is Verdict.NOT_COMPARED
    half = [*good, ForwardRow("odd", False, "graph", 0, (), Verdict.NOT_COMPARED, "it died")]
    assert overall(half, [], []) is Verdict.UNRESOLVED
