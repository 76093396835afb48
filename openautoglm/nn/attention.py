"""Low-rank attention for the few tokens of a late feature map, and what decides which tokens meet.

Queries and keys live in a space of rank r much smaller than the token width: ``softmax(Q Kᵀ / sqrt(r)) V`` with
``Q, K ∈ R^{n×r}``, ``V ∈ R^{n×d}`` (the bottleneck of LeViT, arXiv 2104.01136, read with the low-rank argument of
Linformer, 2006.04768, on the width instead of the length). What differs: projections are 1x1 convolutions with
BatchNorm, which fold away and run in INT8; the products are ``torch.bmm`` on 3-D tensors, which keeps a mobile
program in one delegate; no position is encoded here, the depthwise convolution of the feed-forward does that.

The projections are the same whoever sees whom. A ``Reach`` says that: ``Everywhere`` here, ``Windows`` in
``local_attention``, ``SparseBlocks`` in ``block_sparse``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


@runtime_checkable
class Reach(Protocol):
    """Which positions of a map see which: cuts projected maps into groups of tokens that attend to each other.

    The channels of a map are ``num_heads`` heads side by side; a group, one row of ``b2``, belongs to one head.
    """

    def queries(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 n r"]:
        """The tokens of each group that ask."""
        ...

    def keys(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 r n2"]:
        """The tokens of each group that are seen, transposed."""
        ...

    def values(self, x: Float[Tensor, "b c2 h w"], num_heads: int) -> Float[Tensor, "b2 n2 r2"]:
        """What the seen tokens answer."""
        ...

    def join(
        self, tokens: Float[Tensor, "b2 n r2"], like: Float[Tensor, "b d h w"], num_heads: int
    ) -> Float[Tensor, "b c2 h w"]:
        """The asking tokens, mixed, as a map of the size of ``like``."""
        ...

    def num_seen(self, height: int, width: int) -> int:
        """Tokens that each token of a map sees."""
        ...


@dataclass(frozen=True)
class Everywhere:
    """Every position sees every position: time and memory grow with n²."""

    def queries(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 n r"]:
        """``(b, heads * r, h, w)`` to ``(b * heads, h * w, r)``."""
        return rearrange(x, "b (m r) h w -> (b m) (h w) r", m=num_heads)

    def keys(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 r n2"]:
        """``(b, heads * r, h, w)`` to ``(b * heads, r, h * w)``."""
        return rearrange(x, "b (m r) h w -> (b m) r (h w)", m=num_heads)

    def values(self, x: Float[Tensor, "b c2 h w"], num_heads: int) -> Float[Tensor, "b2 n2 r2"]:
        """``(b, heads * r2, h, w)`` to ``(b * heads, h * w, r2)``."""
        return self.queries(x, num_heads)

    def join(
        self, tokens: Float[Tensor, "b2 n r2"], like: Float[Tensor, "b d h w"], num_heads: int
    ) -> Float[Tensor, "b c2 h w"]:
        """``(b * heads, h * w, r2)`` to ``(b, heads * r2, h, w)``, as high as ``like``."""
        return rearrange(tokens, "(b m) (h w) v -> b (m v) h w", m=num_heads, h=like.shape[2])

    def num_seen(self, height: int, width: int) -> int:
        """All of them."""
        return height * width


def attend(
    query: Float[Tensor, "b n r"], key: Float[Tensor, "b r n2"], value: Float[Tensor, "b n2 r2"]
) -> Float[Tensor, "b n r2"]:
    """``softmax(Q Kᵀ / sqrt(r)) V`` in each group (eq. 1 of arXiv 1706.03762)."""
    return torch.bmm(torch.bmm(query, key * query.shape[2] ** -0.5).softmax(dim=-1), value)


class LowRankAttention(nn.Module):
    """Multi-head attention over a map; O(n d (r + d)) for the projections, O(n · seen · (r + d)) for the mixing.

    Args:
        dim: channels in and out, a multiple of ``num_heads`` unless ``value_dim`` is given.
        num_heads: heads.
        rank: width r of a query and a key, per head.
        value_dim: width of a value, per head; ``dim / num_heads`` unless given.
        reach: who sees whom; everyone unless given.
    """

    def __init__(
        self,
        *,
        dim: int,
        num_heads: int = 4,
        rank: int = 16,
        value_dim: int | None = None,
        reach: Reach | None = None,
    ) -> None:
        super().__init__()
        if value_dim is None and dim % num_heads:
            raise ValueError(f"dim must be a multiple of num_heads, got dim={dim} and num_heads={num_heads}")
        self.dim, self.num_heads, self.rank = dim, num_heads, rank
        self.value_dim = dim // num_heads if value_dim is None else value_dim
        self.reach = reach or Everywhere()
        self.query = ConvNorm(dim_in=dim, dim_out=num_heads * rank, act=False)
        self.key = ConvNorm(dim_in=dim, dim_out=num_heads * rank, act=False)
        self.value = ConvNorm(dim_in=dim, dim_out=num_heads * self.value_dim, act=False)
        self.out = ConvNorm(dim_in=num_heads * self.value_dim, dim_out=dim, act=False)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """``(b, d, h, w)`` to the same shape; the caller adds the skip."""
        # In this order, projection by projection: stored INT8 ranges are numbered by their place in the graph.
        query = self.reach.queries(self.query(x), self.num_heads)
        key = self.reach.keys(self.key(x), self.num_heads)
        value = self.reach.values(self.value(x), self.num_heads)
        return self.out(self.reach.join(attend(query, key, value), x, self.num_heads))
