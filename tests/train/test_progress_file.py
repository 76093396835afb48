"""Other processes see how far a training is; a training that goes on goes on there too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from child import EPOCHS, Blobs, build
from lightning import Callback
from rich.console import Console

from openautoglm.data import GestureData
from openautoglm.train import FitSettings, fit

STEPS_AN_EPOCH = 6


class Interrupt(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == STEPS_AN_EPOCH + 3:
            raise KeyboardInterrupt


def train(run: Path, name: str, *callbacks: Callback, dev: bool = True) -> list[dict]:
    settings = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True), progress=run / "progress.json")
    data = GestureData(source=Blobs(), batch_size=12, seed=3)
    settings = settings if dev else settings.without_dev()
    fit(
        build("float"), data, folder=run / name, title=name.upper(), epochs=EPOCHS, settings=settings,
        keep_best=dev, callbacks=callbacks,
    )  # fmt: skip
    return json.loads((run / "progress.json").read_text())["trainings"]


def test_trainings_stand_side_by_side_in_their_order(tmp_path):
    train(tmp_path, "a/folds", dev=False)
    first, second = train(tmp_path, "b")
    assert [(it["name"], it["title"]) for it in (first, second)] == [("a/folds", "A/FOLDS"), ("b", "B")]
    total = STEPS_AN_EPOCH * EPOCHS
    for training in (first, second):
        assert (training["step"], training["num_steps"]) == (total, total)
        assert [step for step, _ in training["losses"]] == list(range(1, total + 1))
        assert training["losses"][0][1] > training["losses"][-1][1] > 0
    assert first["top1s"] == []
    assert [step for step, _ in second["top1s"]] == [6, 12, 18, 24]
    assert all(0 <= top1 <= 1 for _, top1 in second["top1s"])


def test_a_resumed_training_has_each_step_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, "a", Interrupt())
    (cut,) = json.loads((tmp_path / "progress.json").read_text())["trainings"]
    assert cut["step"] < cut["num_steps"] == STEPS_AN_EPOCH * EPOCHS
    (whole,) = train(tmp_path, "a")
    assert [step for step, _ in whole["losses"]] == list(range(1, STEPS_AN_EPOCH * EPOCHS + 1))
    assert [step for step, _ in whole["top1s"]] == [6, 12, 18, 24]
