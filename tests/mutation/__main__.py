"""``python -m tests.mutation [PATH]… [-t TARGET]… [-v]``: the mutation score of case files."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from conformance.corpus import loader
from conformance.corpus.model import matches
from conformance.run import target
from tests.mutation.score import Result, score

EXPLAINED = Path(__file__).with_name("survivors")
"""Survivors that a person has read, a file for each area of the corpus:
``operation: [{mutant:, pairs:, targets:, why:}]``, with * as wildcard."""


def main(arguments: Sequence[str]) -> int:
    """Print a line for each operation and each survivor; return 1 when one is not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=[Path("cases")])
    parser.add_argument("-t", "--target", action="append", help="default: torch and mindspore")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="name the case that killed")
    given = parser.parse_args(arguments)
    targets = [target.parse(name) for name in given.target or ("torch", "mindspore")]
    corpus = loader.load(given.paths)
    explained: dict[str, list[dict[str, str]]] = {}
    for file in sorted(EXPLAINED.glob("*.yaml")):
        explained |= YAML(typ="safe").load(file.read_text(encoding="utf-8")) or {}
    everything: list[Result] = []
    used: set[int] = set()
    for name, results in zip(corpus.documents, score(corpus, targets, given.jobs), strict=True):
        everything += results
        survivors = [r for r in results if not r.killed]
        print(f"{name}: {_share(results)}", flush=True)
        for one in survivors:
            why = _why(explained.get(name, []), one, used)
            print(f"  {'explained' if why else 'SURVIVED'}  {one.target}  {one.pair}  {one.mutant}")
        if given.verbose:
            for one in results:
                print(f"    {one.target}  {one.pair}  {one.mutant}  {one.by or '-'}")
    print(f"all: {_share(everything)}")
    kinds = Counter(r.mutant.split(" of ")[0] for r in everything if not r.killed)
    for mutant, number in kinds.most_common():
        print(f"  {number} survived: {mutant}")
    unexplained = [
        r for r in everything if not r.killed and not _why(explained.get(r.operation, []), r, used)
    ]
    stale = [e for name in corpus.documents for e in explained.get(name, ()) if id(e) not in used]
    for entry in stale:
        print(f"explained, but it does not survive: {entry['mutant']}")
    return 1 if unexplained or stale else 0


def _why(entries: Sequence[dict[str, str]], result: Result, used: set[int]) -> str:
    for entry in entries:
        if (
            matches(entry["mutant"], result.mutant)
            and matches(entry.get("pairs", "*"), result.pair)
            and matches(entry.get("targets", "*"), result.target)
        ):
            used.add(id(entry))
            return entry["why"]
    return ""


def _share(results: Sequence[Result]) -> str:
    killed = sum(r.killed for r in results)
    share = f"{100 * killed / len(results):.1f} %" if results else "none ran"
    return f"{killed} of {len(results)} mutants killed, {share}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
