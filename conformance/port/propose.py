"""`conformance port map`: the rules that say in a port.yaml what the map found out by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from conformance.port.config import Rule, Weights
from conformance.port.names import COUNTER, named
from conformance.port.pairing import by_name
from conformance.port.result import WeightRow
from conformance.port.values import usable
from conformance.port.weights import Inventory, map_weights

Target = tuple[str, str]
"""A tensor of the port, in PyTorch's words, and the transform."""
Aims = dict[str, frozenset[Target]]
"""What belongs to each tensor of PyTorch's: one, or q, k and v."""


@dataclass(frozen=True)
class Proposal:
    """A rule for `weights.rules`, the tensors it covers, and why they belong together."""

    rule: Rule
    covers: tuple[str, ...]
    why: str


def propose(
    torch: Inventory, mindspore: Inventory, config: Weights | None = None
) -> list[Proposal]:
    """Return as few and as general rules as say what the map found, but for what names say alone.

    No rule matches a tensor that it would map otherwise, so their order does not matter, and
    with them the map is the same.
    """
    rows = [row for row in map_weights(torch, mindspore, config) if usable(row)]
    wanted = _wanted(rows, mindspore)
    why = {row.torch: row.problem or row.rule for row in rows}
    alone = _alone(torch, mindspore, rows)
    left = {name: aims for name, aims in wanted.items() if name not in alone}
    names = [n.info.name for n in named(torch.tensors, torch.layers) if n.role != COUNTER]
    proposals: list[Proposal] = []
    for whole_layers in (True, False):
        candidates = _covering(left, wanted, names, whole_layers)
        for rule in _fewest(candidates, left):
            covers = tuple(name for name in names if name in candidates[rule])
            proposals.append(Proposal(rule, covers, why[next(n for n in covers if n in left)]))
        said = [item for p in proposals for item in _says(p.rule, names)]
        left = {
            name: aims.difference(t for n, t in said if n == name) for name, aims in left.items()
        }
        left = {name: aims for name, aims in left.items() if aims}
    return sorted(proposals, key=lambda proposal: names.index(proposal.covers[0]))


def _fewest(candidates: dict[Rule, dict[str, Target]], left: Aims) -> list[Rule]:
    """Return few of `candidates` that together say what any of them says, the greatest first."""
    open_ = {
        (n, t) for said in candidates.values() for n, t in said.items() if t in left.get(n, ())
    }
    chosen = []
    while open_:
        best = max(candidates, key=lambda r: (len(open_ & candidates[r].items()), *_plain(r)))
        chosen.append(best)
        open_ -= candidates[best].items()
    return chosen


def _wanted(rows: Iterable[WeightRow], mindspore: Inventory) -> Aims:
    canonical = {n.info.name: n.canonical for n in named(mindspore.tensors, mindspore.layers)}
    wanted: Aims = {}
    for row in rows:
        target = canonical[row.mindspore], row.transform
        wanted[row.torch] = wanted.get(row.torch, frozenset()) | {target}
    return wanted


def _alone(torch: Inventory, mindspore: Inventory, rows: Sequence[WeightRow]) -> set[str]:
    """Return the tensors that names alone map as `rows` do, without a doubt."""
    ours, theirs = (named(side.tensors, side.layers) for side in (torch, mindspore))
    sure = {(row.torch, row.mindspore) for row in rows if not row.problem.startswith("ambiguous")}
    return {
        match.torch.info.name
        for match in by_name(ours, theirs)
        if (match.torch.info.name, match.mindspore.info.name) in sure
    }


def _covering(
    left: Aims, wanted: Aims, names: Sequence[str], whole_layers: bool
) -> dict[Rule, dict[str, Target]]:
    """Return each rule that is right wherever it matches, and what it says of each tensor."""
    tried: set[Rule] = set()
    found: dict[Rule, dict[str, Target]] = {}
    for name, aims in left.items():
        for target, transform in sorted(aims):
            for pattern, template in _generalised(name, target, whole_layers):
                rule = Rule.model_construct(torch=pattern, mindspore=template, transform=transform)
                if rule in tried:
                    continue
                tried.add(rule)
                said: dict[str, Target] = {}
                for matched, aim in _says(rule, names):
                    if aim not in wanted.get(matched, ()):
                        break
                    said[matched] = aim
                else:
                    found[rule] = said
    return found


def _says(rule: Rule, names: Sequence[str]) -> Iterator[tuple[str, Target]]:
    compiled = re.compile(rule.torch)
    for name in names:
        if match := compiled.fullmatch(name):
            yield name, (match.expand(rule.mindspore), rule.transform)


def _plain(rule: Rule) -> tuple[int, str]:
    """Of rules that cover as much, the shortest; then one and the same in every run."""
    return -len(rule.torch) - len(rule.mindspore), rule.torch


