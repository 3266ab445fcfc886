from __future__ import annotations

from pathlib import Path

import pytest

from conformance.errors import CallerError
from conformance.run.target import TargetConfig
from conformance.upgrade import plan
from conformance.upgrade.environment import Environment
from conformance.upgrade.spec import parse_spec


def names(before: str, after: str, targets: list[str] | None = None) -> tuple[list[str], list[str]]:
    chosen = plan.choose(parse_spec(before), parse_spec(after), targets, {})
    return [t.name for t in chosen.inside], [t.name for t in chosen.beside]


MINDSPORE = ["mindspore", "mindspore:cpu:graph"]


@pytest.mark.parametrize(
    ("specs", "targets", "inside", "beside"),
    [
        (("mindspore==1", "mindspore==2"), None, MINDSPORE, ["torch"]),
        (("torch==1", "torch==2"), None, ["torch"], []),
        (("numpy==1", "numpy==2"), None, ["numpy"], []),
        (("torch==1,numpy==1", "torch==2,numpy==1"), None, ["numpy", "torch"], []),
        (("mindspore==1,torch==1", "mindspore==2,torch==1"), None, ["torch", *MINDSPORE], []),
        (("mindspore==1", "mindspore==2"), ["mindspore"], ["mindspore"], []),
        (("mindspore==1", "mindspore==2"), ["torch", "mindspore"], ["mindspore"], ["torch"]),
        (("scipy==1", "scipy==2"), ["numpy"], ["numpy"], []),
        (("toyframe==1,numpy==1", "toyframe==2,numpy==1"), ["torch"], ["torch"], []),
    ],
)
def test_targets(
    specs: tuple[str, str], targets: list[str] | None, inside: list[str], beside: list[str]
) -> None:
    assert names(*specs, targets) == (inside, beside)


def test_no_peer_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "find_spec", lambda _: None)
    assert names("mindspore==1", "mindspore==2") == (MINDSPORE, [])


@pytest.mark.parametrize(
    ("specs", "targets", "why"),
    [
        (("torch==1", "mindspore==1"), None, "must name the same packages"),
        (("scipy==1", "scipy==2"), None, "say with -t which targets"),
        (("torch==1", "torch==2"), ["mindspore"], "none of the targets runs torch"),
        (("torch==1", "torch==2"), ["torch@2.0"], "an upgrade decides the version; write torch"),
    ],
)
def test_what_makes_no_sense(specs: tuple[str, str], targets: list[str] | None, why: str) -> None:
    with pytest.raises(CallerError, match=why):
        names(*specs, targets)


def test_inside_runs_in_the_environment_and_beside_does_not() -> None:
    environment = Environment(Path("/env/bin/python"), {}, Path("/env"), reused=False)
    configured = {"mindspore": TargetConfig(env={"A": "1"}, python="/ignored")}
    specs = parse_spec("mindspore==1"), parse_spec("mindspore==2")
    targets = plan.choose(*specs, ["mindspore", "torch"], configured).on(environment)
    assert [t.name for t in targets] == ["torch", "mindspore"]
    torch, mindspore = targets
    assert mindspore.python == "/env/bin/python"
    assert dict(mindspore.env) == {"A": "1", "PYTHONPATH": "", "PYTHONHOME": ""}
    assert torch.python != "/env/bin/python"
    assert torch.env == ()
