"""The published tables as data."""

from __future__ import annotations

from conformance.corpus.schema import Operation, Pair
from conformance.coverage import published


def test_tables_are_whole() -> None:
    pairs = published.pairs()
    assert len({p.id for p in pairs}) == len(pairs) == 1220
    assert all(any(p.claims.values()) for p in pairs)
    assert {release for p in pairs for release in p.claims} == set(published.RELEASES)


def test_the_latest_claim_is_judged() -> None:
    by_id = {p.id: p for p in published.pairs()}
    assert by_id["torch.cat=mindspore.ops.cat"].claim == ("r2.4.10", "parameter-types")
    assert by_id["torch.cat=mindspore.mint.cat"].claim == ("r2.7", "consistent")
    assert by_id["torch.Tensor.svd=mindspore.Tensor.svd"].area == "torch.Tensor"


def test_a_composite_covers_the_pair_whose_api_it_holds() -> None:
    steps = {"steps": [{"api": "mindspore.ops.cat", "args": ["input"]}]}
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": {"en": "a fake", "zh": "虚构"},
            "accuracy": "exact",
            "parameters": {"input": {"role": "input"}},
            "pairs": [
                {"torch": "torch.cat", "mindspore": steps},
                {"torch": "torch.cat", "mindspore": "mindspore.mint.cat"},
            ],
            "cases": [{"id": "c", "inputs": {"input": 1.0}}],
        }
    )
    (wanted,) = [p for p in published.pairs() if p.id == "torch.cat=mindspore.ops.cat"]
    ((found, pair),) = published.covering(wanted, [operation])
    assert (found, pair) == (operation, operation.pairs[0])


def test_which_pairs_a_page_prints_an_example_of() -> None:
    def example(torch: str, mindspore: str, **published_: str) -> bool:
        pair = Pair(torch=torch, mindspore=mindspore, published=published_)
        return published.has_example(pair)

    assert example("torch.cat", "mindspore.ops.cat")
    assert not example("torch.cat", "mindspore.mint.cat")
    # Of broadcast_to the page shows PyTorch only, so the pair that has a page is the one meant.
    assert example("torch.broadcast_to", "mindspore.ops.broadcast_to", r2="difference-page")
    assert not example("torch.broadcast_to", "mindspore.mint.broadcast_to", r2="consistent")
