"""The command `port` as a person meets it: what goes wrong is one line and the right exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.fakes import FAKES

FAKED = f"""\
import sys
from pathlib import Path
from conformance import cli, porting
from conformance.run.target import Target
fake = Path({str(FAKES)!r}, "ported.py")
porting.Target = lambda *given, **more: Target(*given, adapter=fake, **more)
sys.argv[0] = "conformance"
cli.entry()
"""
"""The command line with a fake framework on both sides."""
CHAINS = """
    import os, signal, time
    from pathlib import Path
    import numpy as np

    class Model:
        def __init__(self, **chain):
            Path("built").touch()
            self.chain = chain
            asked = np.zeros((), np.float32)  # the fake framework counts questions here
            self.weights = {"w": np.ones((4, 3), np.float32), "asked": asked}

    def twice(x):
        return 2 * x

    def crash(x):
        os.kill(os.getpid(), signal.SIGSEGV)

    def killed(x):
        os.kill(os.getpid(), signal.SIGKILL)

    def greedy(x):
        return x + np.ones((2**25, 2**25))

    def hang(x):
        Path(__file__).with_name("hangs").touch()
        time.sleep(100)

    def chain(last="twice"):
        return Model(first=twice, second=globals()[last])

    def one(x):
        return x

    def single():
        made = Model(first=twice)
        made.forward = one
        return made

    def broken(depth=2):
        return Model(first=[twice][depth])

    def number():
        return 7
"""
YAML_TEXT = """\
port: some
torch: models:chain
mindspore:
  build: models:chain
  modes: [pynative]
inputs:
  x: {randn: [4, 3]}
