"""Sentences that know how they were made, so that another language can make its own of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.corpus.model import Text


class Phrase(str):
    """A `template` of `str.format` filled with `values`; as it stands where there are none.

    A value may be a phrase itself, prose in both languages, or a list of values.  It is the English
    text; `translated` fills another language's template with the same values.
    """

    __slots__ = ("template", "values")
    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Phrase:
        """Fill `template`."""
        self = super().__new__(cls, _filled(template, values, _english, ", "))
        self.template, self.values = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.values

    def filled(self, **values: Any) -> Phrase:
        """Return the phrase that this one's template makes of `values`."""
        return type(self)(self.template, **values)

    def translated(
        self,
        gettext: Callable[[str], str],
        word: Callable[[Any], Any] = lambda value: value,
        comma: str = ", ",
    ) -> str:
        """Return the text in the language of `gettext`, which maps templates to templates.

        `word` says a value that is no phrase, `comma` is between those of a list.
        """
        if not self.template:
            return ""  # What gettext has for the empty message is the head of its catalogue.

        def one(value: Any) -> Any:
            known = isinstance(value, Phrase)
            return value.translated(gettext, word, comma) if known else word(value)

        return _filled(gettext(self.template), self.values, one, comma)


def _filled(
    template: str, values: Mapping[str, Any], word: Callable[[Any], Any], comma: str
) -> str:
    def one(value: Any) -> Any:
        return comma.join(str(word(v)) for v in value) if isinstance(value, list) else word(value)

    if not values:
        return template
    return template.format(**{name: one(value) for name, value in values.items()})


def _english(value: Any) -> Any:
    return value.en if isinstance(value, Text) else value


def joined(parts: Sequence[str]) -> Phrase:
    """Return phrases one after the other.  None of them: the empty phrase."""
    *before, last = parts or [Phrase("")]
    if before:
        return Phrase("{first}; {then}", first=joined(before), then=last)
    return last if isinstance(last, Phrase) else Phrase("{text}", text=last)


def parts(text: str) -> list[str]:
    """Return the phrases that `joined` put one after the other; none of the empty phrase."""
    if isinstance(text, Phrase) and set(text.values) == {"first", "then"}:
        return [*parts(text.values["first"]), text.values["then"]]
    return [text] if text else []


def counted(count: int, one: str, many: str) -> str:
    """Return a count with its noun."""
    return f"{count} {one if count == 1 else many}"


def listed(names: list[str], most: int = 3) -> str | Phrase:
    """Return names with commas, the first `most` of them and how many more there are."""
    told = ", ".join(names[:most])
    if len(names) <= most:
        return told
    return Phrase("{names} and {count} more", names=told, count=len(names) - most)


def number(value: float) -> str:
    """Return a number to two or three digits, such as 9.7, 41, 0.87 or 1.2e+05."""
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"
