"""The judge's sentences in the reader's language; what frameworks said in them stays as it is."""

from __future__ import annotations

import re
from functools import cache, reduce
from string import Formatter
from typing import Any

from babel.messages import pofile

from conformance.corpus.model import Text
from conformance.judge.words import said
from conformance.phrase import Phrase
from conformance.report import text
from conformance.taxonomy import Kind

COMMA = {"en": ", ", "zh": "、"}
_KINDS = "|".join(kind.value for kind in Kind)
_FINDING = re.compile(rf"(?P<kind>{_KINDS}): (?P<where>[^:]*): (?P<detail>.*)", re.DOTALL)
_NEXT = re.compile(rf"; (?=(?:{_KINDS}): )")
_WORD = re.compile(r"[a-z]{3}")
_NUMBER = r"[-+]?(?:[\d.]+(?:e[-+]\d+)?|inf|nan)"


def told(sentence: str, language: str) -> str:
    """Return `sentence` in `language`: a plain text, which nobody put together here, as it is."""
    if language == "en" or not isinstance(sentence, Phrase):
        return str(sentence)
    known = _catalogue(language)

    def word(value: Any) -> Any:
        if isinstance(value, Text):
            return getattr(value, language)
        if isinstance(value, Kind):
            return text.translator(language).gettext(text.KIND[value])
        return value

    return sentence.translated(
        lambda template: known.get(template, template), word, COMMA[language]
    )


def short(sentence: str, language: str, longest: int) -> str:
    """Return `sentence` in `language` on one line of at most `longest` characters."""
    line = " ".join(told(sentence, language).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def evidence(line: str) -> str:
    """Return what a line of `conformance.gate.record.evidence` says, as a sentence again.

    A record keeps English text and nothing else, so the judge's templates are looked for in it.
    What was cut fits none, and stays English.
    """
    return reduce(_and, map(_finding, _NEXT.split(line)))


def _and(one: str, other: str) -> str:
    return said("{one}; {other}", one=one, other=other)


def _finding(part: str) -> str:
    found = _FINDING.fullmatch(part)
    if found is None:
        return again(part)
    where, detail = again(found["where"]), again(found["detail"])
    return said("{kind}: {where}: {detail}", kind=Kind(found["kind"]), where=where, detail=detail)


def again(line: str) -> str:
    """Return the sentence that `line` is the English of, or `line` where no template fits.

    Of several templates the one with the most words of its own is meant.
    """
    for template, numbers, pattern in _patterns():
        if found := pattern.fullmatch(line):
            values = found.groupdict().items()
            parts = {n: float(v) if n in numbers else again(v) for n, v in values}
            return said(template, **parts)
    return line


@cache
def _patterns() -> list[tuple[str, frozenset[str], re.Pattern[str]]]:
    """Every template with words of its own, the longest first; its numbers; and what fits it."""
    found = []
    for template in _catalogue("zh"):
        parts = list(Formatter().parse(template))
        own = "".join(literal for literal, *_ in parts)
        if _WORD.search(own):
            numbers = frozenset(name for _, name, spec, _ in parts if name and spec)
            pattern = "".join(
                re.escape(literal) + _value(name, name in numbers) for literal, name, *_ in parts
            )
            found.append((len(own), template, numbers, re.compile(pattern, re.DOTALL)))
    return [(t, n, p) for _, t, n, p in sorted(found, key=lambda one: (-one[0], one[1]))]


def _value(name: str | None, number: bool) -> str:
    return f"(?P<{name}>{_NUMBER if number else '.*?'})" if name else ""


@cache
def _catalogue(language: str) -> dict[str, str]:
    """Return what the judge says by its English."""
    with (text.LOCALE / language / "LC_MESSAGES" / "judge.po").open("rb") as file:
        catalogue = pofile.read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalogue if message.id}
