"""Unstructured sparsity, for research: single weights become zero and stay so, the net keeps its shape.

``magnitude``    the smallest of each layer, more of them step by step: ``s_t = s (1 − (1 − t / n)³)`` ("To prune, or
                 not to prune", arXiv 1710.01878, eq. 1 from a sparsity of zero).
``two_of_four``  of four neighbouring inputs the two largest stay, from the first step on ("Accelerating Sparse Deep
                 Neural Networks", 2104.08378).

The kernels of the phone runtimes are dense: the exported file has the same bytes and takes the same time, which the
stage ``compare`` measures. What may differ is how well a file can be compressed for the way to the phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

PATTERNS = ("magnitude", "two_of_four")


def cubic_share(step: int, *, num_steps: float, share: float) -> float:
    """Share of zeros at a step: quick at first, when many weights are idle; ``share`` from ``num_steps`` on."""
    return share * (1 - (1 - min(1.0, step / num_steps)) ** 3)


def magnitude_mask(weight: Tensor, share: float) -> Tensor:
    """True where a weight stays: all but the ``share`` of them that are smallest."""
    num_zeros = round(share * weight.numel())
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[order[:num_zeros]] = False
    return mask.reshape(weight.shape)


def two_of_four_mask(weight: Tensor) -> Tensor:
    """True where a weight stays: the two largest of each four along axis 1, the inputs.

    Raises:
        ValueError: the inputs are no multiple of four.
    """
    if weight.shape[1] % 4:
        raise ValueError(f"2:4 needs inputs that are a multiple of 4, got a weight of {tuple(weight.shape)}")
    fours = rearrange(weight.detach().abs(), "o (i four) ... -> o i ... four", four=4)
    chosen = torch.zeros_like(fours, dtype=torch.bool).scatter_(-1, fours.topk(2, dim=-1).indices, True)
    return rearrange(chosen, "o i ... four -> o (i four) ...")


def zero_share(model: nn.Module) -> float:
    """Share of zeros among the weights that a pattern is put on."""
    weights = [weight.detach() for weight in _dense_weights(model)]
    return float(sum((weight == 0).sum() for weight in weights)) / sum(weight.numel() for weight in weights)


def _dense_weights(model: nn.Module) -> Iterator[nn.Parameter]:
    """Of convolutions and linear layers that mix all their inputs; depthwise ones have few weights."""
    for module in model.modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1):
            assert isinstance(module.weight, nn.Parameter)
            yield module.weight


class Sparsify(Callback):
    """Makes a float training end with sparse weights.

    Args:
        pattern: one of ``PATTERNS``, see the file's head; layers whose inputs are no multiple of four stay dense
            under ``"two_of_four"``.
        share: of zeros in each layer under ``"magnitude"``, 0.8 unless given; the other pattern has half of them.
        until: share of the steps at which it is reached.
        every: steps between two looks at which weights are smallest.
    """

    def __init__(
        self, *, pattern: str = "magnitude", share: float | None = None, until: float = 0.7, every: int = 20
    ) -> None:
        if pattern not in PATTERNS:
            raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, got {pattern!r}")
        if pattern == "two_of_four" and share is not None:
            raise ValueError(f"two_of_four keeps two of four, so share={share} cannot be had: leave it out")
        if share is not None and not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {share}")
        if not 0 < until <= 1 or every < 1:
            raise ValueError(
                f"until must lie above 0 and at most at 1 and every be at least 1, got {until} and {every}"
            )
        self.pattern, self.share, self.until, self.every = pattern, share or 0.8, until, every
        self._masks: list[tuple[nn.Parameter, Tensor]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Choose anew which weights are zero."""
        if not self._masks or trainer.global_step % self.every == 0:
            num_steps = max(1.0, self.until * float(trainer.estimated_stepping_batches))
            self._choose(pl_module, cubic_share(trainer.global_step, num_steps=num_steps, share=self.share))

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """What the step has moved goes back to zero."""
        _close(self._masks)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The whole share, however few steps there were."""
        self._choose(pl_module, self.share)
        _close(self._masks)

    def _choose(self, pl_module: LightningModule, share: float) -> None:
        self._masks = []
        for weight in _dense_weights(pl_module.model):  # type: ignore[arg-type]
            if self.pattern == "magnitude":
                self._masks.append((weight, magnitude_mask(weight, share)))
            elif weight.shape[1] % 4 == 0:
                self._masks.append((weight, two_of_four_mask(weight)))


class KeepZeros(Callback):
    """Weights that are zero when training starts stay zero, as in quantization-aware training of a sparse net."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where they are."""
        weights = (parameter for parameter in pl_module.parameters() if parameter.ndim > 1)
        self._masks = [(weight, weight.detach() != 0) for weight in weights]

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """What the step has moved goes back to zero."""
        _close(self._masks)


@torch.no_grad()
def _close(masks: list[tuple[nn.Parameter, Tensor]]) -> None:
    for weight, mask in masks:
        weight.mul_(mask)
