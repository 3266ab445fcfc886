"""Names: PyTorch's words for MindSpore's tensors, as the corpus declares them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.corpus import loader
from conformance.port.names import NAMES, family, named, similarity, without_prefix, words
from tests.port.inventories import model


def test_every_name_that_the_corpus_declares_is_known() -> None:
    """The corpus is the source: a name that a pair declares must be translated."""
    corpus = loader.load([Path("cases/nn"), Path("cases/activation")])
    found = 0
    for name, document in corpus.documents.items():
        states = [n for n, p in document.operation.parameters.items() if p.role == "state"]
        for pair in document.operation.pairs:
            if not isinstance(pair.mindspore, str) or not pair.torch:
                continue
            for state in states:
                ours, theirs = (pair.names(f).get(state, state) for f in ("torch", "mindspore"))
                if ours != theirs:
                    found += 1
                    assert NAMES[family(name)][theirs] == ours, (name, theirs)
    assert found >= 16


def test_nothing_is_translated_that_the_corpus_does_not_know() -> None:
    known = set(NAMES)
    operations = {family(path.stem) for path in Path("cases").rglob("*.yaml")}
    assert known <= operations


@pytest.mark.parametrize(
    ("name", "kind", "canonical"),
    [
        ("a.bn.gamma", "bn", "a.bn.weight"),
        ("a.bn.beta", "bn", "a.bn.bias"),
        ("a.bn.moving_mean", "bn", "a.bn.running_mean"),
        ("a.bn.moving_variance", "bn", "a.bn.running_var"),
        ("mean", "bn", "running_mean"),
        ("variance", "bn", "running_var"),
        ("e.embedding_table", "embed", "e.weight"),
        ("p.w", "act", "p.weight"),
        ("a", "act", "weight"),
        ("m.gamma", "own", "m.weight"),
        ("m.mean", "own", "m.mean"),
        ("m.w", "own", "m.w"),
        ("m.in_proj_weight", "own", "m.in_proj.weight"),
        ("m.q_proj_weight", "own", "m.q_proj.weight"),
        ("lstm.weight_ih_l0_reverse", "lstm", "lstm.weight_ih_l0_reverse"),
    ],
)
def test_canonical(name: str, kind: str, canonical: str) -> None:
    inventory = model((name, (3,), kind))
    assert named(inventory.tensors, inventory.layers)[0].canonical == canonical


def test_a_path_that_all_names_begin_with_is_no_difference() -> None:
    torch = model(("model.conv.weight", (2, 2), "own"), ("model.fc.weight", (3,), "own"))
    port = model(("conv.weight", (2, 2), "own"), ("fc.weight", (3,), "own"))
    ours, theirs = (named(side.tensors, side.layers) for side in (torch, port))
    assert list(without_prefix(ours, theirs)) == ["model.conv.weight", "model.fc.weight"]
    assert list(without_prefix(theirs, ours)) == ["conv.weight", "fc.weight"]
    other = model(("net.conv.weight", (2, 2), "own"), ("net.fc.weight", (3,), "own"))
    names = without_prefix(ours, named(other.tensors, other.layers))
    assert list(names) == ["model.conv.weight", "model.fc.weight"]


def test_words_are_not_positions() -> None:
    assert words("features.3") == words("features.7")
    assert words("layer1.down_sample") & words("layer1.downsample") >= {"downsample", "layer"}
    assert "attn" in words("selfAttn.q")


def test_similarity_is_dice() -> None:
    found = similarity([words("a.b"), words("c")], [words("a.b"), words("a.c")])
    np.testing.assert_allclose(found, [[1, 0.5], [0, 2 / 3]], rtol=1e-6)