_TOKENS = re.compile(r"\d+|[^\W\d_]+|.")


def _generalised(name: str, target: str, whole_layers: bool) -> list[tuple[str, str]]:
    """Return patterns and templates that turn `name` into `target`, from general to literal.

    What both have in common becomes groups: any path before what differs, numbers, and after it,
    where a rule is for `whole_layers`, any name.
    """
    ours, theirs = _TOKENS.findall(name), _TOKENS.findall(target)
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()[:-1]
    shared = [(b.a + k, b.b + k) for b in blocks for k in range(b.size)]
    head = 0
    while head < min(len(ours), len(theirs)) and (head, head) in shared:
        head += 1
    tail = 0
    while tail < min(len(ours), len(theirs)) - head and (
        (len(ours) - tail - 1, len(theirs) - tail - 1) in shared
    ):
        tail += 1
    head = _whole_steps(ours, head)
    tail = len(ours) - _from_step(ours, len(ours) - tail)
    leaf = min(tail, len(ours) - _whole_steps(ours, len(ours)))
    numbers = {a: b for a, b in shared if ours[a].isdigit()}
    found = []
    for any_head in (True, False):
        for any_number in (True, False):
            for end in (tail, leaf) if whole_layers else (0,):
                cut = (head if any_head else 0, end)
                found.append(_written(ours, theirs, cut, numbers if any_number else {}))
    return list(dict.fromkeys(found))


def _whole_steps(tokens: Sequence[str], count: int) -> int:
    """Return how many of the first `count` tokens are whole steps of the path, dot included."""
    while count and tokens[count - 1] != ".":
        count -= 1
    return count


def _from_step(tokens: Sequence[str], start: int) -> int:
    """Return the first token from `start` on at which a step of the path begins."""
    while start < len(tokens) and start and tokens[start - 1] != ".":
        start += 1
    return start


def _written(
    ours: Sequence[str], theirs: Sequence[str], cut: tuple[int, int], numbers: dict[int, int]
) -> tuple[str, str]:
    head, tail = cut
    last = len(theirs) - tail
    pattern = [r"(.*\.)"] if head else []
    groups = {head - 1: 1} if head else {}
    for k in range(head, len(ours) - tail):
        if head <= numbers.get(k, -1) < last:
            groups[numbers[k]] = len(groups) + 1
            pattern.append(r"(\d+)")
        else:
            pattern.append(re.escape(ours[k]))
    if tail:
        groups[last] = len(groups) + 1
        pattern.append("(.*)")
    template = [
        f"\\g<{groups[k]}>" if k in groups else theirs[k].replace("\\", r"\\")
        for k in range(head - 1 if head else 0, last + (tail > 0))
    ]
    # \1 reads better, but a digit that follows would belong to it.
    short = re.sub(r"\\g<(\d+)>(?!\d)", r"\\\1", "".join(template))
    return "".join(pattern), short


def as_yaml(proposals: Sequence[Proposal], rows: Sequence[WeightRow] = ()) -> str:
    """Return `proposals` as the `weights` of a port.yaml, with why each is right.

    Of `rows`, the map, it is told how many have a problem: no rule may be known for these.
    """
    broken = sum(bool(row.problem) for row in rows)
    if not proposals and not broken:
        return "# No rules are needed: names alone say which tensor is which.\n"
    if not proposals:
        them = "the row marked !" if broken == 1 else f"the {broken} rows marked !"
        return f"# No rule is known for {them}; write weights.rules, or mend the port.\n"
    lines = ["weights:", "  rules:"]
    for proposal in proposals:
        rule, count = proposal.rule, len(proposal.covers)
        more = f" and {count - 1} more" if count > 1 else ""
        lines.append(f"    # {proposal.covers[0]}{more}: {proposal.why}")
        written = f"{{torch: {_quoted(rule.torch)}, mindspore: {_quoted(rule.mindspore)}"
        if rule.transform:
            written += f", transform: {rule.transform}"
        lines.append(f"    - {written}}}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def table(rows: Sequence[WeightRow]) -> str:
    """Return `rows` as aligned text, problems marked with an exclamation mark."""
    cells = [
        (
            "!" if row.problem else " ",
            row.torch or "-",
            row.mindspore or "-",
            " ".join(filter(None, (_shapes(row), row.transform))),
            row.problem or row.rule,
        )
        for row in rows
    ]
    widths = [max((len(row[k]) for row in cells), default=0) for k in range(4)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]
        )
        for row in cells
    )


def _shapes(row: WeightRow) -> str:
    shapes = [shape for shape in (row.torch_shape, row.mindspore_shape) if shape is not None]
    written = ["x".join(map(str, shape)) or "scalar" for shape in dict.fromkeys(shapes)]
    return " to ".join(written)


__all__ = ["Proposal", "as_yaml", "propose", "table"]
