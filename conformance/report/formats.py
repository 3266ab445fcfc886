"""Every format a judged run is written in, through one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.errors import CallerError
from conformance.report import build, markdown, pages, port_pages, tables, views
from conformance.report.text import LANGUAGES

if TYPE_CHECKING:
    from conformance.judge.run import Verdicts
    from conformance.port.result import PortResult
    from conformance.report.upgrade_views import UpgradeView

Writer = Callable[["Verdicts", Callable[[], views.SiteView], Path, Sequence[str]], list[Path]]
"""Writes verdicts, or the site that is made of them when asked for, in some languages."""


def render(
    verdicts: Verdicts,
    out: Path,
    *,
    formats: Sequence[str] = ("html",),
    languages: Sequence[str] = ("en", "zh"),
    upgrade: UpgradeView | None = None,
    ports: Sequence[PortResult] = (),
) -> list[Path]:
    """Write a judged run into the folder `out`; return where each format starts.

    The site has a page for `upgrade`, which says what changed since another run, and one for each
    of `ports` and of those that are in the folder.

    Raises CallerError for an unknown format or language.
    """
    _known("format", formats, FORMATS)
    _known("language", languages, LANGUAGES)

    @cache
    def site() -> views.SiteView:
        made = build.site(verdicts.judgement, build.RunInfo.of(verdicts))
        return replace(made, upgrade=upgrade, ports=bool(port_pages.kept(out)))

    out.mkdir(parents=True, exist_ok=True)
    for port in ports:
        port_pages.keep(port, out)
    return [
        path
        for name in dict.fromkeys(formats)
        for path in FORMATS[name](verdicts, site, out, list(dict.fromkeys(languages)))
    ]


def _known(what: str, given: Sequence[str], allowed: Iterable[str]) -> None:
    names = list(allowed)
    unknown = [name for name in given if name not in names]
    if unknown or not given:
        raise CallerError(
            f"{what} {', '.join(unknown) or '(none)'}: choose from {', '.join(names)}"
        )


def _html(
    _: Verdicts, site: Callable[[], views.SiteView], out: Path, languages: Sequence[str]
) -> list[Path]:
    written = [pages.write(site(), out, languages)]
    if site().upgrade is not None:
        written.append(out / pages.UPGRADE)
    if site().ports:
        written.append(port_pages.refresh(out, languages))
    return written


def _markdown(
    _: Verdicts, site: Callable[[], views.SiteView], out: Path, languages: Sequence[str]
) -> list[Path]:
    written = markdown.write(site(), out, languages)
    return [path for path in written if path.name == "index.md"]


def _csv(verdicts: Verdicts, _: object, out: Path, __: Sequence[str]) -> list[Path]:
    table = tables.verdicts(verdicts)
    every, summary = out / "verdicts.csv", out / "summary.csv"
    every.write_text(tables.csv(table), encoding="utf-8")
    summary.write_text(tables.csv(tables.summary(table)), encoding="utf-8")
    return [every, summary]


def _json(verdicts: Verdicts, _: object, out: Path, __: Sequence[str]) -> list[Path]:
    path = out / "verdicts.json"
    problems = verdicts.judgement.problems
    content = {"problems": problems, "verdicts": list(tables.records(verdicts))}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return [path]


FORMATS: dict[str, Writer] = {"html": _html, "markdown": _markdown, "csv": _csv, "json": _json}
"""Name: how to write it."""
