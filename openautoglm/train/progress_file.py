"""``progress.json``: how far the trainings of a run are and their curves, for whoever watches from another process."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from openautoglm.files import write_json

_NUM_POINTS = 60
"""Of a curve at most: each is the mean loss of so many steps."""
_EVERY_SECONDS = 0.5


class ProgressFile(Callback):
    """Enters a training into the file of its run, beside those that came before it.

    Args:
        path: the file, shared by the trainings of a run, which come one after the other.
        folder: where this training happens; below the folder of the file.
        title: for people.
    """

    def __init__(self, *, path: Path, folder: Path, title: str) -> None:
        self.path, self.title = path, title
        self.name = folder.relative_to(path.parent).as_posix()
        self.losses: list[list[float]] = []
        self.top1s: list[list[float]] = []
        self._recent: list[Tensor] = []
        self._written = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Appear in the file."""
        self._write(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Add to the curve; write now and then."""
        self._recent.append(outputs["loss"].detach())
        if len(self._recent) * _NUM_POINTS >= _num_steps(trainer):
            self.losses.append([trainer.global_step, round(float(torch.stack(self._recent).mean()), 5)])
            self._recent.clear()
        if time.monotonic() - self._written >= _EVERY_SECONDS:
            self._write(trainer)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the accuracy on pictures that are left out."""
        if not trainer.sanity_checking:
            self.top1s.append([trainer.global_step, round(float(trainer.callback_metrics["dev_top1"]), 5)])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the last step."""
        self._write(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Curves so far."""
        return {"losses": self.losses, "top1s": self.top1s}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.losses, self.top1s = list(state_dict["losses"]), list(state_dict["top1s"])

    def _write(self, trainer: Trainer) -> None:
        if not trainer.is_global_zero:
            return
        own = {
            "name": self.name,
            "title": self.title,
            "step": trainer.global_step,
            "num_steps": _num_steps(trainer),
            "losses": self.losses,
            "top1s": self.top1s,
        }
        found = json.loads(self.path.read_text(encoding="utf-8"))["trainings"] if self.path.exists() else []
        others = [training for training in found if training["name"] != self.name]
        write_json(self.path, {"trainings": [*others, own]})
        self._written = time.monotonic()


def _num_steps(trainer: Trainer) -> int:
    return int(trainer.estimated_stepping_batches)
