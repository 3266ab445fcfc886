"""Projections to q, k and v: one tensor on one side, three on the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from conformance.port.names import Named

_LETTERS = {
    word: letter
    for letter, whole in (("q", "query"), ("k", "key"), ("v", "value"))
    for word in (letter, whole, f"w{letter}", f"{letter}w", f"{letter}proj", f"{whole}s")
}
_WORD = re.compile(r"[A-Za-z]+")


def fuse(torch: Sequence[Named], mindspore: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Return both sides, with q, k and v seen as one where only the other side holds them as one.

    Rows are taken in the order q, k, v (k, v where there is no q).
    """
    return _fused(torch, mindspore), _fused(mindspore, torch)


def _fused(split: Sequence[Named], other: Sequence[Named]) -> list[Named]:
    names = {t.canonical for t in other}
    spare = Counter(t.shape for t in other)
    spare.subtract(t.shape for t in split)
    result = {t.index: t for t in split}
    for whole in ("qkv", "kv"):
        for group in _groups(list(result.values()), whole):
            one = _joined(group)
            if spare[one.shape] <= 0 or all(member.canonical in names for member in group):
                continue
            spare[one.shape] -= 1
            for member in group:
                del result[member.index]
            result[one.index] = one
    return [result[index] for index in sorted(result)]


def _groups(tensors: Sequence[Named], whole: str) -> list[list[Named]]:
    """Return q, k and v of each layer that holds all of them, in equal shapes."""
    found: dict[tuple[str, str], dict[str, Named]] = {}
    for tensor in tensors:
        if len(tensor.parts) == 1 and tensor.shape and (parsed := _letter(tensor.canonical)):
            found.setdefault((parsed[1], tensor.kind), {})[parsed[0]] = tensor
    return [
        [members[letter] for letter in whole]
        for members in found.values()
        if set(whole) <= set(members) and len({members[x].shape for x in whole}) == 1
    ]


def _letter(name: str) -> tuple[str, str] | None:
    """Return which of q, k, v the last word that is one means, and the name without that word."""
    for match in reversed(list(_WORD.finditer(name))):
        if letter := _LETTERS.get(match[0].lower()):
            return letter, f"{name[: match.start()]}*{name[match.end() :]}"
    return None


def _joined(group: Sequence[Named]) -> Named:
    parts = tuple(member.info for member in group)
    letters = "".join(letter[0] for m in group if (letter := _letter(m.canonical)))
    stem = _WORD.sub(lambda m: letters if m[0].lower() in _LETTERS else m[0], group[0].layer)
    return replace(group[0], parts=parts, layer=stem or group[0].layer)
