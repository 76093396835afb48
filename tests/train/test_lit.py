"""The public Lightning modules with a plain trainer; a fit inside a stage's folder."""

from __future__ import annotations

import json

import pytest
import torch
from child import Blobs
from lightning import Trainer
from rich.console import Console

from openautoglm.data import Augment, GestureData
from openautoglm.losses import DKD, KD, FitNet
from openautoglm.models import create_model
from openautoglm.train import FitSettings, LitClassify, LitDistill, OneCycle, fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning")


PLAIN = Augment(enabled=False)


def net():
    torch.manual_seed(0)
    return create_model("openautoglm-test", num_classes=3, image_size=32)


def plain_trainer(**settings) -> Trainer:
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, **settings,
    )  # fmt: skip


def test_classify_learns_with_a_plain_trainer():
    lit = LitClassify(model=net(), num_classes=3, optim=OneCycle(learning_rate=2e-2))
    trainer = plain_trainer(max_epochs=8)
    trainer.fit(lit, datamodule=GestureData(source=Blobs(), batch_size=12, augment=PLAIN))
    assert trainer.callback_metrics["dev_top1"] > 0.9


def test_shuffled_labels_teach_nothing():
    class Shuffled(Blobs):
        def load(self, split):
            found = super().load(split)
            order = torch.randperm(len(found), generator=torch.Generator().manual_seed(1)).numpy()
            found.labels[:] = found.labels[order]
            return found

    lit = LitClassify(model=net(), num_classes=3, optim=OneCycle(learning_rate=2e-2))
    trainer = plain_trainer(max_epochs=8)
    trainer.fit(lit, datamodule=GestureData(source=Shuffled(), batch_size=12, augment=PLAIN))
    assert trainer.callback_metrics["dev_top1"] < 0.55


def test_teacher_stays_out_of_optimizer_and_checkpoint():
    teacher = net()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    lit = LitDistill(model=net(), teacher=teacher, num_classes=3, losses={"dkd": DKD()})
    trainer = plain_trainer(max_epochs=1)
    trainer.fit(lit, datamodule=GestureData(source=Blobs(), batch_size=12))
    assert not any("teacher" in name for name in lit.state_dict())
    theirs = {id(parameter) for parameter in teacher.parameters()}
    assert not any(id(p) in theirs for group in trainer.optimizers[0].param_groups for p in group["params"])
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())
    assert not teacher.training


def test_projections_are_trained_and_checkpointed_but_no_part_of_the_student(tmp_path):
    student = net()
    losses = {"fitnet": FitNet(stride=8), "kd": KD()}
    lit = LitDistill(model=student, teacher=net(), num_classes=3, losses=losses)
    before = lit.learnt["fitnet"].regress.weight.clone()
    trainer = plain_trainer(max_epochs=1)
    trainer.fit(lit, datamodule=GestureData(source=Blobs(), batch_size=12))
    assert not torch.equal(before, lit.learnt["fitnet"].regress.weight)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(kept["learnt.fitnet.regress.weight"], lit.learnt["fitnet"].regress.weight)
    assert student.state_dict().keys() == net().state_dict().keys()


def test_biases_and_norms_do_not_decay():
    groups = OneCycle(weight_decay=0.1).optimizer(net().parameters()).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])


@pytest.mark.parametrize(("setting", "message"), [("learning_rate", "above 0"), ("warmup", "between 0 and 1")])
def test_schedule_refuses_zero(setting, message):
    with pytest.raises(ValueError, match=message):
        OneCycle(**{setting: 0.0})


def test_fit_keeps_the_best_weights_and_the_curves(tmp_path):
    lit, data = LitClassify(model=net(), num_classes=3), GestureData(source=Blobs(), batch_size=12)
    settings = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))
    fit(lit, data, folder=tmp_path, title="alone", epochs=3, settings=settings)
    rows = json.loads((tmp_path / "curves.json").read_text())
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    trainer = plain_trainer()
    best = trainer.validate(lit, datamodule=data, verbose=False)[0]["dev_top1"]
    assert best == pytest.approx(max(row["dev_top1"] for row in rows), abs=1e-6)


def test_checkpoint_that_holds_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"state_dict": Evil()}, tmp_path / "last.ckpt")
    lit, data = LitClassify(model=net(), num_classes=3), GestureData(source=Blobs(), batch_size=12)
    settings = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        fit(lit, data, folder=tmp_path, title="alone", epochs=1, settings=settings)


def test_wandb_works_offline_without_an_account(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    lit, data = LitClassify(model=net(), num_classes=3), GestureData(source=Blobs(), batch_size=12)
    settings = FitSettings(trainer={"accelerator": "cpu"}, logger="wandb", console=Console(quiet=True))
    fit(lit, data, folder=tmp_path / "run" / "alone", title="alone", epochs=1, settings=settings)
    assert list((tmp_path / "run" / "alone").glob("wandb/offline-run-*/*.wandb"))


def test_unknown_logger_is_named():
    with pytest.raises(ValueError, match="logger must be one of csv, wandb, got 'tensorbord'"):
        FitSettings(logger="tensorbord")


@pytest.mark.parametrize("num_steps", [1, 2, 3, 4, 5, 8, 100])
def test_schedule_of_a_few_steps(num_steps):
    optim = OneCycle(learning_rate=0.1)
    optimizer = optim.optimizer([torch.nn.Parameter(torch.zeros(2, 2))])
    scheduler = optim.scheduler(optimizer, num_steps=num_steps)
    rates = []
    for _ in range(num_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) <= 0.1 + 1e-12
    assert num_steps < 5 or max(rates) > 0.05
