"""Records and sides to compare, without a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.judge.verdict import Status

PAIR = "torch.abs=mindspore.ops.abs"
CONFORMS = Record(
    case="absolute/some",
    hash="0123456789abcdef",
    pair=PAIR,
    target="mindspore",
    call="c0ffee00c0ffee00",
    status=Status.CONFORMS,
    behaviour="aaaaaaaaaa",
    label="returned",
    ratio=0.5,
)


def record(**given: Any) -> Record:
    """Return a record that conforms, but for what is `given`."""
    return replace(CONFORMS, **given)


def differs(kind: str = "value", **given: Any) -> Record:
    """Return a record that did something else and differs, undeclared, by `kind`."""
    wrong = {"status": Status.DIFFERS, "behaviour": "bbbbbbbbbb", "kinds": (kind,)}
    return record(**{**wrong, "open": (kind,), "ratio": 1e4, "detail": f"{kind}: off", **given})


def declared(kind: str = "value", **given: Any) -> Record:
    """Return a record that did something else and differs as the case file declares."""
    return differs(kind, **{"status": Status.DECLARED, "open": (), **given})


def raised(name: str = "ValueError", **given: Any) -> Record:
    """Return a record of a call that raised and should not have."""
    shown = {"label": f"raised {name}", "ratio": None, "behaviour": f"raised{name}"[:10]}
    return differs("exception", **{**shown, **given})


def side(records: Sequence[Record], *, version: str = "1.0.0", **given: Any) -> Side:
    """Return a side of `records`, on the targets they are of."""
    targets: Mapping[str, Mapping[str, Any]] = {r.target: {"version": version} for r in records}
    manifest = {"judged_by": "judge", "files": {"absolute": "text"}, **given.pop("manifest", {})}
    known = {"signatures": {}, "warnings": {}, "manifest": manifest, "targets": targets}
    return Side(**{"name": f"run of {version}", "records": list(records), **known, **given})
