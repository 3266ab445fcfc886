from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.port.budget import Judgement
from conformance.port.model import Array, Precision
from conformance.port.result import TensorRow, TrajectoryRow, Verdict
from conformance.port.stepping import Stepped, step
from conformance.port.training import Differentiated, _loss, differentiate
from conformance.port.training_run import TrainingRun
from conformance.port.trajectory import judge_rows, schedule, trajectory
from conformance.port.updates import coupled, fit, read
from tests.port.fake_side import FakeSide, Optimizer, sequence
from tests.port.layers import Layer, dense, relu
from tests.port.trained import Parts, batches, parts, passed, sides, stepped, tensors, walked


def row(rows: tuple[TensorRow, ...], name: str) -> TensorRow:
    return next(r for r in rows if r.torch == name)


def test_a_right_port_has_equal_gradients_state_and_loss() -> None:
    found = passed(*sides())
    assert found.loss.verdict is Verdict.SAME
    names = ["fc1.weight", "fc1.bias", "bn.weight", "bn.bias", "fc2.weight", "fc2.bias"]
    assert [r.torch for r in found.gradients] == names
    assert {r.verdict for r in (*found.gradients, *found.state)} == {Verdict.SAME}
    assert [r.torch for r in found.state] == ["bn.running_mean", "bn.running_var"]
    assert found.wrong == set()


def test_a_parameter_without_a_true_gradient() -> None:
    found = passed(*sides())
    assert found.without == {"fc1.bias"}
    assert row(found.gradients, "fc1.bias").problem.startswith("no gradient on either side")

    class Biased(Layer):
        def _dense_backward(self, t: Mapping[str, Array], x: Array, dy: Array) -> Any:
            dx, own = super()._dense_backward(t, x, dy)
            return dx, own | {"bias": own["bias"] + x.dtype.type(1e-3)}

    def change(made: Parts) -> None:
        made["fc1"] = Biased("dense", made["fc1"].values)

    wrong = row(passed(*sides(change)).gradients, "fc1.bias")
    assert (wrong.verdict, "times farther" in wrong.problem) == (Verdict.DIFFERS, True)


def test_a_frozen_parameter() -> None:
    def change(made: Parts) -> None:
        made["fc2"].settings["frozen"] = ("weight",)

    torch, port = sides(change)
    found = passed(torch, port)
    assert found.wrong == {"fc2.weight"}
    assert "the port gives it no gradient" in row(found.gradients, "fc2.weight").problem
    found = passed(FakeSide("torch", port.parts, port.network), torch)
    assert row(found.gradients, "fc2.weight").problem.startswith("PyTorch gives it no gradient")


def test_a_gradient_that_stops() -> None:
    class Stopped(Layer):
        def _relu_backward(self, t: Mapping[str, Array], x: Array, dy: Array) -> Any:
            return 0 * dy, {}

    def change(made: Parts) -> None:
        made["act"] = Stopped("relu")

    found = passed(*sides(change))
    assert found.wrong == {"fc1.weight", "bn.weight", "bn.bias"}
    assert row(found.gradients, "bn.bias").problem.startswith("the port's gradient is zero")


def test_momentum_that_was_not_inverted() -> None:
    def change(made: Parts) -> None:
        made["bn"].settings["momentum"] = 0.9

    found = passed(*sides(change))
    assert {r.verdict for r in found.gradients} == {Verdict.SAME}
    for name in ("bn.running_mean", "bn.running_var"):
        assert row(found.state, name).verdict is Verdict.DIFFERS
        assert row(found.state, name).problem.startswith("moves 9 times as far as PyTorch's")


def test_a_cell_that_was_not_set_to_train() -> None:
    def change(made: Parts) -> None:
        made["bn"].settings["momentum"] = 0.0

    found = passed(*sides(change))
    assert row(found.state, "bn.running_var").problem.startswith("does not move in the port")


def test_state_that_moves_on_neither_side_is_the_same() -> None:
    made = parts()
    made["bn"].settings["momentum"] = 0.0
    both = [FakeSide(name, made, sequence(*made)) for name in ("torch", "mindspore")]
    found = passed(both[0], both[1])
    assert {(r.verdict, r.problem) for r in found.state} == {
        (Verdict.SAME, "moves on neither side")
    }


