"""Depthwise-separable feed-forward: widen, look at the neighbours, narrow.

MobileNetV2's inverted residual (arXiv 1801.04381) and the locally enhanced feed-forward of CeiT (2103.11816) are the
same three layers; here they serve as both, with stride 2 where a stage begins.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


class DepthwiseFeedForward(nn.Module):
    """1x1 to ``hidden``, depthwise ``kernel`` x ``kernel``, 1x1 to ``dim_out``; 2·h·w·dim·hidden MACs in the main.

    Args:
        dim_in: channels in.
        dim_out: channels out.
        hidden: channels between.
        kernel: side of the depthwise kernel, odd.
        stride: 1 or 2, of the depthwise convolution.
    """

    def __init__(self, *, dim_in: int, dim_out: int, hidden: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.widen = ConvNorm(dim_in=dim_in, dim_out=hidden)
        self.local = ConvNorm(dim_in=hidden, dim_out=hidden, kernel=kernel, stride=stride, groups=hidden)
        self.narrow = ConvNorm(dim_in=hidden, dim_out=dim_out, act=False)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h2 w2"]:
        """``(b, dim_in, h, w)`` to ``(b, dim_out, h / stride, w / stride)``; the caller adds the skip."""
        return self.narrow(self.local(self.widen(x)))
