"""Low-rank projections: one large matrix as the product of two thin ones.

``W ≈ B A`` with ``A ∈ R^{r×d_in}``, ``B ∈ R^{d_out×r}`` costs r (d_in + d_out) instead of d_in · d_out. A net is built
with ``LowRankProjection`` ("Speeding up Convolutional Neural Networks with Low Rank Expansions", arXiv 1405.3866, for
1x1 kernels), or a trained layer is taken apart by ``factorize``, the truncated singular value decomposition of
"Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation", 1404.0736: no two layers of rank r
come closer in the Frobenius norm (Eckart and Young, 1936).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


class LowRankProjection(nn.Module):
    """Stands in for a 1x1 ``ConvNorm``: to ``rank`` channels and on to ``dim_out``, each with BatchNorm.

    Args:
        dim_in: channels in.
        dim_out: channels out.
        rank: channels between, fewer than either.
        act: whether a ReLU follows; none stands between, where it would break the product.
    """

    def __init__(self, *, dim_in: int, dim_out: int, rank: int, act: bool = True) -> None:
        super().__init__()
        if not 1 <= rank < min(dim_in, dim_out):
            raise ValueError(
                f"rank must be at least 1 and less than both widths, got rank={rank} between "
                f"dim_in={dim_in} and dim_out={dim_out}"
            )
        self.reduce = ConvNorm(dim_in=dim_in, dim_out=rank, act=False)
        self.expand = ConvNorm(dim_in=rank, dim_out=dim_out, act=act)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2 h w"]:
        """``(b, dim_in, h, w)`` to ``(b, dim_out, h, w)``."""
        return self.expand(self.reduce(x))


def factorize(linear: nn.Linear | nn.Conv2d, rank: int) -> nn.Sequential:
    """Two layers whose product is the best approximation of rank ``rank`` to a trained one.

    With ``W = U S Vᵀ`` they hold ``sqrt(S) Vᵀ`` and ``U sqrt(S)``, cut to ``rank``: equally large, so that both fit an
    INT8 grid equally well. The error ``‖W − B A‖`` is the root of the sum of the squared singular values left out.

    Args:
        linear: not changed; of convolutions those of 1x1 without groups or padding. A stride goes to the first layer.
        rank: 1 to the smaller width; below ``d_in d_out / (d_in + d_out)`` it saves work.

    Raises:
        ValueError: another convolution, or a rank that does not fit.
    """
    weight = linear.weight.detach().flatten(1)
    if isinstance(linear, nn.Conv2d):
        _check_pointwise(linear)
    if not 1 <= rank <= min(weight.shape):
        raise ValueError(f"rank must be 1 to {min(weight.shape)} for a weight of {tuple(weight.shape)}, got {rank}")
    left, singular, right = torch.linalg.svd(weight.double(), full_matrices=False)
    root = singular[:rank].sqrt()
    first, second = _empty_pair(linear, rank)
    with torch.no_grad():
        first.weight.copy_((root[:, None] * right[:rank]).reshape(first.weight.shape))
        second.weight.copy_((left[:, :rank] * root).reshape(second.weight.shape))
        if linear.bias is not None and second.bias is not None:
            second.bias.copy_(linear.bias)
    return nn.Sequential(first, second).train(linear.training)


def _check_pointwise(conv: nn.Conv2d) -> None:
    if conv.kernel_size != (1, 1) or conv.groups != 1 or conv.padding not in ((0, 0), "valid"):
        raise ValueError(
            f"only a 1x1 convolution without groups and padding is a matrix, got kernel {conv.kernel_size}, "
            f"groups {conv.groups}, padding {conv.padding}: leave this layer as it is"
        )


def _empty_pair(linear: nn.Linear | nn.Conv2d, rank: int) -> tuple[nn.Linear, nn.Linear] | tuple[nn.Conv2d, nn.Conv2d]:
    """Layers of the same kind, device and dtype; the second alone has a bias, if there was one."""
    kind: dict[str, Any] = {"device": linear.weight.device, "dtype": linear.weight.dtype}
    has_bias = linear.bias is not None
    if isinstance(linear, nn.Conv2d):
        return (
            nn.Conv2d(linear.in_channels, rank, 1, (linear.stride[0], linear.stride[1]), bias=False, **kind),
            nn.Conv2d(rank, linear.out_channels, 1, bias=has_bias, **kind),
        )
    return (
        nn.Linear(linear.in_features, rank, bias=False, **kind),
        nn.Linear(rank, linear.out_features, bias=has_bias, **kind),
    )
