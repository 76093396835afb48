"""Fit a Lit module inside a stage's folder, from the last epoch end if there is one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningDataModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console

from openautoglm.train.callbacks import Curves, EpochCheckpoint, KeepBest, StageProgress
from openautoglm.train.lit import LitTask
from openautoglm.train.memory import keep_freed_memory
from openautoglm.train.progress_file import ProgressFile

LOGGERS = ("csv", "wandb")
LAST, BEST = "last.ckpt", "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What all trainings of a run share.

    Attributes:
        trainer: arguments of ``lightning.Trainer``, such as accelerator, devices, precision, fast_dev_run.
        logger: ``"csv"`` or ``"wandb"``; wandb writes offline files unless the user has logged in.
        console: where progress is drawn.
        progress: file that tells other processes how far the trainings are, at the top of the run; None writes none.
    """

    trainer: Mapping[str, Any] = field(default_factory=dict)
    logger: str = "csv"
    console: Console = field(default_factory=Console)
    progress: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown logger."""
        if self.logger not in LOGGERS:
            raise ValueError(f"logger must be one of {', '.join(LOGGERS)}, got {self.logger!r}")

    @property
    def on_gpu(self) -> bool:
        """Whether trainings run on a GPU."""
        return torch.cuda.is_available() and self.trainer.get("accelerator", "auto") in ("auto", "gpu", "cuda")

    def without_dev(self) -> FitSettings:
        """The same where nothing is held out: figures on training pictures would say nothing."""
        return replace(self, trainer={**self.trainer, "limit_val_batches": 0})


def fit(
    lit: LitTask,
    data: LightningDataModule,
    *,
    folder: Path,
    title: str,
    epochs: int,
    settings: FitSettings,
    keep_best: bool = True,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train, or go on training; afterwards the model holds its best (or, if not ``keep_best``, its last) weights.

    Args:
        lit: what is trained.
        data: train and dev loaders, the same for the same (seed, epoch).
        folder: of the stage; gets ``last.ckpt``, ``best.safetensors``, ``curves.json`` and the log.
        title: of the progress bar.
        epochs: passes in all, those before a resume included.
        settings: shared by all trainings of a run.
        keep_best: whether dev chooses the epoch.
        callbacks: further ones.

    Raises:
        KeyboardInterrupt: Ctrl-C; the last epoch end is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / LAST
    keepers = [KeepBest(path=folder / BEST)] if keep_best else []
    watched = settings.progress
    tellers = [ProgressFile(path=watched, folder=folder, title=title)] if watched else []
    _quiet_lightning()
    keep_freed_memory()
    trainer = Trainer(
        **{"enable_checkpointing": True, **settings.trainer},
        max_epochs=epochs,
        default_root_dir=folder,
        logger=_logger(settings.logger, folder, title),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        callbacks=[
            StageProgress(title=title, console=settings.console),
            *callbacks,
            *keepers,
            *tellers,
            Curves(path=folder / "curves.json"),
            EpochCheckpoint(path=last),
        ],
    )
    try:
        # weights_only: a checkpoint is data, never code
        trainer.fit(lit, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    except SystemExit as error:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from error
    finally:
        logging.getLogger("lightning.pytorch").setLevel(logging.INFO)


def clean(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for name in (LAST, BEST):
        (folder / name).unlink(missing_ok=True)


def _logger(name: str, folder: Path, title: str) -> Logger:
    """Log files inside the stage's folder."""
    if name == "csv":
        return CSVLogger(save_dir=folder, name=None, version="log")
    from lightning.pytorch.loggers import WandbLogger

    # said to wandb.init itself: what Lightning sets in the environment comes too late once wandb was asked for a key
    mode = "online" if _wandb_has_account() else "offline"
    name = f"{folder.parent.name}-{title}"
    return WandbLogger(project="openautoglm", name=name, save_dir=folder, offline=mode == "offline", mode=mode)


def _wandb_has_account() -> bool:
    """Whether wandb could upload without asking for a key."""
    import wandb

    return bool(wandb.login(prompt=False))


def _quiet_lightning() -> None:
    """The stage prints one line itself; hints about workers and hardware would drown it."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for pattern in (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*isinstance.treespec.*",
        ".*lr_scheduler.step.*",
        ".*Checkpoint directory.*exists and is not empty.*",
        ".*smaller than the logging interval.*",
        ".*Experiment logs directory.*exists.*",
    ):
        warnings.filterwarnings("ignore", pattern)
