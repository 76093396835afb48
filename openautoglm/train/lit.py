"""Thin, public Lightning modules: a model, a task and a schedule; usable with a plain ``lightning.Trainer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from openautoglm.losses import KD, ExitsLoss, Loss
from openautoglm.tasks import Classify, Distill, Spot, Task, with_exits
from openautoglm.tensors import Batch, SpotBatch
from openautoglm.train.optim import OneCycle


class LitTask(LightningModule):
    """Runs a task on a model; the base of the public modules.

    Every random number of a step follows from (seed, step), so a resumed training draws what the uninterrupted one
    would have drawn. Early exits of the model learn along, see ``losses.exits``.

    Args:
        model: picture ``(b, 3, h, w)`` to logits ``(b, k)``.
        task: owns forward and loss.
        num_classes: k.
        optim: optimizer and schedule.
        seed: of the randomness inside a step.
        learnt: weights of losses, trained and checkpointed with the model's and no part of it.
        exits: what the model's early exits learn by, if it has some.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        task: Task,
        num_classes: int,
        optim: OneCycle | None = None,
        seed: int = 0,
        learnt: nn.Module | None = None,
        exits: ExitsLoss | None = None,
    ) -> None:
        super().__init__()
        self.model, self.task, self.optim, self.seed = model, task, optim or OneCycle(), seed
        self.learnt = learnt if learnt is not None else nn.ModuleDict()
        self.exits = exits or ExitsLoss()
        self.dev_top1 = MulticlassAccuracy(num_classes=num_classes, average="micro")

    def forward(self, image: Tensor) -> Tensor:
        """``(b, 3, h, w)`` in [0, 1] to logits ``(b, k)``."""
        logits: Tensor = self.model(image)
        return logits

    def on_train_batch_start(self, batch: Batch | SpotBatch, batch_idx: int) -> None:
        """Seed the step."""
        torch.manual_seed((self.seed << 32) + self.global_step)

    def training_step(self, batch: Batch | SpotBatch, batch_idx: int) -> Tensor:
        """Loss of a batch, its parts in the log."""
        output = with_exits(self.task.train_step(self.model, batch), self.exits)
        parts = {f"train_{name}": value for name, value in output.parts.items()}
        self.log_dict({"train_loss": output.loss, **parts}, on_step=False, on_epoch=True, batch_size=len(batch.index))
        return output.loss

    def validation_step(self, batch: Batch | SpotBatch, batch_idx: int) -> None:
        """Accuracy and loss on the dev split."""
        output = self.task.eval_step(self.model, batch)
        self.dev_top1(output.preds, output.target)
        self.log_dict(
            {"dev_loss": output.loss, "dev_top1": self.dev_top1},
            on_step=False, on_epoch=True, batch_size=len(batch.index),
        )  # fmt: skip

    def configure_optimizers(self) -> Any:
        """AdamW, one cycle over all steps."""
        optimizer = self.optim.optimizer([*self.model.parameters(), *self.learnt.parameters()])
        scheduler = self.optim.scheduler(optimizer, num_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class LitClassify(LitTask):
    """Train a classifier on labels.

    Args:
        model: picture ``(b, 3, h, w)`` to logits ``(b, k)``.
        num_classes: k.
        label_smoothing: share of the target spread over all classes.
        optim: optimizer and schedule.
        seed: of the randomness inside a step.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        label_smoothing: float = 0.0,
        optim: OneCycle | None = None,
        seed: int = 0,
    ) -> None:
        task = Classify(label_smoothing=label_smoothing)
        super().__init__(model=model, task=task, num_classes=num_classes, optim=optim, seed=seed)


class LitDistill(LitTask):
    """Train a student on labels and on what a frozen teacher says of the same pictures.

    Args:
        model: the student; a float net or a graph prepared for quantization-aware training.
        teacher: logits of the same classes; kept out of the optimizer and the checkpoint. None where the data holds
            its answers (``CachedTeacher``).
        num_classes: k.
        losses: name to distillation loss; KD at temperature 4 by default.
        label_weight: factor of the cross-entropy on the labels.
        label_smoothing: share of the target spread over all classes.
        teacher_bf16: run the teacher in bfloat16 where the device computes in it.
        unlabelled_classes: the only classes that a picture without a label may show; None for all.
        optim: optimizer and schedule.
        seed: of the randomness inside a step.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        teacher: nn.Module | None,
        num_classes: int,
        losses: Mapping[str, Loss] | None = None,
        label_weight: float = 1.0,
        label_smoothing: float = 0.0,
        teacher_bf16: bool = False,
        unlabelled_classes: Sequence[int] | None = None,
        optim: OneCycle | None = None,
        seed: int = 0,
    ) -> None:
        task = Distill(
            task=Classify(label_smoothing=label_smoothing),
            teacher=teacher,
            losses=losses if losses is not None else {"kd": KD()},
            label_weight=label_weight,
            teacher_bf16=teacher_bf16,
            unlabelled_classes=unlabelled_classes,
            student=model,
        )
        super().__init__(model=model, task=task, num_classes=num_classes, optim=optim, seed=seed, learnt=task.learnt)


class LitSpot(LitTask):
    """Train a net to find hands in whole frames and to name their crops.

    Args:
        model: crops ``(n, 3, s, s)`` to logits ``(n, k)``; its ``glance`` takes frames to ``GlanceMaps``.
        num_classes: k.
        teacher: names the same crops; None trains on labels alone.
        losses: name to distillation loss, with a teacher; KD at temperature 4 by default.
        teacher_bf16: run the teacher in bfloat16 where the device computes in it.
        task: weights of the losses, and what teaches the glance.
        optim: optimizer and schedule.
        seed: of the randomness inside a step.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        teacher: nn.Module | None = None,
        losses: Mapping[str, Loss] | None = None,
        teacher_bf16: bool = False,
        task: Spot | None = None,
        optim: OneCycle | None = None,
        seed: int = 0,
    ) -> None:
        whole: Task = task or Spot()
        learnt: nn.Module | None = None
        if teacher is not None:
            losses = losses if losses is not None else {"kd": KD()}
            distill = Distill(task=whole, teacher=teacher, losses=losses, teacher_bf16=teacher_bf16, student=model)
            whole, learnt = distill, distill.learnt
        super().__init__(model=model, task=whole, num_classes=num_classes, optim=optim, seed=seed, learnt=learnt)
