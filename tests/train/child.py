"""Trainings that are killed and resumed, beside whole ones: ``python child.py WHOLE CUT``; leaves weights in both.

Each is a process of its own, so that SIGKILL is SIGKILL; they are forked from one that has only imported.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from lightning import Callback
from rich.console import Console
from safetensors.torch import save_file

from openautoglm.compress.pt2e import prepare_qat
from openautoglm.data import GestureData
from openautoglm.data.base import ImageSet
from openautoglm.export.backend import get_backend
from openautoglm.losses import CRD, FitNet
from openautoglm.models import create_model
from openautoglm.train import FitSettings, LitClassify, LitDistill, OneCycle, fit
from openautoglm.train.callbacks import FreezeQAT

EPOCHS, SIZE, CLASSES = 4, 32, ("a", "b", "c")
# 6 steps an epoch, 4 epochs: in the first epoch, in the middle, and after the scales were frozen
KILL_AT = {"float": 3, "kd": 9, "hints": 14, "qat": 10, "qat-fold": 15}


class Blobs:
    """Pictures of three colours, in memory."""

    name, image_size, mirror = "blobs", SIZE, True

    def class_names(self):
        return CLASSES

    def load(self, split):
        random = np.random.default_rng({"train": 0, "dev": 1, "test": 2}[split])
        labels = np.arange(72 if split == "train" else 24, dtype=np.int64) % 3
        images = random.integers(0, 120, (len(labels), SIZE, SIZE, 3), dtype=np.uint8)
        images[np.arange(len(labels)), :, :, labels] += 100
        return ImageSet(split, CLASSES, images, labels, tuple(map(str, range(len(labels)))), split)


class Kill(Callback):
    """SIGKILL after a step: in the middle of an epoch nobody is warned."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def build(phase: str):
    torch.manual_seed(0)
    model = create_model("openautoglm-test", num_classes=3, image_size=SIZE)
    if phase == "float":
        return LitClassify(model=model, num_classes=3, label_smoothing=0.1, seed=3)
    teacher = create_model("openautoglm-test", num_classes=3, image_size=SIZE)
    if phase == "hints":
        losses = {"fitnet": FitNet(stride=8), "crd": CRD(dim=8)}
        return LitDistill(model=model, teacher=teacher, num_classes=3, losses=losses, seed=3)
    if phase == "kd":
        return LitDistill(model=model, teacher=teacher, num_classes=3, seed=3)
    quantizer = get_backend("executorch").quantizer()
    mode = "fold" if phase == "qat-fold" else "train"
    qat = prepare_qat(model, torch.zeros(2, 3, SIZE, SIZE), quantizer, batch_norm=mode)
    return LitDistill(model=qat, teacher=teacher, num_classes=3, optim=OneCycle(learning_rate=1e-3), seed=3)


def train(phase: str, folder: Path, kill_at: int | None = None) -> None:
    torch.set_num_threads(1)
    lit, data = build(phase), GestureData(source=Blobs(), batch_size=12, seed=3)
    callbacks = [FreezeQAT(after=0.5)] if phase.startswith("qat") else []
    callbacks += [Kill(kill_at)] if kill_at else []
    settings = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))
    best = not phase.startswith("qat")
    fit(lit, data, folder=folder, title=phase, epochs=EPOCHS, settings=settings, keep_best=best, callbacks=callbacks)
    state = {name: tensor.clone() for name, tensor in lit.model.state_dict().items()}
    save_file(state, folder / "final.safetensors")


def train_all(folder: Path) -> None:
    for phase in KILL_AT:
        train(phase, folder / phase)


def main(whole: Path, cut: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for phase, step in KILL_AT.items():
        killed = fork.Process(target=train, args=(phase, cut / phase, step))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL, (phase, killed.exitcode)
    trainings = [fork.Process(target=train_all, args=(folder,)) for folder in (cut, whole)]
    for training in trainings:
        training.start()
    for training in trainings:
        training.join()
        assert training.exitcode == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
