"""Multi-scale fusion: feature maps of several resolutions become one, aligned bilinearly and weighted.

``entropy`` weights each scale, position by position, by its normalised local Shannon entropy:
``p = softmax(x)`` over the C channels, ``H = -Σ p log p / log C``, ``w_s = H_s / Σ_s H_s``. Beside it stand what it
is compared with: ``mean``, ``max``, ``concat`` (all scales side by side, mixed by a 1x1 convolution) and ``softmax``
(one learnt scalar a scale, the fast normalised fusion of BiFPN, arXiv 1911.09070, with its softmax kept).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from openautoglm.nn.conv import ConvNorm

FUSIONS = ("entropy", "entropy_width", "mean", "max", "concat", "softmax")
"""Ways to join scales; ``entropy_width`` takes the softmax of the entropy over the width."""
_SMALLEST = 1e-6  # a probability below it adds less than 2e-5 to the entropy, and its logarithm stays in INT8's reach


class LocalEntropy(nn.Module):
    """Normalised Shannon entropy of a map at each position, between 0 and 1.

    Stays in float under quantization: ``softmax`` and ``log`` have no integer kernels.

    Args:
        axis: ``"channels"``: p is the softmax over the channels. ``"width"``: over the width, which mixes positions;
            kept for comparison.
    """

    def __init__(self, *, axis: str = "channels") -> None:
        super().__init__()
        if axis not in ("channels", "width"):
            raise ValueError(f"axis must be 'channels' or 'width', got {axis!r}")
        self.axis = axis

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
        """``(b, c, h, w)`` to ``(b, 1, h, w)``."""
        if self.axis == "width":
            probability = x.softmax(dim=-1)
            plogp = probability * probability.clamp(min=_SMALLEST).log()
            # over the width, then the same at each of its positions and for the mean of the channels
            entropy = -plogp.sum(dim=-1, keepdim=True).mean(dim=1, keepdim=True) / math.log(max(2, x.shape[-1]))
            return entropy + torch.zeros_like(x[:, :1])
        # channels last and positions flat: in this form a mobile program keeps it in one piece
        height, num_channels = x.shape[2], x.shape[1]
        probability = rearrange(x, "b c h w -> b (h w) 1 c").softmax(dim=-1)
        plogp = probability * probability.clamp(min=_SMALLEST).log()
        entropy = plogp.mean(dim=(2, 3), keepdim=True) * (-num_channels / math.log(max(2, num_channels)))
        return rearrange(entropy, "b (h w) 1 1 -> b 1 h w", h=height)


class MultiScaleFusion(nn.Module):
    """Aligns feature maps to the first one's size and sums them up with weights.

    Args:
        dims: channels of each map, the one of the highest resolution first.
        dim: channels out.
        mode: one of ``FUSIONS``, see the file's head.
    """

    def __init__(self, *, dims: Sequence[int], dim: int, mode: str = "entropy") -> None:
        super().__init__()
        if mode not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)}, got {mode!r}")
        if len(dims) < 2:
            raise ValueError(f"fusion needs at least two maps, got {len(dims)}")
        self.mode = mode
        self.project = nn.ModuleList([ConvNorm(dim_in=dim_in, dim_out=dim) for dim_in in dims])
        if mode == "concat":
            self.mix = ConvNorm(dim_in=len(dims) * dim, dim_out=dim)
        elif mode == "softmax":
            self.scale = nn.Parameter(torch.zeros(1, 1, 1, len(dims)))
        elif mode.startswith("entropy"):
            self.entropy = LocalEntropy(axis="width" if mode == "entropy_width" else "channels")

    def forward(self, maps: list[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
        """Maps ``(b, dims[s], h_s, w_s)`` to ``(b, dim, h_0, w_0)``."""
        if len(maps) != len(self.project):
            raise ValueError(f"fusion was built for {len(self.project)} maps, got {len(maps)}")
        size = maps[0].shape[2:]
        aligned = [project(x) for project, x in zip(self.project, maps, strict=True)]
        aligned = [aligned[0], *[F.interpolate(x, size=size, mode="bilinear") for x in aligned[1:]]]
        if self.mode == "concat":
            return self.mix(torch.cat(aligned, dim=1))
        if self.mode == "max":
            joined = aligned[0]
            for x in aligned[1:]:
                joined = torch.maximum(joined, x)
            return joined
        weighted = [x * weight for x, weight in zip(aligned, self.weights(aligned), strict=True)]
        joined = weighted[0]
        for x in weighted[1:]:
            joined = joined + x
        return joined

    def weights(self, aligned: list[Float[Tensor, "b c h w"]]) -> list[Tensor | float]:
        """One weight a scale, summing to 1; for the entropy modes one a position, ``(b, 1, h, w)``."""
        if self.mode == "mean":
            return [1 / len(aligned)] * len(aligned)
        if self.mode == "softmax":
            shares = self.scale.softmax(dim=-1)
            return [shares[..., row : row + 1] for row in range(len(aligned))]
        entropies = [self.entropy(x) + _SMALLEST for x in aligned]  # where all are 0 the scales weigh the same
        total = entropies[0]
        for entropy in entropies[1:]:
            total = total + entropy
        return [entropy / total for entropy in entropies]
