"""Sentences that know how they were made, so that another language can make its own of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Phrase(str):
    """A `template` of `str.format` filled with `values`, which may be phrases themselves.

    It is the English text; `translated` fills another language's template with the same values.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Phrase:
        """Fill `template`, as it stands where there are no values."""
        self = super().__new__(cls, template.format(**values) if values else template)
        self.template, self.values = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.values

    def filled(self, **values: Any) -> Phrase:
        """Return the phrase that this one's template makes of `values`."""
        return type(self)(self.template, **values)

    def translated(self, gettext: Callable[[str], str]) -> str:
        """Return the text in the language of `gettext`, which maps templates to templates."""
        if not self.template:
            return ""  # What gettext has for the empty message is the head of its catalogue.
        if not self.values:
            return gettext(self.template)
        values = {name: translated(value, gettext) for name, value in self.values.items()}
        return gettext(self.template).format(**values)


def translated(value: Any, gettext: Callable[[str], str]) -> Any:
    """Return a phrase in another language; anything else as it is."""
    return value.translated(gettext) if isinstance(value, Phrase) else value


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