seeds: 2
"""


class Port:
    """A folder with models and a port.yaml, and the command line in it."""

    def __init__(self, folder: Path, models: Mapping[str, str], config: str) -> None:
        self.folder, self.lines = folder, config.splitlines()
        for name, text in models.items():
            (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
        self.faked = "models.py" in models

    def changed(self, **changes: Any) -> Port:
        """Change the values of dotted keys (__ for a dot)."""
        yaml = YAML()
        data = yaml.load("\n".join(self.lines))
        for path, value in changes.items():
            *parents, last = path.split("__")
            at = data
            for parent in parents:
                at = at.setdefault(parent, {})
            at[last] = value
        with (self.folder / "port.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(data, file)
        self.lines = (self.folder / "port.yaml").read_text(encoding="utf-8").splitlines()
        return self

    def start(self, *args: str) -> subprocess.Popen[str]:
        self.changed()
        program = ["-c", FAKED] if self.faked else ["-m", "conformance"]
        return subprocess.Popen(
            [sys.executable, *program, "port", *args],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(FAKES.parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *args: str) -> tuple[int, str, str]:
        """Return exit code, standard output, and the last line of standard error."""
        process = self.start(*(args or ("port.yaml",)))
        out, err = process.communicate(timeout=250)
        assert "Traceback" not in err
        return process.returncode, out, (err.splitlines() or [""])[-1]

    def place(self, text: str) -> str:
        """Return ``port.yaml:line:column`` of the only place where `text` stands."""
        ((line, column),) = [
            (n, found.start() + 1)
            for n, row in enumerate(self.lines, 1)
            for found in re.finditer(re.escape(text), row)
        ]
        return f"port.yaml:{line}:{column}"

    def line_of(self, file: str, text: str) -> str:
        """Return ``file:line`` of the line that is `text`."""
        path = self.folder / file
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        return f"{path}:{lines.index(text) + 1}"


@pytest.fixture
def port(tmp_path: Path) -> Port:
    """A port in a fake framework."""
    return Port(tmp_path, {"models.py": CHAINS}, YAML_TEXT)


# Mistakes of port.yaml ----------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_2(port: Port) -> None:
    code, _, said = port.run("prot.yaml")
    assert (code, said) == (2, "prot.yaml: no such file; docs/port.md shows what it holds")
    code, _, said = port.run(".")
    assert (code, said) == (2, ".: this is a folder; name the port.yaml in it")


def test_a_callable_that_is_not_there_is_2_with_its_place(port: Port) -> None:
    port.changed(torch={"build": "models:chian"})
    code, _, said = port.run()
    place = port.place("models:chian")
    assert code == 2
    assert said == f"{place}: models:chian: {port.folder}/models.py has no 'chian'"


def test_a_module_that_is_not_there_is_2_with_its_place(port: Port) -> None:
    port.changed(mindspore__build="model:chain")
    code, _, said = port.run()
    assert code == 2
    hint = "no module 'model' here; is its folder in `path`?"
    assert said == f"{port.place('model:chain')}: model:chain: {hint}"


def test_an_argument_that_is_none_is_2_with_its_place(port: Port) -> None:
    port.changed(mindspore__arguments={"lsat": "twice"})
    code, _, said = port.run()
    assert code == 2
    assert said == f"{port.place('twice')}: models:chain: got an unexpected keyword argument 'lsat'"


def test_a_loss_that_is_not_there_is_2_with_its_place(port: Port) -> None:
    port.changed(training={"loss": {"torch": "models:twice", "mindspore": "models:thrice"}})
    code, _, said = port.run()
    assert code == 2
    assert said.startswith(f"{port.place('models:thrice')}: models:thrice: ")
    assert said.endswith("has no 'thrice'")


def test_an_argument_of_an_optimizer_that_is_none_is_2_with_its_place(port: Port) -> None:
    optimizer = {"build": "models:number", "arguments": {"learning_rate": 0.25}}
    port.changed(training={"optimizer": {"torch": optimizer, "mindspore": "models:number"}})
    code, _, said = port.run()
    assert code == 2
    words = "models:number: got an unexpected keyword argument 'learning_rate'"
    assert said == f"{port.place('0.25')}: {words}"


def test_a_layer_that_is_none_is_2_with_its_place(port: Port) -> None:
    port.changed(layers={"second": "third"})
    code, _, said = port.run()
    assert code == 2
    assert said.startswith(f"{port.place('third')}: layers: ")
    assert "'third'" in said


def test_an_input_too_many_is_2_with_its_place(port: Port) -> None:
    port.changed(torch="models:single", inputs={"x": {"randn": [4, 3]}, "extra": {"rand": [2]}})
    code, _, said = port.run()
    assert code == 2
    words = "inputs.extra: the torch model's one takes 1 input (x), and this is one more"
    assert said == f"{port.place('rand:')}: {words}"


def test_a_checkpoint_that_is_none_is_2_with_its_place(port: Port) -> None:
    (port.folder / "w.pt").write_text("hello", encoding="utf-8")
    port.changed(torch={"build": "models:chain", "weights": "w.pt"})
    code, _, said = port.run()
    assert code == 2
    assert said.startswith(f"{port.place('w.pt')}: {port.folder}/w.pt is no checkpoint")


def test_a_rule_that_says_nothing_of_the_models_is_2_with_its_place(port: Port) -> None:
    port.changed(weights={"rules": [{"torch": "zz", "mindspore": "w"}]})
    for command in ([], ["map"]):
        code, _, said = port.run(*command, "port.yaml")
        words = "weights.rules.0.torch: zz matches no tensor of PyTorch's"
        assert (code, said) == (2, f"{port.place('zz')}: {words}")


def test_a_checkpoint_that_could_not_be_written_is_2_before_anything_runs(port: Port) -> None:
    code, _, said = port.run("port.yaml", "--save", "x.npz")
    assert code == 2
    assert said == "--save x.npz: give it one of the endings .ckpt, .safetensors"
    assert not (port.folder / "built").exists()


@pytest.mark.parametrize(
    ("option", "path", "why"),
    [
        ("--json", "/proc/x.json", "nothing can be written into /proc: No such file or directory"),
        ("--json", "afile/x.json", "afile is a file, not a folder"),
        ("--json", "models", "this is a folder; name a file in it"),
        ("--json", "port.yaml", "this file is used already; name another one"),
        ("--out", "afile/x", "afile is a file, not a folder"),
        ("--out", "afile", "afile is a file, not a folder"),
        ("--save", "afile/x.ckpt", "afile is a file, not a folder"),
    ],
)
def test_what_could_not_be_written_is_2_before_anything_runs(
    port: Port, option: str, path: str, why: str
) -> None:
    (port.folder / "afile").touch()
    (port.folder / "models").mkdir()
    code, _, said = port.run("port.yaml", option, path)
    assert (code, said) == (2, f"{option} {path}: {why}")
    assert not (port.folder / "built").exists()


def test_a_corpus_that_is_not_there_is_2(port: Port) -> None:
    code, _, said = port.run("port.yaml", "--cases", "elsewhere")
    assert (code, said) == (2, "elsewhere: no case file here; case files end in .yaml")
    assert not (port.folder / "built").exists()


def test_a_command_that_is_none_is_2_with_the_one_it_is_like(port: Port) -> None:
    process = port.start("mpa", "port.yaml")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "did you mean map?" in err


@pytest.mark.parametrize("given", [["--help"], []])
def test_help_tells_of_the_configuration_and_of_every_option(port: Port, given: list[str]) -> None:
    process = port.start(*given)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    for word in ("CONFIG", "--json", "--save", "--out", "--seeds", "--cases", "port map"):
        assert word in out


# Models that cannot be built or run ---------------------------------------------------------------


def test_a_model_that_does_not_build_is_3_with_its_line(port: Port) -> None:
    port.changed(mindspore__build="models:broken")
    code, _, said = port.run()
    place = port.line_of("models.py", "return Model(first=[twice][depth])")
    index = "IndexError: list index out of range"
    assert (code, said) == (3, f"{place}: mindspore side, build models:broken: {index}")


def test_what_is_no_model_is_3(port: Port) -> None:
    code, _, said = port.changed(torch="models:number").run()
    assert (code, said) == (3, "torch side, build models:number: what it built has no chain")


def test_a_verification_that_fails_leaves_no_verdict_of_another(port: Port) -> None:
    left = [port.folder / "reports/ports/some.json", port.folder / "some.json"]
    assert port.run("port.yaml", "--json", "some.json")[1].startswith("Same function forward")
    code, _, said = port.changed(mindspore__arguments={"last": "crash"}).run(
        "port.yaml", "--json", "some.json"
    )
    assert code == 3
    for file in left:
        found = json.loads(file.read_text("utf-8"))
        assert (found["verdict"], found["exit_code"]) == ("not compared", 3)
        assert found["sentence"] == f"Nothing was compared: {said}."
    for page in ("ports.html", "ports/some.html"):
        text = (port.folder / "reports" / page).read_text("utf-8")
        assert "Same function" not in text
        assert "SIGSEGV" in text


def test_a_verification_that_is_killed_says_that_it_has_not_ended(port: Port) -> None:
    assert port.run()[1].startswith("Same function forward")
    process = port.changed(mindspore__arguments={"last": "hang"}).start("port.yaml")
    until = time.monotonic() + 60
    while not (port.folder / "hangs").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    found = json.loads((port.folder / "reports/ports/some.json").read_text("utf-8"))
    assert found["exit_code"] == 3
    assert "the verification has not come to its end" in found["sentence"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("crash", "its process ended with SIGSEGV"),
        ("killed", "its process ended with SIGKILL, as the system does when memory runs out"),
        ("greedy", "out of memory: Unable to allocate 8.00 PiB"),
    ],
)
def test_a_worker_that_dies_and_memory_that_runs_out_are_3_with_the_layer(
    port: Port, last: str, said: str
) -> None:
    code, _, told = port.changed(mindspore__arguments={"last": last}).run()
    assert code == 3
    assert f"mindspore side, trace in layer second: {said}" in told
    if last != "killed":  # nobody is asked before
        assert told.startswith(f"{port.folder}/models.py:")


def test_a_model_that_does_not_answer_is_3(port: Port) -> None:
    port.changed(mindspore__arguments={"last": "hang"})
    code, _, said = port.run("port.yaml", "--timeout", "4")
    assert code == 3
    assert said.startswith("mindspore side, trace in layer second: no answer within 4 seconds")
    assert "--timeout" in said


def test_an_interrupt_is_3_and_leaves_no_worker(port: Port) -> None:
    """As a terminal sends it: to the workers too."""
    process = port.changed(mindspore__arguments={"last": "hang"}).start("port.yaml")
    until = time.monotonic() + 60
    while not (port.folder / "hangs").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


# With the frameworks ------------------------------------------------------------------------------

TORCH = """
    import torch
    from torch import nn

    class Root(nn.Module):
        def forward(self, x):
            return (x - 9).sqrt()

    class Net(nn.Module):
        def __init__(self, act="ReLU"):
            super().__init__()
            self.first = nn.Linear(6, 8)
            self.act = globals().get(act, getattr(nn, act, None))()
            self.last = nn.Linear(8, 4)

        def forward(self, x):
            return self.last(self.act(self.first(x)))

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.InstanceNorm2d(4, affine=True)

        def forward(self, x):
            return self.norm(self.conv(x))
