"""Text in several languages on one page: every language is there, the page's ``lang`` shows one.

In content each language is a ``<span class="l" lang="…">``, and the style sheet hides those that
are not the page's.  In attributes, options and titles, which hold no elements, the first language
stands in place and the others beside it as ``data-zh-…`` for the script to put there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from conformance.corpus.model import Text
from conformance.report import text

TAG = {"en": "en", "zh": "zh-CN"}
"""The tag of each language in HTML."""
Said = str | Text
"""A message of the catalogues, in English, or prose in both languages."""


class Languages:
    """The languages of a site, the first the one it opens in."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = tuple(codes)
        self.translators = {code: text.translator(code) for code in codes}
        self._known: dict[str, Markup] = {}

    @property
    def first(self) -> str:
        """The language a page opens in."""
        return self.codes[0]

    def each(self, say: Callable[[str], str]) -> Markup:
        """Return what `say` gives for every language, once where all say the same."""
        said = {code: escape(say(code)) for code in self.codes}
        if len(set(said.values())) == 1:
            return said[self.first]
        spans = (
            Markup('<span class="l" lang="{}">{}</span>').format(TAG[code], words)
            for code, words in said.items()
        )
        return Markup("").join(spans)

    def gettext(self, message: str) -> Markup:
        """Return `message` in every language; it is the caller's own text, placeholders and all."""
        if message not in self._known:
            self._known[message] = self.each(lambda code: self.translators[code].gettext(message))
        return self._known[message]

    def ngettext(self, singular: str, plural: str, number: int) -> Markup:
        """Return the form for `number` in every language."""
        return self.each(lambda code: self.translators[code].ngettext(singular, plural, number))

    def say(self, said: Said, code: str) -> str:
        """Return `said` in one language, as plain text."""
        return (
            text.said(said, code)
            if isinstance(said, Text)
            else (self.translators[code].gettext(said) if said else "")
        )

    def attribute(self, said: Said, name: str, **values: object) -> Markup:
        """Return the attribute `name` with `said` in every language, placeholders filled."""
        parts = []
        for code in self.codes:
            words = self.say(said, code)
            own = name if code == self.first else f"data-{code}-{name}"
            parts.append(Markup('{}="{}"').format(own, words % values if values else words))
        return Markup(" ").join(parts)

    def plain(self, said: Said, prefix: str = "", suffix: str = "", **values: object) -> Markup:
        """Return the end of the tag and the text of an element that holds text only.

        As in ``<option{{ … }}</option>``: `prefix`, `said` with its placeholders filled, `suffix`;
        the other languages are in ``data-zh``.
        """
        words = {c: self.say(said, c) for c in self.codes}
        words = {c: f"{prefix}{w % values if values else w}{suffix}" for c, w in words.items()}
        others = (Markup(' data-{}="{}"').format(c, w) for c, w in words.items() if c != self.first)
        return Markup("{}>{}").format(Markup("").join(others), words[self.first])
