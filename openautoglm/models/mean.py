"""Several teachers as one: the mean of what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TeacherMean(nn.Module):
    """The mean of the members' probabilities, as logits: ``log (1/m) Σ_j softmax(z_j)``.

    Of probabilities, not of logits: each member has one vote, whatever the scale of its logits, and none can veto a
    class alone (Hinton et al., arXiv 1503.02531, name both means for an ensemble).

    Args:
        members: nets that take the same pictures and name the same classes.
    """

    def __init__(self, *, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise ValueError("a mean of teachers needs at least one, got none")
        self.members = nn.ModuleList(members)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``."""
        said = torch.stack([member(image).float().log_softmax(dim=1) for member in self.members])
        return said.logsumexp(dim=0) - math.log(len(self.members))
