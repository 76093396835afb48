"""AdamW with a one-cycle learning rate: the schedule of every stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """AdamW (arXiv 1711.05101) under a one-cycle schedule (1708.07120).

    Attributes:
        learning_rate: at the peak.
        weight_decay: of matrices and kernels; biases and norms have none.
        warmup: share of the steps before the peak.
        final_div: the last learning rate is the first, which is ``learning_rate / 25``, over this.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.25
    final_div: float = 1e3

    def __post_init__(self) -> None:
        """Refuse numbers that cannot train."""
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if not 0 < self.warmup < 1:
            raise ValueError(f"warmup must lie between 0 and 1, got {self.warmup}")

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> AdamW:
        """The optimizer over parameters split by whether they decay."""
        trainable = [p for p in parameters if p.requires_grad]
        groups = [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return AdamW(groups, lr=self.learning_rate, fused=True)  # one pass instead of a loop over tensors

    def scheduler(self, optimizer: AdamW, *, num_steps: int) -> OneCycleLR:
        """The schedule over all steps of a training."""
        num_steps = max(num_steps, 2)
        return OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=num_steps,
            pct_start=max(self.warmup, 1.5 / num_steps),  # it divides by the steps of the warmup less one
            final_div_factor=self.final_div,
        )
