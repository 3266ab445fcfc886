"""`conformance new`: what is paired, what is doubted, and that the file is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import draft
from conformance.corpus import loader
from conformance.corpus.schema import Operation
from conformance.errors import CorpusError
from conformance.judge import signature
from conformance.judge.introspected import Signature
from conformance.judge.undeclared import undeclared
from conformance.worker import describe

SCHEMA = Path(draft.__file__).parent / "corpus" / "case.schema.json"


def signed(api: str, text: str, call: str | None = None) -> Signature:
    return Signature.from_message(
        {
            "api": api,
            "exists": True,
            "error": "",
            "source": "signature",
            "text": text,
            "parameters": describe.parse(text),
            "overloads": [],
            "call_text": call,
            "call_parameters": None if call is None else describe.parse(call),
            "deprecated": [],
        }
    )


def drafted(torch: Signature, mindspore: Signature) -> tuple[Operation, str, int]:
    """Return the drafted operation, after checking that it is sound and nothing is undeclared."""
    text, doubts = draft.write(torch, mindspore)
    corpus = loader.load_texts([("new.yaml", text, Path())])
    (document,) = corpus.documents.values()
    operation = document.operation
    rows = signature.compare(operation, operation.pairs[0], torch, mindspore)
    assert undeclared(operation, operation.pairs[0], rows) == []
    assert text.count("# doubt") == doubts
    return operation, text, doubts


def test_parameters_are_paired_by_name_and_by_what_they_are_called_elsewhere() -> None:
    operation, _, _ = drafted(
        signed("torch.cumsum", "(input, dim, *, dtype=None, out=None)"),
        signed("mindspore.ops.cumsum", "(x, axis, dtype=None)"),
    )
    pair = operation.pairs[0]
    assert pair.mindspore_names == {"input": "x", "dim": "axis"}
    assert list(operation.parameters) == ["input", "dim", "dtype"]
    assert operation.parameters["input"].role == "input"
    assert operation.cases[0].parameters == {"dim": 0}


def test_a_module_has_options_and_inputs() -> None:
    operation, text, _ = drafted(
        signed("torch.nn.Thing", "(size, bias=True, device=None)", "(input)"),
        signed("mindspore.nn.Thing", "(size, has_bias=True, init='zeros')", "(x)"),
    )
    pair = operation.pairs[0]
    assert pair.form("torch") == "module"
    assert pair.mindspore_names == {"bias": "has_bias", "input": "x"}
    assert (list(pair.torch_only), list(pair.mindspore_only)) == (["device"], ["init"])
    assert "does the module hold weights?" in text


def test_defaults_and_forms_that_differ_are_declared() -> None:
    operation, _, _ = drafted(
        signed("torch.nn.functional.thing", "(input, p=0.5)"),
        signed("mindspore.nn.Thing", "(p=0.1)", "(input)"),
    )
    kinds = [d.kind.value for d in operation.pairs[0].differences]
    assert kinds == ["default", "call-form"]


def test_methods_and_variadic_functions() -> None:
    method, _, _ = drafted(
        signed("torch.Tensor.thing", "(k)"), signed("mindspore.Tensor.thing", "(k)")
    )
    assert (method.pairs[0].form("torch"), list(method.parameters)) == ("method", ["input", "k"])
    variadic, _, _ = drafted(
        signed("torch.thing", "(*tensors)"), signed("mindspore.ops.thing", "(*tensors)")
    )
    assert variadic.parameters["tensors"].sequence
    assert variadic.parameters["tensors"].variadic


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("torch", "mindspore"),
    [
        ("torch.cumsum", "mindspore.ops.cumsum"),
        ("torch.nn.Conv1d", "mindspore.nn.Conv1d"),
        ("torch.Tensor.topk", "mindspore.Tensor.topk"),
        ("torch.nn.functional.soft_margin_loss", "mindspore.nn.SoftMarginLoss"),
        ("torch.einsum", "mindspore.ops.einsum"),
        ("torch.zeros", "mindspore.ops.zeros"),
    ],
)
def test_check_passes_on_what_new_writes(torch: str, mindspore: str, tmp_path: Path) -> None:
    from conformance import commands  # noqa: PLC0415

    path = tmp_path / "cases" / "new.yaml"
    commands.new(torch, mindspore, path, None)
    commands.check([path.parent], None)


def test_operations_are_found_by_name(tmp_path: Path) -> None:
    for name, text in (("a/x.yaml", "# head\noperation: abs\n"), ("y.yaml", "pairs: []\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert draft.operations(tmp_path) == {"abs": tmp_path / "a" / "x.yaml"}


def test_the_schema_is_given_as_seen_from_the_file(tmp_path: Path) -> None:
    head, body = draft.with_schema("operation: x\n", tmp_path / "deep" / "x.yaml").splitlines()
    given = head.partition("$schema=")[2]
    assert (tmp_path / "deep" / given).resolve() == SCHEMA.resolve()
    assert body == "operation: x"


@pytest.mark.frameworks
def test_check_says_where_a_parameter_table_and_the_signatures_disagree(tmp_path: Path) -> None:
    from conformance import commands  # noqa: PLC0415

    path = tmp_path / "new.yaml"
    commands.new("torch.cumsum", "mindspore.ops.cumsum", path, None)
    commands.check([path], None, signatures=True)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("dim: axis", "dim: dimension"), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"new\.yaml:\d+:5: .*has no parameter 'dimension'"):
        commands.check([path], None, signatures=True)
    commands.check([path], None)
