"""The head of the first look: where are hands, how large, and what might they show.

Maps of three scales are fused at 1/8 of the input's size; one separable convolution, then three 1x1 convolutions: the
attention map of hand centres (Objects as Points, arXiv 1904.07850, class-agnostic), the distances to the box's four
sides (FCOS, 1904.01355, by ReLU), and the gesture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.maps import GlanceMaps
from openautoglm.nn.conv import ConvNorm
from openautoglm.nn.crop import AttentionMap
from openautoglm.nn.feedforward import DepthwiseFeedForward
from openautoglm.nn.fusion import MultiScaleFusion


class GlanceHead(nn.Module):
    """Feature maps at 1/8, 1/16 and 1/32 to maps of hands at 1/8.

    Args:
        dims: channels of each map, 1/8 first.
        dim: channels of the fused map.
        num_classes: gestures k.
        fusion: how the scales are joined.
    """

    def __init__(self, *, dims: Sequence[int], dim: int, num_classes: int, fusion: str = "entropy") -> None:
        super().__init__()
        self.fusion = MultiScaleFusion(dims=dims, dim=dim, mode=fusion)
        self.refine = DepthwiseFeedForward(dim_in=dim, dim_out=dim, hidden=2 * dim, kernel=5)
        self.mix = ConvNorm(dim_in=dim, dim_out=dim)
        self.attention = AttentionMap(dim=dim)
        self.box = nn.Conv2d(dim, 4, 1)
        nn.init.normal_(self.box.weight, std=0.01)
        # about 2 cells, a hand of 32 pixels; not all alike, or LiteRT's converter gives all the first channel's scale
        nn.init.uniform_(self.box.bias, 1.9, 2.1)  # type: ignore[arg-type]
        self.classifier = nn.Conv2d(dim, num_classes, 1)

    def forward(self, maps: list[Float[Tensor, "b _ _ _"]]) -> GlanceMaps:
        """Maps ``(b, dims[s], h_s, w_s)`` to the three of ``GlanceMaps``."""
        fused = self.fusion(maps)
        fused = self.mix(fused + self.refine(fused))
        return GlanceMaps(
            attention=self.attention(fused), box=torch.relu(self.box(fused)), logits=self.classifier(fused)
        )
