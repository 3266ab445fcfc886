"""The pages as Markdown, in the form of MindSpore's official mapping documents.

A page has one pair, where the site's has one operation: what the official documents link to, and
what a reader looks up, is one API.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment

from conformance import parallel
from conformance.judge.verdict import Status
from conformance.report import official, sentences, templating, views
from conformance.report import text as translations
from conformance.report.examples import examples
from conformance.report.markup import Raw, cell, code, fenced, prose, text, tidy
from conformance.run.outcome import Unavailable

LONGEST_NAME = 120
"""Characters of a file's name before its suffix; file systems and people have their limits."""
LONGEST_LIST = 20
"""Cases of one list on a page."""
Key = tuple[str, str]
"""Operation and pair."""


def write(site: views.SiteView, out: Path, languages: Sequence[str]) -> list[Path]:
    """Write ``<language>/<pair>.md`` and ``<language>/index.md`` into `out`; return them all."""
    names = filenames(site)
    pairs = [(page, pair) for page in site.pages for pair in page.pairs]
    written = []
    for language in languages:
        environment = _environment(site, names, language)
        folder = out / language
        folder.mkdir(parents=True, exist_ok=True)
        write_one = partial(_write, environment, folder, names)
        written += parallel.mapped(write_one, pairs)
        index = folder / "index.md"
        index.write_text(tidy(environment.get_template("index.md.j2").render()), encoding="utf-8")
        written.append(index)
    return written


def _write(
    environment: Environment,
    folder: Path,
    names: dict[Key, str],
    found: tuple[views.PageView, views.PairView],
) -> Path:
    page, pair = found
    path = folder / names[page.operation, pair.id]
    path.write_text(_pair(environment, page, pair), encoding="utf-8")
    return path


def filenames(site: views.SiteView) -> dict[Key, str]:
    """Return the name of each pair's file: ``torch.abs=mindspore.ops.abs.md``.

    A long one is cut and told apart by a hash.  No two are alike, in upper or in lower case, where
    a pair is listed under several operations either.
    """
    names: dict[Key, str] = {}
    taken = {"index"}
    for page in site.pages:
        for pair in page.pairs:
            name = re.sub(r"[^A-Za-z0-9_.+=-]+", "-", pair.id)
            if name.casefold() in taken:
                name = f"{page.operation}.{name}"
            if len(name) > LONGEST_NAME:
                digest = hashlib.sha256(name.encode()).hexdigest()[:8]
                name = f"{name[:LONGEST_NAME]}-{digest}"
            taken.add(name.casefold())
            names[page.operation, pair.id] = f"{name}.md"
    return names


def _pair(environment: Environment, page: views.PageView, pair: views.PairView) -> str:
    chosen = examples(pair)
    rendered = environment.get_template("pair.md.j2").render(
        page=page,
        pair=pair,
        points=sum(_ran(point) for case in pair.cases for point in case.points),
        examples=chosen,
        numbered={shown: i for i, example in enumerate(chosen, 1) for shown in example.shows},
        claims=[claim for claim in page.claims if claim.pair in ("", pair.id)],
        undeclared=_notes(pair, Status.DIFFERS),
        known_until=_notes(pair, Status.KNOWN),
    )
    return tidy(rendered)


def _ran(point: views.PointView) -> bool:
    return any(verdict.outcome != Unavailable.kind for verdict in point.verdicts)


def _notes(
    pair: views.PairView, status: Status
) -> list[tuple[str, tuple[str, ...], views.VerdictView]]:
    """What there is to explain of each point with this status: (point, targets, verdict)."""
    return [
        (point.id, targets, verdict)
        for case in pair.cases
        for point in case.points
        for targets, verdict in point.notes
        if verdict.status is status
    ]


def _environment(site: views.SiteView, names: dict[Key, str], language: str) -> Environment:
    translator = translations.translator(language)
    environment = templating.environment(translator.gettext, translator.ngettext, autoescape=False)
    environment.finalize = text

    joint = "" if language == "zh" else " "

    def replacement(name: str, page: views.PageView) -> Raw:
        """The pair of that name, linked to its page where it ran."""
        known = names.get((page.operation, name))
        return Raw(f"[{code(name)}]({quote(known)})") if known else code(name)

    def said(message: str, **values: Any) -> Raw:
        """A message with its placeholders filled: text is escaped, Markdown is not."""
        filled = {name: text(value) for name, value in values.items()}
        return Raw(text(translator.gettext(message)) % filled)

    def official_pages(signatures: Sequence[views.SignatureView]) -> Raw:
        links = (
            f"[{text(s.api)}]({official.address(s.framework, s.api, s.version, language)})"
            for s in signatures
        )
        return Raw(text(translator.gettext(", ")).join(links))

    environment.globals |= {"site": site, "longest": LONGEST_LIST}
    environment.filters |= {
        "pick": lambda value: translations.said(value, language),
        "told": lambda sentence: sentences.told(sentence, language),
        "prose": prose,
        "code": code,
        "cell": cell,
        "fenced": fenced,
        "raw": Raw,
        "say": said,
        "sentences": lambda parts: Raw(joint.join(text(part) for part in parts if part)),
        "link": link,
        "sides": sides,
        "official": official_pages,
        "replacement": replacement,
        "programs": programs,
        "page_of": lambda found: Raw(quote(names[found[0].operation, found[1].id])),
        "area": lambda name: translator.gettext(str(translations.AREA.get(name, name))),
        "claim_name": lambda claim: templating.claim(claim, translator.gettext),
        "difference": lambda row: translations.row_difference(row, translator.gettext),
    }
    return environment


def sides(pair: views.PairView) -> list[tuple[str, list[views.SignatureView]]]:
    """Return the APIs of each framework of `pair`, joined as its pages call them, by framework."""
    by_framework = groupby(pair.signatures, key=lambda signature: signature.framework)
    return [(getattr(pair, framework), list(found)) for framework, found in by_framework]


def programs(found: Sequence[views.CodeView]) -> str:
    """Return the programs of all frameworks one after the other, as the official pages do."""
    return "\n\n".join(f"# {_headline(code)}\n{templating.program(code)}" for code in found)


def _headline(code: views.CodeView) -> str:
    """The framework, and the target where its name says more."""
    name = translations.FRAMEWORK[code.framework]
    return name if code.target in ("", code.framework) else f"{name} ({code.target})"


def link(source: views.SourceView) -> Raw:
    """Return where a claim was published, linked when it is on the web."""
    title: str = text(source.title)
    if re.match(r"https?://", source.url):
        title = f"[{title}](<{quote(source.url, safe=':/?#=&%+,;@~.-_')}>)"
    return Raw(f"{title} ({text(source.release)})" if source.release else title)
