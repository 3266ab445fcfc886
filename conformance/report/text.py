"""The report's words in both languages.

English is the text in the code; Chinese comes from ``locale/zh/LC_MESSAGES/messages.po``, compiled
in memory by babel, so there is no build step and no compiled file to fall behind.
"""

from __future__ import annotations

import gettext
import io
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from babel.messages import mofile, pofile

from conformance.corpus.model import Text
from conformance.gate.change import Category
from conformance.judge.verdict import Status
from conformance.report.views_published import ParameterRowView
from conformance.taxonomy import Kind

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = {"en": "English", "zh": "中文"}
FRAMEWORK = {"torch": "PyTorch", "mindspore": "MindSpore", "numpy": "NumPy"}
Translate = Callable[[str], str]


def N_(message: str) -> str:  # noqa: N802  (the name gettext tools look for)
    """Mark `message` for translation where it is defined; it is translated where it is used."""
    return message


STATUS = {
    Status.CONFORMS: N_("conforms"),
    Status.DECLARED: N_("differs as declared"),
    Status.KNOWN: N_("known until a date"),
    Status.DIFFERS: N_("differs"),
    Status.NOT_COMPARABLE: N_("not comparable"),
}
MARK = {
    Status.CONFORMS: "✓",
    Status.DECLARED: "≈",
    Status.KNOWN: "◷",
    Status.DIFFERS: "✗",
    Status.NOT_COMPARABLE: "∅",
}
"""A sign beside the colour, for those who do not see it."""

OUTCOME = {
    "returned": N_("returned"),
    "raised": N_("raised an exception"),
    "unsupported": N_("not supported"),
    "crashed": N_("crashed"),
    "timed-out": N_("did not end in time"),
    "unavailable": N_("target unavailable"),
}
KIND = {
    Kind.NAME: N_("parameter name"),
    Kind.ORDER: N_("parameter order"),
    Kind.DEFAULT: N_("default value"),
    Kind.MISSING_IN_MINDSPORE: N_("missing in MindSpore"),
    Kind.MISSING_IN_TORCH: N_("missing in PyTorch"),
    Kind.DEPRECATED: N_("deprecated"),
    Kind.CALL_FORM: N_("call form"),
    Kind.INPUT_TYPE: N_("input type"),
    Kind.DTYPE_SUPPORT: N_("supported dtypes"),
    Kind.RETURN_STRUCTURE: N_("structure of the result"),
    Kind.RETURN_DTYPE: N_("dtype of the result"),
    Kind.RETURN_SHAPE: N_("shape of the result"),
    Kind.VALUE: N_("values"),
    Kind.SPECIAL_VALUES: N_("special values"),
    Kind.GRADIENT: N_("gradients"),
    Kind.EXCEPTION: N_("exceptions"),
    Kind.MUTATION: N_("mutation of inputs"),
    Kind.RANDOMNESS: N_("randomness"),
    Kind.DISTRIBUTION: N_("distribution"),
    Kind.BROADCASTING: N_("broadcasting and promotion"),
    Kind.UNSUPPORTED: N_("not supported on this device"),
    Kind.CRASH: N_("crash"),
    Kind.HANG: N_("hang"),
    Kind.MODE: N_("execution mode"),
    Kind.CLAIM: N_("published claim"),
}
ROW = {
    Kind.NAME: N_("different parameter names"),
    Kind.ORDER: N_("different position"),
    Kind.CALL_FORM: N_("given in another place of the call"),
}
"""What a row's kinds say, where it takes no values to say it."""
NO_DEFAULT = {
    "torch": N_("MindSpore's default is {mindspore}, PyTorch sets none"),
    "mindspore": N_("PyTorch's default is {torch}, MindSpore sets none"),
    "neither": N_("different default values: {torch} in PyTorch, {mindspore} in MindSpore"),
}


CLAIM = {
    "consistent": N_("consistent"),
    "difference-page": N_("there are differences, on a page of their own"),
    "parameter-names": N_("parameter names differ"),
    "parameter-defaults": N_("parameter defaults differ"),
    "parameter-number-or-order": N_("number or order of parameters differ"),
    "parameter-types": N_("parameter types differ"),
    "parameter-missing": N_("parameters are missing"),
    "other": N_("other differences"),
}
"""What a published mapping table says of a pair."""

ABOUT = (
    (r"signature of (?P<api>.+)", N_("Signature of {api}")),
    (
        r"heading (?P<names>.+) over (?P<describes>.+)",
        N_("Heading {names} over the text of {describes}"),
    ),
    (r"row .+ \| .+", N_("Row of the parameter table")),
)
"""What a document's claim is about, in the words of `judge.documents`, and as a reader is told."""

AREA = {
    "activation": N_("Activations"),
    "autograd": N_("Differentiation"),
    "creation": N_("Creation"),
    "index": N_("Indexing"),
    "linalg": N_("Linear algebra"),
    "loss": N_("Losses"),
    "math": N_("Arithmetic"),
    "nn": N_("Layers"),
    "optim": N_("Optimizers"),
    "random": N_("Random numbers"),
    "reduction": N_("Reductions"),
    "shape": N_("Shapes"),
    "sort": N_("Sorting"),
}
"""The folders of the corpus; another one is called by its name."""

