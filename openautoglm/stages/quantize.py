"""Quantize: quantization-aware training of the student, still beside its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from lightning import LightningDataModule
from torch import nn

from openautoglm.artifacts import load_model, save_tensors
from openautoglm.bench.result import ModelResult
from openautoglm.compress.pt2e import QATModel, convert, prepare_qat
from openautoglm.compress.sparsity import KeepZeros
from openautoglm.compress.state import quantized_state
from openautoglm.export.backend import get_backend
from openautoglm.losses import Loss
from openautoglm.models import Exportable, on_graph
from openautoglm.stages.frames import frames_note, in_integers, judge_frames
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import accuracy_note, find_teacher, judge, on_logits, unlabelled_classes
from openautoglm.tasks import Spot
from openautoglm.train import LitDistill, LitSpot, LitTask, OneCycle, fit
from openautoglm.train.callbacks import FreezeQAT


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """PT2E quantization-aware training.

    Attributes:
        losses: name to distillation loss; those that read hints are left out, for the graph shows none.
        epochs: passes over the training split.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle; a fraction of the float training's.
        label_weight: factor of the cross-entropy on the labels.
        freeze_after: share of the steps after which observers and BatchNorm statistics stand still.
        unlabelled_fraction: part of each batch that is drawn from the data set's unlabelled pictures.
        teacher_bf16: run the teacher in bfloat16 where the device computes in it.
        at_least: pictures an epoch; fewer are shown again, each time changed anew.
        batch_norm: ``"fold"`` fixes BatchNorm's statistics from the start, which is faster; ``"train"`` adapts them.
        keep_glance: a net for whole frames also learns its glance from what it was in float.
        keep_look: crops are named by what the net was in float, not by the run's teacher.
        keep_zeros: weights that a sparse float training has left at zero stay there.
    """

    losses: Mapping[str, Loss]
    epochs: int
    batch_size: int = 64
    learning_rate: float = 2e-4
    label_weight: float = 1.0
    freeze_after: float = 0.5
    unlabelled_fraction: float = 0.0
    teacher_bf16: bool = False
    at_least: int = 0
    batch_norm: Literal["train", "fold"] = "fold"
    keep_zeros: bool = False
    keep_glance: bool = False
    keep_look: bool = False

    def __call__(self, run: Run) -> Outcome:
        """Leave the integers in ``quantize/``."""
        folder = run.stage_folder("quantize")
        source = run.find_student()
        model = load_model(source)
        assert isinstance(model, Exportable)
        torch.manual_seed(run.seed)
        qat = prepare_qat(
            model.traced(),
            torch.zeros(2, 3, run.image_size, run.image_size),
            get_backend("executorch").quantizer(),
            dynamic_size=run.frames is not None,
            batch_norm=self.batch_norm,
        )
        looks = model.on_graph(qat)
        lit, data = self._on_crops(run, looks) if run.frames is None else self._on_frames(run, looks)
        fit(
            lit,
            data,
            folder=folder,
            title="quantize",
            epochs=self.epochs,
            settings=run.settings if run.holds_out("dev") else run.settings.without_dev(),
            keep_best=False,  # the last epochs alone are trained with the scales that ship
            callbacks=[FreezeQAT(after=self.freeze_after), *([KeepZeros()] if self.keep_zeros else [])],
        )
        tensors, spec = quantized_state(qat)
        save_tensors(tensors, folder, config=source.config, quantization=spec, facts={"stage": "quantize"})
        row = self._judge(run, model, qat)
        return Outcome(note=accuracy_note(row) if run.frames is None else frames_note(row), models=(row,))

    def _judge(self, run: Run, model: nn.Module, qat: QATModel) -> ModelResult:
        num_params = sum(parameter.numel() for parameter in model.parameters())
        if run.frames is None:
            row = judge(run, on_graph(model, convert(qat)), name="student QAT", architecture=run.model)
        else:
            assert isinstance(model, Exportable)
            programs = in_integers(qat, model.programs())
            row = judge_frames(run, programs, name="student QAT", architecture=run.model, num_params=num_params)
        return replace(row, kind="int8", num_params=num_params)

    def _on_crops(self, run: Run, looks: nn.Module) -> tuple[LitTask, LightningDataModule]:
        lit = LitDistill(
            model=looks,
            # without a teacher of its own, what the student was in float
            teacher=self._teacher(run) or load_model(run.find_student()),
            num_classes=len(run.source.class_names()),
            losses=on_logits(run, self.losses),
            label_weight=self.label_weight,
            teacher_bf16=self.teacher_bf16,
            unlabelled_classes=unlabelled_classes(run),
            optim=self._optim(),
            seed=run.seed,
        )
        data = run.data(
            batch_size=self.batch_size, unlabelled_fraction=self.unlabelled_fraction, at_least=self.at_least
        )
        return lit, data

    def _on_frames(self, run: Run, looks: nn.Module) -> tuple[LitTask, LightningDataModule]:
        lit = LitSpot(
            model=looks,
            teacher=self._teacher(run),
            num_classes=len(run.source.class_names()),
            losses=on_logits(run, self.losses),
            teacher_bf16=self.teacher_bf16,
            task=Spot(teacher=self._float_glance(run), teacher_bf16=self.teacher_bf16),
            optim=self._optim(),
            seed=run.seed,
        )
        return lit, run.scenes(batch_size=self.batch_size)

    def _teacher(self, run: Run) -> nn.Module | None:
        """Who names crops."""
        return load_model(run.find_student()) if self.keep_look else find_teacher(run)

    def _float_glance(self, run: Run) -> nn.Module | None:
        """What the glance was in float, to be kept to."""
        return load_model(run.find_student()) if self.keep_glance else None

    def _optim(self) -> OneCycle:
        return OneCycle(learning_rate=self.learning_rate, weight_decay=0.0, warmup=0.1)
