"""Known differences: temporary exemptions, which fail the run when they no longer apply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from conformance.corpus import invalid, yamlmarks
from conformance.corpus.difference import Target
from conformance.corpus.loader import Corpus, case_files, read
from conformance.corpus.model import Model, Prose, matches
from conformance.errors import CorpusError
from conformance.judge.declared import Seen, declared
from conformance.judge.item import Item
from conformance.run.outcome import Unavailable
from conformance.run.target import covers, parts
from conformance.taxonomy import SIGNATURE_KINDS, Kind

DEFAULT_DEVICE = "cpu"


class Known(Model):
    """One exemption: what differs, where, since when it is known, and until when it is excused."""

    cases: str = Field(min_length=1, description="Expanded case id, with * as wildcard.")
    pair: str = Field("*", description="Pair id, with * as wildcard.")
    target: Target = Field(description="'mindspore' covers its devices and modes.")
    versions: str = Field("", description="Versions of that framework, such as '>=2.9,<2.11'.")
    device: str | None = Field(None, description="cpu, cuda, ascend, …; default: any.")
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    reason: Prose
    owner: str = Field(min_length=1)
    link: str = Field(min_length=1)
    expires: date = Field(
        description="The first day on which it no longer holds, quoted: '2026-12-31'."
    )

    @field_validator("versions")
    @classmethod
    def _specifier(cls, text: str) -> str:
        try:
            SpecifierSet(text)
        except InvalidSpecifier as error:
            raise ValueError(str(error)) from None
        return text

    @field_validator("kinds")
    @classmethod
    def _of_execution(cls, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
        for kind in kinds:
            if kind in SIGNATURE_KINDS:
                raise ValueError(f"{kind.value} comes from signatures; declare it in the case file")
        return kinds

    def __str__(self) -> str:
        kinds = ", ".join(kind.value for kind in self.kinds)
        return (
            f"known difference {kinds} on {self.cases} of {self.pair} ({self.target}, {self.owner})"
        )

    def applies(self, target: str, version: str | None) -> bool:
        """Tell whether this entry speaks of `target` at `version` (None when it is not known)."""
        rest = parts(target)[2]
        device = rest[0] if rest else DEFAULT_DEVICE
        if not covers(self.target, target) or self.device not in (None, device):
            return False
        if not self.versions:
            return True
        return version is not None and SpecifierSet(self.versions).contains(
            version, prereleases=True
        )

    def names(self, item: Item) -> bool:
        """Tell whether this entry speaks of the case and pair of `item`."""
        return self.speaks_of(item.case.id, item.pair.id)

    def speaks_of(self, case: str, pair: str) -> bool:
        """Tell whether this entry speaks of the case and the pair with these ids."""
        return matches(self.cases, case) and matches(self.pair, pair)


_ENTRIES = TypeAdapter(list[Known])
_KEYS = f"there are {', '.join(Known.model_fields)}"


def load(path: Path) -> list[Known]:
    """Load a file of known differences; a missing file holds none.  Raises CorpusError."""
    return parse(read(path), str(path)) if path.exists() else []


def parse(text: str, name: str) -> list[Known]:
    """Parse the content of the file called `name`: a list, ``[]`` when nothing is known.

    Raises CorpusError with all problems, each as ``file:line:column: message``.
    """
    marked = yamlmarks.parse(text, name)
    try:
        return _ENTRIES.validate_python(marked.data)
    except ValidationError as error:
        raise CorpusError(
            invalid.problems(name, marked, error, _ENTRIES.json_schema(), _KEYS)
        ) from None


def spoken_of(path: Path, corpus: Corpus) -> bool:
    """Tell whether `corpus` holds every case file beside which the file at `path` is kept.

    Only then can an entry be said to match no case: a part of the corpus is not the whole.
    """
    loaded = {Path(document.path).resolve() for document in corpus.documents.values()}
    return all(file.resolve() in loaded for file in case_files([path.parent]))


def excusing(
    known: Sequence[Known], item: Item, versions: Mapping[str, str], today: date
) -> list[Known]:
    """Return the entries in force that speak of `item`."""
    version = versions.get(item.target)
    return [
        entry
        for entry in known
        if today < entry.expires and entry.names(item) and entry.applies(item.target, version)
    ]


def stale(
    known: Sequence[Known],
    seen: Iterable[Seen],
    versions: Mapping[str, str],
    today: date,
    complete: bool,
) -> list[str]:
    """Return a line for each entry that has expired, matches nothing, or is no longer shown.

    The last two are judged only in a `complete` run, where an available target that the entry
    speaks of took part, and all of them ran all that it names: graph mode may have compiled a part.
    """
    items = list(seen)
    lines = []
    for entry in known:
        if today >= entry.expires:
            lines.append(f"{entry}: expired on {entry.expires.isoformat()}")
            continue
        here = [
            one for one in items if entry.applies(one.item.target, versions.get(one.item.target))
        ]
        spoken = {(i.case.id, i.pair.id) for i in (one.item for one in items) if entry.names(i)}
        if not (here and complete):
            continue
        if not spoken:
            lines.append(f"{entry}: matches no case that runs")
            continue
        named = [one for one in here if entry.names(one.item)]
        on_each = Counter({one.item.target: 0 for one in here})
        on_each.update(one.item.target for one in named)
        whole = all(count == len(spoken) for count in on_each.values())
        if whole and not any(_may_differ(entry, one) for one in named):
            lines.append(f"{entry}: no longer differs; remove the entry")
    return lines


def _may_differ(entry: Known, one: Seen) -> bool:
    """Tell whether `one` shows a difference the entry excuses, or could when it is available."""
    found = one.verdict.findings
    return isinstance(one.outcome, Unavailable) or any(
        f.kind in entry.kinds and not declared(one.item, f) for f in found
    )
