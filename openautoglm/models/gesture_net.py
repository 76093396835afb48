"""GestureNet: a hand crop in, gesture logits out; convolutions first, attention where few tokens are left.

Shaped by what XNNPACK runs in INT8: ReLU, BatchNorm (folded), additions, a mean over positions. Dense 3x3 convolutions
while channels are few (a depthwise one is bound by memory there), depthwise-separable ones later, and most parameters
at 1/16 and 1/32 of the resolution, where they cost little time.

    3 x s x s ─ stem 1/2 ─ dense 1/4 ─ separable 1/8 ─ separable, transformer 1/16 ─ separable 1/32 ─ mean ─ linear
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.models.registry import Program, register
from openautoglm.nn import ConvNorm, DepthwiseFeedForward, LowRankAttention, Residual, Stem, TransformerBlock


class GestureNet(nn.Module):
    """A hybrid of convolutions and lightweight transformer blocks.

    Args:
        num_classes: outputs k.
        image_size: side of the square input in pixels, a multiple of 32; used by ``programs`` only.
        dims: channels at 1/2, 1/4, 1/8, 1/16 and 1/32.
        depths: residual blocks behind the first layer at 1/8, transformer blocks at 1/16, residual blocks at 1/32.
        expansion: hidden channels of a feed-forward as a multiple of its input's.
        num_heads: heads of an attention.
        rank: width of a query and a key, per head.
        head_dim: channels that are averaged before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int = 96,
        dims: Sequence[int] = (32, 64, 96, 144, 256),
        depths: Sequence[int] = (1, 1, 1),
        expansion: int = 3,
        num_heads: int = 4,
        rank: int = 16,
        head_dim: int = 512,
    ) -> None:
        super().__init__()
        if image_size % 32:
            raise ValueError(f"image_size must be a multiple of 32, got {image_size}")
        self.image_size = image_size
        self.arguments: dict[str, Any] = {
            "num_classes": num_classes,
            "image_size": image_size,
            "dims": list(dims),
            "depths": list(depths),
            "expansion": expansion,
            "num_heads": num_heads,
            "rank": rank,
            "head_dim": head_dim,
        }
        half, quarter, eighth, sixteenth, last = dims

        def feedforward(dim_in: int, dim_out: int, stride: int = 1) -> DepthwiseFeedForward:
            return DepthwiseFeedForward(dim_in=dim_in, dim_out=dim_out, hidden=expansion * dim_in, stride=stride)

        def transformer() -> TransformerBlock:
            attention = LowRankAttention(dim=sixteenth, num_heads=num_heads, rank=rank)
            return TransformerBlock(attention=attention, feedforward=feedforward(sixteenth, sixteenth))

        self.stem = Stem(dim_out=half)
        self.stages = nn.ModuleList(
            [
                ConvNorm(dim_in=half, dim_out=quarter, kernel=3, stride=2),
                nn.Sequential(
                    feedforward(quarter, eighth, stride=2),
                    *[Residual(branch=feedforward(eighth, eighth)) for _ in range(depths[0])],
                ),
                nn.Sequential(feedforward(eighth, sixteenth, stride=2), *[transformer() for _ in range(depths[1])]),
                nn.Sequential(
                    feedforward(sixteenth, last, stride=2),
                    *[Residual(branch=feedforward(last, last)) for _ in range(depths[2])],
                ),
            ]
        )
        self.head = ConvNorm(dim_in=last, dim_out=head_dim)
        self.classifier = nn.Linear(head_dim, num_classes)

    def forward_intermediates(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Feature maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size."""
        features = [self.stem(image)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``."""
        features = self.head(self.forward_intermediates(image)[-1])
        return self.classifier(features.mean(dim=(2, 3), keepdim=True).flatten(1))

    def programs(self) -> dict[str, Program]:
        """What is exported: ``look``, a crop to logits."""
        return {"look": Program(self, (torch.zeros(1, 3, self.image_size, self.image_size),))}


@register
def openautoglm_small(**arguments: Any) -> GestureNet:
    """1.1 M parameters, 52 M MACs at 96 px."""
    return GestureNet(**arguments)


@register
def openautoglm_test(**arguments: Any) -> GestureNet:
    """A few thousand parameters: for tests and for trying a pipeline, not for recognising anything."""
    sizes: dict[str, Any] = {"dims": (8, 8, 16, 16, 24), "depths": (1, 1, 0), "expansion": 2, "num_heads": 2, "rank": 4}
    return GestureNet(**{**sizes, "head_dim": 32, **arguments})


@register
def openautoglm_large(**arguments: Any) -> GestureNet:
    """2.5 M parameters, 83 M MACs at 96 px: a teacher that learns from scratch in minutes on a processor."""
    sizes: dict[str, Any] = {"dims": (32, 64, 112, 192, 384), "depths": (1, 2, 1), "head_dim": 768}
    return GestureNet(**{**sizes, **arguments})
