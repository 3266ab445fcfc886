"""What the command line names: one side of an upgrade, and what it brings along."""

from __future__ import annotations

from importlib import metadata

import pytest

from conformance.errors import CallerError
from conformance.upgrade.spec import implied, parse_spec


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("mindspore==2.9.0", ["mindspore==2.9.0"]),
        ("torch==2.13.0,numpy==1.26.4", ["torch==2.13.0", "numpy==1.26.4"]),
        (" torch == 2.13.0 , numpy", ["torch==2.13.0", "numpy"]),
        ("numpy>=2,<2.3", ["numpy<2.3,>=2"]),
        ("numpy>=2, !=2.1,<2.3,torch~=2.1", ["numpy!=2.1,<2.3,>=2", "torch~=2.1"]),
        ("numpy (>=2,<3),torch===2", ["numpy<3,>=2", "torch===2"]),
        ("torch[a,b]==2,numpy", ["torch[a,b]==2", "numpy"]),
        ('torch; sys_platform in "linux,win32",numpy', None),
        ("torch==2.13.0+cpu", ["torch==2.13.0+cpu"]),
    ],
)
def test_commas_separate_requirements_and_clauses(
    text: str, requirements: list[str] | None
) -> None:
    found = [str(r) for r in parse_spec(text).requirements]
    assert found == (requirements or ['torch; sys_platform in "linux,win32"', "numpy"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty requirement"),
        ("  ", "is missing before or after a comma"),
        ("torch==2,", "is missing before or after a comma"),
        (",torch==2", "is missing before or after a comma"),
        ("torch==2, ,numpy", "is missing before or after a comma"),
        ("==2", "'==2' is not a requirement"),
        ("torch 2.13", "'torch 2.13' is not a requirement"),
        ("torch==2.13.x.y", "is not a requirement"),
        ("torch=2.13", "'torch=2.13' is not a requirement"),
        ("--index-url=x", "is not a requirement"),
        ("torch @ file:///tmp/t.whl", "name a version; use --find-links for a wheel"),
        ("torch @ git+https://example.org/t", "name a version; use --find-links for a wheel"),
        ("https://example.org/torch.tar.gz", "name a version; use --find-links for a wheel"),
        ("./torch.whl", "name a version; use --find-links for a wheel"),
        ("torch-2.13-py3-none-any.whl", "name a version; use --find-links for a wheel"),
        ("ml_dtypes==1,torch,ML.dtypes==2", "names ml-dtypes twice"),
    ],
)
def test_what_is_no_requirement_is_the_callers_mistake(text: str, message: str) -> None:
    with pytest.raises(CallerError) as caught:
        parse_spec(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_names_are_canonical_and_the_label_is_what_was_written() -> None:
    spec = parse_spec("ML_dtypes==0.5, Torch>=2,<3")
    assert spec.names == ("ml-dtypes", "torch")
    assert spec.label == "ML_dtypes==0.5,Torch>=2,<3"
    assert parse_spec("mindspore==2.9.0").label == "mindspore==2.9.0"


HERE = {name: f"{name}=={metadata.version(name)}" for name in ("numpy", "ml_dtypes", "scipy")}


@pytest.mark.parametrize(
    ("spec", "frameworks", "expected"),
    [
        ("mindspore==2.9.0", ["mindspore"], ["numpy<2"]),
        ("mindspore==2.9.0,numpy==2.2", ["mindspore"], []),
        ("mindspore==2.9.0,NumPy", ["mindspore"], []),
        ("torch==2.13.0", ["torch"], ["numpy"]),
        ("torch,mindspore", ["torch", "mindspore"], ["numpy<2", "numpy"]),
        ("numpy==2.2", ["numpy"], [HERE["ml_dtypes"], HERE["scipy"]]),
        ("numpy==2.2,ml-dtypes==0.4", ["numpy"], [HERE["scipy"]]),
        ("scipy==1.15", ["numpy"], [HERE["numpy"], HERE["ml_dtypes"]]),
        ("torch==2.13.0", [], []),
    ],
)
def test_workers_bring_what_was_not_named(
    spec: str, frameworks: list[str], expected: list[str]
) -> None:
    assert [str(r) for r in implied(parse_spec(spec), frameworks)] == expected


def test_versions_of_this_interpreter_give_way_but_not_what_a_wheel_is_compiled_against() -> None:
    spec = parse_spec("foo==1")
    found = [str(r) for r in implied(spec, ["numpy", "mindspore"], as_here=False)]
    assert found == ["numpy<2", "numpy", "ml_dtypes", "scipy"]


def test_what_is_not_installed_here_is_wanted_in_any_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert [str(r) for r in implied(parse_spec("numpy"), ["numpy"])] == ["ml_dtypes", "scipy"]
