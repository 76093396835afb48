"""One block applied several times: depth without weights.

"ALBERT: A Lite BERT", arXiv 1909.11942, and "Universal Transformers", 1807.03819, share every parameter across depth.
What differs: BatchNorm is not shared. What enters the second application has another mean and deviation than what
entered the first; statistics averaged over both would fit neither, and the net would compute something else in
evaluation than it was trained on (the reason for statistics per time step in "Recurrent Batch Normalization",
1603.09025). It costs four numbers a channel in training and none afterwards, when it is folded into each application:
from quantization-aware training on, each application therefore has its own rounding of the weights.
"""

from __future__ import annotations

import copy

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class SharedBlock(nn.Module):
    """``block`` applied ``num_applications`` times, with the same weights and each time its own BatchNorm.

    The state holds the weights once, under ``block``, and the BatchNorms of each further application under ``norms``.

    Args:
        block: built part that keeps the shape.
        num_applications: how often, 2 or more.
    """

    def __init__(self, *, block: nn.Module, num_applications: int) -> None:
        super().__init__()
        if num_applications < 2:
            raise ValueError(f"num_applications must be at least 2, got {num_applications}: use the block as it is")
        self.block = block
        self._places = [name for name, module in block.named_modules() if isinstance(module, _BatchNorm)]
        self.norms = nn.ModuleList(
            nn.ModuleList(copy.deepcopy(block.get_submodule(name)) for name in self._places)
            for _ in range(num_applications - 1)
        )

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """``(b, d, h, w)`` to the same shape."""
        x = self.block(x)
        for norms in self.norms:
            x = functional_call(self.block, self._state(norms), (x,))
        return x

    def _state(self, norms: nn.Module) -> dict[str, Tensor]:
        """What an application puts in place of the block's own BatchNorms."""
        return {
            f"{place}.{name}": tensor
            for place, norm in zip(self._places, norms.children(), strict=True)
            for name, tensor in (*norm.named_parameters(), *norm.named_buffers())
        }
