"""The tensors of a PyTorch model: by name, from and to files, and put back after a run."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from conformance.worker.port_calls import Array
from conformance.worker.port_errors import SessionError

_NESTED = ("state_dict", "model_state_dict", "model", "module", "net", "network", "params")
"""Under which keys training scripts keep a state dict."""
_WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
_COUNTER = "num_batches_tracked"
SHOWN = 4


@dataclass(frozen=True)
class Slot:
    """A parameter or persistent buffer.  `first` is the first name of the same tensor."""

    tensor: Any
    layer: str
    trainable: bool
    first: str


def slots(model: Any) -> dict[str, Slot]:
    """Return all tensors of the state dict in the order of definition, by every name they have."""
    found: dict[str, Slot] = {}
    names: dict[int, str] = {}
    layers: dict[int, str] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        layer = layers.setdefault(id(module), path)
        for name, (_, tensor) in zip(own_names(path, module), own_tensors(module), strict=True):
            trainable = isinstance(tensor, torch.nn.Parameter) and tensor.requires_grad
            found[name] = Slot(tensor, layer, trainable, names.setdefault(id(tensor), name))
    return found


def own_tensors(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parameters and persistent buffers that belong to `module` itself."""
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield name, tensor
    for name, tensor in module._buffers.items():
        if tensor is not None and name not in module._non_persistent_buffers_set:
            yield name, tensor


def own_names(path: str, module: Any) -> tuple[str, ...]:
    """Return the full names of the tensors that belong to `module`, found at `path`."""
    return tuple(f"{path}.{name}" if path else name for name, _ in own_tensors(module))


def array(tensor: Any) -> Array:
    """Return a copy of a tensor's values; bfloat16 and float16 as float32."""
    dense = tensor.detach().cpu()
    if dense.layout != torch.strided:
        dense = dense.to_dense()
    if dense.is_quantized:
        dense = dense.dequantize()
    if dense.dtype in (torch.bfloat16, torch.float16):
        dense = dense.to(torch.float32)
    return np.array(dense.resolve_conj().resolve_neg().numpy(), copy=True, order="C")


def assign(model: Any, values: Mapping[str, Any]) -> None:
    """Set tensors by name.

    Raises SessionError for an unknown name, another shape, or two values for one tensor.
    """
    known = slots(model)
    given: dict[str, str] = {}
    for name, value in values.items():
        if name not in known:
            raise SessionError("Write", f"the model has no tensor {name!r}")
        slot = known[name]
        tensor = torch.as_tensor(value)
        if tuple(tensor.shape) != tuple(slot.tensor.shape):
            shapes = f"{tuple(slot.tensor.shape)}, not {tuple(tensor.shape)}"
            raise SessionError("Write", f"{name} has shape {shapes}")
        twin = given.setdefault(slot.first, name)
        if twin != name and not torch.equal(torch.as_tensor(values[twin]), tensor):
            raise SessionError("Write", f"{twin} and {name} are one tensor, given two values")
    with torch.no_grad():
        for name, value in values.items():
            known[name].tensor.copy_(torch.as_tensor(value))


@contextmanager
def kept(model: Any) -> Iterator[None]:
    """Put back every module's buffers and mode after a run."""
    modules = list(model.modules())
    modes = [module.training for module in modules]
    buffers = [
        (module, name, tensor, None if tensor is None else tensor.detach().clone())
        for module in modules
        for name, tensor in module._buffers.items()
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, tensor, value in buffers:
                module._buffers[name] = tensor
                if tensor is not None:
                    tensor.copy_(value)
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def save(model: Any, path: str) -> None:
    """Write the state dict, as safetensors or in PyTorch's own format by the suffix."""
    state = {name: slot.tensor.detach().cpu().clone() for name, slot in slots(model).items()}
    if path.endswith(".safetensors"):
        contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
        _safetensors().save_file(contiguous, path)
    elif path.endswith((".pt", ".pth")):
        torch.save(state, path)
    else:
        raise SessionError("Checkpoint", f"{path}: the suffix is not .pt, .pth or .safetensors")


def load(model: Any, path: str) -> dict[str, Any]:
    """Return what the checkpoint at `path` holds for `model`, by name.

    Raises SessionError when a tensor is missing, left over, or of another shape.
    """
    found = _unwrapped(_read(path), path)
    known = slots(model)
    passing = {n for m in model.modules() for n in m._non_persistent_buffers_set}
    covered = {known[name].first for name in found if name in known}
    lacking = [n for n, s in known.items() if s.first not in covered and not n.endswith(_COUNTER)]
    extra = [n for n in found if n not in known and n.rpartition(".")[2] not in passing]
    shapes = [
        f"{name} {tuple(value.shape)} for {tuple(known[name].tensor.shape)}"
        for name, value in found.items()
        if name in known and value.shape != known[name].tensor.shape
    ]
    problems = [("lacks", lacking), ("has no place for", extra), ("has other shapes:", shapes)]
    told = [f"{what} {_some(names)}" for what, names in problems if names]
    if told:
        raise SessionError("Checkpoint", f"{path} does not fit the model: it {'; '.join(told)}")
    return {name: value for name, value in found.items() if name in known}


def _read(path: str) -> Any:
    if not Path(path).is_file():
        raise SessionError("Checkpoint", f"{path}: no such file")
    try:
        if path.endswith(".safetensors"):
            return _safetensors().load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise SessionError(
            "Checkpoint",
            f"{path} holds more than tensors, which is not loaded; save model.state_dict()",
        ) from None
    except SessionError:
        raise
    except Exception as error:  # what a file that is none makes of a reader is anything
        line = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        words = f"{path} is no checkpoint that PyTorch can read ({line}); was it saved completely?"
        raise SessionError("Checkpoint", words) from None


def _unwrapped(found: Any, path: str) -> dict[str, Any]:
    """Return the state dict in what a file holds, under the model's own names."""
    while isinstance(found, Mapping) and not _tensors(found):
        inner = next((found[key] for key in _NESTED if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    if not isinstance(found, Mapping) or not _tensors(found):
        keys = ", ".join(map(str, list(found)[:SHOWN])) if isinstance(found, Mapping) else ""
        raise SessionError("Checkpoint", f"{path} holds no state dict, but {keys or type(found)}")
    state = {str(name): value for name, value in _tensors(found).items()}
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _tensors(found: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def _safetensors() -> Any:
    try:
        import safetensors.torch  # noqa: PLC0415
    except ImportError:
        raise SessionError("Checkpoint", "safetensors is not installed here") from None
    return safetensors.torch


def _some(names: list[str]) -> str:
    shown = ", ".join(re.sub(r"\s+", " ", name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
