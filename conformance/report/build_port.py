"""From what verifying a port found to what its page shows."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from conformance.phrase import listed
from conformance.port.budget import FARTHER
from conformance.port.model import CallKey
from conformance.port.result import (
    Cause,
    Divergence,
    LayerRow,
    Measure,
    PortResult,
    StaticDifference,
    TensorRow,
    TrajectoryRow,
    Verdict,
)
from conformance.report import port_plot, text
from conformance.report.port_text import CAUSE
from conformance.report.views_port import (
    CauseView,
    DivergenceView,
    Folded,
    LayerView,
    LinePlotView,
    MeasuredView,
    OutputView,
    PortView,
    Row,
    SpanView,
    StaticView,
    StepView,
    TensorsView,
    TensorView,
)

SHOWN, FEW = 25, 60
"""Rows that a table shows at once, and so many layers."""
ROWS, LEAST = 1500, 90
"""Rows that unfold: ROWS in all tables together, layers first, but LEAST in each.  Pages stay below
a megabyte; the JSON beside a page has every row."""
TABLES = 6
"""So many that may be long, but for that of layers."""
LAYERS = 1200
"""Layers that unfold."""
AROUND = 3
"""Layers shown before and after the one where the port parts."""
WORDS = 150
"""Of so many layers the unfolded table tells the reasons, too; of more, verdicts only."""


def port(result: PortResult, operations: Collection[str] = ()) -> PortView:
    """Return what the page of `result` shows, with links to pages of `operations` alone."""
    first = result.divergences[0] if result.divergences else None
    layers = [_layer(n, row, first) for n, row in enumerate(result.layers, 1)]
    steps = [StepView(**asdict(row)) for row in result.trajectory]
    wrong = [row for row in result.weights if row.problem]
    most = max(LEAST, (ROWS - len(layers)) // TABLES)
    return PortView(
        name=result.name,
        file=filename(result.name),
        verdict=result.verdict,
        sentence=result.sentence,
        versions=tuple(
            (text.FRAMEWORK.get(framework, framework), version)
            for framework, version in result.versions.items()
        ),
        causes=tuple(_cause(cause, operations) for cause in result.causes[:SHOWN]),
        divergences=tuple(map(_divergence, result.divergences[:SHOWN])),
        outputs=folded(
            most,
            [
                OutputView(
                    row.size, row.training, row.mode, row.label,
                    measured(row.measures), row.verdict, _reason(row.problem),
                )
                for row in result.forward
            ],
        ),
        layers=_folded_layers(layers),
        depth=_depth(layers),
        span=_span(layers),
        static=folded(most, _settings(result.static, operations)),
        weights=folded(most, wrong, [row for row in result.weights if not row.problem]),
        problems=len(wrong),
        tensors=tuple(
            _tensors(anchor, rows, most)
            for anchor, rows in (
                ("gradients", result.gradients),
                ("state", result.state),
                ("step", result.step),
            )
            if rows
        ),
        steps=folded(most, steps),
        final=steps[-1] if steps else None,
        trajectory=_trajectory(result.trajectory),
        notes=tuple(result.notes),
        config=_yaml(result.config),
    )  # fmt: skip


def filename(name: str) -> str:
    """Return `name` as a file may be called, without its suffix."""
    return re.sub(r"[^\w.-]+|^\W+", "-", name, flags=re.ASCII)[:80].lstrip("-.") or "port"


def folded(most: int, first: Sequence[Row], rest: Sequence[Row] = ()) -> Folded[Row]:
    """Return `first` as shown, the rest of it and `rest` folded, `most` of them."""
    hidden = [*first[SHOWN:], *rest]
    return Folded(tuple(first[:SHOWN]), tuple(hidden[:most]), max(0, len(hidden) - most))


def measured(measures: Sequence[Measure]) -> MeasuredView | None:
    """Return the medians of `measures`; None without any."""
    if not measures:
        return None
    ratios = [_ratio(measure) for measure in measures]
    return MeasuredView(
        port=median(measure.port for measure in measures),
        torch=median(measure.torch for measure in measures),
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        draws=len(measures),
    )


def _ratio(measure: Measure) -> float:
    """Return the ratio, also of an output that float32 gives without any error."""
    if max(measure.torch, measure.floor) == 0:
        return math.inf if measure.port else 1.0
    return measure.ratio


def _reason(problem: str) -> str:
    """Return `problem` where it says more than the ratio that stands beside it."""
    return "" if getattr(problem, "template", "") == FARTHER else problem


def _one(measure: Measure | None) -> MeasuredView | None:
    return measured([measure] if measure else [])


# Causes -----------------------------------------------------------------------------------------


def _cause(cause: Cause, operations: Collection[str]) -> CauseView:
    setting = "" if cause.what in CAUSE else cause.what
    return CauseView(
        kind=cause.what if cause.what in CAUSE else "",
        setting=setting,
        where=cause.where,
        words=cause.words,
        evidence=cause.evidence,
        confirmed=cause.confirmed,
        page=cause.page if cause.page in operations else "",
    )


def _divergence(found: Divergence) -> DivergenceView:
    names = [str(key) for key in (found.torch, found.mindspore) if key is not None]
    place = " / ".join(dict.fromkeys(names)) or listed([str(key) for key in found.after])
    return DivergenceView(found.kind, place, found.size, found.training, found.words)


def _settings(rows: Iterable[StaticDifference], operations: Collection[str]) -> list[StaticView]:
    """Return settings that differ, one row for all layers where they do so in the same way."""
    found: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
    for row in rows:
        key = row.setting, row.torch, row.mindspore, row.page, row.trains
        found.setdefault(key, []).append((row.torch_layer, row.mindspore_layer))
    return [
        StaticView(
            setting, torch, mindspore, page if page in operations else "", trains, tuple(layers)
        )
        for (setting, torch, mindspore, page, trains), layers in found.items()
    ]


# Layers -----------------------------------------------------------------------------------------


def _layer(number: int, row: LayerRow, first: Divergence | None) -> LayerView:
    return LayerView(
        number=number,
        torch=_called(row.torch),
        mindspore=_called(row.mindspore),
        kind=row.kind,
        came_in=_one(row.came_in),
        went_out=_one(row.went_out),
        alone=_one(row.replayed),
        verdict=row.verdict,
        problem=_reason(row.problem),
        first=first.kind if first is not None and _at(first) == (row.torch, row.mindspore) else "",
    )


def _at(found: Divergence) -> tuple[CallKey | None, CallKey | None] | None:
    return (found.torch, found.mindspore) if found.torch or found.mindspore else None


def _called(key: CallKey | None) -> str:
    return "" if key is None else str(key) or "model"


def _folded_layers(layers: Sequence[LayerView]) -> Folded[LayerView]:
    """Return few layers as they are; of many, where the port parts and what is not the same."""
    if len(layers) <= FEW:
        return Folded(tuple(layers))
    at = next((n for n, layer in enumerate(layers) if layer.first), None)
    near = range(at - AROUND, at + AROUND + 1) if at is not None else ()
    wrong = [n for n, layer in enumerate(layers) if layer.verdict is Verdict.DIFFERS]
    other = [n for n, layer in enumerate(layers) if layer.verdict is Verdict.UNRESOLVED]
    chosen = {n for n in near if 0 <= n < len(layers)}
    for number in (*wrong, *other):
        if len(chosen) < FEW:
            chosen.add(number)
    shown = tuple(layers[n] for n in sorted(chosen))
    return Folded(shown, tuple(layers[:LAYERS]), max(0, len(layers) - LAYERS))


def _depth(layers: Sequence[LayerView]) -> LinePlotView | None:
    """Return the plot of what went out of each layer."""
    drawn = _drawn(layers)
    at = next((n for n, layer in enumerate(drawn) if layer.first), None)
    series = {
        side: [getattr(layer.went_out, side, None) for layer in drawn] for side in ("torch", "port")
    }
    return port_plot.lines(series, [f"{n.number} {n.torch or n.mindspore}" for n in drawn], at)


def _drawn(layers: Sequence[LayerView]) -> Sequence[LayerView]:
    return layers[:LAYERS] if any(layer.went_out for layer in layers) else ()


def _span(layers: Sequence[LayerView]) -> SpanView | None:
    known = [(layer, layer.went_out) for layer in _drawn(layers) if layer.went_out is not None]
    if not known:
        return None
    most, worst = max(known, key=lambda item: _size(item[1].port))
    return SpanView(
        count=len(known),
        start=known[0][1].port,
        end=known[-1][1].port,
        most=worst.port,
        where=most.torch or most.mindspore,
        low=min(out.torch for _, out in known),
        high=max((out.torch for _, out in known), key=_size),
    )


def _size(value: float) -> float:
    return math.inf if math.isnan(value) else value


# Tensors and training ---------------------------------------------------------------------------


def _tensors(anchor: str, rows: Sequence[TensorRow], most: int) -> TensorsView:
    views = [
        TensorView(
            row.torch, row.mindspore, measured(row.measures), row.verdict, _reason(row.problem)
        )
        for row in rows
    ]
    order = (Verdict.DIFFERS, Verdict.UNRESOLVED, Verdict.NOT_COMPARED)
    wrong = [view for verdict in order for view in views if view.verdict is verdict]
    counts = Counter(view.verdict for view in views)
    return TensorsView(
        anchor,
        {verdict: counts[verdict] for verdict in (*order, Verdict.SAME) if counts[verdict]},
        folded(most, wrong, [view for view in views if view.verdict is Verdict.SAME]),
    )


def _trajectory(rows: Sequence[TrajectoryRow]) -> LinePlotView | None:
    kinds = ("perturbed", "torch", "port")
    series = {kind: [getattr(row, kind) for row in rows] for kind in kinds}
    return port_plot.lines(series, [str(row.step) for row in rows])


def _yaml(config: object) -> str:
    if config is None:
        return ""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(config, stream)
    return stream.getvalue()
