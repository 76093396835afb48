"""Rounding to INT8 grids inside a training graph: with a given scale, or with the scale of the weight of the moment."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["FakeQuantize", "FakeQuantizeBase", "GridQuantize", "PictureQuantize", "WeightQuantize", "quiet_torch"]


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Hold back notes of torch and torchao that a user can do nothing about; errors still raise."""
    loggers = [logging.getLogger(name) for name in ("torch.utils._pytree", "torch.export", "torchao")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


with quiet_torch():
    from torchao.quantization.pt2e.fake_quantize import FakeQuantize, FakeQuantizeBase


_SMALLEST_SCALE = 2.0**-16


def channel_scales(weight: Tensor, *, axis: int, largest: int) -> Tensor:
    """Steps of a symmetric grid for each channel along an axis: max |w| over ``largest``."""
    others = [other for other in range(weight.dim()) if other != axis]
    return (weight.detach().abs().amax(others) / largest).clamp_min(_SMALLEST_SCALE)


class GridQuantize(FakeQuantizeBase):
    """Rounding to a grid whose scale is given, not observed.

    Args:
        learnt: torchao's quantiser to take the settings and, where there is one, the scale from.
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, learnt: FakeQuantize) -> None:
        super().__init__()
        observer = learnt.activation_post_process
        self.dtype = learnt.dtype
        self.qscheme = learnt.qscheme
        self.is_per_channel = learnt.is_per_channel
        self.ch_axis = learnt.ch_axis
        self.is_dynamic = False
        self.quant_min = int(observer.quant_min)
        self.quant_max = int(observer.quant_max)
        self.register_buffer("scale", learnt.scale.detach().clone())
        self.register_buffer("zero_point", learnt.zero_point.detach().clone())

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point, as conversion asks for them."""
        return self.scale.clone(), self.zero_point.clone()

    def forward(self, x: Tensor) -> Tensor:
        """Round to the grid; the gradient passes through."""
        if not self.fake_quant_enabled[0]:
            return x
        limits = (self.quant_min, self.quant_max)
        if self.is_per_channel:
            return torch.fake_quantize_per_channel_affine(x, self.scale, self.zero_point, self.ch_axis, *limits)
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, *limits)

    def integers(self, x: Tensor) -> Tensor:
        """``x`` on the grid, int8, rounded as the converted graph rounds it."""
        ops = torch.ops.quantized_decomposed
        limits = (self.quant_min, self.quant_max, torch.int8)
        x = x.detach()
        on_grid: Tensor
        if self.is_per_channel:
            on_grid = ops.quantize_per_channel(x, self.scale, self.zero_point, self.ch_axis, *limits)
        else:
            on_grid = ops.quantize_per_tensor(x, float(self.scale), int(self.zero_point), *limits)
        return on_grid

    def floats(self, integers: Tensor) -> Tensor:
        """Inverse of ``integers``."""
        ops = torch.ops.quantized_decomposed
        limits = (self.quant_min, self.quant_max, torch.int8)
        values: Tensor
        if self.is_per_channel:
            values = ops.dequantize_per_channel(integers, self.scale, self.zero_point, self.ch_axis, *limits)
        else:
            values = ops.dequantize_per_tensor(integers, float(self.scale), int(self.zero_point), *limits)
        return values


class WeightQuantize(GridQuantize):
    """Symmetric grid that follows a weight: scale = max |w| / 127, per channel.

    torchao's fused quantiser averages over steps, and gives channels without negative weights a zero point, which no
    runtime takes.
    """

    def __init__(self, learnt: FakeQuantize, num_channels: int) -> None:
        super().__init__(learnt)
        self.scale = torch.ones(num_channels)
        self.zero_point = torch.zeros(num_channels, dtype=torch.int32)

    def forward(self, x: Tensor) -> Tensor:
        """Observe, unless that is switched off, and round."""
        if self.observer_enabled[0]:
            self.measure(x)
        return super().forward(x)

    def measure(self, x: Tensor) -> None:
        """Take the scales from a weight."""
        self.scale.copy_(channel_scales(x, axis=self.ch_axis, largest=self.quant_max))


class PictureQuantize(GridQuantize):
    """The grid of a picture's bytes, RGB in [0, 1] in steps of 1/255, whatever the pictures of a training held.

    One picture that leaves [0, 1] by a rounding would otherwise widen the range, and no byte would lie on the grid.
    """

    def __init__(self, learnt: FakeQuantize) -> None:
        super().__init__(learnt)
        self.scale = torch.tensor([1 / (self.quant_max - self.quant_min)])
        self.zero_point = torch.tensor([self.quant_min], dtype=torch.int32)
