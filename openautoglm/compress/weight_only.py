"""Weights alone in few bits, computing in float: INT8, or INT4 in groups.

Group-wise symmetric rounding, ``w ≈ s_g · q`` with ``s_g = max |w_g| / (2^(bits - 1) - 1)`` and one scale for every
``group_size`` inputs of an output (the storage of GPTQ, arXiv 2210.17323, and of GGUF, without their search for better
integers). Four bits are for linear layers and for 1x1 convolutions, which are linear layers over positions; larger
kernels, which hold few of the weights, then take eight.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from openautoglm.compress.spec import check_spec, new_spec

SCHEME = "weights"
_SCALE = ".scale"
_HALF_MIN = 2.0**-14  # smallest normal number in float16: scales are stored so


def round_weights(model: nn.Module, *, bits: int, group_size: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors for safetensors and plain data for ``quantization.json``.

    Args:
        model: float model; not changed.
        bits: 4 or 8.
        group_size: inputs that share a scale.

    Raises:
        ValueError: there is no layer that can be rounded so.
    """
    if bits not in (4, 8):
        raise ValueError(f"bits must be 4 or 8, got {bits}")
    if group_size < 1:
        raise ValueError(f"group_size must be at least 1, got {group_size}")
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    weights: dict[str, dict[str, Any]] = {}
    for name, layer in _layers(model):
        weight = layer.weight.detach().cpu()
        layer_bits = bits if _is_linear(layer) else 8
        integers, scale = _to_integers(weight.flatten(1).float(), layer_bits, group_size)
        key = f"{name}.weight" if name else "weight"
        tensors[key] = _pack(integers) if layer_bits == 4 else integers
        tensors[key + _SCALE] = scale
        weights[key] = {"bits": layer_bits, "group_size": group_size, "shape": list(weight.shape)}
    if bits not in (how["bits"] for how in weights.values()):
        raise ValueError(
            f"this model has no layer for int{bits} weights: int4 takes linear layers and 1x1 convolutions, int8 all "
            "convolutions too"
        )
    return tensors, new_spec(SCHEME, weights=weights)


def load_rounded(model: nn.Module, tensors: dict[str, Tensor], spec: dict[str, Any]) -> nn.Module:
    """A copy of a float model with the weights that the integers stand for, in evaluation mode.

    Args:
        model: of the same architecture; its weights are not used.
        tensors: of ``round_weights``.
        spec: of ``round_weights``.

    Raises:
        ValueError: they do not belong together.
    """
    check_spec(spec, SCHEME)
    state = dict(tensors)
    for name, how in spec["weights"].items():
        if name not in state or name + _SCALE not in state:
            raise ValueError(f"these quantised weights are not whole: no tensor {name} or {name}{_SCALE}")
        integers, scale = state[name], state.pop(name + _SCALE)
        num_inputs = int(torch.Size(how["shape"][1:]).numel())
        if how["bits"] == 4:
            integers = _unpack(integers, num_inputs)
        state[name] = _to_floats(integers, scale, how["group_size"]).reshape(how["shape"])
    loaded = copy.deepcopy(model)
    try:
        loaded.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"these quantised weights do not belong to this model: {error}") from error
    return loaded.eval()


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    """Linear layers and convolutions, by name."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield name, module


def _is_linear(layer: nn.Linear | nn.Conv2d) -> bool:
    return isinstance(layer, nn.Linear) or (layer.kernel_size == (1, 1) and layer.groups == 1)


def _to_integers(weight: Tensor, bits: int, group_size: int) -> tuple[Tensor, Tensor]:
    """``(out, in)`` to int8 of the same shape and float16 scales ``(out, groups)``."""
    largest = 2 ** (bits - 1) - 1
    groups = _grouped(weight, group_size)
    scale = (groups.abs().amax(2) / largest).clamp_min(_HALF_MIN).half()
    rounded = (groups / scale.float()[:, :, None]).round().clamp(-largest, largest).to(torch.int8)
    return rounded.flatten(1)[:, : weight.shape[1]].contiguous(), scale


def _to_floats(integers: Tensor, scale: Tensor, group_size: int) -> Tensor:
    groups = _grouped(integers.float(), group_size) * scale.float()[:, :, None]
    return groups.flatten(1)[:, : integers.shape[1]]


def _grouped(weight: Tensor, group_size: int) -> Tensor:
    """``(out, in)`` to ``(out, groups, group_size)``, the last group filled up with zeros."""
    short = -weight.shape[1] % group_size
    return rearrange(F.pad(weight, (0, short)), "o (g n) -> o g n", n=group_size)


def _pack(integers: Tensor) -> Tensor:
    """Two integers of -8 to 7 a byte, the first in the low half."""
    pairs = F.pad(integers, (0, integers.shape[1] % 2)).to(torch.uint8) & 0xF
    return pairs[:, 0::2] | (pairs[:, 1::2] << 4)


def _unpack(packed: Tensor, num_inputs: int) -> Tensor:
    halves = torch.stack([packed & 0xF, packed >> 4], dim=2).flatten(1)[:, :num_inputs].to(torch.int8)
    return torch.where(halves > 7, halves - 16, halves)
