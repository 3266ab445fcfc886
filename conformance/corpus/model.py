"""What every model of a case file is made of."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=80)]
CaseId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Api = Annotated[
    str,
    StringConstraints(pattern=r"^(torch|mindspore)(\.[A-Za-z_][A-Za-z0-9_]*)+$", max_length=120),
]
NumpyApi = Annotated[
    str, StringConstraints(pattern=r"^numpy(\.[A-Za-z_][A-Za-z0-9_]*)+$", max_length=120)
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Scalar = None | bool | int | float | str
Shape = Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=16)]
MAX_ELEMENTS = 4_000_000
"""Elements an input may have.  Checked on the declared shape, before anything is allocated."""

_CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"


class Model(BaseModel):
    """Closed and frozen: an unknown key is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True)


class Text(Model):
    """The same statement in both languages of the report."""

    en: Prose
    zh: Prose

    @field_validator("zh")
    @classmethod
    def _without_folds(cls, text: str) -> str:
        """Drop the spaces that YAML puts where it folds lines: Chinese has none there."""
        return re.sub(rf"(?<={_CHINESE})\s+(?={_CHINESE})", "", text)


def matches(pattern: str, text: str) -> bool:
    """Tell whether `text` matches `pattern`, where only ``*`` is special."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
