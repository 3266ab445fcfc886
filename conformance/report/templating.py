"""The Jinja2 environment that HTML and Markdown share: strict, translated, one set of filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conformance.judge.verdict import Status
from conformance.report import text, views
from conformance.report.text import N_
from conformance.taxonomy import Kind

KINDS = frozenset(Kind)
FOLDER = Path(__file__).parent / "templates"
CATEGORY = {"input": N_("Inputs"), "option": N_("Parameters"), "state": N_("State")}
NUMBERED = {
    "input": N_("Input %(number)s"),
    "option": N_("Parameter %(number)s"),
    "state": N_("State %(number)s"),
}


def environment(
    gettext: Callable[[str], str], ngettext: Callable[[str, str, int], str], *, autoescape: bool
) -> Environment:
    """Return the environment; an undefined name in a template is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=autoescape,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        keep_trailing_newline=True,
        trim_blocks=not autoescape,
    )
    made.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"severity": views.SEVERITY, "N_": N_}
    made.filters |= {
        "status_name": text.STATUS.__getitem__,
        "outcome_name": text.OUTCOME.__getitem__,
        "kind_name": text.KIND.__getitem__,
        "category_name": CATEGORY.__getitem__,
        "numbered": NUMBERED.__getitem__,
        "framework": text.FRAMEWORK.__getitem__,
        "mark": text.MARK.__getitem__,
        "roundoffs": text.roundoffs,
        "small": text.small,
        "milliseconds": milliseconds,
        "signature": signature,
        "program": program,
        "by_category": by_category,
        "by_document": by_document,
        "row_claim": row_claim,
        "in_status": in_status,
        "on_target": on_target,
        "refuted": lambda claims: sum(claim.holds is False for claim in claims),
    }
    return made


def claim(said: str, translate: Callable[[str], str]) -> str:
    """Translate what a mapping table says; a claim nobody foresaw is shown, escaped, as it is."""
    return translate(text.CLAIM[said]) if said in text.CLAIM else said


def milliseconds(seconds: float) -> str:
    """Return a duration as ``0.42 ms``."""
    return f"{seconds * 1e3:,.0f} ms" if seconds >= 0.1 else f"{seconds * 1e3:.2g} ms"


def signature(view: views.SignatureView) -> str:
    """Return a signature as the official pages print it: one parameter a line when it is long."""
    line = view.api + view.text
    if len(line) <= 60 or not view.text.startswith("("):
        return line
    head, tail = _first_group(view.text)
    inner = "".join(f"    {part},\n" for part in head)
    return f"{view.api}(\n{inner}){tail}"


def _first_group(text: str) -> tuple[list[str], str]:
    """Split ``(a, b=(1, 2))(x)`` into the parts of the first group and the rest."""
    depth, start, parts = 0, 1, []
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if (depth == 1 and character == ",") or depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
        if depth == 0:
            break
    return [part for part in parts if part], text[start:]


def program(code: views.CodeView) -> str:
    """Return a program with what it printed as comments, right under the line that printed it."""
    text = code.text
    for statement, printed in (
        ("print(output)\n", code.output),
        ("print(gradients)\n", code.gradients),
    ):
        comment = "".join(f"# {line}".rstrip() + "\n" for line in printed.splitlines())
        text = text.replace(statement, statement + comment, 1)
    return text.rstrip("\n")


def by_category(
    rows: Sequence[views.ParameterRowView],
) -> list[tuple[str, list[views.ParameterRowView]]]:
    """Return the rows of the parameter table by category, in the order of the table."""
    found: dict[str, list[views.ParameterRowView]] = {}
    for row in rows:
        found.setdefault(row.category, []).append(row)
    return list(found.items())


def by_document(
    claims: Sequence[views.ClaimView],
) -> list[tuple[views.SourceView, list[views.ClaimView]]]:
    """Return claims by the document that makes them; releases of one are several."""
    found: dict[views.SourceView, list[views.ClaimView]] = {}
    for claim in claims:
        found.setdefault(claim.source, []).append(claim)
    return list(found.items())


class RowClaim(NamedTuple):
    """A row of a published parameter table: both names, and what is said to differ."""

    torch: str
    mindspore: str
    kinds: tuple[Kind, ...]


def row_claim(claimed: str) -> RowClaim | None:
    """Return what ``input | logits | name`` says; None where `claimed` is of another sort."""
    torch, *more = claimed.split(" | ")
    if len(more) != 2:
        return None
    names = [] if more[1] == "same" else more[1].split(", ")
    if not all(name in KINDS for name in names):
        return None
    return RowClaim(torch, more[0], tuple(Kind(name) for name in names))


def in_status(points: Sequence[views.PointView], *names: str) -> list[views.PointView]:
    """Return the points whose worst verdict is one of `names`, worst first."""
    chosen = [point for point in points if point.status.value in names]
    return sorted(chosen, key=lambda point: views.SEVERITY.index(point.status))


def on_target(site: views.SiteView, target: str) -> Counter[Status]:
    """Return how many verdicts of each status there are on `target`."""
    return sum((page.on(target) for page in site.pages), Counter())