"""
MINDSPORE = """
    from mindspore import nn

    class Net(nn.Cell):
        def __init__(self, out=4, extra=False):
            super().__init__()
            self.first = nn.Dense(6, 8)
            self.act = nn.ReLU()
            self.extra = nn.Dense(8, 8) if extra else nn.Identity()
            self.last = nn.Dense(8, out)

        def construct(self, x):
            return self.last(self.extra(self.act(self.first(x))))

    class Norm(nn.Cell):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, pad_mode="valid", has_bias=True)
            self.norm = nn.InstanceNorm2d(4)

        def construct(self, x):
            return self.norm(self.conv(x))
"""
REAL = YAML_TEXT.replace("models:chain", "original:Net", 1).replace("models:chain", "ported:Net")


@pytest.fixture
def real(tmp_path: Path) -> Port:
    """A small port of a real model."""
    models = {"original.py": TORCH, "ported.py": MINDSPORE}
    return Port(tmp_path, models, REAL.replace("[4, 3]", "[4, 6]"))


def found(port: Port, *args: str) -> tuple[int, dict[str, Any], str]:
    """Run; return the exit code, the JSON and standard output."""
    code, out, _ = port.run("port.yaml", "--json", "found/result.json", *args)
    text = (port.folder / "found" / "result.json").read_text(encoding="utf-8")
    return code, json.loads(text), out


@pytest.mark.frameworks
def test_a_right_port_is_0_with_everything_that_was_asked_for(real: Port) -> None:
    code, result, out = found(real, "--save", "made/converted.ckpt", "--out", "site")
    assert (code, result["exit_code"], result["verdict"]) == (0, 0, "same")
    assert out.splitlines()[0] == (
        "Same function: outputs agree at default, 2 draws each, in pynative mode."
    )
    assert "no corpus" not in out  # this folder has none, and nothing is to be explained
    assert (real.folder / "made" / "converted.ckpt").stat().st_size > 400
    assert (real.folder / "site" / "ports" / "some.html").is_file()
    assert result["config"]["port"] == "some"


@pytest.mark.frameworks
def test_a_checkpoint_that_was_written_is_what_the_port_then_loads(real: Port) -> None:
    """Only the weights that PyTorch was saved with agree with it."""
    save = "import torch, original; torch.save(original.Net().state_dict(), 'net.pt')"
    subprocess.run([sys.executable, "-c", save], cwd=real.folder, check=True)
    real.changed(torch={"build": "original:Net", "weights": "net.pt"})
    assert found(real, "--save", "net.ckpt")[1]["verdict"] == "same"
    real.changed(mindspore__weights="net.ckpt")
    assert found(real)[:2][1]["verdict"] == "same"
    subprocess.run([sys.executable, "-c", save], cwd=real.folder, check=True)
    code, result, _ = found(real)
    assert (code, result["verdict"]) == (1, "differs")
    assert {cause["what"] for cause in result["causes"]} == {"weights"}


@pytest.mark.frameworks
def test_nan_in_the_first_forward_pass_is_3_with_the_layer(real: Port) -> None:
    code, _, said = real.changed(
        torch={"build": "original:Net", "arguments": {"act": "Root"}}
    ).run()
    nan = "the forward pass returns NaN, first in the output of layer 'act'"
    assert (code, said) == (3, f"torch side, trace in layer act: {nan}")


@pytest.mark.frameworks
def test_a_kernel_that_is_not_there_is_3_with_the_layer(real: Port) -> None:
    real.changed(torch="original:Norm", mindspore__build="ported:Norm")
    code, _, said = real.changed(inputs={"x": {"randn": [2, 3, 9, 9]}}).run()
    place = real.line_of("ported.py", "return self.norm(self.conv(x))")
    words = "no kernel for this: Unsupported op [InstanceNorm] on CPU"
    assert (code, said) == (3, f"{place}: mindspore side, trace in layer norm: {words}")


@pytest.mark.frameworks
def test_an_input_that_does_not_fit_is_3_with_the_layer(real: Port) -> None:
    code, _, said = real.changed(inputs={"x": {"randn": [4, 7]}}).run()
    place = real.line_of("original.py", "return self.last(self.act(self.first(x)))")
    assert code == 3
    assert said.startswith(f"{place}: torch side, calibrate in layer first: RuntimeError: mat1 and")


@pytest.mark.frameworks
def test_a_layer_of_one_side_only_is_1_and_named(real: Port) -> None:
    code, result, out = found(real.changed(mindspore__arguments={"extra": True}))
    assert (code, result["verdict"]) == (1, "differs")
    first = out.splitlines()[0]
    assert first.startswith("Not the same function: parts between act and last")
    assert "only the port calls extra there" in first
    rows = [row for row in result["layers"] if row["problem"] == "only in the port"]
    assert [row["mindspore"]["layer"] for row in rows] == ["extra"]
    assert "weights: extra.weight: not set: no tensor of PyTorch's" in out


@pytest.mark.frameworks
def test_shapes_that_cannot_match_are_1_and_named(real: Port) -> None:
    code, result, out = found(real.changed(mindspore__arguments={"out": 5}))
    assert (code, result["verdict"]) == (1, "differs")
    assert "Linear out_features 5, PyTorch 4" in out.splitlines()[0]
    assert "last.weight → last.weight: shape changed: (4, 8) does not become (5, 8)" in out
    assert "its shape is (4, 5), PyTorch's (4, 4)" in out


@pytest.mark.frameworks
def test_an_optimizer_that_cannot_run_leaves_the_rest_and_is_not_green(real: Port) -> None:
    """``mint.optim.AdamW`` has no kernel on CPU."""
    builds = {"torch": "torch.optim:AdamW", "mindspore": "mindspore.mint.optim:AdamW"}
    optimizer = {side: {"build": b, "arguments": {"lr": 0.01}} for side, b in builds.items()}
    real.changed(training={"optimizer": optimizer})
    code, result, out = found(real)
    assert (code, result["verdict"]) == (1, "unresolved")
    why = "no kernel for this: in the optimizer AdamW: The kernel AdamW unregistered"
    assert out.splitlines()[0] == (
        "Same function forward, but it cannot be told whether it trains alike: "
        f"mindspore side, step: {why}."
    )
    assert {row["verdict"] for row in result["forward"] + result["gradients"]} == {"same"}


@pytest.mark.frameworks
def test_a_map_is_0_where_complete_and_1_where_not(real: Port) -> None:
    code, out, _ = real.changed().run("map", "port.yaml")
    assert code == 0
    assert "No rules are needed" in out
    code, out, _ = real.changed(mindspore__arguments={"extra": True}).run("map", "port.yaml")
    assert code == 1
    assert "No rules are needed" not in out
