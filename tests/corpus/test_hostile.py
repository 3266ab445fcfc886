"""Case files come from pull requests: each of these gets one clear error and is never acted on."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest

from conformance.corpus.apis import refused
from conformance.corpus.loader import load, load_texts
from conformance.errors import CorpusError

GOOD = """\
operation: abs
no_reference: {en: none needed, zh: 无需}
accuracy: exact
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases: [{id: one, inputs: {input: [1.0]}}]
"""


def problems(text: str, folder: Path = Path()) -> list[str]:
    with pytest.raises(CorpusError) as caught:
        load_texts([("bad.yaml", textwrap.dedent(text), folder)])
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def only(text: str, folder: Path = Path()) -> str:
    found = problems(text, folder)
    assert len(found) == 1, found
    return found[0]


def test_the_good_file_is_good() -> None:
    assert list(load_texts([("good.yaml", GOOD, Path())]).documents) == ["abs"]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['true']",
        "!!python/name:os.system ''",
        "!mine x",
        "!!binary aGk=",
    ],
)
def test_tags(tag: str) -> None:
    assert "bad.yaml:6:35: tag" in only(GOOD.replace("[1.0]", tag))


def test_alias_bomb() -> None:
    lines = ["a: &a [x, x]"] + [
        f"{n}: &{n} [*{p}, *{p}]" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    assert "anchors and aliases are not allowed" in only("\n".join(lines))


@pytest.mark.parametrize(
    ("api", "why"),
    [
        ("os.system", "pattern"),
        ("torch.os.system", "not a namespace"),
        ("torch.load", "reaches beyond tensors"),
        ("torch.hub.load", "not a namespace"),
        ("torch.save", "reaches beyond tensors"),
        ("torch.nn.Module.__init_subclass__", "not public"),
        ("torch.abs.__class__", "not public"),
        ("torch._C._abs", "not public"),
        ("torch.utils.cpp_extension.load", "not a namespace"),
        ("torch.jit.script", "not a namespace"),
        ("torch.multiprocessing.spawn", "not a namespace"),
    ],
)
def test_apis_that_act_on_the_machine(api: str, why: str) -> None:
    assert why in only(GOOD.replace("torch: torch.abs", f"torch: {api}"))


@pytest.mark.parametrize(
    "api",
    [
        "mindspore.load_checkpoint",
        "mindspore.set_context",
        "mindspore.ops.Custom",
        "mindspore.nn.os",
    ],
)
def test_mindspore_apis_that_act_on_the_machine(api: str) -> None:
    if api == "mindspore.nn.os":
        assert refused(api) is None  # a module is refused by the worker, which resolves it
    else:
        assert refused(api) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt"),
        *("fromfile", "fromregex", "recfromcsv", "memmap", "DataSource", "frombuffer"),
        *("vectorize", "frompyfunc", "fromfunction", "apply_along_axis", "apply_over_axes"),
        *("piecewise", "lookfor", "add_newdoc", "bmat", "source", "info", "test", "show_config"),
        *("seterr", "seterrcall", "setbufsize", "set_printoptions", "errstate", "ndarray"),
        *("from_dlpack", "linalg.test", "random.seed", "lib.npyio.load", "ctypeslib.load_library"),
        *("os.system", "add.at", "ndarray.tofile", "__builtins__", "_globals"),
    ],
)
def test_numpy_apis_that_act_on_the_machine(name: str) -> None:
    text = GOOD.replace("torch: torch.abs,", f"numpy: numpy.{name},")
    assert any(why in only(text) for why in ("is refused", "is not public"))


def test_what_numpy_may_not_do_others_may() -> None:
    assert refused("numpy.piecewise") is not None
    assert refused("mindspore.numpy.piecewise") is None


@pytest.mark.parametrize(
    "into",
    [
        ("mindspore: mindspore.ops.abs", "mindspore: mindspore.ops.abs, torch_fixed: {f: CALL}"),
        ("id: one,", "id: one, extra: {torch: {f: [1, CALL]}},"),
        ("id: one,", "id: one, parameters: {f: CALL},"),
        ("id: one,", "id: one, grid: {f: [CALL]},"),
    ],
)
def test_functions_to_pass_are_refused_as_apis_are(into: tuple[str, str]) -> None:
    text = GOOD.replace("{input: {role: input}}", "{input: {role: input}, f: {role: option}}")
    found = problems(text.replace(into[0], into[1].replace("CALL", "{api: torch.load}")))
    assert any("'load' reaches beyond tensors" in line for line in found)


@pytest.mark.parametrize("name", ["../secret.npy", "/etc/passwd", "a/../../x.npy", "pickle.npy"])
def test_files_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    np.save(tmp_path / "secret.npy", np.ones(3))
    np.save(folder / "pickle.npy", np.array([{"an": "object"}]), allow_pickle=True)
    line = only(GOOD.replace("{input: [1.0]}", f"{{input: {{npy: {name}}}}}"), folder)
    assert "bad.yaml:6:" in line
    assert "must be a .npy file inside" in line or "cannot read" in line


@pytest.mark.parametrize(
    "spec",
    [
        "{rand: [1000000, 1000000]}",
        "{zeros: [1000000000000]}",
        "{randint: {low: 2, size: [1000000, 1000000]}}",
        "{full: {size: [1000000000000], value: 1}}",
        "{arange: 1000000000000}",
        "{linspace: [0, 1, 1000000000000]}",
    ],
)
def test_huge_shapes_are_refused_before_allocation(spec: str) -> None:
    line = only(GOOD.replace("[1.0]", spec))
    assert "bad.yaml:6:" in line
    assert "4,000,000" in line or "4000000" in line


def test_huge_shapes_in_a_grid() -> None:
    text = GOOD.replace("inputs:", "grid: {input: [{rand: [1000000, 1000000]}]}, inputs:")
    assert "4,000,000" in only(text)


def test_reshape_cannot_inflate() -> None:
    assert "cannot reshape" in only(
        GOOD.replace("[1.0]", "{value: [1.0], reshape: [1000000, 1000000]}")
    )


def test_ten_megabyte_scalar() -> None:
    assert "a case file has at most" in only(GOOD.replace("none needed", "x" * 10_000_000))


def test_long_scalar() -> None:
    assert "a value has at most 20,000" in only(GOOD.replace("none needed", "x" * 30_000))


def test_ten_megabyte_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace("none needed", "x" * 10_000_000))
    with pytest.raises(CorpusError, match="a case file has at most"):
        load([path])


def test_deep_nesting() -> None:
    text = GOOD.replace("[1.0]", "[" * 5000 + "]" * 5000)
    assert any(words in only(text) for words in ("nested too deeply", "levels"))


def test_grid_explosion() -> None:
    grid = ", ".join(f"p{i}: [{', '.join(map(str, range(50)))}]" for i in range(4))
    parameters = ", ".join(f"p{i}: {{role: option}}" for i in range(4))
    text = GOOD.replace("{input: {role: input}}", f"{{input: {{role: input}}, {parameters}}}")
    assert "6,250,000 cases" in only(text.replace("inputs:", f"grid: {{{grid}}}, inputs:"))


@pytest.mark.parametrize(
    "bad", ["\x00", "a: b: c", "[1, 2", "- a\n b: c", "\t- x", "%YAML 9.9\n---\na", "'", ""]
)
def test_not_yaml(bad: str) -> None:
    assert only(bad).startswith("bad.yaml:")


def test_several_documents_in_one_file() -> None:
    assert only(GOOD + "---\n" + GOOD).startswith("bad.yaml:")
