from __future__ import annotations

import random

from conformance.gate.join import Two
from conformance.gate.slower import slower
from tests.gate.records import record

CALLS = 12
APIS = 10


def items() -> list[Two]:
    one = [
        record(case=f"op/c{i}", pair=f"torch.f{api}=mindspore.f{api}", call=f"{api}-{i}")
        for api in range(APIS)
        for i in range(CALLS)
    ]
    return [(item, item) for item in one]


def durations(
    seed: int, factor: float = 1.0, slow: float = 1.0, scatter: float = 0.1
) -> dict[tuple[str, str], float]:
    """Durations of a millisecond, times `factor`, and `slow` times as long for the API f3."""
    noise = random.Random(seed)
    return {
        ("mindspore", item.call): 1e-3
        * factor
        * (slow if item.call.startswith("3-") else 1)
        * noise.lognormvariate(0, scatter)
        for item, _ in items()
    }


def test_an_api_that_takes_longer_is_named_with_the_noise() -> None:
    (change,) = slower(items(), durations(1), durations(2, slow=3))
    assert (change.api, change.regression) == ("mindspore.f3", False)
    assert change.detail.startswith(("2.", "3."))
    assert "scatter by ±" in change.detail
    assert change.before.endswith("ms")


def test_a_slower_machine_is_no_slower_api() -> None:
    assert list(slower(items(), durations(1), durations(2, factor=5))) == []


def test_a_slower_machine_hides_no_slower_api() -> None:
    (change,) = slower(items(), durations(1), durations(2, factor=5, slow=3))
    assert change.api == "mindspore.f3"
    assert change.detail.startswith(("2.", "3."))


def test_noise_is_no_change() -> None:
    for seed in range(40):
        one, other = durations(seed, scatter=0.6), durations(seed + 100, scatter=0.6)
        assert list(slower(items(), one, other)) == []


def test_microseconds_do_not_matter() -> None:
    one, other = durations(1, factor=1e-3), durations(2, factor=1e-3, slow=3)
    assert list(slower(items(), one, other)) == []


def test_what_did_not_return_or_was_not_timed_says_nothing() -> None:
    raised = [(old, record(call=new.call, label="raised X")) for old, new in items()]
    assert list(slower(raised, durations(1), durations(2, slow=3))) == []
    assert list(slower(items(), {}, {})) == []
    assert list(slower([], {}, {})) == []
