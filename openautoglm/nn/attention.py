"""Low-rank attention for the few tokens of a late feature map.

Queries and keys live in a space of rank r much smaller than the token width: ``softmax(Q Kᵀ / sqrt(r)) V`` with
``Q, K ∈ R^{n×r}``, ``V ∈ R^{n×d}`` (the bottleneck of LeViT, arXiv 2104.01136, read with the low-rank argument of
Linformer, 2006.04768, on the width instead of the length). What differs: projections are 1x1 convolutions with
BatchNorm, which fold away and run in INT8; the products are ``torch.bmm`` on 3-D tensors, which keeps a mobile
program in one delegate; no position is encoded here, the depthwise convolution of the feed-forward does that.
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


class LowRankAttention(nn.Module):
    """Multi-head attention over all positions of a map; O(n²(r + d)) per head in time, one n x n map in memory.

    Args:
        dim: channels in and out, a multiple of ``num_heads``.
        num_heads: heads.
        rank: width r of a query and a key, per head.
    """

    def __init__(self, *, dim: int, num_heads: int = 4, rank: int = 16) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim must be a multiple of num_heads, got dim={dim} and num_heads={num_heads}")
        self.num_heads, self.rank = num_heads, rank
        self.query = ConvNorm(dim_in=dim, dim_out=num_heads * rank, act=False)
        self.key = ConvNorm(dim_in=dim, dim_out=num_heads * rank, act=False)
        self.value = ConvNorm(dim_in=dim, dim_out=dim, act=False)
        self.out = ConvNorm(dim_in=dim, dim_out=dim, act=False)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """``(b, d, h, w)`` to the same shape; the caller adds the skip."""
        height, heads = x.shape[2], self.num_heads
        query = rearrange(self.query(x), "b (m r) h w -> (b m) (h w) r", m=heads)
        key = rearrange(self.key(x), "b (m r) h w -> (b m) r (h w)", m=heads)
        value = rearrange(self.value(x), "b (m v) h w -> (b m) (h w) v", m=heads)
        attention = torch.bmm(query, key * self.rank**-0.5).softmax(dim=-1)
        mixed = torch.bmm(attention, value)
        return self.out(rearrange(mixed, "(b m) (h w) v -> b (m v) h w", m=heads, h=height))
