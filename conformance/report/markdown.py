"""The same pages as Markdown, in the form of the official mapping documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment

from conformance.report import templating, views
from conformance.report import text as translations


def write(site: views.SiteView, out: Path, languages: Sequence[str]) -> list[Path]:
    """Write ``<language>/<operation>.md`` and ``index.md`` into `out`; return them all."""
    written = []
    for language in languages:
        folder = out / language
        folder.mkdir(parents=True, exist_ok=True)
        for page in site.pages:
            path = folder / f"{page.operation}.md"
            path.write_text(page_text(page, language), encoding="utf-8")
            written.append(path)
        path = folder / "index.md"
        path.write_text(index_text(site, language), encoding="utf-8")
        written.append(path)
    return written


def page_text(page: views.PageView, language: str) -> str:
    """Return the page of one operation."""
    template = _environment(language).get_template("operation.md.j2")
    return _tidy(template.render(page=page))


def index_text(site: views.SiteView, language: str) -> str:
    """Return the index."""
    template = _environment(language).get_template("index.md.j2")
    return _tidy(template.render(site=site))


class Raw(str):
    """Markdown, not text: it is written as it is."""

    __slots__ = ()


def text(value: object) -> str:
    """Return `value` as one line of Markdown that shows it literally, also inside a table."""
    if isinstance(value, Raw):
        return value
    line = " ".join(str(value).split()) if "\n" in str(value) else str(value)
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", line)


def code(value: object) -> Raw:
    """Return a code span; its fence is longer than any run of backquotes in it."""
    line = " ".join(str(value).split())
    if not line:
        return Raw("")
    ticks = "`" * (1 + max(map(len, re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Raw(f"{ticks}{pad}{line}{pad}{ticks}")


def cell(value: object) -> Raw:
    """Return a code span for a table, where a bar would end the cell even inside it."""
    return Raw(code(value).replace("|", r"\|"))


def fenced(value: object, language: str = "python") -> Raw:
    """Return a fenced block of code."""
    body = str(value).rstrip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall(r"`+", body)), default=0))
    return Raw(f"{fence}{language}\n{body}\n{fence}")


def prose(value: str) -> Raw:
    """Return `value` as text, with what is between backquotes set as code."""
    parts = re.split(r"`+([^`]+)`+", " ".join(value.split()))
    return Raw("".join(code(p) if i % 2 else text(p) for i, p in enumerate(parts)))


def link(source: views.SourceView) -> Raw:
    """Return where a claim was published, linked when it is on the web."""
    title = text(source.title)
    if re.match(r"https?://", source.url):
        title = f"[{title}](<{quote(source.url, safe=':/?#=&%+,;@~.-_')}>)"
    return Raw(f"{title} ({text(source.release)})" if source.release else title)


def _environment(language: str) -> Environment:
    translator = translations.translator(language)
    environment = templating.environment(translator.gettext, translator.ngettext, autoescape=False)
    environment.finalize = text
    environment.filters |= {
        "pick": lambda value: getattr(value, language),
        "prose": prose,
        "code": code,
        "cell": cell,
        "fenced": fenced,
        "link": link,
        "raw": Raw,
        "claim_name": lambda said: templating.claim(said, translator.gettext),
        "difference": lambda row: translations.row_difference(row, translator.gettext),
    }
    return environment


def _tidy(rendered: str) -> str:
    """One blank line between blocks, none at the end; fenced code is left alone."""
    blocks = re.split(r"(^`{3,}.*?^`{3,}$)", rendered, flags=re.MULTILINE | re.DOTALL)
    tidy = [b if i % 2 else re.sub(r"\n{3,}", "\n\n", b) for i, b in enumerate(blocks)]
    return "".join(tidy).strip() + "\n"
