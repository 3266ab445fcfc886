from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.port.evidence import Suspect
from conformance.port.result import Verdict
from conformance.port.training_causes import Trained, training_suspects
from tests.port.fake_side import FakeSide, Optimizer, sequence
from tests.port.layers import dense
from tests.port.trained import Parts, parts, passed, sides, stepped, walked


def examined(torch: FakeSide, port: FakeSide, **more: object) -> list[Suspect]:
    found = Trained(
        more.get("forward", Verdict.SAME),  # type: ignore[arg-type]
        passed(torch, port),
        None,
        stepped(torch, port),
        walked(torch, port),
        more.get("told", frozenset()),  # type: ignore[arg-type]
    )
    return training_suspects(found)


def first(torch: FakeSide, port: FakeSide, **more: object) -> tuple[str, str]:
    found = examined(torch, port, **more)[0].cause
    return found.what, found.words


def adam(
    decay: float = 0.0, decoupled: bool = False, corrected: bool = True, eps: float = 1e-8
) -> Optimizer:
    return Optimizer("adam", lambda n: 1e-3, 0.0, decay, decoupled, corrected, eps)


def sgd(decay: float) -> Optimizer:
    return Optimizer(decay=decay)


def test_a_right_port_has_no_suspect() -> None:
    assert examined(*sides(ours=adam())) == []


def test_a_frozen_parameter() -> None:
    def change(made: Parts) -> None:
        made["fc2"].settings["frozen"] = ("weight",)

    found = examined(*sides(change))
    assert [(s.cause.what, s.cause.words) for s in found] == [
        ("frozen", "fc2.weight: not trained in the port")
    ]
    other = Optimizer(frozen=frozenset({"fc2.weight"}))
    found = examined(*sides(ours=Optimizer(), theirs=other))
    assert [s.cause.what for s in found] == ["frozen"]
    assert found[0].tensors == ("fc2.weight",)


def test_a_parameter_that_pytorch_does_not_train() -> None:
    torch, port = sides()
    torch.parts["fc2"].settings["frozen"] = ("weight",)
    found = examined(torch, port)
    assert [(s.cause.what, s.cause.words) for s in found] == [
        ("frozen", "fc2.weight: trained in the port, not in PyTorch")
    ]
    assert "frozen there" in found[0].cause.evidence


def test_momentum_is_told_once() -> None:
    def change(made: Parts) -> None:
        made["bn"].settings["momentum"] = 0.9

    what, words = first(*sides(change))
    assert what == "momentum"
    assert words.startswith("running statistics move otherwise: bn.running_mean, bn.running_var")
    assert examined(*sides(change), told=frozenset({("momentum", "bn")})) == []


def test_a_cell_that_runs_as_in_evaluation() -> None:
    def change(made: Parts) -> None:
        made["bn"].settings["momentum"] = 0.0

    assert first(*sides(change))[0] == "training mode"


def test_coupled_decay() -> None:
    what, words = first(*sides(ours=adam(0.1, decoupled=True), theirs=adam(0.1)))
    assert what == "optimizer"
    assert words == (
        "the port adds its weight decay, about 0.1, to the gradient (coupled), PyTorch's is "
        "decoupled, as AdamW's"
    )
    words = first(*sides(ours=adam(), theirs=adam(0.1)))[1]
    assert words == (
        "the port adds its weight decay, about 0.1, to the gradient (coupled), PyTorch has none"
    )
    words = first(*sides(ours=adam(0.1), theirs=adam(0.1, decoupled=True)))[1]
    assert words.startswith("PyTorch adds its weight decay, about 0.1, to the gradient")


def test_no_decay_another_decay_and_another_rate() -> None:
    words = first(*sides(ours=adam(0.1, decoupled=True), theirs=adam()))[1]
    assert words.startswith(
        "the port takes 0.0001 of each parameter less than PyTorch in a step, a weight decay of 0.1"
    )
    words = first(*sides(ours=adam(0.1, decoupled=True), theirs=adam(0.3, decoupled=True)))[1]
    assert "more than PyTorch in a step, a decay of 0.2 at rate 0.001" in words


@pytest.mark.parametrize(("torch", "port"), [(0.0, 0.1), (0.1, 0.0), (0.1, 0.01)])
def test_the_weight_decay_of_sgd_is_read_off_both_updates(torch: float, port: float) -> None:
    (found,) = examined(*sides(ours=sgd(torch), theirs=sgd(port)))
    words = f"the port's weight decay is {port:.2g}, PyTorch's {torch:.2g}"
    assert (found.cause.what, found.cause.words) == ("optimizer", words)


