"""The first layer: pixels in, half the resolution out, no separate normalisation.

The input is RGB in [0, 1]. A quantised program then reads pixels as they are (scale 1/255, nothing lost), and the
BatchNorm behind the convolution does what subtracting a mean and dividing by a deviation would. So that training
starts as if the pictures were centred, each filter is initialised without response to a constant picture.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


class Stem(nn.Module):
    """3x3 convolution of stride 2 with BatchNorm and ReLU.

    Args:
        dim_out: channels out.
    """

    def __init__(self, *, dim_out: int) -> None:
        super().__init__()
        self.conv = ConvNorm(dim_in=3, dim_out=dim_out, kernel=3, stride=2)
        with torch.no_grad():
            for weight in self.conv[0].parameters():
                weight.sub_(weight.mean(dim=(1, 2, 3), keepdim=True))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h2 w2"]:
        """``(b, 3, h, w)`` in [0, 1] to ``(b, dim_out, h / 2, w / 2)``."""
        return self.conv(image)
