"""Convolution, BatchNorm and ReLU: the one shape that every mobile runtime fuses into a single INT8 kernel.

ReLU, not ReLU6 or hard-swish: the quantizer puts an extra rounding between a convolution and a clamp, none before ReLU.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution, BatchNorm and, unless ``act`` is off, ReLU; the size shrinks by ``stride``.

    Args:
        dim_in: channels in.
        dim_out: channels out.
        kernel: side of the kernel, odd.
        stride: 1 or 2.
        groups: groups of the convolution; ``dim_in`` makes it depthwise.
        act: whether a ReLU follows.
    """

    def __init__(
        self, *, dim_in: int, dim_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        conv = nn.Conv2d(dim_in, dim_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        super().__init__(conv, nn.BatchNorm2d(dim_out), *([nn.ReLU(inplace=True)] if act else []))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """``(b, dim_in, h, w)`` to ``(b, dim_out, h / stride, w / stride)``."""
        for module in self:
            x = module(x)
        return x
