from string import Formatter

import pytest
from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from conformance.corpus.model import Text
from conformance.judge.verdict import Status
from conformance.report import templating, text
from conformance.report.views_published import ParameterRowView
from conformance.run import outcome
from conformance.taxonomy import Kind
from tests.report import phrases


def catalogue() -> Catalog:
    with (text.LOCALE / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return pofile.read_po(file, locale="zh")


def used() -> set[object]:
    """Every message that templates and modules ask for."""
    methods = [("templates/**.j2", "jinja2"), ("**.py", "python")]
    found = extract_from_dir(
        str(text.LOCALE.parent),
        method_map=methods,
        options_map={"templates/**.j2": {"extensions": "jinja2.ext.i18n", "silent": "false"}},
        keywords={"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)},
    )
    return {message for _, _, message, _, _ in found} | set(phrases.templates())


def test_every_message_is_translated() -> None:
    known = catalogue()
    messages = used()
    assert len(messages) > 90
    for message in messages:
        entry = known.get(message)
        assert entry is not None, message
        assert not entry.fuzzy, message
        assert all(entry.string) if isinstance(entry.string, tuple) else entry.string, message


def test_no_translation_is_left_over() -> None:
    messages = used()
    assert [m.id for m in catalogue() if m.id and m.id not in messages] == []


def test_placeholders_survive_translation() -> None:
    for message in catalogue():
        if message.id:
            assert list(message.check()) == []
            if isinstance(message.id, str) and "%(" not in message.id:
                fields = [
                    {f for _, f, _, _ in Formatter().parse(t) if f}
                    for t in (message.id, message.string)
                ]
                assert fields[0] == fields[1]


def test_every_member_has_a_word() -> None:
    assert set(text.STATUS) == set(text.MARK) == set(Status)
    assert set(text.KIND) == set(Kind)
    kinds = {
        c.kind
        for c in vars(outcome).values()
        if isinstance(c, type) and issubclass(c, outcome.Outcome)
    }
    assert set(text.OUTCOME) == kinds - {""}


def row(
    torch: str | None, mindspore: str | None, *kinds: Kind, **given: str | None
) -> ParameterRowView:
    return ParameterRowView("option", 1, torch, mindspore, kinds=kinds, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "english", "chinese"),
    [
        (
            row("input", "logits", Kind.NAME),
            "Same function, different parameter names",
            "功能一致，参数名不同",
        ),
        (
            row("reduce", None, Kind.DEPRECATED),
            "Deprecated by PyTorch; MindSpore does not have this parameter",
            "PyTorch已弃用该参数，MindSpore无此参数",
        ),
        (
            row("out", None, Kind.MISSING_IN_MINDSPORE),
            "MindSpore does not have this parameter",
            "MindSpore无此参数",
        ),
        (
            row(None, "x", Kind.MISSING_IN_TORCH),
            "PyTorch does not have this parameter",
            "PyTorch无此参数",
        ),
        (
            row("w", "w", Kind.DEFAULT, torch_default="None"),
            "Same function, same parameter name, PyTorch's default is None, MindSpore sets none",
            "功能一致，参数名相同，PyTorch默认值为None，MindSpore未设置默认值",
        ),
        (
            row("w", "w", Kind.ORDER, torch_default="1", mindspore_default="1"),
            "Same function, same parameter name, different position, same default value",
            "功能一致，参数名相同，参数位置不同，默认值相同",
        ),
    ],
)
def test_row_sentences(view: ParameterRowView, english: str, chinese: str) -> None:
    assert text.row_difference(view, text.translator("en").gettext) == english
    assert text.row_difference(view, text.translator("zh").gettext) == chinese


def test_an_unreadable_signature_is_not_called_missing() -> None:
    view = ParameterRowView("option", 1, "w", None, unknown=("mindspore",))
    told = text.row_difference(view, text.translator("en").gettext)
    assert told == "MindSpore's signature does not tell whether it has this parameter"


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.044, "0.04"),
        (3.14, "3.1"),
        (5410.0, "5,410"),
        (1.2e6, "1.2e+06"),
        (1e-4, "1.0e-04"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_roundoffs(ratio: float | None, shown: str) -> None:
    assert text.roundoffs(ratio) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("两者相同,参数名不同", "两者相同，参数名不同"),
        ("仅支持float32;在图模式下", "仅支持float32；在图模式下"),
        ("float32(或float16), 见文档", "float32（或float16），见文档"),
        ("写`f(1,二),g`,再调用", "写`f(1,二),g`，再调用"),
        ("等于(1+2)/3,shape为(1, 2)", "等于(1+2)/3,shape为(1, 2)"),
        ("已有全角，不变。", "已有全角，不变。"),
        ("与Module不同， Cell默认", "与Module不同，Cell默认"),
    ],
)
def test_chinese_is_punctuated_like_the_official_pages(written: str, shown: str) -> None:
    assert text.chinese(written) == shown
    assert text.said(Text(en="a, b", zh=written), "zh") == shown
    assert text.said(Text(en="a, b", zh=written), "en") == "a, b"


@pytest.mark.parametrize(
    ("what", "english", "chinese"),
    [
        ("signature of torch.a", "Signature of torch.a", "torch.a的签名"),
        (
            "heading torch.a over torch.b",
            "Heading torch.a over the text of torch.b",
            "标题为torch.a，内容却是torch.b",
        ),
        ("row input | logits", "Row of the parameter table", "参数行"),
        ("row of {x}", "row of {x}", "row of {x}"),
    ],
)
def test_what_a_claim_is_about(what: str, english: str, chinese: str) -> None:
    assert text.about(what, text.translator("en").gettext) == english
    assert text.about(what, text.translator("zh").gettext) == chinese


@pytest.mark.parametrize(
    ("claimed", "read"),
    [
        ("input | logits | name", ("input", "logits", (Kind.NAME,))),
        (
            "a | - | missing-in-mindspore, deprecated",
            ("a", "-", (Kind.MISSING_IN_MINDSPORE, Kind.DEPRECATED)),
        ),
        ("a | a | same", ("a", "a", ())),
        ("(a=1, b='x | y | z')", None),
        ("(a=1)", None),
    ],
)
def test_a_row_of_a_published_table_is_read(claimed: str, read: object) -> None:
    assert templating.row_claim(claimed) == read