@pytest.mark.parametrize(("ours", "theirs"), [(1e-5, 3e-4), (1e-4, 1e-4), (2e-5, 1.9e-5)])
def test_statistics_that_hardly_move(ours: float, theirs: float) -> None:
    """MnasNet's momentum is 0.0003: what moves is told as moving, by its factor."""
    torch, port = sides()
    for side, momentum in ((torch, ours), (port, theirs)):
        side.parts["bn"].settings["momentum"] = momentum
    tensor = row(passed(torch, port).state, "bn.running_mean")
    if ours == theirs:
        assert (tensor.verdict, tensor.problem) == (Verdict.SAME, "")
    else:
        assert tensor.verdict is not Verdict.SAME
        assert "port only" not in tensor.problem
        assert "not move" not in tensor.problem
    if theirs / ours > 2:
        assert tensor.problem.startswith("moves 30 times as far as PyTorch's")


def test_a_loss_that_float32_hits_by_luck_accuses_nobody() -> None:
    """Ten roundoffs are nothing for a sum; a thousandth is another loss."""
    roundoff = 2.0**-24
    for off, verdict in ((10 * roundoff, Verdict.SAME), (1e-3, Verdict.DIFFERS)):
        judged = _loss([(2.5, 2.5, 2.5 * (1 + off)), (1.5, 1.5, 1.5 * (1 - off))])
        assert judged.verdict is verdict


def test_another_loss_shows_in_the_loss() -> None:
    torch, port = sides()
    plain = port.differentiate

    def halved(*args: Any, **kwargs: Any) -> Any:
        found = plain(*args, **kwargs)
        return type(found)(found.loss / 2, found.gradients, found.state)

    port.differentiate = halved  # type: ignore[method-assign]
    assert passed(torch, port).loss.verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    "optimizer",
    [
        Optimizer(),
        Optimizer("sgd", momentum=0.9, decay=0.1),
        Optimizer("adam", lambda n: 1e-3),
        Optimizer("adam", lambda n: 1e-3, decay=0.1, decoupled=True),
    ],
)
def test_right_optimizers(optimizer: Optimizer) -> None:
    torch, port = sides(ours=optimizer)
    found = stepped(torch, port)
    verdicts = {r.torch: r.verdict for r in found.rows}
    bias = verdicts.pop("fc1.bias")
    assert bias in (Verdict.SAME, Verdict.NOT_COMPARED)
    assert set(verdicts.values()) == {Verdict.SAME}
    assert not found.fits
    walk = walked(torch, port)
    assert walk.judgement.verdict is Verdict.SAME, walk
    assert walk.schedule == ""
    assert all(r.perturbed > 0 for r in walk.rows)
    assert [r.step for r in walk.rows] == list(range(1, 9))


def test_adam_without_a_gradient_is_not_compared() -> None:
    torch, port = sides(ours=Optimizer("adam", lambda n: 1e-3))
    bias = row(stepped(torch, port).rows, "fc1.bias")
    assert (bias.verdict, bias.problem[:21]) == (Verdict.NOT_COMPARED, "it has no gradient: t")


def test_weight_decay_coupled_for_decoupled() -> None:
    torch, port = sides(
        ours=Optimizer("adam", lambda n: 1e-3, decay=0.1, decoupled=True),
        theirs=Optimizer("adam", lambda n: 1e-3, decay=0.1),
    )
    found = stepped(torch, port)
    assert row(found.rows, "bn.weight").verdict is Verdict.DIFFERS
    for name in ("bn.weight", "fc1.weight"):
        # AdamW takes rate * decay * parameter, which Adam's division by the gradient swallows.
        assert found.fits[name].explains
        assert found.fits[name].decay == pytest.approx(1e-3 * 0.1, rel=1e-2)
        assert found.fits[name].scale == pytest.approx(1, abs=1e-3)
    assert found.fits["fc1.weight"].port.coupled == pytest.approx(0.1, rel=0.05)
    assert found.fits["fc1.weight"].torch.coupled is None
    assert walked(torch, port).judgement.verdict is Verdict.DIFFERS


