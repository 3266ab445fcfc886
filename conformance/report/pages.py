"""The HTML site: an index and one page per operation, in each language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment
from markupsafe import Markup, escape
from pygments import highlight as pygmentize
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from conformance import parallel
from conformance.report import build, templating, views
from conformance.report.text import LANGUAGES

if TYPE_CHECKING:
    from conformance.judge.judge import Judgement

_LEXER = PythonLexer(ensurenl=False)
_FORMATTER = HtmlFormatter(nowrap=True)


def render(
    judgement: Judgement,
    run_info: build.RunInfo,
    out: Path,
    languages: Sequence[str] = ("en", "zh"),
) -> Path:
    """Write the site for `judgement` into `out` and return its ``index.html``.

    Pages are ``<language>/<operation>.html``; each stands alone, with its style inside it.  The
    top index is that of the first language.
    """
    return write(build.site(judgement, run_info), out, languages)


def write(site: views.SiteView, out: Path, languages: Sequence[str]) -> Path:
    """Write the pages of `site` into `out` and return its ``index.html``."""
    environments = {language: _environment(language, languages) for language in languages}
    for language in languages:
        folder = out / language
        folder.mkdir(parents=True, exist_ok=True)
        others = {code: f"../{code}/index.html" for code in languages}
        text = _index(environments[language], site, "", others)
        (folder / "index.html").write_text(text, encoding="utf-8")

    def page(given: tuple[str, views.PageView]) -> None:
        language, view = given
        name = filename(view)
        others = {code: f"../{code}/{name}" for code in languages}
        operation = environments[language].get_template("operation.html.j2")
        text = operation.render(page=view, run=site.run, home="index.html", other=others)
        (out / language / name).write_text(text, encoding="utf-8")

    parallel.mapped(page, [(language, view) for language in languages for view in site.pages])
    first = languages[0]
    others = {code: f"{code}/index.html" for code in languages}
    index = out / "index.html"
    text = _index(_environment(first, languages), site, f"{first}/", others)
    index.write_text(text, encoding="utf-8")
    return index


def _index(
    environment: Environment, site: views.SiteView, folder: str, others: dict[str, str]
) -> str:
    template = environment.get_template("index.html.j2")
    return template.render(site=site, run=site.run, folder=folder, home="index.html", other=others)


def filename(page: views.PageView) -> str:
    """Return the file a page is written to; no operation takes the index's name."""
    return f"{page.operation}{'_' if page.operation == 'index' else ''}.html"


def _environment(language: str, languages: Iterable[str]) -> Environment:
    environment = templating.environment(language, autoescape=True)
    style = (templating.FOLDER / "style.css").read_text(encoding="utf-8")
    environment.globals |= {
        "css": Markup(style),
        "languages": {code: LANGUAGES[code] for code in languages},
    }
    environment.filters |= {
        "pick": lambda text: getattr(text, language),
        "prose": prose,
        "highlight": highlight,
        "api": lambda name: Markup("<code>{}</code>").format(breakable(name)),
        "code": lambda text: Markup("<code>{}</code>").format(text),
        "breakable": breakable,
        "web": web,
        "filename": filename,
    }
    return environment


def prose(text: str) -> Markup:
    """Return `text` escaped, with what is between backquotes set as code."""
    return Markup(re.sub(r"`+([^`]+)`+", r"<code>\1</code>", str(escape(text))))


def breakable(name: str) -> Markup:
    """Return an API name that may be broken after its dots."""
    return Markup(str(escape(name)).replace(".", ".<wbr>"))


def web(url: str) -> str:
    """Return `url` when it leads to the web, else nothing: no ``javascript:`` becomes a link."""
    return url if re.match(r"https?://", url) else "#"


@lru_cache(maxsize=4096)
def highlight(text: str) -> Markup:
    """Return Python code as HTML."""
    return Markup(pygmentize(text, _LEXER, _FORMATTER).rstrip("\n"))
