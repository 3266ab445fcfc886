"""The HTML site: an index and one page per operation, every language in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from markupsafe import Markup, escape
from pygments import highlight as pygmentize
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from conformance import parallel
from conformance.corpus.model import Text
from conformance.phrase import Phrase
from conformance.report import (
    build,
    official,
    plot,
    port_text,
    sentences,
    templating,
    text,
    upgrade_links,
    views,
)
from conformance.report.bilingual import TAG, Languages
from conformance.report.offers import offers
from conformance.report.text import LANGUAGES, N_

if TYPE_CHECKING:
    from conformance.judge.judge import Judgement

ASSETS = Path(__file__).parent / "assets"
FOLDER = "operations"
UPGRADE = "upgrade.html"
PORTS = "ports.html"
NAV = {
    "index.html": N_("Differences"),
    "findings.html": N_("Findings"),
    "run.html": N_("Run"),
    UPGRADE: N_("Upgrade"),
    PORTS: N_("Ports"),
}
"""The pages beside those of operations, and what links call them; not every site has UPGRADE and
PORTS."""
LONGEST = 4000
"""Characters of a message that a page shows."""
WHOLE = 20_000
"""Characters of what a page shows in full, such as a worker's last words."""
_LEXER = PythonLexer(ensurenl=False)
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="t-")
_API = re.compile(r"\w{1,80}(\.\w{1,80}){1,8}", re.ASCII)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


def render(
    judgement: Judgement,
    run_info: build.RunInfo,
    out: Path,
    languages: Sequence[str] = ("en", "zh"),
) -> Path:
    """Write the site for `judgement` into `out` and return its ``index.html``.

    Pages are ``operations/<operation>.html``; what they share is in ``assets``.  The site opens in
    the first language.
    """
    return write(build.site(judgement, run_info), out, languages)


def write(site: views.SiteView, out: Path, languages: Sequence[str]) -> Path:
    """Write the pages of `site` into `out` and return its ``index.html``.

    Pages of an earlier site that this one does not have are removed.
    """
    environment = _environment(Languages(languages))
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    _assets(environment, out / "assets")

    changes = upgrade_links.changes_by_pair(site)

    def page(view: views.PageView) -> None:
        given = {
            "page": view,
            "plots": {pair.id: plot.plot(pair.cases) for pair in view.pairs},
            "changes": {pair.id: changes.get((view.operation, pair.id), []) for pair in view.pairs},
        }
        _write(environment, "operation.html.j2", out / FOLDER / filename(view), site, given)

    names = {filename(view) for view in site.pages}
    for left in (out / FOLDER).glob("*.html"):
        if left.name not in names and ours(left):
            left.unlink()
    parallel.mapped(page, site.pages)
    _write(environment, "index.html.j2", out / "index.html", site, {"offered": offers(site)})
    _write(environment, "findings.html.j2", out / "findings.html", site, {})
    _write(environment, "run.html.j2", out / "run.html", site, {})
    if site.upgrade is None:
        (out / UPGRADE).unlink(missing_ok=True)
    else:
        given = {"places": upgrade_links.places(site), "categories": tuple(text.CHANGE)}
        _write(environment, "upgrade.html.j2", out / UPGRADE, site, given)
    return out / "index.html"


def _write(
    environment: Environment,
    template: str,
    path: Path,
    site: views.SiteView,
    given: Mapping[str, Any],
) -> None:
    below = path.parent.name == FOLDER
    given = {
        "site": site,
        "root": "../" if below else "",
        "here": "" if below else path.name,
        "files": files(site),
        **given,
    }
    rendered = environment.get_template(template).render(given)
    path.write_text(rendered, encoding="utf-8")


def sheet(
    out: Path, languages: Languages, filters: Mapping[str, Callable[..., Any]]
) -> Callable[[str, Path, views.SiteView, Mapping[str, Any]], None]:
    """Return what writes further pages into `out` as `_write` does, whose templates use `filters`.

    What pages share is there.
    """
    environment = _environment(languages)
    environment.filters |= filters
    out.mkdir(parents=True, exist_ok=True)
    _assets(environment, out / "assets")
    return partial(_write, environment)


def files(site: views.SiteView) -> set[str]:
    """Return which pages of NAV `site` has."""
    absent = {UPGRADE: site.upgrade is None, PORTS: not site.ports}
    return {file for file in NAV if not absent.get(file)}