def test_coupled_decay_is_read_from_the_signs_of_the_first_update() -> None:
    rng = np.random.RandomState(1)
    g, p = rng.randn(2, 400)
    assert coupled(-np.sign(g + 0.3 * p), g, p) == pytest.approx(0.3, rel=0.1)
    assert coupled(-np.sign(g), g, p) is None
    assert coupled(-np.sign(rng.randn(400)), g, p) is None


def test_decay_that_the_rate_does_not_scale() -> None:
    torch, port = sides(
        ours=Optimizer("sgd", lambda n: 0.1, decay=0.01, decoupled=True),
        theirs=Optimizer("sgd", lambda n: 0.1, decay=0.1, decoupled=True),
    )
    found = stepped(torch, port).fits["fc1.weight"]
    assert found.explains
    assert found.decay == pytest.approx(-0.1 * (0.1 - 0.01), rel=1e-3)


def test_adam_without_bias_correction() -> None:
    torch, port = sides(
        ours=Optimizer("adam", lambda n: 1e-3),
        theirs=Optimizer("adam", lambda n: 1e-3, corrected=False),
    )
    found = stepped(torch, port).fits["fc2.weight"]
    assert found.explains
    assert found.scale == pytest.approx(0.1 / np.sqrt(0.001), rel=1e-3)


def test_a_parameter_that_the_optimizer_was_not_given() -> None:
    torch, port = sides(ours=Optimizer(), theirs=Optimizer(frozen=frozenset({"fc2.weight"})))
    found = stepped(torch, port)
    assert found.unmoved == {"fc2.weight"}
    assert "not updated in the port" in row(found.rows, "fc2.weight").problem
    assert row(found.rows, "fc1.weight").verdict is Verdict.SAME


def test_an_update_is_not_blamed_for_its_gradient() -> None:
    def change(made: Parts) -> None:
        made["fc2"].values["bias"] = made["fc2"].values["bias"] + 1

    found = stepped_free(*sides(change))
    assert row(found.rows, "fc2.bias").problem == "its gradient differs already"
    assert row(found.rows, "fc2.bias").verdict is Verdict.NOT_COMPARED


def stepped_free(torch: FakeSide, port: FakeSide) -> Stepped:
    return step(torch, port, tensors(torch), batches(3), passed(torch, port))


def kinked(port: FakeSide, draws: set[int]) -> None:
    """Have the port fall on the other side of a ReLU's kink in these draws."""
    relus, count = port.parts["act"], [0]
    plain, differentiate, own_step = relus.backward, port.differentiate, port.step
    first = {bytes(np.asarray(b.inputs[0])): n for n, b in enumerate(batches(5))}

    def backward(t: Mapping[str, Array], x: Array, dy: Array) -> Any:
        dx, own = plain(t, x, dy)
        if count[0] in draws:
            dx = dx.copy()
            dx[0, 0] += dy.dtype.type(0.05)
        return dx, own

    def noted(call: Any) -> Any:
        def wrapped(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            count[0] = first[bytes(np.asarray(inputs[0]))]
            return call(inputs, *args, **kwargs)

        return wrapped

    relus.backward = backward  # type: ignore[method-assign]
    port.differentiate = noted(differentiate)  # type: ignore[method-assign]
    port.step = noted(own_step)  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("draws", "verdict"), [({0, 2, 4}, Verdict.SAME), ({0, 1, 2, 3, 4}, Verdict.DIFFERS)]
)
def test_a_kink_is_met_by_chance_and_a_defect_in_every_draw(
    draws: set[int], verdict: Verdict
) -> None:
    torch, port = sides()
    kinked(port, draws)
    found = passed(torch, port)
    assert row(found.gradients, "fc1.weight").verdict is verdict
    assert [n for n, names in enumerate(found.agreed) if "fc1.weight" not in names] == [*draws]


def test_a_gradient_that_stops_in_some_draws_is_not_the_same() -> None:
    torch, port = sides()
    differentiate, seen = port.differentiate, iter(range(5))

    def stopped(*args: Any, **kwargs: Any) -> Any:
        found = differentiate(*args, **kwargs)
        none = {"fc1.weight": np.zeros((32, 12), np.float32)} if next(seen) < 2 else {}
        return replace(found, gradients={**found.gradients, **none})

    port.differentiate = stopped  # type: ignore[method-assign]
    told = row(passed(torch, port).gradients, "fc1.weight")
    assert told.verdict is Verdict.UNRESOLVED
    assert told.problem.startswith("in 2 of 5 draws")


