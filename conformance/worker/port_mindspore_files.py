"""Checkpoint files of a MindSpore model: ``.ckpt``, and ``.safetensors`` as MindSpore writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mindspore as ms

from conformance.worker.port_calls import Array
from conformance.worker.port_errors import SessionError
from conformance.worker.port_mindspore_cells import Slot, array

FORMATS = {".ckpt": "ckpt", ".safetensors": "safetensors"}
_OF_TRAINING = {
    "beta1_power", "beta2_power", "current_iterator_step", "epoch_num", "global_step",
    "learning_rate", "last_overflow_iterator_step", "loss_scale", "scale_sense", "step_num",
}  # fmt: skip
"""What a checkpoint written in training holds beside parameters and an optimizer's moments."""


def load(path: str, slots: Mapping[str, Slot]) -> dict[str, Array]:
    """Return the values of a file by tensor.

    The file names tensors as MindSpore saves them or by attribute path.  SessionError when it lacks
    a parameter, or holds what is neither the model's nor an optimizer's.
    """
    held = _read(path)
    values: dict[str, Array] = {}
    used: set[str] = set()
    for slot in slots.values():
        name = next((n for n in (slot.saved, slot.name) if n and n in held), None)
        if name is not None:
            used.add(name)
            values[slot.name] = array(held[name])
    missing = [slot.name for slot in slots.values() if slot.saved and slot.name not in values]
    if missing:
        raise SessionError("Checkpoint", f"{path} has no {_some(missing)}")
    known = {name for slot in slots.values() for name in (slot.saved, slot.name) if name}
    extra = [name for name in held if name not in used and not _of_training(name, known)]
    if extra:
        raise SessionError("Checkpoint", f"{path} has {_some(extra)}, which the model lacks")
    shapes = [
        f"{name} {value.shape} for {slots[name].shape}"
        for name, value in values.items()
        if value.shape != slots[name].shape
    ]
    if shapes:
        words = f"{path} does not fit the model: it has other shapes: {_some(shapes)}"
        raise SessionError("Checkpoint", words)
    return values


def save(path: str, model: Any, slots: Mapping[str, Slot]) -> None:
    """Write parameters under the names that MindSpore gives them.

    SessionError for what MindSpore would leave out in silence: parameters that share a name, and
    those without elements.  Buffers are no part of its checkpoints.
    """
    kind = _format(path)
    counts = Counter(s.saved for s in slots.values() if s.saved and s.name == s.first)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise SessionError("Checkpoint", f"several parameters are named {_some(twice)}")
    if empty := [slot.name for slot in slots.values() if slot.saved and 0 in slot.shape]:
        words = f"MindSpore saves no tensor without elements: {_some(empty)}"
        raise SessionError("Checkpoint", words)
    ms.save_checkpoint(model, path, format=kind)


def _read(path: str) -> Mapping[str, Any]:
    kind = _format(path)
    if not Path(path).is_file():
        raise SessionError("Checkpoint", f"{path}: no such file")
    try:
        held: Mapping[str, Any] = ms.load_checkpoint(path, format=kind)
    except Exception as error:
        words = str(error).strip().partition("\n")[0]
        words = f"{path} is no checkpoint that MindSpore can read: {words}"
        raise SessionError("Checkpoint", words) from None
    return held


def _format(path: str) -> str:
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise SessionError("Checkpoint", f"{path}: MindSpore knows {' and '.join(FORMATS)}")
    return FORMATS[suffix]


def _of_training(name: str, known: set[str]) -> bool:
    head, _, rest = name.partition(".")
    return name in _OF_TRAINING or (bool(head) and rest in known)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