def test_parameters_that_mindspore_does_not_decay() -> None:
    found = stepped(*sides(ours=sgd(0.1), theirs=sgd(0.0)))
    gammas = {"bn.weight": "bn.gamma", "bn.bias": "bn.beta"}
    rows = tuple(replace(r, mindspore=gammas.get(r.torch, r.torch)) for r in found.rows)
    step = replace(found, rows=rows, fits={name: found.fits[name] for name in gammas})
    (suspect,) = training_suspects(Trained(Verdict.SAME, step=step))
    assert suspect.cause.words.startswith("MindSpore's optimizers do not decay parameters whose")
    assert "PyTorch's weight decay of 0.1 holds" in suspect.cause.words


def test_eps_is_read_off_adams_first_update() -> None:
    words = first(*sides(ours=adam(), theirs=adam(eps=1e-4)))[1]
    assert words.startswith("eps weighs 0.0001 in the port's first update, too little to see in")
    words = first(*sides(ours=adam(eps=1e-4), theirs=adam(eps=2e-4)))[1]
    assert words == "eps weighs 0.0002 in the port's first update, 0.0001 in PyTorch's"
    words = first(*sides(ours=adam(eps=1e-4), theirs=adam(eps=1e-4 / 0.001**0.5)))[1]
    assert words.startswith("eps weighs 0.0032 in the port's first update, 0.0001 in PyTorch's; M")


def test_a_parameter_that_no_gradient_reaches() -> None:
    made = parts() | {"spare": dense(np.random.RandomState(1), 4, 4)}
    made["spare"].settings["unused"] = True
    network = sequence("fc1", "bn", "act", "fc2")
    both = (FakeSide(side, made, network, sgd(0.1)) for side in ("torch", "mindspore"))
    (found,) = examined(*both)
    assert found.cause.words.startswith(
        "the port alone moves spare.bias, spare.weight, which no gradient reaches"
    )


def test_no_bias_correction() -> None:
    assert "no bias correction" in first(*sides(ours=adam(), theirs=adam(corrected=False)))[1]


@pytest.mark.parametrize("by", [1, -1])
def test_a_schedule_off_by_one(by: int) -> None:
    def rate(n: int) -> float:
        return 0.1 * 0.5 ** (max(n, 0) // 2)

    torch, port = sides(ours=Optimizer(rate=rate), theirs=Optimizer(rate=lambda n: rate(n + by)))
    found = examined(torch, port)
    assert [s.cause.what for s in found] == ["schedule"]
    assert "off by one" in found[0].cause.words
    assert "in PyTorch 0.1, 0.1, 0.05" in found[0].cause.evidence


def test_a_schedule_off_by_one_that_the_first_step_shows() -> None:
    def rate(n: int) -> float:
        return 0.1 * 0.9**n

    torch, port = sides(ours=Optimizer(rate=rate), theirs=Optimizer(rate=lambda n: rate(n + 1)))
    found = examined(torch, port)
    assert found[0].cause.what == "schedule"
    assert [s.cause.words for s in found[1:]] == ["the port's rate is 0.09, PyTorch's 0.1"]


def test_momentum_of_the_optimizer() -> None:
    what, words = first(*sides(ours=Optimizer(momentum=0.9), theirs=Optimizer(momentum=0.8)))
    assert what == "optimizer"
    assert words.startswith("the first step agrees, later ones do not")


def test_gradients_that_differ_in_graph_mode_only() -> None:
    torch, port = sides()
    right, wrong = passed(torch, port), passed(torch, sides(_halved)[1])
    (found,) = training_suspects(Trained(Verdict.SAME, right, wrong))
    assert found.cause.words == "gradients of bn.bias differ in graph mode, outputs do not"
    assert training_suspects(Trained(Verdict.SAME, right, right)) == []


def _halved(made: Parts) -> None:
    backward = made["bn"].backward

    def halved(t: Any, x: Any, dy: Any) -> Any:
        dx, own = backward(t, x, dy)
        return dx, {**own, "bias": own["bias"] / 2}

    made["bn"].backward = halved  # type: ignore[method-assign]


def test_a_wrong_function_is_not_told_again_as_gradient_or_loss() -> None:
    def change(made: Parts) -> None:
        made["fc2"].values["weight"] = np.array(made["fc2"].values["weight"][::-1])

    torch, port = sides(change)
    found = Trained(Verdict.DIFFERS, passed(torch, port))
    assert training_suspects(found) == []
    found = Trained(Verdict.SAME, passed(torch, port))
    assert [s.cause.what for s in training_suspects(found)] == ["loss"]