CHANGE = {
    Category.BROKEN: N_("broken"),
    Category.LOST: N_("coverage lost"),
    Category.SIGNATURE: N_("signature drift"),
    Category.KNOWN: N_("known"),
    Category.FIXED: N_("fixed"),
    Category.DRIFTED: N_("drifted"),
    Category.NEW: N_("new"),
    Category.CHANGED: N_("changed case"),
    Category.REMOVED: N_("removed case"),
    Category.VARIES: N_("nondeterministic"),
    Category.SLOWER: N_("slower"),
}
"""The gate's categories in its own words, so that they can be translated; as is their meaning."""
CHANGE_MEANING = {
    Category.BROKEN: N_(
        "now differs, raises, crashes or hangs as it should not, and did not before"
    ),
    Category.LOST: N_("was judged, and now is not comparable or missing"),
    Category.SIGNATURE: N_("parameters, defaults, names, deprecations or warnings changed"),
    Category.KNOWN: N_("broken, and excused by a known difference until a date"),
    Category.FIXED: N_("differed, and now conforms"),
    Category.DRIFTED: N_("judged as before, but what comes out is not what came out"),
    Category.NEW: N_("judged now, and not before"),
    Category.CHANGED: N_("its case was edited, so it is no regression; FAIL where it differs now"),
    Category.REMOVED: N_("its case or pair is no longer in the corpus"),
    Category.VARIES: N_("does not do the same every time; its values are not compared"),
    Category.SLOWER: N_("takes longer, beyond the noise of this run; informational"),
}


def translator(language: str) -> gettext.NullTranslations:
    """Return the catalogue of `language`; the one of English returns every message as it is.

    Raises FileNotFoundError for a language without a catalogue.
    """
    return gettext.NullTranslations() if language == "en" else _catalogue(language)


@cache
def _catalogue(language: str) -> gettext.GNUTranslations:
    with (LOCALE / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = pofile.read_po(file, locale=language)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def about(what: str, _: Translate) -> str:
    """Return what a document's claim is about; what nobody foresaw is returned as it is."""
    for pattern, message in ABOUT:
        if found := re.fullmatch(pattern, what):
            return _(message).format(**found.groupdict())
    return what


_HAN = "[\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e“”‘’]"
_WIDE = str.maketrans(",;:?!", "，；：？！")
_BESIDE_HAN = re.compile(rf"(?<={_HAN})[,;:?!] ?|[,;:?!] ?(?={_HAN})")
_SPACED = re.compile(r"(?<=[，；：。、？！）]) +")
_AROUND_HAN = re.compile(rf"\(([^()`]*{_HAN}[^()`]*)\)")


def chinese(prose: str) -> str:
    """Return `prose` with the full-width punctuation of the official pages beside Chinese.

    What is between backquotes is code and stays as it is.
    """
    parts = re.split(r"(`+[^`]+`+)", prose)
    parts[::2] = map(_punctuated, parts[::2])
    return "".join(parts)


def _punctuated(part: str) -> str:
    part = _AROUND_HAN.sub(r"（\1）", part)
    part = _BESIDE_HAN.sub(lambda mark: mark[0].strip().translate(_WIDE), part)
    return _SPACED.sub("", part)


def said(given: Text, language: str) -> str:
    """Return `given` in `language`, punctuated as the language is."""
    return chinese(given.zh) if language == "zh" else given.en


def row_difference(row: ParameterRowView, _: Translate) -> str:
    """Return the sentence in the fifth column: what introspection found, in the given language."""
    if row.unknown:
        return _("{framework}'s signature does not tell whether it has this parameter").format(
            framework=" / ".join(
                {"torch": "PyTorch", "mindspore": "MindSpore"}[f] for f in row.unknown
            )
        )
    if one_sided := _one_sided(row, _):
        return one_sided
    parts = [_("Same function")]
    parts += [_(ROW[kind]) for kind in ROW if kind in row.kinds]
    if Kind.NAME not in row.kinds:
        parts.insert(1, _("same parameter name"))
    if Kind.DEFAULT in row.kinds:
        parts.append(_default(row, _))
    elif row.torch_default is not None and row.mindspore_default is not None:
        parts.append(_("same default value"))
    if Kind.DEPRECATED in row.kinds:
        parts.append(_("deprecated by PyTorch"))
    return _(", ").join(parts)


def _one_sided(row: ParameterRowView, _: Translate) -> str:
    if row.mindspore is None:
        if Kind.DEPRECATED in row.kinds:
            return _("Deprecated by PyTorch; MindSpore does not have this parameter")
        return _("MindSpore does not have this parameter")
    return _("PyTorch does not have this parameter") if row.torch is None else ""


def _default(row: ParameterRowView, _: Translate) -> str:
    missing = [
        side
        for side, value in (("torch", row.torch_default), ("mindspore", row.mindspore_default))
        if value is None
    ]
    message = NO_DEFAULT[missing[0] if missing else "neither"]
    return _(message).format(torch=row.torch_default, mindspore=row.mindspore_default)


def roundoffs(ratio: float | None) -> str:
    """Return an error in roundoffs, or a dash where nothing was measured."""
    if ratio is None:
        return "–"
    if not math.isfinite(ratio):
        return str(ratio)
    if ratio == 0:
        return "0"
    if ratio >= 99_999.5 or ratio < 0.005:
        return f"{ratio:.1e}"
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"


def small(number: float) -> str:
    """Return a difference in three digits."""
    return "0" if number == 0 else f"{number:.2e}" if number < 0.001 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it, as ``0.42 ms`` or ``12.3 s``."""
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms" if seconds else "0"
    return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:,.0f} s"