def ours(path: Path) -> bool:
    """Tell whether a site of ours wrote the page at `path`, and not somebody by hand."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return "<html" in (head := file.read(200)) and "data-languages=" in head


def _assets(environment: Environment, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    style = environment.get_template("style.css.j2").render()
    (folder / "site.css").write_text(style, encoding="utf-8")
    for script in sorted(ASSETS.glob("*.js")):
        (folder / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")


def filename(page: views.PageView) -> str:
    """Return the file a page is written to."""
    return f"{page.operation}.html"


def _environment(languages: Languages) -> Environment:
    environment = templating.environment(languages.gettext, languages.ngettext, autoescape=True)
    environment.globals |= {
        "languages": {code: (TAG[code], LANGUAGES[code]) for code in languages.codes},
        "tag": TAG[languages.first],
        "titled": lambda *said, **values: Markup(visible(languages.plain(*said, **values))),
        "translate": languages.say,
        "statuses": views.CODES,
        "worst": views.worst,
        "nav": tuple(NAV.items()),
        "upgrade_file": UPGRADE,
        "kind_names": text.KIND,
        "port_verdicts": port_text.verdicts(),
    }
    environment.filters |= {
        "attribute": lambda *said, **values: Markup(visible(languages.attribute(*said, **values))),
        "said": lambda said: languages.each(lambda code: prose(text.said(said, code))),
        "about": lambda what: languages.each(
            lambda code: breakable(
                text.about(sentences.told(what, code), languages.translators[code].gettext)
            )
        ),
        "area": lambda name: languages.gettext(text.AREA[name]) if name in text.AREA else name,
        "claim_name": lambda said: languages.each(
            lambda code: shortened(templating.claim(said, languages.translators[code].gettext))
        ),
        "difference": lambda row: languages.each(
            lambda code: shortened(text.row_difference(row, languages.translators[code].gettext))
        ),
        "official": lambda signature: (
            languages.attribute(_official(signature), "href")
            if _API.fullmatch(signature.api)
            else ""
        ),
        "told": partial(_told, languages),
        "evidence": sentences.evidence,
        "prose": prose,
        "highlight": highlight,
        "visible": visible,
        "shortened": shortened,
        "api": lambda name: Markup("<code>{}</code>").format(breakable(name)),
        "code": lambda text: Markup("<code>{}</code>").format(shortened(text)),
        "breakable": breakable,
        "web": web,
        "filename": lambda page: f"{FOLDER}/{filename(page)}",
        "address": lambda place: f"{FOLDER}/{place.operation}.html#{place.anchor}",
        "duration": text.duration,
        "whole": whole,
        "short": views.CODES.__getitem__,
        "change_name": text.CHANGE.__getitem__,
        "change_meaning": text.CHANGE_MEANING.__getitem__,
    }
    environment.finalize = lambda value: shortened(value) if type(value) is str else value
    return environment


def _told(languages: Languages, sentence: str, longest: int = 0) -> Markup:
    """What the judge says, in every language; another text is shown as the English it is."""

    def say(code: str) -> str:
        if longest:
            return visible(sentences.short(sentence, code, longest))
        return shortened(sentences.told(sentence, code))

    if not isinstance(sentence, Phrase):
        return Markup('<span lang="en">{}</span>').format(say("en"))
    return languages.each(say)


def _official(signature: views.SignatureView) -> Text:
    """The address of an API's official page, in each language."""
    given = signature.framework, signature.api, signature.version
    return Text(en=official.address(*given, "en"), zh=official.address(*given, "zh"))


def visible(value: str) -> str:
    """Return `value` with control characters and bidirectional marks as their escapes.

    A message may hold colours for a terminal, or marks that turn the line around: a page shows
    that they are there.
    """
    return _INVISIBLE.sub(_escape, value)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def shortened(value: str, longest: int = LONGEST) -> str:
    """Return `value` as a page shows it: made visible, and cut where nobody would read on."""
    if len(value) > longest:
        value = f"{value[:longest]}… ({len(value):,} characters)"
    return visible(value)


def whole(value: str) -> Markup:
    """Return `value` escaped, cut far later than other text."""
    return escape(shortened(value, WHOLE))


def prose(value: str) -> Markup:
    """Return `value` escaped, with what is between backquotes set as code."""
    return Markup(re.sub(r"`+([^`]+)`+", r"<code>\1</code>", str(escape(shortened(value)))))


def breakable(name: str) -> Markup:
    """Return the name of an API or a target that may be broken after its dots and colons."""
    return Markup(re.sub(r"[.:]", r"\g<0><wbr>", str(escape(shortened(name)))))


def web(url: str) -> str:
    """Return `url` when it leads to the web, else nothing: no ``javascript:`` becomes a link."""
    return url if re.match(r"https?://", url) else "#"


def highlight(text: str) -> Markup:
    """Return Python code as HTML.

    Line by line, as programs repeat each other's lines; one with a string over several lines, as a
    whole.
    """
    if '"""' in text or "'''" in text:
        return _highlighted(text)
    return Markup("\n").join(map(_highlighted, text.split("\n")))


@lru_cache(maxsize=65536)
def _highlighted(text: str) -> Markup:
    return Markup(pygmentize(visible(text), _LEXER, _FORMATTER).rstrip("\n"))
