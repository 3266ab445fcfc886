"""Targets that run fake frameworks, and a small corpus for them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from conformance.corpus.loader import Corpus, load_texts
from conformance.run import session
from conformance.run.outcome import Outcome
from conformance.run.pool import Event
from conformance.run.select import Selection
from conformance.run.store import RunFile
from conformance.run.target import Target

FAKES = Path(__file__).parent / "fake_frameworks"


def fake(name: str, framework: str = "torch") -> Target:
    """Return a target of `framework` that runs the fake framework `name`."""
    return Target(framework, framework, adapter=FAKES / f"{name}.py")  # type: ignore[arg-type]


def corpus(*texts: str) -> Corpus:
    """Return the corpus of YAML `texts`."""
    named = [(f"case{i}.yaml", textwrap.dedent(text), Path()) for i, text in enumerate(texts)]
    return load_texts(named)


def abs_corpus(values: list[float], dtype: str = "float32") -> Corpus:
    """Return a corpus with one case of `abs` for each value."""
    cases = "\n".join(
        f"  - {{id: c{i}, dtype: {dtype}, inputs: {{input: [-1.5, {value}]}}}}"
        for i, value in enumerate(values)
    )
    return corpus(
        "operation: abs\nno_reference: {en: a fake, zh: 虚构}\naccuracy: exact\ngradients: []\n"
        "parameters: {input: {role: input}}\n"
        "pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]\n"
        f"cases:\n{cases}\n"
    )


def run(
    corpus: Corpus, targets: list[Target], path: Path, *, timeout: float = 30.0
) -> tuple[dict[tuple[str, str], Outcome], list[Event], RunFile]:
    """Execute `corpus` on `targets`; return outcomes by (case, target), the events and the run."""
    file = RunFile.create(path)
    events: list[Event] = []
    session.execute(
        corpus,
        targets,
        file,
        selection=Selection(),
        jobs=2,
        timeout=timeout,
        observer=events.append,
    )
    by_call = file.outcomes()
    found = {
        (item.case.split("/")[1], item.target): by_call[item.target, item.call]
        for item in file.items()
        if (item.target, item.call) in by_call
    }
    return found, events, file
