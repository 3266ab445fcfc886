"""Values that make mistakes of a port visible.

With default initialisation norm scales are 1, biases and running means 0: a tensor that was not
loaded, or loaded in another's place, changes nothing.  Deep networks without trained weights also
let signals die (the logits of mobilenet_v2 are 1e-9) or explode.  So

- norm scales are drawn from U(0.5, 1.5), biases from N(0, 0.2), and so is what is constant;
- running statistics are those of a real batch, moved a little, so that the same batch moves them
  again in training;
- weights keep what they were drawn as, but for a factor for each layer, found in the order of
  execution: its output, without its bias, gets root mean square 1 (of what varies between inputs
  at least 0.1); and where a projection's output is mostly the same for all inputs, its bias takes
  that away.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from conformance.worker.port_calls import flatten

SCALES, SPREAD = (0.5, 1.5), 0.2
SIGNAL, MOST = 0.1, 10.0
"""Least root mean square of what varies between inputs, unless the whole would exceed `MOST`."""
BEHIND_TANH = 3.0
"""By how much a stacked recurrent layer amplifies what the one before it returns."""
MOVED = 0.2
"""By how much at most, in standard deviations and variances."""
LEAST_VARIANCE = 0.01
"""Of the layer's mean: a channel that is dead in one batch must not be divided by nothing."""

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)
_LINEAR = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)


def calibrate(model: Any, forward: Callable[[bool], Any], seed: int) -> None:
    """Change the values of `model`; `forward(training)` runs it on a batch, without randomness."""
    with torch.no_grad():
        _Draws(model, seed).draw()
        with _running_statistics(model, seed), _scaling(model):
            forward(True)
            forward(False)  # what runs in evaluation only


class _Draws:
    """Draws for tensors, in the order of their definition."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model = model
        self.generator = torch.Generator().manual_seed(seed)
        self.owners = owners(model)

    def draw(self) -> None:
        seen: set[int] = set()
        for module in self.model.modules():
            for name, tensor in [*module._parameters.items(), *module._buffers.items()]:
                if tensor is None or id(tensor) in seen or not tensor.is_floating_point():
                    continue
                seen.add(id(tensor))
                if isinstance(tensor, nn.Parameter):
                    self._parameter(module, name, tensor)
                elif is_norm(module):
                    self._statistic(name, tensor)

    def _parameter(self, module: Any, name: str, tensor: Any) -> None:
        constant = bool(tensor.min() == tensor.max()) if tensor.numel() else False
        if "bias" in name or name == "beta":
            self._normal(tensor, SPREAD)
        elif is_norm(module):
            self._uniform(tensor)
        elif isinstance(module, _EMBEDDINGS):
            self._embedding(tensor, constant)
        elif isinstance(module, (*_RECURRENT, nn.MultiheadAttention)) and tensor.dim() > 1:
            stacked = re.search(r"weight_ih_l[1-9]", name)
            gain = BEHIND_TANH if stacked else 1.0
            self._sized(tensor, gain / math.sqrt(_fan(tensor)), constant)
        elif isinstance(module, nn.PReLU):
            tensor.mul_(self._between(tensor))
        elif name == "weight" and tensor.dim() > 1 and (constant or isinstance(module, _LINEAR)):
            # `_scaling` finds better, but for weights that a model uses past their layer.
            self._sized(tensor, 1 / math.sqrt(_fan(tensor)), constant)
        elif constant and not tensor.any():
            self._normal(tensor, SPREAD)
        elif constant and tensor.numel() > 1:
            self._uniform(tensor)

    def _embedding(self, tensor: Any, constant: bool) -> None:
        """Rows of size 1 in each element; shared with a projection, of size 1 altogether."""
        tied = self.owners[id(tensor)] > 1
        self._sized(tensor, 1 / math.sqrt(tensor.shape[-1]) if tied else 1.0, constant)

    def _statistic(self, name: str, tensor: Any) -> None:
        """A norm's buffers, for those that no batch reaches."""
        if name in ("weight", "running_var", "gamma"):
            self._uniform(tensor)
        elif name in ("bias", "running_mean", "beta"):
            self._normal(tensor, SPREAD)

    def _sized(self, tensor: Any, size: float, constant: bool) -> None:
        if constant:
            self._normal(tensor, size)
        else:
            tensor.mul_(size / rms(tensor))

    def _normal(self, tensor: Any, spread: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=self.generator) * spread)

    def _uniform(self, tensor: Any) -> None:
        tensor.copy_(self._between(tensor))

    def _between(self, tensor: Any) -> Any:
        low, high = SCALES
        draw = low + (high - low) * torch.rand(tensor.shape, generator=self.generator)
        return draw.to(tensor.device)


