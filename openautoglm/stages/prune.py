"""Prune: a trained student becomes a smaller dense net, which the stages after it start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from openautoglm.artifacts import save_model
from openautoglm.bench.result import ModelResult
from openautoglm.compress.importance import Loss
from openautoglm.compress.prune import Pruned, prune_channels
from openautoglm.data.transforms import to_float
from openautoglm.models.gesture_net import GestureNet
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import initial_config, initial_student, judge


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Structured pruning of the net that ``init=`` names.

    Attributes:
        macs_ratio: share of a look's multiply-adds that may remain.
        importance: ``"magnitude"``, ``"batch_norm"`` or ``"taylor"``.
        multiple_of: what pruned widths are a multiple of; of equal work, XNNPACK's INT8 kernels do multiples of 16
            faster than of 8, and of 8 than of 4.
        num_batches: of training pictures, for ``"taylor"``.
        batch_size: pictures in each of them.
    """

    macs_ratio: float = 0.5
    importance: str = "magnitude"
    multiple_of: int = 16
    num_batches: int = 32
    batch_size: int = 64

    def __call__(self, run: Run) -> Outcome:
        """Leave the smaller net in ``prune/``."""
        if run.init is None:
            raise ValueError("pruning starts from a trained net: give init=, such as init=openautoglm-small")
        model = initial_student(run)
        if not isinstance(model, GestureNet):
            raise ValueError(f"{run.model} cannot be pruned: its groups of channels are not known")
        pruned = prune_channels(
            model,
            macs_ratio=self.macs_ratio,
            importance=self.importance,
            batches=self._batches(run) if self.importance == "taylor" else (),
            multiple_of=self.multiple_of,
        )
        config = {**initial_config(run), "arguments": pruned.model.arguments}
        facts = {"stage": "prune", "settings": asdict(self), "macs": pruned.macs, "macs_before": pruned.macs_before}
        save_model(pruned.model, run.stage_folder("prune"), config=config, facts=facts)
        row = _row(run, pruned)
        before = sum(parameter.numel() for parameter in model.parameters())
        note = f"{pruned.macs / 1e6:.1f} of {pruned.macs_before / 1e6:.1f} M multiply-adds, "
        note += f"{(row.num_params or 0) / 1e6:.2f} of {before / 1e6:.2f} M parameters"
        return Outcome(note=note, models=(row,))

    def _batches(self, run: Run) -> Iterator[Loss]:
        """Training pictures as they are, spread over the split, each with its label."""
        pictures = run.load("train")
        rows = np.flatnonzero(pictures.labels >= 0)
        rows = rows[:: max(1, len(rows) // (self.num_batches * self.batch_size))]
        for start in range(0, len(rows), self.batch_size):
            part = pictures.take(rows[start : start + self.batch_size].tolist())
            image, label = to_float(part.images), torch.from_numpy(np.array(part.labels))

            def loss(net: nn.Module, image: Tensor = image, label: Tensor = label) -> Tensor:
                return F.cross_entropy(net(image), label)

            yield loss


def _row(run: Run, pruned: Pruned) -> ModelResult:
    """The net before it has learnt again; of a run on whole frames its size alone."""
    if run.frames is None:
        return replace(judge(run, pruned.model, name="student pruned", architecture=run.model), macs=pruned.macs)
    num_params = sum(parameter.numel() for parameter in pruned.model.parameters())
    return ModelResult(name="student pruned", architecture=run.model, num_params=num_params, macs=pruned.macs)
