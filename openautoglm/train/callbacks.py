"""Callbacks of every training: checkpoint at epoch ends, best weights, curves, freezing, one progress bar."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from rich.console import Console
from rich.progress import TextColumn
from safetensors.torch import load_file, save_file
from torch import nn

from openautoglm.files import write_json
from openautoglm.progress import progress_bar


class EpochCheckpoint(Checkpoint):
    """One checkpoint, replaced whole at each epoch's end; a kill leaves the old one or the new one.

    Args:
        path: file, inside the run's own folder.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save beside, then rename."""
        fresh = self.path.with_suffix(".part")
        trainer.save_checkpoint(fresh)
        os.replace(fresh, self.path)


class KeepBest(Callback):
    """Keeps the weights of the epoch with the best accuracy on dev; the later one of equals.

    Args:
        path: safetensors file.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path
        self.best_top1 = -1.0

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the weights when they are the best so far."""
        top1 = float(trainer.callback_metrics["dev_top1"])
        if trainer.sanity_checking or top1 < self.best_top1:
            return
        self.best_top1 = top1
        state = {name: tensor.contiguous() for name, tensor in _model(pl_module).state_dict().items()}
        fresh = self.path.with_suffix(".part")
        save_file(state, fresh)
        os.replace(fresh, self.path)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the best weights back into the model."""
        if self.path.exists():
            _model(pl_module).load_state_dict(load_file(self.path, device=str(pl_module.device)))

    def state_dict(self) -> dict[str, Any]:
        """Best accuracy so far."""
        return {"best_top1": self.best_top1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best_top1 = float(state_dict["best_top1"])


class Curves(Callback):
    """Writes each epoch's figures to a JSON list, for the report.

    Args:
        path: file.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add a row."""
        row: dict[str, float] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {name: round(float(value), 6) for name, value in sorted(trainer.callback_metrics.items())}
        row["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.rows.append(row)
        write_json(self.path, self.rows)

    def state_dict(self) -> dict[str, Any]:
        """Rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.rows = list(state_dict["rows"])


class FreezeQAT(Callback):
    """Stops observers and BatchNorm statistics, so the last steps train exactly what is shipped.

    Args:
        after: share of all steps before that, above 0: the ranges must have been seen.
    """

    def __init__(self, *, after: float) -> None:
        if not 0 < after <= 1:
            raise ValueError(f"freeze_after must lie above 0 and at most at 1, got {after}")
        self.after = after

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Freeze once the step has come; a resumed training arrives here as well."""
        model: Any = next(part for part in _model(pl_module).modules() if hasattr(part, "is_frozen"))
        if not model.is_frozen and trainer.global_step >= self.after * float(trainer.estimated_stepping_batches):
            model.freeze()


class FreezeBatchNorm(Callback):
    """Stops BatchNorm's statistics, so that two looks that share a net also share what it was normalised by.

    Args:
        after: share of all steps before that.
    """

    def __init__(self, *, after: float) -> None:
        if not 0 <= after <= 1:
            raise ValueError(f"freeze_after must lie between 0 and 1, got {after}")
        self.after = after

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Each step anew: Lightning puts the whole model into training mode after every validation."""
        if trainer.global_step < self.after * float(trainer.estimated_stepping_batches):
            return
        for module in _model(pl_module).modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


class StageProgress(Callback):
    """One rich bar for a whole training: steps, epoch, dev accuracy, time left.

    Args:
        title: such as ``"distill"``.
        console: where to draw.
    """

    def __init__(self, *, title: str, console: Console) -> None:
        self.title = title
        self.bar = progress_bar(TextColumn("[dim]{task.fields[figures]}"), console=console)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        self.task = self.bar.add_task(
            self.title, total=int(trainer.estimated_stepping_batches), completed=trainer.global_step, figures=""
        )
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Advance."""
        metrics = trainer.callback_metrics
        figures = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        if "dev_top1" in metrics:
            figures += f"  dev {float(metrics['dev_top1']):.3f}"
        self.bar.update(self.task, completed=trainer.global_step, figures=figures)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the bar, after an error as well."""
        self.bar.stop()


def _model(pl_module: LightningModule) -> Any:
    """The trained net inside a Lit module."""
    model = pl_module.model
    assert isinstance(model, torch.nn.Module)
    return model