def test_an_update_is_looked_at_where_its_gradient_agrees() -> None:
    torch, port = sides()
    kinked(port, {0, 2})
    found = step(torch, port, tensors(torch), batches(5), passed(torch, port))
    assert len(row(found.rows, "fc1.weight").measures) == 2
    assert {r.verdict for r in found.rows} == {Verdict.SAME}
    torch, port = sides()
    kinked(port, {0, 1})
    three = differentiate(torch, port, tensors(torch), batches(3))
    found = step(torch, port, tensors(torch), batches(3), three)
    assert {r.verdict for r in found.rows} == {Verdict.SAME}
    assert [len(row(found.rows, name).measures) for name in ("fc1.weight", "fc2.weight")] == [1, 2]


def test_a_gradient_that_all_but_cancels_is_judged_next_to_the_models() -> None:
    class Cancelling(Layer):
        """Ends in gradients of 1e-6 that are differences of larger numbers."""

        def _dense_backward(self, t: Mapping[str, Array], x: Array, dy: Array) -> Any:
            dx, own = super()._dense_backward(t, x, dy)
            left = (self.settings["left"] * np.linspace(1, 2, own["bias"].size)).astype(x.dtype)
            large = x.dtype.type(self.settings["large"])
            return dx, own | {"bias": (left + large) - large}

    def side(large: float, left: float = 1e-6) -> FakeSide:
        made = parts()
        made["fc1"] = Cancelling("dense", made["fc1"].values, {"large": large, "left": left})
        return FakeSide("torch", made, sequence(*made))

    found = passed(side(8), side(7.7))
    tensor = row(found.gradients, "fc1.bias")
    assert (tensor.verdict, tensor.problem[:22]) == (Verdict.SAME, "next to no gradient: P")
    assert "fc1.bias" not in found.without
    assert row(passed(side(8), side(7.7, 2e-5)).gradients, "fc1.bias").verdict is Verdict.DIFFERS


def test_an_update_too_small_to_be_seen_is_not_green() -> None:
    torch, port = sides(ours=Optimizer("sgd", lambda n: 1e-7))
    assert row(stepped(torch, port).rows, "bn.weight").verdict is Verdict.UNRESOLVED


def test_momentum_shows_after_the_first_step() -> None:
    torch, port = sides(ours=Optimizer(momentum=0.9), theirs=Optimizer(momentum=0.8))
    assert {r.verdict for r in stepped(torch, port).rows} == {Verdict.SAME}
    assert walked(torch, port).judgement.verdict is Verdict.DIFFERS