@contextmanager
def _running_statistics(model: Any, seed: int) -> Iterator[None]:
    """Within, a forward pass in training leaves its batch's statistics as the running ones.

    They end up `MOVED` off: where all batches are one, as from a file, nothing else would tell
    what a layer makes of its momentum.
    """
    generator = torch.Generator().manual_seed(seed)
    norms = [m for m in model.modules() if isinstance(m, _NORMS[0]) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            variance = norm.running_var
            variance.clamp_(min=LEAST_VARIANCE * float(variance.mean()))
            draws = MOVED * (2 * torch.rand((2, *variance.shape), generator=generator) - 1)
            norm.running_mean.add_(draws[0].to(variance) * variance.sqrt())
            variance.mul_(1 + draws[1].to(variance))


@contextmanager
def _scaling(model: Any) -> Iterator[None]:
    """Within, a weight is scaled at its layer's first call."""
    shared = owners(model)
    done: set[int] = set()

    def after(module: Any, args: Any, kwargs: Any, _: Any) -> Any:
        if isinstance(module, _RECURRENT) and id(module) not in done:
            done.add(id(module))
            return _recurrent(module, args, kwargs)
        weight = scalable(module)
        if weight is None or id(weight) in done:
            return None
        done.add(id(weight))
        tied = shared[id(weight)] > 1 and any(
            weight is m._parameters.get("weight") for m in embeddings
        )
        return None if tied else _scaled(module, weight, args, kwargs)

    embeddings = [m for m in model.modules() if isinstance(m, _EMBEDDINGS)]
    handles = [m.register_forward_hook(after, with_kwargs=True) for m in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def scalable(module: Any) -> Any:
    """Return the parameter that the output of `module`, but for its bias, is proportional to.

    None when it has none.
    """
    if isinstance(module, nn.MultiheadAttention):
        return module.out_proj.weight
    parametrized = getattr(module, "parametrizations", {})
    if "weight" in parametrized:
        return getattr(parametrized["weight"], "original0", None)  # the norm, of weight_norm
    if (norm := module._parameters.get("weight_g")) is not None:
        return norm
    if is_norm(module) or isinstance(module, (*_EMBEDDINGS, *_RECURRENT)) or any(module.children()):
        return None
    own = {n: p for n, p in module._parameters.items() if p is not None and p.dim() > 1}
    return own.get("weight", next(iter(own.values())) if len(own) == 1 else None)


def _scaled(module: Any, weight: Any, args: Any, kwargs: Any) -> Any:
    """Scale `weight`, where the output follows, and return the module's new output."""
    bias = _bias(module)
    drawn = None if bias is None else bias.clone()
    if bias is not None:
        bias.zero_()
    pure = _call(module, args, kwargs)
    middle = _middle(module, pure) if bias is not None else None
    size, factor = _factor(pure if middle is None else pure - middle)
    before = weight.clone()
    weight.mul_(factor)
    if not isinstance(module, _LINEAR):
        after, _ = _factor(_call(module, args, kwargs))
        if not 0.5 < after / (size * factor or 1.0) < 2:
            weight.copy_(before)
    if bias is not None:
        bias.copy_(drawn if middle is None else drawn - factor * middle.reshape(bias.shape))
    return module.forward(*args, **kwargs)


def _middle(module: Any, output: Any) -> Any:
    """Return a projection's mean for each feature where it outweighs all that varies, else None.

    What is the same for all inputs otherwise grows from layer to layer behind rectifiers: in a
    transformer that normalises behind its sums less than a hundredth varies after twenty.
    """
    if not isinstance(module, nn.Linear | nn.MultiheadAttention):
        return None
    mean = output.mean(list(range(output.dim() - 1)), keepdim=True)
    return mean if output.dim() > 1 and rms(mean) > rms(output - mean) else None


def _recurrent(module: Any, args: Any, kwargs: Any) -> Any:
    """Scale the weights that meet the input, for an input of another size than 1."""
    size = rms(args[0]) if args and torch.is_tensor(args[0]) else 0.0
    if math.isfinite(size) and size > 0:
        for name, weight in module._parameters.items():
            if re.fullmatch(r"weight_ih(_l0(_reverse)?)?", name):
                weight.div_(size)
    return module.forward(*args, **kwargs)


def _bias(module: Any) -> Any:
    owner = module.out_proj if isinstance(module, nn.MultiheadAttention) else module
    return owner._parameters.get("bias")


def _call(module: Any, args: Any, kwargs: Any) -> Any:
    returned = flatten(module.forward(*args, **kwargs), torch.is_tensor)
    return next((t for t in returned if t.is_floating_point()), None)


def _factor(output: Any) -> tuple[float, float]:
    """Return the root mean square of `output`, and what to multiply it by."""
    if output is None or not output.numel():
        return 0.0, 1.0
    size = rms(output)
    if not (math.isfinite(size) and size > 0):
        return size, 1.0
    batch = output.dim() > 0 and output.shape[0] > 1
    signal = rms(output - output.mean(0, keepdim=True)) if batch else size
    wanted = max(1 / size, SIGNAL / signal if signal > 0 else 0.0)
    return size, min(wanted, MOST / size)


def owners(model: Any) -> Counter[int]:
    """Count the modules that have a parameter of their own, by its id."""
    return Counter(id(p) for m in model.modules() for p in m._parameters.values() if p is not None)


def is_norm(module: Any) -> bool:
    """Tell whether a module normalises, by its class or its class's name."""
    return isinstance(module, _NORMS) or "norm" in type(module).__name__.lower()


def rms(tensor: Any) -> float:
    """Return the root mean square."""
    return float(tensor.double().square().mean().sqrt())


def _fan(tensor: Any) -> int:
    """Return how many inputs each output of a weight has."""
    return int(max(1, math.prod(tensor.shape[1:])))
