"""What the judge says: English sentences that remember how they were put together.

A `Said` is text like any other, which terminal, tables and baselines show as it is.  The report
puts the same values into the sentence's translation; what a framework said is such a value, and
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.corpus.model import Text


class Said(str):
    """A sentence, its `template` for ``str.format``, and the `values` in it.

    A value may be a sentence itself, prose in both languages, or a list of values.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> Said:
        """Return `template` with `values` filled in."""
        made = super().__new__(cls, filled(template, values, _english))
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[type[Said], tuple[str, Mapping[str, Any]]]:
        return Said, (self.template, self.values)


def said(template: str, **values: Any) -> Said:
    """Return the sentence; its `template` must be in the catalogues of the report."""
    return Said(template, values)


def filled(
    template: str, values: Mapping[str, Any], word: Callable[[Any], Any], comma: str = ", "
) -> str:
    """Return `template` with what `word` makes of each of `values`; lists are joined by `comma`."""

    def one(value: Any) -> Any:
        return comma.join(str(word(v)) for v in value) if isinstance(value, list) else word(value)

    return template.format(**{name: one(value) for name, value in values.items()})


def _english(value: Any) -> Any:
    return value.en if isinstance(value, Text) else value
