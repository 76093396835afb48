"""Block-sparse attention: a block of positions sees the blocks around it and a few far ones; no others are computed.

"Big Bird: Transformers for Longer Sequences", arXiv 2007.14062 (neighbouring blocks, and gathering the seen blocks so
that dense products remain), and "Generating Long Sequences with Sparse Transformers", 1904.10509 (far positions at
strides). What differs: blocks are squares of a map; the far blocks lie at strides where Big Bird draws them, so that
the program is fixed; at a border the neighbourhood moves inwards instead of shrinking, so every block sees equally
many, one product does them all, and no score is computed only to be masked. Blocks are gathered by slices and
concatenations, which run in INT8 where an index would leave the delegate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from openautoglm.nn.local_attention import Windows, check_sides, split_heads


@dataclass(frozen=True, kw_only=True)
class SparseBlocks:
    """A reach: time and memory grow with n · ((2 · radius + 1)² + num_far) · block².

    Which slices are taken depends on the map, so a traced graph holds for one size of the picture.

    Attributes:
        block: side of a block in positions.
        radius: blocks seen in each direction; 1 is the 3 x 3 blocks around.
        num_far: blocks seen beyond those, evenly spread over the rest of the map along its diagonal.
    """

    block: int
    radius: int = 1
    num_far: int = 1

    def __post_init__(self) -> None:
        if self.block < 1 or self.radius < 0 or self.num_far < 0:
            raise ValueError(
                "block must be at least 1, radius and num_far at least 0, "
                f"got block={self.block}, radius={self.radius}, num_far={self.num_far}"
            )

    @property
    def _near(self) -> int:
        """Side of the neighbourhood in blocks."""
        return 2 * self.radius + 1

    def seen_blocks(self, num_blocks: int) -> tuple[list[list[int]], list[list[int]]]:
        """Along one side of a map: the near and the far blocks that each of its ``num_blocks`` blocks sees.

        Each list holds, for one of the seen blocks, its number by the number of the block that sees it.
        """
        near = self._near
        spare = num_blocks - near
        if spare < self.num_far:
            raise ValueError(
                f"{num_blocks} blocks of {self.block} positions along a side are too few for a neighbourhood of {near} "
                f"and {self.num_far} far: use a larger map, smaller blocks, or attention over all positions"
            )
        first = [min(max(number - self.radius, 0), spare) for number in range(num_blocks)]
        strides = [near + (2 * far + 1) * spare // (2 * self.num_far) for far in range(self.num_far)]
        around = [[start + step for start in first] for step in range(near)]
        return around, [[(start + stride) % num_blocks for start in first] for stride in strides]

    def queries(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 n r"]:
        """``(b, heads * r, h, w)`` to ``(b * heads * blocks, block², r)``."""
        return Windows(window=self.block).queries(x, num_heads)

    def keys(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 r n2"]:
        """``(b, heads * r, h, w)`` to ``(b * heads * blocks, r, seen)``."""
        maps = split_heads(x, num_heads, self.block)
        blocks = rearrange(maps, "b r (i p) (j q) -> b i j r (p q)", p=self.block, q=self.block)
        return rearrange(self._gather(blocks, axis=4), "b i j r n -> (b i j) r n")

    def values(self, x: Float[Tensor, "b c2 h w"], num_heads: int) -> Float[Tensor, "b2 n2 r2"]:
        """``(b, heads * r2, h, w)`` to ``(b * heads * blocks, seen, r2)``."""
        maps = split_heads(x, num_heads, self.block)
        blocks = rearrange(maps, "b v (i p) (j q) -> b i j (p q) v", p=self.block, q=self.block)
        return rearrange(self._gather(blocks, axis=3), "b i j n v -> (b i j) n v")

    def join(
        self, tokens: Float[Tensor, "b2 n r2"], like: Float[Tensor, "b d h w"], num_heads: int
    ) -> Float[Tensor, "b c2 h w"]:
        """``(b * heads * blocks, block², r2)`` to ``(b, heads * r2, h, w)``."""
        return Windows(window=self.block).join(tokens, like, num_heads)

    def num_seen(self, height: int, width: int) -> int:
        """Those of the seen blocks, whatever the size of the map."""
        check_sides(height, width, self.block)
        for side in (height, width):
            self.seen_blocks(side // self.block)
        return (self._near**2 + self.num_far) * self.block**2

    def _gather(self, blocks: Float[Tensor, "b i j _ _"], *, axis: int) -> Float[Tensor, "b i j _ _"]:
        """Line up, along ``axis``, the tokens of the blocks that each of ``i`` x ``j`` blocks sees."""
        rows, far_rows = self.seen_blocks(blocks.shape[1])
        columns, far_columns = self.seen_blocks(blocks.shape[2])
        beside = _concatenate([_take(blocks, 1, numbers) for numbers in rows], axis)
        around = [_take(beside, 2, numbers) for numbers in columns]
        far = [_take(_take(blocks, 1, i), 2, j) for i, j in zip(far_rows, far_columns, strict=True)]
        return _concatenate([*around, *far], axis)


def _take(blocks: Float[Tensor, "b i j _ _"], axis: int, numbers: Sequence[int]) -> Float[Tensor, "b i j _ _"]:
    """``index_select`` by slices, one for each run of consecutive numbers."""
    starts = [at for at, number in enumerate(numbers) if at == 0 or number != numbers[at - 1] + 1]
    ends = [*starts[1:], len(numbers)]
    before = (slice(None),) * axis
    runs = [slice(numbers[start], numbers[end - 1] + 1) for start, end in zip(starts, ends, strict=True)]
    return _concatenate([blocks[(*before, run)] for run in runs], axis)


def _concatenate(parts: list[Tensor], axis: int) -> Tensor:
    """``torch.cat`` of two or more: a runtime has no kernel for one."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=axis)
