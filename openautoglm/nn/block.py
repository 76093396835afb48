"""Blocks: a feed-forward with a skip, and the lightweight transformer block made of attention and feed-forward."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Residual(nn.Module):
    """``x + branch(x)``.

    Args:
        branch: built part that keeps the shape.
    """

    def __init__(self, *, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """``(b, c, h, w)`` to the same shape."""
        return x + self.branch(x)


class TransformerBlock(nn.Module):
    """Attention, then feed-forward, each with a skip (arXiv 1706.03762, with BatchNorm inside the branches).

    Args:
        attention: built part, ``(b, d, h, w)`` to the same shape.
        feedforward: built part, likewise.
    """

    def __init__(self, *, attention: nn.Module, feedforward: nn.Module) -> None:
        super().__init__()
        self.attention = Residual(branch=attention)
        self.feedforward = Residual(branch=feedforward)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """``(b, d, h, w)`` to the same shape."""
        return self.feedforward(self.attention(x))
