"""How the API of a random pair is called follows from what it is."""

from __future__ import annotations

import pytest

from conformance.corpus.schema import Pair


@pytest.mark.parametrize(
    ("api", "form"),
    [
        ("torch.normal", "function"),
        ("torch.nn.functional.dropout", "function"),
        ("torch.nn.Dropout", "module"),
        ("torch.Tensor.bernoulli", "method"),
    ],
)
def test_random_steps(api: str, form: str) -> None:
    pair = Pair(torch=api, call="random")
    assert (pair.form("torch"), pair.step_form("torch")) == ("random", form)


def test_other_forms_are_as_declared() -> None:
    pair = Pair(
        torch="torch.nn.ReLU",
        mindspore="mindspore.Tensor.T",
        call={"torch": "module", "mindspore": "property"},
    )
    assert (pair.step_form("torch"), pair.step_form("mindspore")) == ("module", "property")
