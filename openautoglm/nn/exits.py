"""A head that answers from a map in the middle of a net, so that what comes after it need not run.

"BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks", arXiv 1709.01686. What differs: no layers of
its own but one 1x1 convolution, so that an exit costs a few per cent of the net; and whether its answer is believed is
up to the caller, by its largest probability instead of the entropy.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.nn.conv import ConvNorm


class ExitHead(nn.Module):
    """1x1 convolution, mean over positions, linear; h·w·dim_in·dim MACs in the main.

    Args:
        dim_in: channels of the map.
        dim: channels that are averaged.
        num_classes: outputs k.
    """

    def __init__(self, *, dim_in: int, dim: int, num_classes: int) -> None:
        super().__init__()
        self.mix = ConvNorm(dim_in=dim_in, dim_out=dim)
        self.classifier = nn.Linear(dim, num_classes)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """``(b, dim_in, h, w)`` to logits ``(b, k)``."""
        return self.classifier(self.mix(x).mean(dim=(2, 3), keepdim=True).flatten(1))