@pytest.mark.parametrize(("by", "words"), [(1, "ahead"), (-1, "behind")])
def test_a_schedule_off_by_one(by: int, words: str) -> None:
    def rate(n: int) -> float:
        return 0.1 * 0.5 ** (max(n, 0) // 3)

    torch, port = sides(ours=Optimizer(rate=rate), theirs=Optimizer(rate=lambda n: rate(n + by)))
    found = walked(torch, port)
    assert found.schedule.endswith(f"off by one, {words}")
    assert found.judgement.verdict is Verdict.DIFFERS


def test_schedules() -> None:
    assert schedule([0.1, 0.1], [0.1, float(np.float32(0.1))]) == ""
    assert schedule([0.1, 0.1], [0.2, 0.2]) == "the port's rates are 2 times PyTorch's"
    assert schedule([1, 2, 3, 4], [1, 2, 5, 6]).startswith("from step 3 on the port's rates differ")
    assert schedule([0.0, 0.1, 0.2], [0.1, 0.2, 0.3]).endswith("ahead")
    assert schedule([0.1], [float("nan")]) == ""


def test_training_that_explodes_on_both_sides_is_not_blamed_on_the_port() -> None:
    rng = np.random.RandomState(0)
    made = {"fc0": dense(rng, 12, 32)}
    for n in range(1, 5):
        made |= {f"act{n}": relu(), f"fc{n}": dense(rng, 32, 6 if n == 4 else 32)}
    optimizer = Optimizer(rate=lambda n: 3.0)
    torch, port = (
        FakeSide("torch", made, sequence(*made), optimizer),
        FakeSide("mindspore", made, sequence(*made), optimizer),
    )
    with np.errstate(all="ignore"):
        judged = trajectory(torch, port, tensors(torch), batches(12)).judgement
    assert judged.verdict is Verdict.UNRESOLVED
    assert judged.reason.startswith("training ends in NaN or Inf at step ")


def trajectory_row(
    number: int, port: float, torch: float = 1e-6, loss: float = 1.0
) -> TrajectoryRow:
    return TrajectoryRow(number, 1.0, loss, 0.1, 0.1, port, torch, torch)


def test_verdicts_of_trajectories() -> None:
    def judged(*rows: TrajectoryRow) -> Verdict:
        return judge_rows(rows, [1e-7] * len(rows)).verdict

    assert judged() is Verdict.NOT_COMPARED
    assert judged(trajectory_row(1, 2e-6)) is Verdict.SAME
    assert judged(trajectory_row(1, 2e-6), trajectory_row(2, 1e-3)) is Verdict.DIFFERS
    assert judged(trajectory_row(1, 2e-5), trajectory_row(2, 2e-6)) is Verdict.UNRESOLVED
    assert judged(TrajectoryRow(1, 1.0, 1.0, 0.1, 0.1, 1e-4, 1e-6, 5e-5)) is Verdict.SAME
    assert judged(trajectory_row(1, 0.9, torch=0.5)) is Verdict.UNRESOLVED
    # Momentum and other state of an optimizer show from the second step on.
    lost = trajectory_row(2, 1, torch=0.5)
    assert judged(trajectory_row(1, 2e-6), lost) is Verdict.UNRESOLVED
    assert judged(trajectory_row(1, 2e-6), trajectory_row(2, 2e-6), lost) is Verdict.SAME
    assert judged(trajectory_row(1, float("nan"), loss=float("nan"))) is Verdict.DIFFERS


def test_what_adds_to_a_parameter_is_no_weight_decay() -> None:
    rng = np.random.RandomState(1)
    g, p = rng.randn(2, 200)
    assert read(-0.1 * (g + 0.05 * p), g, p).decay == pytest.approx(0.05)
    assert read(-0.1 * g, g, p).decay == 0
    assert read(-0.1 * (g - 0.05 * p), g, p).decay is None


def test_fits() -> None:
    rng = np.random.RandomState(1)
    a, p, noise = rng.randn(3, 200)
    found = fit(2 * a - 0.5 * p, a, p)
    assert found.scale == pytest.approx(2)
    assert found.decay == pytest.approx(-0.5)
    assert found.explains
    assert not fit(a + noise, a, p).explains
    assert fit(a, a, p).explains


@pytest.mark.parametrize(("momentum", "runs"), [(0.9, 1), (0.8, 6)])
def test_perturbed_runs_end_with_the_one_that_explains_the_port(momentum: float, runs: int) -> None:
    torch, port = sides(ours=Optimizer(momentum=0.9), theirs=Optimizer(momentum=momentum))
    begun, begin = [], torch.begin

    def counted(precision: Precision = "float32") -> None:
        begun.append(precision)
        begin(precision)

    torch.begin = counted  # type: ignore[method-assign]
    walk = trajectory(torch, port, tensors(torch), batches(4))
    assert (walk.judgement.verdict is Verdict.SAME) == (momentum == 0.9)
    assert begun.count("float64") == 1 + runs


def test_a_gradient_that_differs_in_both_modes_is_told_once() -> None:
    def made(**verdicts: Verdict) -> Differentiated:
        rows = (TensorRow(n, n, "gradient", (), v, f"{n} is off") for n, v in verdicts.items())
        return Differentiated(Judgement(Verdict.SAME), tuple(rows), ())

    same, differs = Verdict.SAME, Verdict.DIFFERS
    eager, compiled = made(a=differs, b=same, c=same), made(a=differs, b=differs, c=same)
    run = TrainingRun([("pynative", eager), ("graph", compiled)])
    assert [(row.torch, row.problem) for row in run.gradients] == [
        ("a", "a is off"),
        ("b", "b is off"),
        ("c", "c is off"),
        ("b", "in graph mode: b is off"),
    ]
