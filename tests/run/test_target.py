"""Target names and the file that configures them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance.errors import CallerError
from conformance.run.target import DEFAULT_TARGETS, Target, configured, framework_of, parse


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("numpy", ("numpy", "", "", "")),
        ("torch:cuda", ("torch", "", "cuda", "")),
        ("torch:cuda1", ("torch", "", "cuda1", "")),
        ("mindspore:cpu:graph", ("mindspore", "", "cpu", "graph")),
        ("mindspore@2.9.0", ("mindspore", "2.9.0", "", "")),
        ("torch@2.13.0+cu126:cuda:eager", ("torch", "2.13.0+cu126", "cuda", "eager")),
        ("torch@2.14.0.dev20260101", ("torch", "2.14.0.dev20260101", "", "")),
    ],
)
def test_names(name: str, parts: tuple[str, str, str, str]) -> None:
    target = parse(name)
    assert (target.framework, target.version, target.device, target.mode) == parts
    assert (target.name, target.python, target.ssh) == (name, sys.executable, "")
    assert framework_of(name) == parts[0]


def test_the_default_targets_are_names() -> None:
    frameworks = {parse(name).framework for name in DEFAULT_TARGETS}
    assert frameworks == {"numpy", "torch", "mindspore"}


@pytest.mark.parametrize(
    "name",
    [
        "", "jax", "Torch", "torch:", "torch@", "torch:cpu:eager:x", " torch", "torch\n",
        "torch:../x", "torch@1;rm", "torchvision",
    ],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(CallerError, match=r"is not framework\[@version\]"):
        parse(name)


@pytest.mark.parametrize(
    ("wanted", "installed", "accepted"),
    [
        ("torch", "2.13.0", True),
        ("torch@2.13.0", "2.13.0", True),
        ("torch@2.13.0", "2.13.0+cpu", True),
        ("torch@2.13.0+cpu", "2.13.0", True),
        ("torch@2.13.0", "2.13.1", False),
        ("torch@2.13", "2.13.0", False),
        ("torch@2.1", "2.13.0", False),
    ],
)
def test_another_version_is_refused(wanted: str, installed: str, accepted: bool) -> None:
    refusal = parse(wanted).refuses({"version": installed})
    assert (refusal is None) is accepted
    if refusal is not None:
        assert refusal.startswith(f"torch {installed} is installed in ")
        assert refusal.endswith(f", not {wanted.removeprefix('torch@')}")


def test_a_worker_without_a_version_is_not_the_one_asked_for() -> None:
    assert parse("torch@2.13.0").refuses({}) is not None


def config(folder: Path, text: str) -> Path:
    path = folder / "conformance.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_configured_targets(tmp_path: Path) -> None:
    path = config(
        tmp_path,
        """
        [targets."mindspore:ascend"]
        python = "/opt/ms/bin/python"
        ssh = "me@ascend"
        env = {B = "2", A = "1"}
        [targets.torch]
        adapter = "fakes/right.py"
        """,
    )
    found = configured(path)
    ascend = parse("mindspore:ascend", found)
    assert (ascend.python, ascend.ssh) == ("/opt/ms/bin/python", "me@ascend")
    assert (ascend.env, ascend.device) == ((("A", "1"), ("B", "2")), "ascend")
    adapter = parse("torch", found).adapter
    assert adapter == (tmp_path / "fakes" / "right.py").resolve()  # beside the file, not the caller
    assert parse("torch:cpu", found) == Target("torch:cpu", "torch", device="cpu")


def test_no_file_is_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert configured() == {}
    config(tmp_path, "[targets.numpy]\nssh = 'host'\n")
    assert configured()["numpy"].ssh == "host"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[targets", "Expected"),
        ("targets = 3", "targets: Input should be"),
        ("targets = {torch = 3}", "targets.torch: Input should be"),
        ("[targets.torch]\npyhton = 'x'", "targets.torch.pyhton: Extra"),
        ("[targets.torch]\npython = 3", "targets.torch.python: "),
        ("[targets.torch]\nenv = {A = 1}", "targets.torch.env.A: "),
        ("[targets.tensorflow]\npython = 'x'", "targets.tensorflow: not the name"),
    ],
)
def test_mistakes_in_the_file(tmp_path: Path, text: str, words: str) -> None:
    path = config(tmp_path, text)
    with pytest.raises(CallerError) as caught:
        configured(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "conformance.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CallerError, match=r"conformance.toml: "):
        configured(path)


def test_a_file_that_is_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no such file"):
        configured(tmp_path / "absent.toml")
