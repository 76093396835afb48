"""Block-sparse attention: equal to dense attention under its mask, at a cost that follows the seen blocks."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from openautoglm.nn import LowRankAttention, SparseBlocks, Windows


def sees(asking: int, seen: int, num_blocks: int, radius: int) -> bool:
    """Whether a block lies in the neighbourhood, which is moved inwards at a border."""
    first = asking - radius
    while first < 0:
        first += 1
    while first + 2 * radius >= num_blocks:
        first -= 1
    return first <= seen <= first + 2 * radius


def position_mask(reach: SparseBlocks, height: int, width: int, far: set[tuple[int, int]]) -> Tensor:
    """``(n, n)``: whether a position sees another, from the definition; ``far`` are pairs of blocks, row by row."""
    rows, columns, side = height // reach.block, width // reach.block, reach.block
    mask = torch.zeros(height, width, height, width, dtype=torch.bool)
    for a, b, c, d in product(range(height), range(width), range(height), range(width)):
        asking, seen = (a // side, b // side), (c // side, d // side)
        near = sees(asking[0], seen[0], rows, reach.radius) and sees(asking[1], seen[1], columns, reach.radius)
        mask[a, b, c, d] = near or (asking[0] * columns + asking[1], seen[0] * columns + seen[1]) in far
    return mask.reshape(height * width, height * width)


def dense(attention: LowRankAttention, x: Tensor, mask: Tensor) -> Tensor:
    """The same projections with all scores, those outside the mask at minus infinity."""
    b, _, h, w = x.shape
    heads = attention.num_heads

    def tokens(projection: nn.Module) -> Tensor:
        return projection(x).reshape(b, heads, -1, h * w).transpose(2, 3)

    query, key, value = tokens(attention.query), tokens(attention.key), tokens(attention.value)
    scores = (query @ key.transpose(2, 3) / math.sqrt(attention.rank)).masked_fill(~mask, -math.inf)
    return attention.out((scores.softmax(-1) @ value).transpose(2, 3).reshape(b, -1, h, w))


def far_pairs(reach: SparseBlocks, rows: int, columns: int) -> set[tuple[int, int]]:
    _, down = reach.seen_blocks(rows)
    _, across = reach.seen_blocks(columns)
    return {
        (i * columns + j, to_row[i] * columns + to_column[j])
        for to_row, to_column in zip(down, across, strict=True)
        for i, j in product(range(rows), range(columns))
    }


@pytest.mark.parametrize(
    ("reach", "height", "width"),
    [
        (SparseBlocks(block=1, radius=1, num_far=1), 4, 4),
        (SparseBlocks(block=2, radius=1, num_far=1), 8, 12),
        (SparseBlocks(block=2, radius=1, num_far=2), 10, 10),
        (SparseBlocks(block=1, radius=2, num_far=0), 5, 7),
        (SparseBlocks(block=3, radius=0, num_far=2), 9, 9),
        (SparseBlocks(block=2, radius=0, num_far=0), 4, 4),
    ],
    ids=str,
)
def test_equals_dense_attention_under_the_mask(reach, height, width):
    part = LowRankAttention(dim=6, num_heads=2, rank=3, reach=reach).eval()
    rows, columns = height // reach.block, width // reach.block
    mask = position_mask(reach, height, width, far_pairs(reach, rows, columns))
    assert (mask.sum(dim=1) == reach.num_seen(height, width)).all()  # no block is seen twice
    x = 2 * torch.randn(2, 6, height, width)
    assert torch.allclose(part(x), dense(part, x, mask), atol=1e-5)


def test_far_blocks_are_outside_the_neighbourhood_and_spread():
    near, far = SparseBlocks(block=1, radius=1, num_far=2).seen_blocks(9)
    assert near == [[0, 0, 1, 2, 3, 4, 5, 6, 6], [1, 1, 2, 3, 4, 5, 6, 7, 7], [2, 2, 3, 4, 5, 6, 7, 8, 8]]
    assert far == [[4, 4, 5, 6, 7, 8, 0, 1, 1], [7, 7, 8, 0, 1, 2, 3, 4, 4]]


def test_four_positions_by_hand():
    part = LowRankAttention(dim=1, num_heads=1, rank=1, reach=SparseBlocks(block=1, radius=0, num_far=1)).eval()
    for projection in (part.query, part.key, part.value, part.out):
        nn.init.ones_(projection[0].weight)
        projection[1].eps = 0.0
    # Each position sees itself and the one across the diagonal.
    y = part(torch.tensor([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 1, 2, 2)).flatten()
    two_of_one = 1 + 1 / (1 + math.exp(-1))  # position 1 (value 1) and position 2 (value 2), scores 1 and 2
    two_of_two = 1 + 1 / (1 + math.exp(-2))
    three = 3 / (1 + math.exp(-9))
    assert torch.allclose(y, torch.tensor([1.5, two_of_one, two_of_two, three]), atol=1e-6)


def test_work_follows_the_seen_blocks_and_no_large_matrix_is_made():
    macs = {}
    for side in (12, 24):
        part = LowRankAttention(dim=8, num_heads=2, rank=4, reach=SparseBlocks(block=2)).eval()
        largest = []
        with FlopCounterMode(display=False) as counter, _Sizes(largest):
            part(torch.rand(1, 8, side, side))
        macs[side] = counter.get_flop_counts()["Global"][torch.ops.aten.bmm] // 2
        num_tokens = side * side
        assert macs[side] == num_tokens * 40 * 2 * (4 + 4)  # (3 · 3 + 1) · 2 · 2 = 40 seen, 2 heads, r + d / 2
        assert max(largest) < num_tokens**2
    assert macs[24] == 4 * macs[12]


class _Sizes(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the number of elements of every tensor made."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.sizes.append(out.numel())
        return out


def test_gradient_to_every_parameter_and_from_what_is_seen_alone():
    reach = SparseBlocks(block=2)
    part = LowRankAttention(dim=4, num_heads=2, rank=2, reach=reach)
    x = torch.randn(2, 4, 12, 12, requires_grad=True)
    part(x).square().sum().backward()
    assert all(parameter.grad is not None for parameter in part.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in part.parameters() if parameter.dim() == 4)
    x.grad = None
    part.eval()(x)[0, :, 5, 5].sum().backward()
    assert (x.grad[0].abs().sum(dim=0) > 0).sum() == 40


def test_without_neighbours_and_far_blocks_it_is_local_attention():
    sparse = LowRankAttention(dim=4, num_heads=2, rank=2, reach=SparseBlocks(block=2, radius=0, num_far=0)).eval()
    local = LowRankAttention(dim=4, num_heads=2, rank=2, reach=Windows(window=2)).eval()
    local.load_state_dict(sparse.state_dict())
    x = torch.randn(1, 4, 4, 6)
    assert torch.allclose(sparse(x), local(x), atol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match=r"3 blocks of 2 positions along a side are too few for a neighbourhood of 3"):
        LowRankAttention(dim=4, num_heads=1, rank=2, reach=SparseBlocks(block=2))(torch.rand(1, 4, 12, 6))
    with pytest.raises(ValueError, match="cannot be cut into squares of 2 x 2"):
        SparseBlocks(block=2).num_seen(9, 8)
    with pytest.raises(ValueError, match="got block=0, radius=1, num_far=1"):
        SparseBlocks(block=0)


def test_contract_refuses_another_shape():
    with pytest.raises(Exception, match="Float\\[Tensor"):
        SparseBlocks(block=1).keys(torch.rand(4, 4, 4), 2)
