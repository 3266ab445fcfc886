"""port.yaml: what it means, and every mistake in it at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance import porting
from conformance.errors import CallerError
from conformance.port import config, portfile
from conformance.port.portfile import PortFile

PLAIN = """\
port: small-cnn
torch:
  build: models_torch:SmallCNN
  arguments: {classes: 10}
mindspore:
  build: models_mindspore:SmallCNN
inputs:
  x: {randn: [8, 3, 5, 5]}
"""


def load(tmp_path: Path, text: str) -> PortFile:
    path = tmp_path / "port.yaml"
    path.write_text(text, encoding="utf-8")
    return portfile.load(path)


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(CallerError) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, PLAIN).config
    assert found.mindspore.modes == ["pynative", "graph"]
    assert (found.seeds, found.memory, found.size_names) == (5, 2**30, ["default"])
    assert found.calibrated
    assert found.torch.path == ["."]


def test_a_checkpoint_is_not_calibrated_away(tmp_path: Path) -> None:
    (tmp_path / "small.pt").touch()
    text = PLAIN.replace("  arguments: {classes: 10}", "  weights: small.pt")
    assert not load(tmp_path, text).config.calibrated
    assert load(tmp_path, text + "values: calibrated\n").config.calibrated


def test_draws_that_would_all_be_one_are_one(tmp_path: Path) -> None:
    """Five measures of the same would look like evidence."""
    fixed = PLAIN.replace("randn", "ones")
    for text, seeds in ((PLAIN, 5), (fixed, 1), (fixed + "sizes: {b: {x: {rand: [2]}}}\n", 5)):
        file = load(tmp_path, text + "values: as-built\n")
        assert porting.planned(file).seeds == seeds
        assert porting.planned(file, 3).seeds == min(seeds, 3)
    assert porting.planned(load(tmp_path, fixed)).seeds == 5  # values are drawn anew


def test_draws_are_legacy_draws_in_order(tmp_path: Path) -> None:
    text = (
        PLAIN
        + """\
  y: {randint: {low: 2, high: 9, size: [8]}}
training:
  targets: {t: {rand: [8], scale: 2, shift: 1}}
  loss: {torch: torch.nn.functional:mse_loss, mindspore: mindspore.ops:mse_loss}
"""
    )
    inputs, targets = load(tmp_path, text).draw("default", 3)
    random = np.random.RandomState(3)
    np.testing.assert_array_equal(inputs[0], random.randn(8, 3, 5, 5).astype(np.float32))
    np.testing.assert_array_equal(inputs[1], random.randint(2, 9, size=8))
    np.testing.assert_array_equal(targets[0], (random.rand(8) * 2 + 1).astype(np.float32))
    assert [a.dtype.name for a in (*inputs, *targets)] == ["float32", "int64", "float32"]


def test_sizes(tmp_path: Path) -> None:
    text = (
        PLAIN
        + """\
  y: {randint: {high: 9, size: [8]}}
sizes:
  even: {x: [2, 3, 4, 4], y: [2]}
  ones: {x: {ones: [1, 3, 2, 2]}}
"""
    )
    file = load(tmp_path, text)
    assert file.config.size_names == ["default", "even", "ones"]
    shapes = {size: [a.shape for a in file.draw(size, 0)[0]] for size in file.config.size_names}
    assert shapes == {
        "default": [(8, 3, 5, 5), (8,)],
        "even": [(2, 3, 4, 4), (2,)],
        "ones": [(1, 3, 2, 2), (8,)],
    }
    assert file.draw("even", 0)[0][1].max() < 9
    assert (file.draw("ones", 0)[0][0] == 1).all()


def test_files_lie_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.int32))
    text = PLAIN.replace("{randn: [8, 3, 5, 5]}", "{file: x.npy}")
    file = load(tmp_path, text.replace("  build: models_t", "  path: [code]\n  build: models_t"))
    found = file.draw("default", 0)[0][0]
    assert (found.dtype.name, found.tolist()) == ("int32", [0, 1, 2, 3, 4, 5])
    assert file.message("torch", 7) == {
        "build": "models_torch:SmallCNN",
        "arguments": {"classes": 10},
        "path": [str(tmp_path / "code")],
        "seed": 7,
        "dtype": "float32",
        "loss": None,
        "optimizer": None,
        "schedule": None,
    }


def test_a_file_that_is_no_array(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_text("no array", encoding="utf-8")
    file = load(tmp_path, PLAIN.replace("{randn: [8, 3, 5, 5]}", "{file: x.npy}"))
    with pytest.raises(CallerError, match=r"port\.yaml:8:6: cannot read 'x\.npy'"):
        file.draw("default", 0)


def test_training(tmp_path: Path) -> None:
    text = (
        PLAIN
        + """\
training:
  loss: {torch: a:b, mindspore: c:d}
  optimizer:
    torch: {build: torch.optim:SGD, arguments: {lr: 0.1}}
    mindspore: {build: mindspore.nn:SGD, arguments: {learning_rate: 0.1}}
