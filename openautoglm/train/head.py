"""A new classifier on frozen features: seconds of work, and the best start of a fine-tuning.

Fine-tuning from a random classifier would spoil the features before it is any good ("Fine-Tuning can Distort
Pretrained Features", Kumar et al., arXiv 2202.10054: first the head, then everything).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


@runtime_checkable
class HasFeatures(Protocol):
    """A net whose last layer is ``classifier``, a linear layer on ``features(image)``."""

    classifier: nn.Linear

    def features(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], ``(b, 3, h, w)``, to ``(b, c)``."""
        ...


def fit_head(
    features: Float[Tensor, "n c"],
    labels: Int[Tensor, n],
    *,
    num_classes: int,
    penalty: float = 0.01,
    max_steps: int = 100,
) -> tuple[Float[Tensor, "k c"], Float[Tensor, k]]:
    """Multinomial logistic regression, ``mean cross-entropy + penalty · |w|²`` on standardised features, by L-BFGS.

    Args:
        features: of the training pictures, ``(n, c)``.
        labels: their classes, ``(n,)``.
        num_classes: k.
        penalty: keeps the few pictures from being learnt by heart.
        max_steps: of L-BFGS.

    Returns:
        Weight ``(k, c)`` and bias ``(k,)`` of a linear layer on the features as they are.
    """
    mean, scale = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-3)
    standard = (features - mean) / scale
    weight = torch.zeros(num_classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=max_steps, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = F.cross_entropy(standard @ weight.T + bias, labels) + penalty * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    folded = weight.detach() / scale
    return folded, bias.detach() - folded @ mean
