"""Pages of verified ports: one each in ``ports/``, beside its JSON, and an overview of them all.

They stand alone, or in a site: then they lead to its pages, and to those of operations it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from conformance.errors import CallerError
from conformance.phrase import Phrase
from conformance.port.result import PortResult
from conformance.port.result_json import as_json, from_json
from conformance.report import build_port, pages, port_text, views
from conformance.report.bilingual import Languages

FOLDER = "ports"
NAME, SENTENCE = 200, 1500
"""Characters of a name, and of a sentence, that a page shows."""


def write(result: PortResult, out: Path, languages: Sequence[str] = ("en", "zh")) -> Path:
    """Write the page of `result` and its JSON into `out`, and return the page.

    Other ports in the folder are in the overview, ``ports.html``, and written anew.
    """
    kept = keep(result, out)
    refresh(out, languages)
    return kept.with_suffix(".html")


def keep(result: PortResult, out: Path) -> Path:
    """Write the JSON of `result` where the site in `out` has it, and return its path."""
    path = out / FOLDER / f"{build_port.filename(result.name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_json(result), encoding="utf-8")
    return path


def read(path: Path) -> PortResult:
    """Return what `keep` wrote; CallerError for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise CallerError(f"{path}: {why}") from None
    return from_json(text, str(path))


def read_all(paths: Sequence[Path]) -> list[PortResult]:
    """Return what `paths` hold; CallerError where two ports would have the same page."""
    found: dict[str, tuple[Path, PortResult]] = {}
    for path in paths:
        result = read(path)
        other, _ = found.setdefault(build_port.filename(result.name), (path, result))
        if other != path:
            raise CallerError(f"{path}: the page of {result.name!r} is that of {other}")
    return [result for _, result in found.values()]


def kept(out: Path) -> list[Path]:
    """Return the JSON files of the ports in `out`, by name."""
    return sorted((out / FOLDER).glob("*.json"))


def refresh(out: Path, languages: Sequence[str]) -> Path:
    """Write the page of every port in `out`, and return the overview, which names broken files."""
    said = Languages(languages)
    sheet = pages.sheet(out, said, _filters(said))
    empty = views.SiteView(views.RunView(), (), (), ports=True)
    files = {
        pages.PORTS,
        *(file for file in pages.NAV if (out / file).is_file() and pages.ours(out / file)),
    }
    operations = {path.stem for path in (out / pages.FOLDER).glob("*.html")}
    ports, broken = [], []
    for path in kept(out):
        try:
            view = build_port.port(read(path), operations)
        except CallerError as error:
            broken.append((path.name, str(error)))
            continue
        ports.append((path.stem, view))
        given = {
            "port": view,
            "json": path.name,
            "root": "../",
            "here": "",
            "files": files,
            "reasons_of": build_port.WORDS,
        }
        sheet("port.html.j2", path.with_suffix(".html"), empty, given)
    given = {"ports": ports, "broken": broken, "folder": FOLDER, "files": files}
    sheet("ports.html.j2", out / pages.PORTS, empty, given)
    return out / pages.PORTS


def _filters(languages: Languages) -> dict[str, Callable[..., Any]]:
    def told(said: str) -> Markup:
        """A phrase in every language; other words, which nobody translates, as English."""
        if not isinstance(said, Phrase):
            return Markup('<span lang="en">{}</span>').format(pages.shortened(said, SENTENCE))
        return languages.each(
            lambda code: pages.shortened(
                said.translated(languages.translators[code].gettext), SENTENCE
            )
        )

    return {
        "told": told,
        "layer": lambda name: Markup("<code>{}</code>").format(pages.shortened(name, NAME)),
        "brief": lambda said: pages.shortened(str(said), NAME),
        "shape": lambda shape: "" if shape is None else "×".join(map(str, shape)) or "()",
        "verdict_name": port_text.VERDICT.__getitem__,
        "verdict_mark": port_text.MARK.__getitem__,
        "verdict_code": port_text.CODE.__getitem__,
        "cause_name": port_text.CAUSE.__getitem__,
        "pass_name": port_text.PASS.__getitem__,
        "relative": port_text.relative,
        "times": port_text.times,
    }