"""
    )
    file = load(tmp_path, text)
    assert file.config.training is not None
    assert file.config.training.steps == 8
    told = file.message("mindspore", 0)
    assert told["loss"] == {"build": "c:d", "arguments": {}}
    assert told["optimizer"] == {"build": "mindspore.nn:SGD", "arguments": {"learning_rate": 0.1}}
    assert told["schedule"] is None


@pytest.mark.parametrize(
    ("written", "count"), [("1GiB", 2**30), ("1.5 MiB", 1572864), (2**21, 2**21)]
)
def test_memory(tmp_path: Path, written: object, count: int) -> None:
    assert load(tmp_path, PLAIN + f"memory: {written}\n").config.memory == count


ARRAY = "{randn: [8, 3, 5, 5]}"
ARGUMENTS = "  arguments: {classes: 10}"
INPUT_MISTAKES = [
    ("{randm: [8]}", "7: inputs.x.randm: unknown key; did you mean rand or randn?"),
    ("{}", "6: inputs.x: give exactly one of rand, randn"),
    ("{ones: [2], rand: [2]}", "6: inputs.x: give exactly one of"),
    ("{rand: [40000, 40000]}", "6: inputs.x: 1,600,000,000 elements; the limit is 100,000,000"),
    ("{rand: [-1]}", "14: inputs.x.rand.0: at least 0 is meant; found '-1'"),
    ("{file: x.npy}", "13: inputs.x.file: no file "),
    ("{file: x.pt}", "13: inputs.x.file: arrays are read from .npy files"),
]
SIDE_MISTAKES = [
    ("  weights: a.pt", "12: torch.weights: no file "),
    ("  weights: a.ckpt", "12: torch.weights: a checkpoint here ends in .pt or .pth or"),
    ("  python: no/python", "11: torch.python: no file "),
    ("  path: [src]", "10: torch.path.0: no folder "),
    ("  env: {OMP: 2}", "14: torch.env.OMP: text is meant; put it in quotes; found '2'"),
]
RULE = "weights: {rules: [{torch: '%s', mindspore: '%s'}]}"
LOSS = "loss: {torch: a:b, mindspore: c:d}"
OTHER_MISTAKES = [
    ("seed: 3", "1: seed: unknown key; did you mean seeds?"),
    ("training: {stops: 3}", "12: training.stops: unknown key; did you mean steps?"),
    ("colour: red", "1: colour: unknown key; `conformance schema port` lists the known ones"),
    ("seeds: 0", "8: seeds: at least 1 is meant; found '0'"),
    ("seeds: five", "8: seeds: a whole number is meant; found 'five'"),
    (
        "weights: some",
        "10: weights: keys with values are meant, such as {key: value}; found 'some'",
    ),
    ("layers: [a]", "9: layers: keys with values are meant, such as {key: value}"),
    ("sizes: {even: {x: a}}", "19: sizes.even.x: a list is meant, such as [first, second]; found"),
    ("sizes: {even: {y: [2]}}", "19: sizes.even.y: no input or target of this name; there are x"),
    ("sizes: {even: {x: [20000, 20000]}}", "19: sizes.even.x: 400,000,000 elements"),
    ("sizes: {default: {x: [2]}}", "18: sizes.default: the size of `inputs` has this name"),
    (RULE % ("(a", "b"), "19: weights.rules.0: regular expression: missing )"),
    (RULE % ("a", r"\1"), "19: weights.rules.0: mindspore: invalid group reference 1"),
    (
        "weights: {convert: f}",
        "20: weights.convert: write module:callable, such as models:Net; found",
    ),
    (
        "weights: {rules: [{torch: a, mindspore: b, transform: turn}]}",
        "19: weights.rules.0: no transform 'turn'; there are transpose",
    ),
    (
        "weights: {ignore: {torch: ['*']}}",
        "27: weights.ignore.torch: regular expression: nothing to repeat",
    ),
    ("memory: 1GB", "9: memory: write bytes, or 512MiB or 1GiB; found '1GB'"),
    ("memory: 1KiB", "9: memory: at least 1048576 is meant"),
    ("training: {steps: 3}", "11: training: steps need an optimizer"),
    ("training: {targets: {t: {rand: [2]}}}", "11: training: targets need a loss"),
    (
        "training: {targets: {x: {rand: [2]}}, " + LOSS + "}",
        "25: training.targets.x: an input has this name too",
    ),
    ("training: {schedule: {torch: a:b, mindspore: c:d}}", "11: training: a schedule needs"),
    ("x: !!python/name:os.system", "4: tag tag:yaml.org,2002:python/name:os.system is not allowed"),
]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1:1: empty; docs/port.md shows what it holds"),
        ("port: [", "1:8: "),
        ("port: x\n", "1:1: 'torch' is required"),
        (
            PLAIN.replace("models_torch:S", "models_torch.S"),
            "3:10: torch.build: write module:callable, such as models:Net; found",
        ),
        *((PLAIN.replace(ARRAY, text), f"8:{error}") for text, error in INPUT_MISTAKES),
        *((PLAIN.replace(ARGUMENTS, text), f"4:{error}") for text, error in SIDE_MISTAKES),
        *((PLAIN + text + "\n", f"9:{error}") for text, error in OTHER_MISTAKES),
    ],
)
def test_mistakes(tmp_path: Path, text: str, error: str) -> None:
    assert message(tmp_path, text).splitlines()[0].startswith(f"port.yaml:{error}")


def test_an_unknown_key_is_told_at_the_key_whatever_its_value(tmp_path: Path) -> None:
    said = message(tmp_path, PLAIN.replace("inputs:", "input:"))
    assert said.splitlines() == [
        "port.yaml:1:1: 'inputs' is required",
        "port.yaml:7:1: input: unknown key; did you mean inputs?",
    ]


def test_every_mistake_at_once(tmp_path: Path) -> None:
    text = PLAIN.replace("randn", "randm") + "seeds: many\nmemory: much\n"
    assert len(message(tmp_path, text).splitlines()) >= 3


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"none\.yaml: no such file"):
        portfile.load(tmp_path / "none.yaml")


def test_the_schema_beside_the_code_is_current() -> None:
    kept = Path(config.__file__).with_name("port.schema.json").read_text(encoding="utf-8")
    assert kept == config.schema()
